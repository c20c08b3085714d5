"""Missions with workers: what a person types, and what workers of a crew do as coordinators at the same moment."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from harnessos.app.harness import harness
from harnessos.app.missions import agents
from harnessos.app.missions.opening import At
from harnessos.kernel import missions, tasks
from harnessos.kernel.tasks import Result, Taker, Wanted
from harnessos.ports import Clock
from harnessos.store.opening import open_store
from harnessos.store.transaction import Store, Transaction
from tests.support.commands import Said, run_words
from tests.support.crew import Worker
from tests.support.labour import BY_OPERATOR
from tests.support.missions import ALONE
from tests.support.workspaces import Workspace

PAIR = ("worker-1", "worker-2")


class Crowd(Workspace):
    """A mission with workers."""

    def __init__(self, folder: Path, workers: int = 3) -> None:
        super().__init__(folder, booted=False)
        if workers:
            with opened(str(self.terminal.home), str(self.path)) as at:
                agents.init(at, workers)

    def agents(self, verb: str, *flags: str) -> Any:
        """The answer of a verb that succeeds. Any: a test looks into it."""
        return self.good(f"mission agents {verb}", *flags)

    def dispatch(self, text: str = "look", *flags: str) -> Any:
        """Dispatch a task; return it as it stands then. Any: a JSON object."""
        return self.agents("dispatch", "--task", text, *flags)["task"]

    def shell(self, command: str) -> Said:
        """Type something in a shell whose `python3` is this one."""
        words = ["bash", "-c", command.replace("python3", sys.executable, 1)]
        return run_words(words, self.terminal.environment())

    def start_runners(self, agent: str) -> subprocess.Popen[bytes]:
        """Begin `mission agents run`, and do not wait for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "harnessos", "mission", "agents", "run", str(self.path), "--agent", agent],
            env=self.terminal.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def box(self, worker: int, name: str) -> Path:
        """A worker's inbox or outbox."""
        return self.path / "agents" / f"worker-{worker}" / name

    def files(self, worker: int, name: str) -> list[str]:
        """The names in a worker's inbox or outbox."""
        return sorted(path.name for path in self.box(worker, name).iterdir())

    def result(self, task: Any, word: str = "success", worker: int = 0, output: str = "fine") -> Path:
        """Write a task's result as the founding document shows it, into its worker's outbox. Any: a JSON object."""
        where = self.box(worker or int(task["worker"].rpartition("-")[2]), "outbox") / f"result_{task['id']}.md"
        where.write_text(f"## Result: task_{task['id']}\n**Status**: {word}\n**Output**:\n{output}\n", encoding="utf-8")
        return where

    def manifest(self, worker: int) -> Any:
        """A worker's manifest. Any: a JSON object."""
        return json.loads((self.box(worker, "manifest.json")).read_text(encoding="utf-8"))

    def busy(self) -> dict[str, str | None]:
        """What each worker has, as its manifest says."""
        numbers = sorted(int(path.name[7:]) for path in self.path.glob("agents/worker-*"))
        return {f"worker-{number}": self.manifest(number)["current_task"] for number in numbers}

    def archived(self) -> list[str]:
        """The names in the archive."""
        folder = self.path / "logs" / "agent_archive"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def outcomes(answer: Any) -> list[tuple[str, str]]:
    """What became of each result. Any: an answer of collect."""
    return [(one["task"], one["outcome"]) for one in answer["results"]]


def taker() -> Taker:
    """Return how runs begin here, under tokens nobody else has."""
    return Taker(ALONE, lambda: hashlib.sha256(os.urandom(16)).hexdigest(), "/w")


def unlimited(store: Store, mission_id: str) -> None:
    """Lift the caps of a mission's day."""
    store.write(_unlimited, mission_id)


def _unlimited(tx: Transaction, mission_id: str) -> None:
    for dimension in ("runs", "wall_ms"):
        issue = missions.find(tx, mission_id)["issue_id"]
        tx.do("budget_set", scope_kind="mission", scope=issue, dimension=dimension, cap=None, set_by="test")


def dispatch(worker: Worker, url: str, mission_id: str, name: str) -> None:
    """Dispatch a task in the ledger; say which worker got which task."""
    store = open_store(url)
    worker.ready()
    task, given = store.write(tasks.dispatch, mission_id, Wanted(name), PAIR, taker(), BY_OPERATOR)
    worker.say([task.id, [[one.id, one.worker] for one in given.tasks]])


def fill(worker: Worker, url: str, mission_id: str) -> None:
    """Give what waits to idle workers; say which got which task."""
    store = open_store(url)
    worker.ready()
    for task in store.write(tasks.fill, mission_id, PAIR, taker(), BY_OPERATOR).tasks:
        worker.say([task.id, task.worker])


def opened(home: str, place: str, clock: Clock | None = None) -> At:
    """Open a mission's workspace as a command of somebody whose HARNESS_HOME is `home` does."""
    environ = {"HARNESS_HOME": home, "PATH": os.environ["PATH"], "HOME": str(Path(home).parent)}
    return At(harness(None, environ, Path(place), "mission agents", clock=clock), place)


def dispatch_there(worker: Worker, home: str, place: str, name: str) -> None:
    """Dispatch a task in a workspace, files and all; say which worker got it."""
    with opened(home, place) as at:
        worker.ready()
        found = agents.dispatch(at, Wanted(name))
        assert found.asked is not None
        worker.say(found.asked.worker)


def collect(worker: Worker, url: str, mission_id: str, task: str, number: int) -> None:
    """Collect a result that others collect too; say what became of it."""
    store = open_store(url)
    result = Result(task, "worker-1", "success", "", "p", f"{number:064}", 1)
    worker.ready()
    worker.say(store.write(tasks.take, mission_id, result, taker(), BY_OPERATOR).verdict)


_EFFECTS = ("os.rename", "os.mkdir", "os.remove")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def die_at(worker: Worker, home: str, place: str, verb: str, number: int) -> None:
    """Dispatch, collect or clean up in a workspace, and die of SIGKILL just before the n-th change of a file."""
    left = number

    def count(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        wants = event in _EFFECTS or (event == "open" and isinstance(args[2], int) and args[2] & _WRITES)
        if wants and place in os.fsdecode(args[0] if isinstance(args[0], str | bytes) else b""):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    with opened(home, place) as at:
        worker.ready()
        sys.addaudithook(count)
        verbs = {"dispatch": lambda: agents.dispatch(at, Wanted("new")), "collect": lambda: agents.collect(at)}
        verbs.get(verb, lambda: agents.cleanup(at))()
