"""The scripted agent of `examples/agents` keeps the runner's contract and says what it is."""

from __future__ import annotations

import ast
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from harnessos.model.amounts import parse_instant
from tests.support.json_schema import conforms
from tests.support.python import run_python
from tests.support.repositories import commit_files, make_repository, user_git
from tests.support.scripted import AGENT, outcome_schema, play

OUTCOME = outcome_schema()
WRITE = {"write": "app.py", "text": "answer = 42\n"}


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "worktree")


def _script(*plays: dict[str, Any], **commands: list[str]) -> dict[str, Any]:
    return {"commands": commands, "parts": {"WORDS-1": list(plays)}}


def test_it_edits_commits_and_reports(worktree: Path, tmp_path: Path) -> None:
    ended = play(_script({"do": [WRITE, {"commit": "Answer"}]}), worktree, tmp_path, prompt="do it")
    assert (ended.code, (worktree / "app.py").read_text()) == (0, "answer = 42\n")
    assert user_git(worktree, "log", "-1", "--format=%an %s") == "Scripted Agent Answer"
    assert user_git(worktree, "status", "--porcelain") == ""
    assert ended.outcome is not None
    assert ended.outcome["outcome"] == "success"


def test_it_says_that_it_thinks_nothing(worktree: Path, tmp_path: Path) -> None:
    told = run_python(str(AGENT), "--help").stdout
    ended = play(_script({"do": []}), worktree, tmp_path, prompt="do it")
    docstring = ast.get_docstring(ast.parse(AGENT.read_text(encoding="utf-8"))) or ""
    assert "thinks nothing" in docstring
    assert "thinks nothing" in told
    assert "I think nothing" in ended.said


