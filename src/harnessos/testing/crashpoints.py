"""Places at which a program may die while it writes to a ledger, enumerated by the code that writes.

`HookedStore` is a store that calls a hook at every place of every write: when the transaction has begun, before each
statement, before the commit and after it. Record a piece of work once with a list's `append` and its places are known;
run it again with `DieAt(n)` and the process is killed with SIGKILL at the n-th, or with `FailAt(n)` an exception
passes through instead. What lies between two statements is Python that holds nothing but its own memory, so these
are all the places that differ for the ledger.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Concatenate

if TYPE_CHECKING:
    from harnessos.store.transaction import P, Row, Store, T, Transaction, Value

Hook = Callable[[str], object]
"""Hears where the work stands: `command begun`, `command before run_claim`, `command before commit`, `command after commit`."""


class HookedTransaction:
    """See store.transaction.Transaction; the hook is called before each statement."""

    def __init__(self, inner: Transaction, command: str, hook: Hook) -> None:
        self._inner = inner
        self._command = command
        self._hook = hook
        self.now = inner.now

    def new_id(self, noun: str) -> str:
        """See Transaction."""
        return self._inner.new_id(noun)

    def wake(self) -> None:
        """See Transaction."""
        self._inner.wake()

    def one(self, name: str, /, **values: Value) -> Row | None:
        """See Transaction."""
        self._hook(f"{self._command} before {name}")
        return self._inner.one(name, **values)

    def all(self, name: str, /, **values: Value) -> list[Row]:
        """See Transaction."""
        self._hook(f"{self._command} before {name}")
        return self._inner.all(name, **values)

    def run(self, name: str, /, **values: Value) -> int:
        """See Transaction."""
        self._hook(f"{self._command} before {name}")
        return self._inner.run(name, **values)

    def do(self, name: str, /, **values: Value) -> None:
        """See Transaction."""
        self._hook(f"{self._command} before {name}")
        self._inner.do(name, **values)

    def many(self, name: str, rows: Iterable[Mapping[str, Value]], /) -> None:
        """See Transaction."""
        self._hook(f"{self._command} before {name}")
        self._inner.many(name, rows)


class HookedStore:
    """See store.transaction.Store; reads pass through as they are."""

    def __init__(self, inner: Store, hook: Hook) -> None:
        self._inner = inner
        self._hook = hook
        self.url = inner.url
        self.dialect = inner.dialect

    def write(self, command: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See Store."""
        name = f"{command.__module__.rpartition('.')[2]}.{command.__name__}"

        def hooked(tx: Transaction) -> T:
            self._hook(f"{name} begun")
            result = command(HookedTransaction(tx, name, self._hook), *args, **kwargs)
            self._hook(f"{name} before commit")
            return result

        result = self._inner.write(hooked)
        self._hook(f"{name} after commit")
        return result

    def read(self, query: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See Store."""
        return self._inner.read(query, *args, **kwargs)

    def change_count(self) -> int:
        """See Store."""
        return self._inner.change_count()

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """See Store."""
        return self._inner.wait_for_change(seen, timeout)

    def close(self) -> None:
        """See Store."""
        self._inner.close()


class Died(BaseException):
    """What FailAt raises: no code between the statement and the store may catch it."""


class _At:
    """Counts places, from 1, and acts at one of them."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, place: str) -> None:
        """Pass a place."""
        self._left -= 1
        if self._left == 0:
            self.act(place)

    def act(self, place: str) -> None:
        """Do what happens at the place."""
        raise NotImplementedError


class DieAt(_At):
    """Kills this process with SIGKILL at the n-th place, from 1. A PostgreSQL server notices by its closed connection."""

    def act(self, place: str) -> None:
        """See _At."""
        os.kill(os.getpid(), signal.SIGKILL)


class FailAt(_At):
    """Raises Died at the n-th place, from 1: a crash that the same process can look at afterwards."""

    def act(self, place: str) -> None:
        """See _At."""
        raise Died(place)
