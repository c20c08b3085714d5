"""Two commands at one mission at the same moment, as real processes: nothing is lost, nothing is emptied, one run begins."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors
from harnessos.app.missions import verbs
from harnessos.app.missions.opening import At
from harnessos.kernel import ending, runs
from harnessos.mission import judging, workspace
from harnessos.mission.documents import reading
from harnessos.model import mission as model
from harnessos.model.outcome import Ended, Outcome
from harnessos.store.transaction import Row, Transaction
from tests.support import invariants
from tests.support.agreement import disagreements
from tests.support.crew import Crew, Said
from tests.support.labour import BY_OPERATOR
from tests.support.mission_hands import at, ws
from tests.support.scale import SCALE
from tests.support.workspaces import Workspace

__all__ = ["at", "ws"]

TYPES = "tests.support.mission_hands:types"
FIRES = "tests.support.mission_hands:fires"
LOST = errors.LeaseLost.exit_code


class Watching:
    """Reads a document again and again until it is left, and remembers whenever it was empty, missing or too long."""

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._most = most
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.wrong: list[str] = []
        self.looks = 0

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.002):
            self.looks += 1
            try:
                data = self._path.read_bytes()
            except OSError as problem:
                self.wrong.append(str(problem))
                continue
            if not 0 < len(data) < self._most or not data.endswith(b"\n"):
                self.wrong.append(f"{len(data)} bytes")


def at_once(crew: Crew, ws: Workspace, folder: Path, *sides: list[list[str]]) -> list[list[Any]]:
    """Have each side type its commands, all beginning at the same moment; return what each said. Any: [command, code]."""
    calls = [[str(ws.path), str(ws.terminal.home), *side] for side in sides]
    said: list[Said] = crew.run(TYPES, calls, folder)
    assert [one.code for one in said] == [0] * len(said), [one.values[-1:] for one in said]
    return [one.values for one in said]


def learn(ws: Workspace, topic: str, insight: str) -> list[str]:
    return ["memory", "learn", str(ws.path), "--topic", topic, "--insight", insight]


@pytest.mark.scales
@pytest.mark.timeout(3600)
def test_b06_two_commands_at_once_lose_nothing_and_empty_nothing(
    ws: Workspace, at: At, crew: Crew, tmp_path: Path
) -> None:
    """Learn with learn, done with learn, dream with learn, in turn."""
    kept: dict[str, str] = {}
    done = 0
    with Watching(ws.path / "heartbeat.md", 2048) as watching:
        for number in range(SCALE.pairs):
            mine = (
                f"Source {number} of region {number * 7 % 101} answers in {number + 3} ms when asked for page {number}."
            )
            other = learn(ws, f"left {number % 40}", mine)
            match number % 3:
                case 0:
                    theirs = f"Table {number} has its totals in column {number * 3} since release {number}."
                    pair = at_once(crew, ws, tmp_path, [other], [learn(ws, f"right {number % 40}", theirs)])
                    assert pair[1] == [["learn", 0]]
                    kept[theirs] = f"right_{number % 40}"
                case 1:
                    verbs.start(at, None, None)
                    word = ["mission", "done", str(ws.path), "--step", "2", "--summary", f"pair {number}"]
                    pair = at_once(crew, ws, tmp_path, [other], [word])
                    assert pair[1] == [["done", 0]]
                    done += 1
                    _judge(at)
                case _:
                    pair = at_once(crew, ws, tmp_path, [other], [["mission", "dream", str(ws.path), "--skip-playbook"]])
                    assert pair[1] == [["dream", 0]]
            # Whoever types after the run has ended is told so, and has written nothing.
            assert pair[0] in ([["learn", 0]], [["learn", LOST]]), pair
            if pair[0][0][1] == 0:
                kept[mine] = f"left_{number % 40}"
    assert watching.wrong == []
    assert watching.looks > SCALE.pairs
    standing = model.read(at.row())
    assert (standing.runs, standing.successes) == (done, done)
    texts = "\n".join(path.read_text(encoding="utf-8") for path in (ws.path / "knowledge").glob("*.md"))
    assert [insight for insight in kept if insight not in texts] == []
    assert len(kept) >= SCALE.pairs
    assert disagreements(at) == []
    invariants.check(at.harness.store.url)


def _judge(at: At) -> None:
    judging.judge_open(at.site, reading.load(at.place))


@pytest.mark.scales
@pytest.mark.timeout(3600)
def test_b05_of_two_triggers_at_once_exactly_one_runs_and_the_other_is_told(
    ws: Workspace, at: At, crew: Crew, tmp_path: Path
) -> None:
    """Each trigger is what a scheduler's agent does: boot, and if that says ready, start. They meet at either."""
    for number in range(1, SCALE.triggers + 1):
        fired = crew.run(FIRES, [[str(ws.path), str(ws.terminal.home), bool(number % 4)]] * 2, tmp_path)
        assert [one.code for one in fired] == [0, 0], [one.values[-1:] for one in fired]
        said = [one.values for one in fired]
        assert sorted(side[-1][1] for side in said) == [0, 13], said
        ran = next(side for side in said if side[-1][1] == 0)
        assert ran == [["boot", 0], ["start", 0]]
        standing = model.read(at.row())
        assert (standing.status, standing.runs, standing.failures, standing.faults) == ("running", number, 0, 0)
        live = at.harness.read(_live, at.row()["issue_id"])
        kept = workspace.live(ws.path)
        assert kept is not None
        assert kept.run == live["id"]
        at.harness.write(ending.finish, runs.lease_of(live), Ended(Outcome.RELEASED, "next pair"), BY_OPERATOR)
        workspace.over(ws.path, live["id"])
    ws.good("mission boot")
    assert disagreements(at) == []
    invariants.check(at.harness.store.url)


def _live(tx: Transaction, issue_id: str) -> Row:
    row = tx.one("run_live_of", issue=issue_id)
    assert row is not None
    return row
