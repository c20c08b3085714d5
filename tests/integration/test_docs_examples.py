"""The examples of the documents run, and the reference pages say what the code has."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harnessos import processes
from tests.support.pages import examples, missing, script
from tests.support.python import ROOT
from tests.support.scripted import outcome_schema

DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if examples(page)]


def _row_names(page: str, heading: str) -> list[str]:
    """Return the names in the first column of the first table below a heading."""
    text = (DOCS / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_examples_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    home, tools, work = tmp_path / "home", tmp_path / "tools", tmp_path / "work"
    for folder in (home, tools, work):
        folder.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = A Person\nemail = person@example.org\n", encoding="utf-8")
    command = tools / "harness"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}/src" exec "{sys.executable}" -m harnessos "$@"\n', encoding="utf-8"
    )
    command.chmod(0o755)
    env = {"HOME": str(home), "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = processes.run(["sh", "-c", script(page)], cwd=work, env=env, timeout=110, merge=True)
    output = done.output.decode(errors="replace")
    assert done.exit_code == 0, output[-3000:]
    assert missing(page, output) == [], output[-3000:]


def test_the_tutorial_is_among_the_pages_that_run() -> None:
    assert "tutorial.md" in [page.name for page in PAGES]


def test_a_failing_example_stops_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- run -->\n```sh\nfalse\n```\n\n<!-- run -->\n```sh\necho on\n```\n", encoding="utf-8")
    done = processes.run(["sh", "-c", script(page)], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, timeout=20)
    assert (done.exit_code, done.output) == (1, b"")


def test_what_a_page_shows_is_looked_for(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- shows -->\n```text\none…three\ntwo\n```\n", encoding="utf-8")
    assert missing(page, "one two three") == []
    assert missing(page, "one\nthree") == ["one…three", "two"]


def _keys(schema: Mapping[str, Any], root: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, found in schema["properties"].items():
        part = root["$defs"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found
        if "properties" in part and name != "budget":
            yield from _keys(part, root, f"{before}{name}.")
        else:
            yield before + name


def test_the_reference_of_workflow_md_has_every_key_of_the_schema() -> None:
    schema = json.loads((DOCS / "schemas" / "workflow.schema.json").read_text(encoding="utf-8"))
    text = (DOCS / "reference" / "workflow.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*) \| ", text.split("## `harness:`")[1].split("\n## ")[0], re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(_keys(schema, schema))
    defaults = {
        name: str(found["default"]).lower() for name, found in schema["properties"].items() if "default" in found
    }
    assert {name: default.strip("`") for name, default in rows if name in defaults} == defaults


def test_every_budget_field_is_named() -> None:
    schema = json.loads((DOCS / "schemas" / "workflow.schema.json").read_text(encoding="utf-8"))
    text = (DOCS / "reference" / "workflow.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `budget`"))
    assert [name for name in schema["properties"]["budget"]["properties"] if f"`{name}`" not in row] == []


def test_the_reference_of_prompts_has_every_variable() -> None:
    from harnessos.workflow.variables import ROOTS

    assert sorted(_row_names("reference/workflow.md", "What a prompt may use")) == sorted(ROOTS)


def test_the_runners_environment_is_the_one_the_code_builds() -> None:
    source = (ROOT / "src" / "harnessos" / "dispatch" / "attempt.py").read_text(encoding="utf-8")
    given = re.search(r"command\.environment\((.*?)\n        \)", source, re.DOTALL)
    assert given is not None
    names = {f"HARNESS_{name}" for name in re.findall(r'^ +"([A-Z_]+)": ', given[1], re.MULTILINE)}
    assert set(_row_names("reference/runner.md", "Environment")) == names


def test_the_plain_variables_are_the_ones_the_code_passes() -> None:
    from harnessos.processes.environment import built_environment

    text = (
        (DOCS / "reference" / "runner.md").read_text(encoding="utf-8").split("## Environment")[1].split("| variable")[0]
    )
    named = set(re.findall(r"`([A-Z_]+)\*?`", text)) - {"LC_"}
    everything = dict.fromkeys([*named, "LC_ALL", "SECRET", "PWD"], "x")
    assert set(built_environment(everything, {})) == named | {"LC_ALL"}


def test_the_reference_of_outcomes_has_every_field_of_the_schema() -> None:

    text = (DOCS / "reference" / "runner.md").read_text(encoding="utf-8").split("## outcome.json")[1]
    fields = re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)
    assert fields == list(outcome_schema()["properties"])
