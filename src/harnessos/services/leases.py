"""Renewing the leases of this process's runs, in a thread of its own: no slow tick, lock or removal delays it (G3)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from harnessos import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.dispatch.ground import Ground
    from harnessos.store.transaction import Transaction

EVERY_S = 60.0
RETRY_S = 5.0


class Leases:
    """The thread lives from the first run that begins to the last that ends; leases last for many renewals (model.run)."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._lock = threading.Lock()
        self._held = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed = (0.0, 0)

    def holding(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return `work` with every lease of this process renewed for as long as it runs."""

        def held() -> None:
            self._begin()
            try:
                work()
            finally:
                self._end()

        return held

    def after_sleep(self) -> None:
        """Renew at once where the wall clock went on by itself: the machine slept, and nothing may be reaped before.

        For the tick. A problem with the ledger is raised.
        """
        elapsed, wall = self._renewed
        clock = self._ground.clock
        if self._held and clock.now() - wall - (clock.monotonic() - elapsed) * 1000 >= EVERY_S * 1000:
            self._renew()

    def _begin(self) -> None:
        with self._lock:
            self._held += 1
            if self._held > 1:
                return
            self._note()
            self._over = threading.Event()
            self._thread = threading.Thread(target=self._keep, args=(self._over,), name="harness-leases", daemon=True)
            self._thread.start()

    def _end(self) -> None:
        with self._lock:
            self._held -= 1
            ending = self._thread if self._held == 0 else None
            if ending is not None:
                self._over.set()
        if ending is not None:
            ending.join()

    def _keep(self, over: threading.Event) -> None:
        wait = EVERY_S
        while not over.wait(wait):
            try:
                self._renew()
                wait = EVERY_S
            except (errors.TryAgain, errors.StoreUnavailable):
                # The tick tells that the ledger is away; a lease outlasts many tries.
                wait = min(RETRY_S, EVERY_S)

    def _renew(self) -> None:
        self._ground.store.write(_renew, self._ground)
        self._note()

    def _note(self) -> None:
        self._renewed = (self._ground.clock.monotonic(), self._ground.clock.now())


def _renew(tx: Transaction, ground: Ground) -> int:
    here = ground.process
    return tx.run(
        "run_renew_held",
        machine_id=here.machine_id,
        boot_id=here.boot_id,
        pid=here.pid,
        pid_started=here.started,
        now=tx.now,
    )
