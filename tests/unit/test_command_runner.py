"""What the end of an agent's process means: pure, from an exit code and a document."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harnessos.model.outcome import PROVIDER_DOWN_MS, Outcome
from harnessos.model.words import is_sayable
from harnessos.runners import command

NOW = 1_800_000_000_000


@pytest.fixture
def files(tmp_path: Path) -> command.TurnFiles:
    """The files of a first turn."""
    made = command.files_of(tmp_path, 1)
    command.clear(tmp_path, made)
    return made


def reset_of(files: command.TurnFiles, reset_at: object, run: str = "run-1") -> int:
    """Return how long after NOW a run with this `reset_at` comes back."""
    files.outcome.write_text(json.dumps({"reset_at": reset_at}), encoding="utf-8")
    ended = command.report(75, files, NOW, run).ended
    assert ended is not None
    assert ended.reset_at is not None
    return ended.reset_at - NOW


def test_exit_0_asks_for_the_verdict() -> None:
    assert command.classify(0, {"outcome": "agent_fault"}, NOW) is None


@pytest.mark.parametrize(
    ("code", "document", "outcome"),
    [
        (75, {"reset_at": NOW + 1}, Outcome.PROVIDER_QUOTA),
        (75, {"reset_at": "2030-01-01T00:00:00+02:00"}, Outcome.PROVIDER_QUOTA),
        (75, {"reset_at": "2030-01-01T00:00:00"}, Outcome.PROVIDER_DOWN),
        (75, {"reset_at": True}, Outcome.PROVIDER_DOWN),
        (75, {"outcome": "provider_down", "reset_at": NOW + 1}, Outcome.PROVIDER_DOWN),
        (75, {"outcome": "success"}, Outcome.PROVIDER_DOWN),
        (1, {"outcome": "task_fault"}, Outcome.TASK_FAULT),
        (1, {"outcome": "success"}, Outcome.AGENT_FAULT),
        (1, {"reset_at": NOW + 1}, Outcome.AGENT_FAULT),
        (-9, {}, Outcome.AGENT_FAULT),
    ],
)
def test_the_exit_code_decides_the_class_and_the_document_refines_it(
    code: int, document: dict[str, object], outcome: Outcome
) -> None:
    ended = command.classify(code, document, NOW)
    assert ended is not None
    assert ended.outcome is outcome


def test_runs_come_back_spread_over_a_tenth_of_the_wait(files: command.TurnFiles) -> None:
    waits = {reset_of(files, NOW + 60_000, f"run-{number}") for number in range(50)}
    assert min(waits) >= 60_000
    assert max(waits) <= 66_000
    assert len(waits) > 40


def test_a_reset_that_has_passed_says_nothing(files: command.TurnFiles) -> None:
    """Else a runner that always names one would be started again without end (P01)."""
    assert reset_of(files, NOW - 1) >= PROVIDER_DOWN_MS


def test_nobody_waits_for_years(files: command.TurnFiles) -> None:
    assert reset_of(files, 9_007_199_254_740_991) <= command.LONGEST_WAIT_MS + command.JITTER_MOST_MS


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"exit_code": "0"}', '{"exit_code": true}', "[" * 900, "\xff"])
def test_a_recorded_exit_that_we_did_not_write_is_none(files: command.TurnFiles, text: str) -> None:
    files.exit.write_text(text, encoding="utf-8")
    assert command.recorded_exit(files) is None


def test_a_recorded_exit_is_read_back(files: command.TurnFiles) -> None:
    assert command.recorded_exit(files) is None
    command.record_exit(files, 0)
    assert command.recorded_exit(files) == 0


@pytest.mark.parametrize("code", [1, 75])
@pytest.mark.parametrize("text", ["no\ud800", "no\0"])
def test_what_an_agent_says_can_be_kept_by_every_ledger(files: command.TurnFiles, code: int, text: str) -> None:
    files.outcome.write_text(json.dumps({"reason": text, "reset_at": NOW + 1}), encoding="utf-8")
    ended = command.report(code, files, NOW, "run-1").ended
    assert ended is not None
    assert is_sayable(ended.reason)
    assert "no\\" in ended.reason, "written out, not dropped"


def test_an_agent_finds_harness_where_a_scheduler_gives_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron and systemd start `harness` by its whole path: what it starts must find it too."""
    beside, other = tmp_path / "bin", tmp_path / "other"
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    bare = "/usr/bin:/bin"
    assert command.environment({"PATH": bare}, {}, {})["PATH"] == bare
    for folder in (beside, other):
        folder.mkdir()
        (folder / "harness").touch(0o755)
    assert command.environment({"PATH": bare}, {}, {})["PATH"] == f"{bare}:{beside}"
    assert command.environment({"PATH": f"{other}:{bare}"}, {}, {})["PATH"] == f"{other}:{bare}"
