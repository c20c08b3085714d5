"""Keeping a lease while this process works for a session: a thread that renews, and says when the lease is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.kernel import runs

if TYPE_CHECKING:
    from types import TracebackType

    from harnessos.dispatch.ground import Ground
    from harnessos.model.run import Lease

EVERY_S = 60.0
SHARE = 3
"""At least so often in a lease's time: two renewals may fail before it is over."""


class Renewing:
    """`with Renewing(ground, lease) as lease_lost:` renews at once, then each minute or third of the lease's time.

    `lease_lost()` is True once the lease is over. While the ledger is away it goes on trying: the fence decides.
    """

    def __init__(self, ground: Ground, lease: Lease) -> None:
        self._ground = ground
        self._lease = lease
        self._over = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="harness-renew", daemon=True)

    def __enter__(self) -> Renewing:
        self._thread.start()
        return self

    def __call__(self) -> bool:
        """Return whether the lease was lost meanwhile."""
        return self._lost.is_set()

    def _renew(self) -> None:
        every = 1.0
        while not self._over.is_set():
            try:
                row = self._ground.store.write(runs.heartbeat, self._lease)
                every = min(EVERY_S, row["ttl_ms"] / 1000 / SHARE)
            except errors.LeaseLost:
                self._lost.set()
                return
            except (errors.TryAgain, errors.StoreUnavailable):
                pass  # asked again: what is written in the end is fenced
            self._over.wait(every)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
