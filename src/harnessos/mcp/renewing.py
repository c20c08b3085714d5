"""Sessions that began through a server stay alive as long as their agent is connected to it."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.app.harness import fingerprint
from harnessos.kernel import runs

if TYPE_CHECKING:
    from harnessos.mcp.ledger import Ledger
    from harnessos.store.transaction import Row, Transaction

EVERY_S = 60.0
"""Well below the shortest usual lease; one of less than two minutes is its agent's own business."""


class Renewing:
    """Renews the leases of the tokens it was given, until they are over or the server ends."""

    def __init__(self, ledger: Ledger, *, connected: bool) -> None:
        self._ledger = ledger
        self._connected = connected
        self._tokens: set[str] = set()
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, token: str) -> None:
        """Renew this session from now on; nothing where nobody can say whether its agent is still there (HTTP)."""
        if not self._connected:
            return
        with self._lock:
            self._tokens.add(token)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="harness-renew", daemon=True)
                self._thread.start()

    @property
    def tokens(self) -> frozenset[str]:
        """Return the sessions that are renewed."""
        with self._lock:
            return frozenset(self._tokens)

    def stop(self) -> None:
        """Renew nothing more."""
        self._end.set()

    def _work(self) -> None:
        while not self._end.wait(EVERY_S):
            self.renew()

    def renew(self) -> None:
        """Renew every session once; forget those that are over."""
        for token in self.tokens:
            try:
                self._ledger.store(write=True).write(_renew, fingerprint(token))
            except (errors.LeaseLost, errors.UnknownIdentifier):
                with self._lock:
                    self._tokens.discard(token)
            except errors.HarnessError:
                continue  # the ledger cannot be asked now: the next time may be in time
            except Exception:  # noqa: BLE001 # one session's trouble must not cost the others their leases
                traceback.print_exc(file=sys.stderr)


def _renew(tx: Transaction, token_hash: str) -> Row:
    run = runs.by_token(tx, token_hash)
    if not run["live"]:
        runs.lost(runs.lease_of(run))
    return runs.heartbeat(tx, runs.lease_of(run))
