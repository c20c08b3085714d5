"""What a person sees: identifiers that can be copied, no colours where none are wanted, an error when nothing can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Terminal, registered
from tests.support.python import run_python
from tests.support.repositories import commit_files
from tests.support.terminals import seen


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


def test_no_identifier_is_cut_off(terminal: Terminal) -> None:
    """An `…` in the middle of what one wants to copy is worth nothing: other columns are wrapped, or rows unrolled."""
    words = ("--issue", "DOCS-3", "--agent", "somebody with a name of many words, who works at it")
    run = terminal.good("session", "begin", *words)["session"]
    commit_files(terminal.cwd, {"c.txt": "made\n"})
    assert terminal("session", "close", "--session", run["token"], "--outcome", "finished").code == 0
    (entry,) = terminal.good("attention", "list")["items"]
    for columns in (40, 80, 200):
        for noun, name in (("run", run["run_id"]), ("attention", entry["id"]), ("issue", "DOCS-3")):
            told = seen(terminal, noun, "list", columns=columns)
            assert name in told
            assert "…" not in told


def test_no_color_means_no_bold_and_no_dim_either(terminal: Terminal) -> None:
    assert "\x1b[" in seen(terminal, "issue", "list", columns=100)
    assert "\x1b" not in seen(terminal, "issue", "list", columns=100, NO_COLOR="1")
    assert "\x1b[" in seen(terminal, "issue", "list", columns=100, NO_COLOR=""), "an empty one means nothing"


def test_up_with_no_color_draws_without_styles(terminal: Terminal) -> None:
    (terminal.cwd / "WORKFLOW.md").write_text("---\nharness:\n  runner: {kind: command, command: 'true'}\n---\nx\n")
    for number in (1, 3):
        terminal.good("issue", "cancel", f"DOCS-{number}")
    told = seen(terminal, "up", "--once", columns=100, NO_COLOR="1")
    assert "last event" in told
    assert "\x1b[1m" not in told
    assert "\x1b[2m" not in told


def test_a_full_disk_behind_standard_output_is_a_plain_error(terminal: Terminal) -> None:
    command = ["sh", "-c", 'exec "$@" > /dev/full', "sh"]
    for words, unbuffered in ((["status"], ""), (["status"], "1"), (["status", "--json"], ""), (["--help"], "")):
        said = terminal(*words, wrap=command, PYTHONUNBUFFERED=unbuffered)
        assert said.code == 1
        assert "cannot be written" in said.err
        assert "Traceback" not in said.err


def test_an_error_of_the_system_that_is_not_the_output_s_still_shows_where(tmp_path: Path) -> None:
    program = (
        "import sys; from harnessos.cli import main\n"
        "def fails(words): raise OSError(28, 'No space left on device')\n"
        "main._answered = fails\n"
        "sys.exit(main.run(['status']))"
    )
    said = run_python("-c", program)
    assert said.returncode == 1
    assert "Traceback" in said.stderr


def test_one_thing_is_not_told_in_the_plural(terminal: Terminal) -> None:
    issues = [{"key": "a", "task": "do a"}]
    plan = {"plan_key": "q", "milestones": [{"milestone_key": "m", "description": "d", "issues": issues}]}
    assert "is right: 1 issue in 1 milestone\n" in terminal("plan", "check", str(terminal.plan(plan))).out
    token = terminal.good("session", "begin", "--issue", "DOCS-3")["session"]["token"]
    commit_files(terminal.cwd, {"c.txt": "made\n"})
    assert terminal("session", "close", "--session", token, "--outcome", "finished").code == 0
    assert "\n1 thing waits for a person: " in terminal("status").out
    assert "spent: 1 run, " in terminal("report").out
