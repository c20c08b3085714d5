"""An example mission as a newcomer starts it, on a clock that the test moves: real documents, agents, checks, schedules."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harnessos import processes
from harnessos.app.harness import harness
from harnessos.app.missions import making, scheduling
from harnessos.app.missions.making import Wish
from harnessos.app.missions.opening import At
from harnessos.model.process import Identity
from harnessos.model.run import SUPERVISOR
from harnessos.processes.tree import tree
from harnessos.services import loop
from harnessos.services.supervisor import Options, Supervisor
from harnessos.store.transaction import Row, Transaction
from tests.support.clocked import FiledClock, tool
from tests.support.commands import Said
from tests.support.python import ROOT

EXAMPLES = ROOT / "examples" / "missions"
AGENTS = ROOT / "examples" / "agents" / "missions"


class Example:
    """One example with its scripted agent; `source` is what its source.txt will name."""

    def __init__(self, folder: Path, name: str, source: Path) -> None:
        self.place = folder / "ws"
        self.clock = FiledClock(folder / "clock")
        self.told: list[Mapping[str, Any]] = []
        tool(folder / "tools", self.clock, ROOT)
        (folder / "user").mkdir()
        self.environ = {
            "PATH": f"{folder / 'tools'}:{os.environ['PATH']}",
            "HOME": str(folder / "user"),
            "USER": "tester",
            "LANG": "C.UTF-8",
            "HARNESS_HOME": str(folder / "home"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        agent = f"command:{sys.executable} {AGENTS / name.replace('-', '_')}.py --source {source}"
        wish = Wish(file=str(EXAMPLES / name / "mission.yaml"), agent=agent, place=str(self.place), run=False)
        made = making.make(harness(None, self.environ, folder, "test", clock=self.clock), wish, lambda _: None)
        with made.at as at:
            assert scheduling.look(at, None).installed

    def at(self) -> At:
        """The workspace with its ledger, in the test's time."""
        return At(harness(None, self.environ, self.place, "test", clock=self.clock), self.place)

    def next_firing(self) -> str:
        """Let time pass until a schedule of the mission is due, have `harness up` serve it once; say what was due."""
        with self.at() as at:
            rows = at.harness.read(lambda tx: tx.all("schedule_of_mission", mission=at.mission_id))
            row = min((row for row in rows if row["fires_at"] is not None), key=lambda row: row["fires_at"])
            self.clock.advance(row["fires_at"] - self.clock.now())
        self.up()
        return str(row["target"])

    def scheduled_run(self) -> Row:
        """Let time pass until the mission's own schedule fires, dreams on the way included; return the newest run."""
        while self.next_firing() != "mission":
            pass
        return self.runs()[-1]

    def up(self) -> None:
        """Look once, as `harness up --missions --once` does, until what began is over."""
        with self.at() as at:
            ground = at.harness.ground._replace(actor=SUPERVISOR)
            supervisor = Supervisor(ground, [], Options(once=True), self.told.append, missions=True)
            asyncio.run(loop.run(supervisor))
            assert supervisor.ending().exit_code == 0, self.told

    def runs(self, kind: str = "run") -> list[Row]:
        """The runs of the mission (or its dreams), oldest first, each with `trigger`, `result` and `checks_json`."""
        with self.at() as at:
            return list(reversed(at.harness.read(_runs, at.mission_id, kind)))

    def mission(self) -> Row:
        """The mission's row."""
        with self.at() as at:
            return at.row()

    def firings(self) -> list[tuple[str, str]]:
        """What each firing of the mission's own schedule came to: the outcome and why not, oldest first."""
        with self.at() as at:
            return list(reversed(at.harness.read(_firings, at.mission_id)))

    def harness(self, *words: str) -> Said:
        """Type a command."""
        done = processes.run(["harness", *words], cwd=self.place, env=self.environ, timeout=60)
        return Said(done.exit_code or 0, done.output.decode(), done.errors.decode())

    def text(self, name: str) -> str:
        """A file of the workspace."""
        return (self.place / name).read_text(encoding="utf-8")

    def left_running(self) -> list[Identity]:
        """The processes of runs of this mission that live still, and the runs that are not over."""
        with self.at() as at:
            assert at.harness.read(lambda tx: tx.all("mission_driven_here", machine_id=at.machine)) == []
        return [each for run in self.runs() for each in tree(processes.RUN_MARKER, run["id"], None, set())]


def failing(run: Row) -> list[str]:
    """The names of the checks of a run that failed, optional ones too."""
    return [check["name"] for check in json.loads(run["checks_json"]) if check["passed"] is False]


def isolated(run: Row) -> bool:
    """Whether every check of a run that applied ran in a box."""
    ran = [check for check in json.loads(run["checks_json"]) if check["passed"] is not None]
    return bool(ran) and all(check["isolation"] != "none" for check in ran)


def _runs(tx: Transaction, mission_id: str, kind: str) -> list[Row]:
    return tx.all("mission_run_list", mission=mission_id, kind=kind, before=1 << 40, most=100)


def _firings(tx: Transaction, mission_id: str) -> list[tuple[str, str]]:
    (schedule,) = [row for row in tx.all("schedule_of_mission", mission=mission_id) if row["target"] == "mission"]
    found = tx.all("schedule_firings", schedule=schedule["id"], before=1 << 62, most=100)
    return [(row["outcome"], row["reason"]) for row in found]
