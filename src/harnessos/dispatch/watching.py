"""Watching a turn by three independent clocks: the process lives, it gets somewhere, it stays under its caps (P11)."""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.kernel import runs
from harnessos.model.outcome import BACKOFF_MOST_MS, Ended, Outcome
from harnessos.model.run import WATCHED_TTL_MS
from harnessos.runners.command import STALL_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

LOOK_S = 1.0
LEDGER_S = 2.0
CPU_S = 10.0
CPU_PER_MINUTE = 1.0
GRACE_S = 10.0
CUT_S = 0.1
WALL = "it reached the wall-time cap of a run"
OUTPUT = "it wrote more output than a run may"


class Watched(StrEnum):
    """How a turn's process ended, or why it was ended."""

    EXITED = "exited"
    STALLED = "stalled"
    WALL = "wall"
    OUTPUT = "output"
    STOPPED = "stopped"
    DRAINED = "drained"
    LOST = "lost"


class Limits(NamedTuple):
    """Seconds of silence, seconds of wall time left, bytes of output; None is unlimited."""

    stall_s: float | None
    wall_s: float | None
    output_bytes: int | None


class Control:
    """How the supervisor reaches a run's thread: `drain` asks agents to stop, `cut` stops them at once."""

    def __init__(self) -> None:
        self.drain = threading.Event()
        self.cut = threading.Event()


class Standing:
    """Whether a run may go on while the harness works for it; asked often, it looks at the ledger every LEDGER_S.

    Calling it says True when the run is to be stopped: cut, `lost`, or with somebody's `stop_reason`.
    """

    def __init__(self, ground: Ground, lease: Lease, control: Control) -> None:
        self._ground = ground
        self._lease = lease
        self._control = control
        self._looked: float | None = None
        self.lost = False
        self.stop_reason = ""

    def __call__(self) -> bool:
        """Look, if it is time to, and say whether the run must stop."""
        now = self._ground.clock.monotonic()
        if self._looked is None or now - self._looked >= LEDGER_S:
            self._looked = now
            row = look(self._ground, self._lease)
            if row is not None:
                self.lost = over(row, self._lease)
                self.stop_reason = row["stop_request"] or ""
        return self.lost or bool(self.stop_reason) or self._control.cut.is_set()


def look(ground: Ground, lease: Lease) -> Row | None:
    """Return what the ledger says of a watched run; None while the ledger cannot be asked, which is no reason to stop."""
    try:
        return ground.store.read(_watch, lease.run_id)
    except (errors.TryAgain, errors.StoreUnavailable):
        return None


def over(row: Row, lease: Lease) -> bool:
    """Return whether the lease is over."""
    return not row["live"] or row["epoch"] != lease.epoch


