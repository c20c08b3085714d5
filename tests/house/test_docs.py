"""The documents are reachable, short where they promise it, and name commands that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.python import ROOT, tracked_files

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TARGET = re.compile(r"^([a-z-]+):(?!=)", re.MULTILINE)
_MAKE = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)

PAGES = [path for path in tracked_files() if path.suffix == ".md" and "tests" not in path.relative_to(ROOT).parts]


def _strings(node: object) -> Iterator[str]:
    match node:
        case str():
            yield node
        case list():
            for item in node:
                yield from _strings(item)
        case dict():
            yield from _strings(list(node.values()))


def _navigation() -> list[str]:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    return list(_strings(YAML(typ="safe", pure=True).load(text)["nav"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_files_resolve(page: Path) -> None:
    targets = [link.split("#")[0] for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_the_readme_fits_on_one_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 80


def test_every_page_of_docs_is_in_the_navigation_and_exists() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in PAGES if (ROOT / "docs") in path.parents}
    assert sorted(_navigation()) == sorted(pages)


def test_decisions_are_numbered_without_gaps_and_dated() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    undated = [
        path.name for path in decisions if not re.search(r"^Date: \d{4}-\d\d-\d\d$", path.read_text("utf-8"), re.M)
    ]
    assert undated == []


def test_every_make_command_the_pages_name_exists() -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    named = {name for page in PAGES for name in _MAKE.findall(page.read_text(encoding="utf-8"))}
    assert named - targets == set()


def test_every_everyday_command_is_described() -> None:
    described = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    assert [
        name for name in ("quickstart", "test", "check", "bench", "soak", "mutants") if f"make {name}" not in described
    ] == []
