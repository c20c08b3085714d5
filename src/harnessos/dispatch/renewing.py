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


class Renewing:
    """`with Renewing(ground, lease) as lease_lost:` renews every minute; `lease_lost()` is True once it is over."""

    def __init__(self, ground: Ground, lease: Lease, every: float = EVERY_S) -> None:
        self._ground = ground
        self._lease = lease
        self._every = every
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
        while not self._over.wait(self._every):
            try:
                self._ground.store.write(runs.heartbeat, self._lease)
            except errors.LeaseLost:
                self._lost.set()
                return
            except errors.TryAgain:
                continue

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