def test_it_needs_nothing_but_the_standard_library() -> None:
    imported = set()
    for node in ast.walk(ast.parse(AGENT.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported |= {name.split(".")[0] for name in names}
    assert imported - set(sys.stdlib_module_names) == set()


def test_the_marker_in_the_prompt_wins_over_the_issue(worktree: Path, tmp_path: Path) -> None:
    script = {"parts": {"WORDS-1": [{"do": [{"fail": "wrong part"}]}], "slug": [{"do": [{"say": "right part"}]}]}}
    ended = play(script, worktree, tmp_path, prompt="Make anchors.\nScripted part: slug\n")
    assert (ended.code, "right part" in ended.said) == (0, True)


def test_a_second_turn_is_played_only_with_the_gates_output_in_its_prompt(worktree: Path, tmp_path: Path) -> None:
    script = _script({"when": {"turn": 1}, "do": []}, {"when": {"prompt_has": "'IIII' != 'IV'"}, "do": [WRITE]})
    assert play(script, worktree, tmp_path, prompt="do it").code == 0
    assert play(script, worktree, tmp_path, prompt="do it again", turn=2).code == 1
    assert play(script, worktree, tmp_path, prompt="E  'IIII' != 'IV'", turn=2).code == 0
    assert (worktree / "app.py").exists()


def test_it_crashes_at_the_first_attempt_and_works_at_the_second(worktree: Path, tmp_path: Path) -> None:
    script = _script({"when": {"attempt": 1}, "do": [WRITE, {"crash": True}]}, {"do": [WRITE, {"commit": "Answer"}]})
    first = play(script, worktree, tmp_path, prompt="do it")
    assert (first.code, first.outcome) == (-signal.SIGKILL, None)
    assert play(script, worktree, tmp_path, prompt="do it", attempt=2).code == 0


def test_it_hangs_until_it_is_killed(worktree: Path, tmp_path: Path) -> None:
    ended = play(_script({"do": [{"hang": True}]}), worktree, tmp_path, prompt="do it", until="hanging now")
    assert (ended.code, "hanging now" in ended.said) == (None, True)


def test_it_can_leave_its_work_uncommitted(worktree: Path, tmp_path: Path) -> None:
    assert play(_script({"do": [WRITE]}), worktree, tmp_path, prompt="do it").code == 0
    assert user_git(worktree, "status", "--porcelain") == "?? app.py"


def test_a_quota_ends_with_75_and_the_time_of_the_reset(worktree: Path, tmp_path: Path) -> None:
    ended = play(_script({"do": [{"quota": 3600}]}), worktree, tmp_path, prompt="do it")
    assert ended.code == 75
    assert ended.outcome is not None
    assert ended.outcome["outcome"] == "provider_quota"
    assert parse_instant(ended.outcome["reset_at"]) > 0


def test_it_proves_that_the_work_it_builds_on_is_there(worktree: Path, tmp_path: Path) -> None:
    script = _script({"do": [{"needs": "from pieces import piece; assert piece() == 1"}, WRITE]})
    assert play(script, worktree, tmp_path, prompt="do it").code == 1
    assert not (worktree / "app.py").exists()
    commit_files(worktree, {"pieces.py": "def piece():\n    return 1\n"})
    assert play(script, worktree, tmp_path, prompt="do it").code == 0


def test_a_command_of_the_script_must_end_as_it_says(worktree: Path, tmp_path: Path) -> None:
    script = _script(
        {"do": [{"run": "check", "with": ["raise SystemExit(3)"], "expect": 0}, WRITE]}, check=["{python}", "-c"]
    )
    ended = play(script, worktree, tmp_path, prompt="do it")
    assert (ended.code, (worktree / "app.py").exists()) == (1, False)


def test_a_checkpoint_goes_through_the_command_line(worktree: Path, tmp_path: Path) -> None:
    """A program on PATH stands for `harness` here and keeps its words."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "harness").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > words\n', encoding="utf-8")
    (tools / "harness").chmod(0o755)
    script = _script({"do": [{"checkpoint": {"title": "Half", "summary": "units", "next_step": "parse"}}]})
    path = f"{tools}:/usr/bin:/bin"
    play(script, worktree, tmp_path, prompt="do it", env={"HARNESS_SESSION_TOKEN": "token", "PATH": path})
    words = (worktree / "words").read_text().split("\n")[:-1]
    assert words == ["session", "checkpoint", "--title", "Half", "--summary", "units", "--next-step", "parse"]


def test_nothing_is_written_outside_of_the_worktree(worktree: Path, tmp_path: Path) -> None:
    ended = play(_script({"do": [{"write": "../escaped", "text": "x"}]}), worktree, tmp_path, prompt="do it")
    assert (ended.code, (tmp_path / "escaped").exists()) == (1, False)


@pytest.mark.parametrize(
    ("actions", "code"),
    [([], 0), ([{"fail": "no"}], 1), ([{"quota": 60}], 75), ([{"dance": True}], 1), ([{"copy": "gone", "to": "a"}], 1)],
)
def test_every_outcome_is_as_the_schema_says(actions: list[Any], code: int, worktree: Path, tmp_path: Path) -> None:
    ended = play(_script({"do": actions}), worktree, tmp_path, prompt="do it")
    assert (ended.code, conforms(ended.outcome, OUTCOME)) == (code, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "done"},
        {"reset_at": 1_800_000_000},
        {"reset_at": "tomorrow"},
        {"tokens": 1.5},
        {"tokens": -1},
        {"usd": "5"},
        {"cost": 5},
        {"reason": ""},
        [],
    ],
    ids=str,
)
def test_the_schema_of_outcomes_is_strict(wrong: object) -> None:
    assert not conforms(wrong, OUTCOME)


def test_seconds_cannot_be_taken_for_milliseconds_in_reset_at() -> None:
    assert conforms({"outcome": "provider_quota", "reset_at": 1_800_000_000_000}, OUTCOME)
    assert not conforms({"outcome": "provider_quota", "reset_at": 1_800_000_000}, OUTCOME)
