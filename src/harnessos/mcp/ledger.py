"""The ledger of a server that lives for days: opened at the first call, one for all threads, and never a file that is gone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from harnessos.app.harness import Harness
from harnessos.store.opening import open_store, sqlite_path

if TYPE_CHECKING:
    from harnessos.model.run import Actor
    from harnessos.settings import Settings
    from harnessos.store.transaction import Store


class Ledger:
    """An open store for writing and, where only that is allowed, one for reading."""

    def __init__(self, base: Harness) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._open: dict[bool, tuple[Store, object]] = {}
        self._retired: list[Store] = []

    def store(self, *, write: bool) -> Store:
        """Return the store, opened if it is not, or if its file is no longer the one that was opened.

        A connection to a deleted or replaced file would go on writing to what nobody can find any more.
        """
        url = self._base.settings.store_url
        with self._lock:
            seen = _identity(url)
            known = self._open.get(write)
            if known is not None and known[1] == seen:
                return known[0]
            if known is not None:
                del self._open[write]
                self._retired.append(known[0])  # a call may be at work with it
            store = open_store(url, clock=self._base.given_clock, ids=self._base.ids, write=write)
            self._open[write] = (store, _identity(url))
            return store

    def opened(self) -> bool:
        """Return whether it is open for writing, so that a reader need not open it again."""
        return True in self._open

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            for store in (*self._retired, *(store for store, _ in self._open.values())):
                store.close()
            self._open.clear()


def _identity(url: str) -> object:
    path = sqlite_path(url)
    if path is None:
        return None
    try:
        facts = path.stat()
    except OSError:
        return "gone"
    return facts.st_dev, facts.st_ino


class Lent(Harness):
    """One call's harness over a ledger that stays open after it."""

    def __init__(
        self,
        ledger: Ledger,
        base: Harness,
        settings: Settings,
        command: str,
        actor: Actor | None,
        *,
        reads_only: bool = False,
    ) -> None:
        super().__init__(
            settings,
            base.environ,
            command,
            clock=base.given_clock,
            ids=base.ids,
            actor=actor,
            reads_only=reads_only,
        )
        self._ledger = ledger

    @property
    def as_found(self) -> Store:
        """See Harness."""
        return self._ledger.store(write=True)

    @property
    def store(self) -> Store:
        """See Harness."""
        self._require_in_place()
        return self.as_found

    @property
    def reading(self) -> Store:
        """See Harness."""
        self._require_in_place()
        return self._ledger.store(write=self._ledger.opened())

    def close(self) -> None:
        """Leave the ledger open: it is everybody's."""
