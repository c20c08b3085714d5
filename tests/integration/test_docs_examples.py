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
    done = _shell(script(page), tmp_path)
    output = done.output.decode(errors="replace")
    assert done.exit_code == 0, output[-3000:]
    assert missing(page, output) == [], output[-3000:]


def _shell(commands: str, tmp_path: Path) -> processes.Finished:
    """Run commands in an empty folder, with a home of its own and `harness` on PATH."""
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
    return processes.run(["sh", "-c", commands], cwd=work, env=env, timeout=110, merge=True)


def test_the_tutorial_is_among_the_pages_that_run() -> None:
    assert "tutorial.md" in [page.name for page in PAGES]


@pytest.mark.postgres
def test_two_clones_share_a_ledger_in_postgresql_as_the_page_says(database: str, tmp_path: Path) -> None:
    commands = f"""set -eu
        git init --quiet --initial-branch=main first && cd first
        git commit --quiet --allow-empty --message Begin
        harness init --key TEAM --store {database}
        cd .. && git clone --quiet first second && cd second
        harness init --key TEAM --store {database}
        echo 'version: 1\nmilestones: [{{milestone_key: m, description: d, issues: [{{task: Shared work}}]}}]' > ../plan.yaml
        harness plan apply ../plan.yaml
        cd ../first && harness issue list
        git init --quiet --initial-branch=main ../other && cd ../other
        git commit --quiet --allow-empty --message Other
        if harness init --key TEAM --store {database}; then exit 3; fi
        cd ../first && harness db export ../export
        HARNESS_HOME=$HOME/copy harness db import ../export --store sqlite:///$HOME/copy.sqlite
        harness issue list --project TEAM --store sqlite:///$HOME/copy.sqlite | grep "Shared work"
    """
    done = _shell(commands, tmp_path)
    assert done.exit_code == 0, done.output.decode(errors="replace")[-3000:]
    assert done.output.count(b"Shared work") == 2


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


def test_the_runners_environment_is_what_an_agent_finds(tmp_path: Path) -> None:
    commands = """set -eu
        git init --quiet --initial-branch=main app && cd app
        printf '#!/bin/sh\nenv > "%s/found"\n' "$HOME" > ../agent && chmod +x ../agent
        printf -- '---\nharness:\n  runner: {command: ["%s/agent"]}\n  require_gates: false\n---\n' "$(cd .. && pwd)" > WORKFLOW.md
        git add --all && git commit --quiet --message Begin
        harness init --key APP
        echo '{"milestones": [{"milestone_key": "m", "description": "d", "issues": [{"task": "Look around"}]}]}' > ../plan.json
        harness plan apply ../plan.json
        SECRET=hidden harness up --until-idle
    """
    done = _shell(commands, tmp_path)
    assert done.exit_code == 0, done.output.decode(errors="replace")[-3000:]
    found = dict(line.split("=", 1) for line in (tmp_path / "home" / "found").read_text(encoding="utf-8").splitlines())
    given = {name for name in found if name.startswith("HARNESS_")}
    assert set(_row_names("reference/runner.md", "Environment")) == given
    assert "SECRET" not in found
    assert (found["HARNESS_ATTEMPT"], found["HARNESS_TURN"]) == ("1", "1")


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
