"""A supervisor that dies of SIGKILL at the n-th place of its first run: `python -m tests.support.deadly LOG N [again]`.

Places are counted where they differ for whoever comes after: each write of the run's own thread just before it (then
every effect outside the ledger since the last one is there) and just after its commit, and the claim in the same way.
Between the two the transaction is rolled back, as `tests/crash/test_kills.py` shows. With N = 0 it lives, and LOG names the places.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from harnessos.app import supervising
from harnessos.app.harness import harness
from harnessos.app.supervising import Serve
from harnessos.model.run import SUPERVISOR
from harnessos.services import loop
from harnessos.services.supervisor import Options, Supervisor
from harnessos.testing.crashpoints import HookedStore

THREAD = "harness-run_0"
IDLE = ("settling.step",)
"""Writes that change nothing when there is nothing to do."""


class Places:
    """Counts places and dies at one."""

    def __init__(self, log: Path, number: int) -> None:
        self._log = log
        self._left = number
        self._claimed = False

    def __call__(self, place: str) -> None:
        """Pass a place."""
        if self._counts(place):
            with self._log.open("a", encoding="utf-8") as stream:
                stream.write(f"{place}\n")
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _counts(self, place: str) -> bool:
        if place == "claims.claim before run_insert":
            counts, self._claimed = not self._claimed, True
            return counts
        if threading.current_thread().name != THREAD:
            return place == "claims.claim after commit" and self._claimed and self._first_claim()
        name, _, where = place.partition(" ")
        return name not in IDLE and where in ("begun", "after commit")

    def _first_claim(self) -> bool:
        first, self._first_claim = True, lambda: False  # type: ignore[method-assign] # once
        return first


def main(log: Path, number: int) -> int:
    """Supervise until idle, or die."""
    mine = harness(command="up")
    hooked = HookedStore(mine.as_found, Places(log, number))
    mine.__dict__["store"] = hooked
    served = supervising.projects(mine, Serve(), lambda _: None)
    ground = mine.ground._replace(actor=SUPERVISOR, store=hooked)

    def tell(event: Mapping[str, object]) -> None:
        sys.stdout.write(f"{supervising.line(event)}\n")
        sys.stdout.flush()

    supervisor = Supervisor(ground, served, Options(until_idle=True), tell)
    asyncio.run(loop.run(supervisor))
    return supervisor.ending().exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
