"""What workers of a crew type at one mission at the same moment, and where they may be killed on the way."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harnessos.app.harness import harness
from harnessos.app.missions import booting, verbs
from harnessos.app.missions.opening import At
from harnessos.cli import main
from harnessos.dispatch import renewing  # noqa: F401 # what commands commonly need is imported before the first fork
from harnessos.kernel import missions
from harnessos.mission import boot, dreaming, judging, tidying  # noqa: F401 # as above
from harnessos.store import opening
from harnessos.store.opening import create_store
from harnessos.store.transaction import Store
from harnessos.testing.crashpoints import HookedStore
from tests.support.coordinators import opened, unlimited
from tests.support.crew import Worker
from tests.support.labour import BY_OPERATOR
from tests.support.mission_documents import EVAL_CRITERIA, FILLED
from tests.support.workspaces import Workspace

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.rmdir")
"""What the interpreter announces before it does it; an `open` for writing is the other thing that changes a folder."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def prepared(folder: Path) -> Workspace:
    """Make a mission that is ready, whose evaluation is one quick check, without a day's limits; in this process."""
    ws = Workspace(folder, made=False)
    ws.path.mkdir()
    create_store(f"sqlite:///{ws.terminal.home / 'harness.sqlite'}")
    mine = harness(None, _environ(str(ws.terminal.home)), folder, "test")
    at, _ = booting.open_or_take(mine, str(ws.path), lambda _: None, init=True)
    ws.fill(
        mission="\n".join(line for line in FILLED["mission.md"].split("\n") if "| Standard 4" not in line),
        eval_criteria=EVAL_CRITERIA.partition("### Standard 2")[0],
        playbook=FILLED["playbook.md"].replace("`sh -c true`", ""),
    )
    ws.produce()
    with at:
        unlimited(at.harness.store, at.mission_id)
        at.harness.write(missions.configure, at.mission_id, BY_OPERATOR, max_failures=1000)
        assert booting.look(at, None, []).boot.code == boot.READY
    return ws


def _environ(home: str) -> dict[str, str]:
    return {"HARNESS_HOME": home, "PATH": os.environ["PATH"], "HOME": str(Path(home).parent)}


def there(ws: Workspace) -> At:
    """Open the workspace in this process."""
    return opened(str(ws.terminal.home), str(ws.path))


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """A mission that is ready (fixture: import it)."""
    return prepared(tmp_path)


@pytest.fixture
def at(ws: Workspace) -> Iterator[At]:
    """The workspace, opened in this process (fixture: import it)."""
    with there(ws) as here:
        yield here


def one_run(at: At, word: str = "passed") -> None:
    """Start, say done, and have it judged."""
    verbs.start(at, None, None)
    report = at.place / "output" / "report.md"
    report.write_text("one\n" if word == "passed" else "", encoding="utf-8")
    verbs.done(at, None, "1", "made it")
    judging.judge(at.site)


def types(worker: Worker, ws: str, home: str, *commands: Sequence[str]) -> None:
    """Type commands, each until one does not succeed; say how each ended."""
    _sit_down(home, ws)
    worker.ready()
    for words in commands:
        code = main.run(list(words))
        worker.say([words[1], code])
        if code:
            return


def fires(worker: Worker, ws: str, home: str, between: bool) -> None:
    """Boot, and start if that says ready: what a trigger's agent does. All begin at once, or `between` the two."""
    _sit_down(home, ws)
    for number, word in enumerate(("boot", "start")):
        if number == int(between):
            worker.ready()
        code = main.run(["mission", word, ws])
        worker.say([word, code])
        if code:
            return


def dies(worker: Worker, ws: str, home: str, command: Sequence[str], place: int, after_ms: float) -> None:
    """Type a command and be killed at its n-th place, or after so many milliseconds (0: neither); say the places and how it ended.

    Places are what changes the ledger or the workspace: see `testing.crashpoints` and `_CHANGES`. They are enumerated
    by the code, as it comes to them.
    """
    _sit_down(home, ws)
    passed = _Places(place, worker)
    _watch_files(ws, passed)
    _watch_store(passed)
    worker.ready()
    if after_ms:
        threading.Timer(after_ms / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
    worker.say(["ended", main.run(list(command)), passed.count])


class _Places:
    """Counts places and kills this process at one."""

    def __init__(self, number: int, worker: Worker) -> None:
        self.count = 0
        self._number = number
        self._worker = worker

    def __call__(self, place: str) -> None:
        """Pass a place."""
        self.count += 1
        if self.count == self._number:
            self._worker.say(["killed", place])
            os.kill(os.getpid(), signal.SIGKILL)


def _watch_files(ws: str, passed: Callable[[str], object]) -> None:
    mine = os.getpid()

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        # Any: what the interpreter announces.
        if event == "open":
            counts = isinstance(arguments[2], int) and bool(arguments[2] & _WRITES)
        else:
            counts = event in _CHANGES
        if counts and os.getpid() == mine and str(arguments[0]).startswith(ws):
            passed(f"{event} {str(arguments[0])[len(ws) :]}")

    sys.addaudithook(heard)


def _watch_store(passed: Callable[[str], object]) -> None:
    really = opening.open_store

    def opened_store(*words: Any, **named: Any) -> Store:
        # Any: as open_store has them.
        return HookedStore(really(*words, **named), _commits_only(passed))

    opening.open_store = opened_store  # for this process, which is about to end


def _commits_only(passed: Callable[[str], object]) -> Callable[[str], object]:
    def heard(place: str) -> None:
        # Between the two the transaction is rolled back (test_kills.py): one place stands for all of them.
        if place.endswith((" before commit", " after commit")):
            passed(place)

    return heard


def _sit_down(home: str, ws: str) -> None:
    for name in ("HARNESS_STORE", "HARNESS_PROJECT", "HARNESS_RUN_ID", "HARNESS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update(HARNESS_HOME=home, HOME=str(Path(home).parent), USER="someone")
    os.chdir(Path(ws).parent)
    sink = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(sink, number)
