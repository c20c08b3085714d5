"""What `doctor` finds in the places where a ledger may lie, and what looking leaves behind (P04, P09)."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from tests.support.commands import Terminal, registered


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


def _finding(terminal: Terminal, **env: str) -> list[str]:
    said = terminal("doctor", "--json", **env)
    (check,) = [one for one in said.json["checks"] if one["name"] == "one_ledger"]
    assert said.code == (0 if said.json["ok"] else 1)
    return [finding["subject"] for finding in check["findings"]]


def test_split_brain_detected(terminal: Terminal, tmp_path: Path) -> None:
    """A copied ledger holds the same projects: whichever of the two a command finds, doctor names the other."""
    assert _finding(terminal) == []
    copy = tmp_path / "copy.sqlite"
    terminal.good("db", "backup", str(copy))
    shutil.copy(copy, tmp_path / "second.sqlite")
    assert _finding(terminal, HARNESS_STORE=f"sqlite:///{copy}") == ["DOCS"]
    elsewhere = terminal.at(tmp_path)
    assert _finding(elsewhere, HARNESS_STORE=f"sqlite:///{tmp_path / 'second.sqlite'}") == ["DOCS"]


def test_another_ledger_with_other_projects_is_no_finding(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    terminal.at(folder).good("init", ".", "--key", "ELSE", "--store", other)
    assert _finding(terminal.at(folder)) == []


def test_read_only_commands_start_no_daemon(terminal: Terminal) -> None:
    """Nothing that a reading command started is alive once it has answered, and it wrote nothing."""
    ledger = terminal.home / "harness.sqlite"
    before = ledger.read_bytes()
    mark = f"HARNESS_TEST_MARK={terminal.home}"
    for words in (
        ["where"],
        ["status"],
        ["next"],
        ["why", "DOCS-1"],
        ["report"],
        ["export"],
        ["audit", "--verify"],
        ["doctor"],
        ["issue", "list"],
        ["issue", "show", "DOCS-1"],
        ["run", "list"],
        ["worktree", "list"],
        ["budget", "show", "DOCS"],
        ["attention", "list"],
        ["db", "check"],
        ["plan", "schema"],
        ["completion", "bash"],
        ["init", ".", "--key", "DOCS", "--dry-run"],
    ):
        said = terminal(*words, HARNESS_TEST_MARK=str(terminal.home))
        assert said.code == 0, (words, said.err)
        assert _marked(mark) == [], words
    assert ledger.read_bytes() == before


def _marked(mark: str) -> list[int]:
    """Return the living processes that carry this variable."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        name, _, value = mark.partition("=")
        if environment.get(name) == value:
            found.append(process.pid)
    return found
