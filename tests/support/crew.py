"""Real processes that do ledger work at the same time: started together, killed or stopped one by one.

A leader imports the work once and forks a process for each worker, which costs milliseconds, not an interpreter's
start. Workers wait at a gate until all are there. What a worker says is appended to a file of its own with one
write each, so it stands there whatever happens to the worker afterwards.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.python import ROOT

LONGEST = 600
"""Seconds after which a worker that hangs ends itself."""


class Said(NamedTuple):
    """How one worker ended: its exit code (negative: the signal) and the values it said, in order."""

    code: int
    values: list[Any]


class Worker:
    """A worker's side: wait at the gate, say what is done."""

    def __init__(self, path: Path, arrived: int, gate: int) -> None:
        self._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._arrived = arrived
        self._gate = gate
        self._came = False

    def ready(self) -> None:
        """Say that this worker is there, and wait until all are."""
        self.arrive()
        os.read(self._gate, 1)

    def arrive(self) -> None:
        """Say that nobody need wait for this worker."""
        if not self._came:
            self._came = True
            os.write(self._arrived, b".")

    def say(self, value: object) -> None:
        """Put a value on record: it outlives this process."""
        os.write(self._out, json.dumps(value).encode() + b"\n")


class Crew:
    """The test's side. `with Crew() as crew: crew.run("module:function", [[...], [...]], folder)`."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        self._leader = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crew"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )
        self._numbers = 0
        self._places: list[Path] = []
        self._working: list[int] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        # Stopped workers do not notice that their leader is gone; the whole session goes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._leader.pid, signal.SIGKILL)
        self._leader.wait()
        for pipe in (self._leader.stdin, self._leader.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def start(
        self,
        work: str,
        arguments: Sequence[Sequence[Any]],
        folder: Path,
        environments: Sequence[Mapping[str, str]] = (),
    ) -> list[int]:
        """Start one worker for each list of arguments; return their process ids once all stand at the gate.

        Any: arguments are JSON values. `work` is called with a Worker and then its arguments.
        """
        return self.start_mixed([(work, each) for each in arguments], folder, environments)

    def start_mixed(
        self, calls: Sequence[tuple[str, Sequence[Any]]], folder: Path, environments: Sequence[Mapping[str, str]] = ()
    ) -> list[int]:
        """Start workers that do different work. Any: see `start`."""
        self._forget()
        self._numbers += 1
        self._places = [folder / f"said-{id(self)}-{self._numbers}-{number}.jsonl" for number in range(len(calls))]
        order = {
            "calls": list(calls),
            "places": [str(place) for place in self._places],
            "environments": list(environments) or [{}] * len(calls),
        }
        assert self._leader.stdin is not None
        self._leader.stdin.write(json.dumps(order) + "\n")
        self._leader.stdin.flush()
        self._working = self._answer()
        return list(self._working)

    def _forget(self) -> None:
        """End workers that a failed test has left behind: the next test must not be answered about them."""
        for pid in self._working:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._working:
            self.ended()

    def so_far(self, number: int = 0) -> list[Any]:
        """Return what a worker has said by now. Any: JSON values."""
        place = self._places[number]
        lines = place.read_text(encoding="utf-8").splitlines(keepends=True) if place.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def ended(self) -> list[Said]:
        """Wait for the workers of the last start and return how each ended."""
        codes = self._answer()
        self._working = []
        return [Said(code, self.so_far(number)) for number, code in enumerate(codes)]

    def run(
        self,
        work: str,
        arguments: Sequence[Sequence[Any]],
        folder: Path,
        environments: Sequence[Mapping[str, str]] = (),
    ) -> list[Said]:
        """Start workers and wait for them. Any: see `start`."""
        self.start(work, arguments, folder, environments)
        return self.ended()

    def _answer(self) -> Any:
        assert self._leader.stdout is not None
        line = self._leader.stdout.readline()
        if not line:
            message = "the crew's leader ended"
            raise AssertionError(message)
        return json.loads(line)


def _lead() -> None:
    # What workers commonly need is imported before the first fork.
    for name in ("tests.support.labour", "tests.support.crash_workload", "tests.support.timetables"):
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        for work, _ in order["calls"]:
            importlib.import_module(work.partition(":")[0])
        pids = _fork_all(order)
        sys.stdout.write(json.dumps(pids) + "\n")
        sys.stdout.flush()
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


def _fork_all(order: Mapping[str, Any]) -> list[int]:
    arrivals, arrived = os.pipe()
    gate, gate_keeper = os.pipe()
    pids = []
    for (work, call), place, environment in zip(order["calls"], order["places"], order["environments"], strict=True):
        pid = os.fork()
        if pid == 0:
            os.close(arrivals)
            os.close(gate_keeper)
            _serve(work, Worker(Path(place), arrived, gate), call, environment)
        pids.append(pid)
    os.close(arrived)
    os.close(gate)
    waiting = len(pids)
    # Workers that were killed before they came close their end, the last of them ends the wait.
    while waiting and (came := os.read(arrivals, waiting)):
        waiting -= len(came)
    os.close(gate_keeper)
    os.close(arrivals)
    return pids


def _serve(work: str, worker: Worker, call: Sequence[Any], environment: Mapping[str, str]) -> None:
    code = 1
    try:
        signal.alarm(LONGEST)
        os.environ.update(environment)
        module, _, function = work.partition(":")
        getattr(importlib.import_module(module), function)(worker, *call)
        code = 0
    except BaseException as problem:  # noqa: BLE001 # the process ends here, and the test reads why
        worker.say({"problem": "".join(traceback.format_exception(problem))})
    finally:
        worker.arrive()
        os._exit(code)


if __name__ == "__main__":
    _lead()
