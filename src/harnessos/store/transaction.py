"""What the kernel and the inspector know of a store: a transaction, and how to run one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Value = str | int | None
Row = dict[str, Any]
"""A row by column name. Any: the two drivers type nothing, the schema's STRICT columns and CHECKs do."""

P = ParamSpec("P")
T = TypeVar("T")


class Collided(Exception):
    """Raised by a command when what it read without a lock has changed: the store rolls back and runs it again."""


class Transaction(Protocol):
    """One transaction. It tells the time once: `now` is the same instant from first to last statement."""

    now: int

    def new_id(self, noun: str) -> str:
        """Return a fresh id that sorts by time."""
        ...

    def wake(self) -> None:
        """Tell waiting supervisors, when this commits, that there is something to look at."""
        ...

    def one(self, name: str, /, **values: Value) -> Row | None:
        """Run the query and return its first row, or None."""
        ...

    def all(self, name: str, /, **values: Value) -> list[Row]:
        """Run the query and return its rows."""
        ...

    def run(self, name: str, /, **values: Value) -> int:
        """Run the statement and return how many rows it changed."""
        ...

    def do(self, name: str, /, **values: Value) -> None:
        """Run a statement whose outcome nobody here asks for; it may travel with the next one, in order."""
        ...

    def many(self, name: str, rows: Iterable[Mapping[str, Value]], /) -> None:
        """Run the statement once for each row of values."""
        ...


class Store(Protocol):
    """A ledger's database. Thread-safe; one connection a thread or a pool is its own affair."""

    url: str
    dialect: str

    def write(self, command: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `command(tx, ...)` in a write transaction, commit, and return what it returned.

        An exception rolls back and goes on. The command may run more than once (deadlock, serialisation),
        so it touches nothing but the transaction. Busy when the ledger stays locked.
        """
        ...

    def read(self, query: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `query(tx, ...)` on one consistent snapshot; a write inside is an error."""
        ...

    def change_count(self) -> int:
        """Return a number that differs after another connection committed (a hint, to wake early)."""
        ...

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """Wait at most `timeout` seconds for a commit by someone else; return the new change_count."""
        ...

    def close(self) -> None:
        """Release every connection."""
        ...
