"""Words that are nearly right: what was meant is said, and nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Terminal, registered


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "home", tmp_path)


def test_options_in_front_of_the_command_are_told_their_place(terminal: Terminal) -> None:
    said = terminal("--store", "sqlite:////tmp/x", "status", "--json")
    assert said.code == 2
    assert "options come after the command" in said.error["hint"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("stauts", "harness status"),
        ("issue lst", "harness issue list"),
        ("isue list --project X", "harness issue list"),
        ("sesion", "harness session"),
        ("worktree salvage lst", "harness worktree salvage list"),
    ],
)
def test_the_nearest_command_is_proposed(terminal: Terminal, typed: str, meant: str) -> None:
    said = terminal(*typed.split(), "--json")
    assert said.code == 2
    assert f"did you mean `{meant}`?" in said.error["hint"]
    assert "--help` lists what there is" in said.error["hint"]


def test_what_is_like_nothing_gets_no_proposal(terminal: Terminal) -> None:
    assert "did you mean" not in terminal("xyzzy", "--json").error["hint"]


def test_a_limit_of_no_rows_is_a_wrong_usage(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    for words, number in ((["issue", "list"], "0"), (["run", "list"], "-3"), (["status"], "soon")):
        said = terminal(*words, "--limit", number, "--json")
        assert said.code == 2
        assert f"{number!r} is no number of rows" in said.error["message"]
    assert len(terminal.good("issue", "list", "--limit", "1")["items"]) == 1
