"""kill -9 of a mission's commands, anywhere: no file is torn, and after the next boot ledger and documents agree."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harnessos.app.missions import booting, verbs
from harnessos.app.missions.opening import At
from harnessos.kernel import missions, reaping
from harnessos.memory import stream
from harnessos.memory.records import parse
from harnessos.mission import workspace
from harnessos.model import mission as model
from harnessos.model.run import WATCHED_TTL_MS
from harnessos.processes import this_process
from harnessos.store.opening import open_store
from harnessos.store.transaction import Row, Transaction
from harnessos.testing import FakeClock
from tests.support import invariants
from tests.support.agreement import disagreements, whole_stream
from tests.support.crew import Crew
from tests.support.labour import BY_OPERATOR
from tests.support.mission_hands import at, ws
from tests.support.scale import SCALE, Chance, seeded
from tests.support.workspaces import Workspace

__all__ = ["at", "ws"]

DIES = "tests.support.mission_hands:dies"
COMMANDS = ("start", "done", "fail", "learn", "stream", "eval", "cleanup", "dream")
LONGEST_MS = 400.0
"""A command takes less on an idle machine; one that was faster than its kill is counted as survived."""


class Tried(NamedTuple):
    """A command that was to be killed: where, or how it ended; and what it said it would keep."""

    name: str
    place: str
    acknowledged: bool
    text: str


class Killer:
    """Kills one command after the other and keeps what was acknowledged. `places` are the most that each was seen to have."""

    def __init__(self, ws: Workspace, at: At, crew: Crew, folder: Path, chance: Chance) -> None:
        self.ws = ws
        self.at = at
        self.chance = chance
        self.places: Counter[str] = Counter(dict.fromkeys(COMMANDS, 12))
        self.killed: Counter[str] = Counter()
        self.places_of_death: set[str] = set()
        self.acknowledged: dict[str, list[str]] = {name: [] for name in COMMANDS}
        self._crew = crew
        self._folder = folder
        self._number = 0

    def once(self) -> Tried:
        """Bring the mission to where a command makes sense, and have it killed on its way."""
        self._number += 1
        name = self.chance.choice(COMMANDS)
        text = (
            f"Number {self._number} of {self._number * 37 % 1000} says: page {self._number * 13 % 997} | `is` missing."
        )
        self._before(name)
        if self.chance.random() < 0.5:
            place, after = self.chance.randrange(1, self.places[name] + 1), 0.0
        else:
            place, after = 0, self.chance.uniform(5, LONGEST_MS)
        arguments: list[Any] = [str(self.ws.path), str(self.ws.terminal.home), self._words(name, text), place, after]
        [said] = self._crew.run(DIES, [arguments], self._folder)
        assert said.code in (0, -signal.SIGKILL), said
        ended = [value for value in said.values if value[0] == "ended"]
        if ended:
            self.places[name] = max(self.places[name], ended[0][2])
            assert ended[0][1] == 0 or name in ("eval", "cleanup"), (name, ended)
        self.killed[name] += said.code != 0
        place_of_death = str(said.values[-1][1]) if said.values and not ended else ""
        if place_of_death:
            self.places_of_death.add(f"{name} at place {place}")
        return Tried(name, place_of_death or f"after {after:.0f} ms", bool(ended), text)

    def _before(self, name: str) -> None:
        live = self._live()
        if name in ("done", "fail") and live is None:
            verbs.start(self.at, None, None)
        elif name in ("start", "dream") and live is not None:
            verbs.fail(self.at, None, None, "makes room")
        if name == "eval" and live is not None and self.chance.random() < 0.7:
            verbs.done(self.at, None, str(self.chance.randrange(1, 5)), "to be judged")

    def _live(self) -> Row | None:
        return self.at.harness.read(_live_run, self.at.row()["issue_id"])

    def _words(self, name: str, text: str) -> list[str]:
        ws = str(self.ws.path)
        match name:
            case "done":
                return ["mission", "done", ws, "--step", str(self.chance.randrange(1, 5)), "--summary", text]
            case "fail":
                return ["mission", "fail", ws, "--step", "2", "--error", text]
            case "learn":
                topic = f"topic {self.chance.randrange(12)}"
                return ["memory", "learn", ws, "--topic", topic, "--insight", text]
            case "stream":
                level = self.chance.choice(stream.LEVELS)
                return ["memory", "stream", ws, "--step", "2", "--event", text, "--level", level]
            case "cleanup":
                return ["mission", "cleanup", ws, "--max-runs", "3", "--max-stream-mb", "0.002"]
            case _:
                return ["mission", name, ws]

    def boot(self, tried: Tried) -> None:
        """Boot as the next trigger does, and insist that everything agrees. A dream's lease is over by then."""
        if tried.name == "dream":
            _later(self.at, WATCHED_TTL_MS + 60_000)
        where = f"{tried.name} killed at {tried.place}"
        opened, _ = booting.open_or_take(self.at.harness, str(self.ws.path), lambda _: None)
        with opened:
            booting.look(opened, None, [])
            assert disagreements(opened) == [], where
        live, kept = self._live(), workspace.live(self.ws.path)
        assert (kept.run if kept else None) == (live["id"] if live else None), where
        assert workspace.planned(self.ws.path) is None, where
        if tried.acknowledged:
            self.acknowledged[tried.name].append(tried.text)

    def all_there(self) -> None:
        """Insist that what was acknowledged can still be read."""
        texts = [path.read_text(encoding="utf-8") for path in (self.ws.path / "knowledge").glob("*.md")]
        known = "\n".join(texts)
        assert [insight for insight in self.acknowledged["learn"] if insight not in known] == []
        records = whole_stream(self.ws.path).decode().splitlines()
        said = Counter(record.text for line in records if (record := parse(line.encode())))
        assert [event for event in self.acknowledged["stream"] if said[event] != 1] == []
        notes = self.at.harness.read(_notes, self.at.mission_id)
        assert set(self.acknowledged["done"] + self.acknowledged["fail"]) <= notes


def _later(at: At, by: int) -> None:
    """End what a killed process had leased, as the first who looks after that time does."""
    later = open_store(at.harness.store.url, clock=FakeClock(at.site.now() + by))
    try:
        later.write(reaping.reap, this_process(), BY_OPERATOR, 32)
    finally:
        later.close()


def _live_run(tx: Transaction, issue_id: str) -> Row | None:
    return tx.one("run_live_of", issue=issue_id)


def _notes(tx: Transaction, mission_id: str) -> set[str]:
    rows = tx.all("mission_run_list", mission=mission_id, kind="run", before=1 << 40, most=10_000)
    return {row["note"] for row in rows}


@pytest.mark.scales
@pytest.mark.timeout(5400)
def test_b07_commands_killed_anywhere_leave_no_torn_file_and_no_disagreement(
    ws: Workspace, at: At, crew: Crew, tmp_path: Path
) -> None:
    killer = Killer(ws, at, crew, tmp_path, seeded(7))
    while killer.killed.total() < SCALE.kills:
        killer.boot(killer.once())
        if model.read(at.row()).stopped:
            at.harness.write(missions.resume, at.mission_id, BY_OPERATOR)
    where = f"at {len(killer.places_of_death)} places of {killer.places.total()}, and at any time between"
    print(f"killed {dict(killer.killed)} {where}")  # noqa: T201 # shown by pytest -s, for the record
    assert min(killer.killed[name] for name in COMMANDS) > 0
    killer.all_there()
    invariants.check(at.harness.store.url)