class Watch:
    """Watches one child until it ends or must be ended."""

    def __init__(
        self,
        ground: Ground,
        lease: Lease,
        child: processes.Child,
        limits: Limits,
        outputs: tuple[Path, ...],
        control: Control,
    ) -> None:
        self._ground = ground
        self._lease = lease
        self._child = child
        self._limits = limits
        self._outputs = outputs
        self._control = control
        start = ground.clock.monotonic()
        self._started = self._progress = self._answered = self._cpu_mark = self._ledger_mark = start
        self._cpu = 0.0
        self._seen_progress = 0
        self.how = Watched.EXITED
        self.exit_code: int | None = None
        self.stop_reason = ""

    def until_end(self) -> Watched:
        """Return how it ended; when it did not exit by itself its whole tree has been killed."""
        while True:
            self.exit_code = self._child.wait(LOOK_S)
            if self.exit_code is not None:
                return Watched.EXITED
            why = self._must_end()
            if why is not None:
                self._end(at_once=why is Watched.LOST)
                return why

    def _end(self, *, at_once: bool) -> None:
        """Ask the tree to end, and kill what is left of it after the grace, or as soon as the run is cut."""
        if not at_once and not self._control.cut.is_set():
            asking = threading.Thread(target=self._child.terminate_tree, args=(GRACE_S,), name="harness-ask")
            asking.start()
            while asking.is_alive() and not self._control.cut.is_set():
                asking.join(CUT_S)
        self._child.terminate_tree(0.0)

    def _must_end(self) -> Watched | None:
        now = self._ground.clock.monotonic()
        if self._control.cut.is_set() or self._control.drain.is_set():
            return Watched.DRAINED
        if self._limits.wall_s is not None and now - self._started >= self._limits.wall_s:
            # Before the ledger is asked: there the cap may stand as a request to stop, which is no fault.
            return Watched.WALL
        if now - self._ledger_mark >= LEDGER_S:
            self._ledger_mark = now
            asked = self._ask_ledger(now)
            if asked is not None:
                return asked
        if now - self._cpu_mark >= CPU_S:
            self._measure(now)
        if self._limits.stall_s is not None and now - self._progress >= self._limits.stall_s:
            return Watched.STALLED
        if self._limits.output_bytes is not None and self.output_bytes() > self._limits.output_bytes:
            return Watched.OUTPUT
        return None

    def _ask_ledger(self, now: float) -> Watched | None:
        row = look(self._ground, self._lease)
        if row is None:
            # Unreachable for longer than a lease lasts: by now it has run out, and somebody else may hold the issue.
            return Watched.LOST if now - self._answered >= WATCHED_TTL_MS / 1000 else None
        self._answered = now
        if over(row, self._lease):
            return Watched.LOST
        if row["stop_request"]:
            self.stop_reason = row["stop_request"]
            return Watched.STOPPED
        if row["progress_at"] != self._seen_progress:
            self._seen_progress, self._progress = row["progress_at"], now
        return None

    def _measure(self, now: float) -> None:
        """CPU of the tree is progress: a second of it a minute, counted against the highest value seen."""
        used = processes.cpu_seconds(self._lease.run_id, self._child.identity)
        if used - self._cpu >= CPU_PER_MINUTE * (now - self._cpu_mark) / 60:
            self._progress = now
            self._note_progress()
        self._cpu = max(self._cpu, used)
        self._cpu_mark = now

    def _note_progress(self) -> None:
        try:
            self._ground.store.write(runs.progress, self._lease, self.output_bytes())
        except errors.LeaseLost:
            raise
        except (errors.TryAgain, errors.StoreUnavailable):
            return  # told again with the next measurement

    def output_bytes(self) -> int:
        """Return how much the agent has written so far, over all turns whose logs are watched."""
        return written(self._outputs)


def written(logs: Iterable[Path]) -> int:
    """Return the bytes in these logs; one that is not there counts nothing."""
    return sum(path.stat().st_size for path in logs if path.exists())


def ended_by(watch: Watch, now: int) -> Ended:
    """Return what it means that a turn did not exit by itself."""
    match watch.how:
        case Watched.STALLED:
            return Ended(Outcome.AGENT_FAULT, f"stalled: no progress for {STALL_S / 60:g} minutes")
        case Watched.WALL:
            return Ended(Outcome.AGENT_FAULT, WALL)
        case Watched.OUTPUT:
            return Ended(Outcome.AGENT_FAULT, OUTPUT)
        case Watched.STOPPED:
            return stopped(watch.stop_reason, now)
        case _:
            return Ended(Outcome.RELEASED, "the supervisor was asked to stop")


def stopped(reason: str, now: int) -> Ended:
    """Return the end of a run that somebody asked to stop: no attempt, and not started again at once."""
    return Ended(Outcome.RELEASED, f"stopped: {reason}", reset_at=now + BACKOFF_MOST_MS)


def _watch(tx: Transaction, run_id: str) -> Row:
    row = tx.one("run_watch", run=run_id)
    assert row is not None
    return row
