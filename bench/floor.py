"""The floor of a lifecycle: the rows that one real lifecycle leaves, written by hand with the bare driver.

The rows are not written down here. SQLite's session extension says which rows each of the three transactions of a
real lifecycle inserted, changed and deleted; the floor writes each of them once, with one prepared statement, in the same
number of transactions. Hashes are constant text. So the floor follows the product when its schema or its rows change,
and a statement that the product runs twice for one row counts against the product.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from bench import ledgers
from harnessos.store.opening import open_store
from harnessos.store.sqlite import SqliteStore, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_ID = re.compile(r"[a-z]{3}-[0-9a-z]{26}")
TRANSACTIONS = 3

Value = str | int | None


class Change(NamedTuple):
    """One row that a transaction wrote. `where` is its key; of an insert `values` hold every column."""

    operation: str
    table: str
    values: tuple[tuple[str, Value], ...]
    where: tuple[tuple[str, Value], ...]

    def statement(self, mark: str) -> str:
        """Return the SQL with `mark` for each value, in the order of `bindings`."""
        keys = " AND ".join(f"{name} = {mark}" for name, _ in self.where)
        if self.operation == "INSERT":
            names = ", ".join(name for name, _ in self.values)
            return f"INSERT INTO {self.table} ({names}) VALUES ({', '.join([mark] * len(self.values))})"
        if self.operation == "DELETE":
            return f"DELETE FROM {self.table} WHERE {keys}"
        names = ", ".join(f"{name} = {mark}" for name, _ in self.values)
        return f"UPDATE {self.table} SET {names} WHERE {keys}"

    @property
    def bindings(self) -> tuple[Value, ...]:
        """Return the values as recorded."""
        return tuple(value for _, value in (*self.values, *self.where))


Recording = list[list[Change]]
"""What each transaction of a lifecycle wrote."""

Step = list[tuple[str, tuple[Value, ...]]]
"""One transaction of the floor: statements with their values."""


@contextmanager
def watched(connection: apsw.Connection, into: Recording) -> Iterator[None]:
    """Append what is written to the ledger meanwhile, row by row."""
    session = apsw.Session(connection, "main")
    session.attach()
    yield
    columns = _columns(connection)
    into.append([_change(one, columns[one.name]) for one in apsw.Changeset.iter(session.changeset())])
    session.close()


def _columns(connection: apsw.Connection) -> dict[str, list[str]]:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}


def _change(one: apsw.TableChange, columns: list[str]) -> Change:
    # An event's place in the log is the database's to give.
    keys = tuple((columns[place], one.old[place]) for place in sorted(one.pk_columns)) if one.old else ()
    new = one.new or ()
    values = tuple(
        (name, value)
        for name, value in zip(columns, new, strict=bool(new))
        if value is not apsw.no_change and (one.name, name) != ("events", "seq")
    )
    return Change(one.op, one.name, values, keys)  # type: ignore[arg-type]  # our columns hold text, numbers and NULL


def record(path: Path) -> Recording:
    """Live one life in the ledger at `path` (a copy; it is used up) and return its rows, transaction by transaction.

    The first life is not recorded: it opens the day's budget.
    """
    store = open_store(ledgers.address(path), ids=ledgers.CountingIds())
    assert isinstance(store, SqliteStore)
    project = ledgers.project_of(store)["id"]
    store.close()
    store = open_store(ledgers.address(path))
    assert isinstance(store, SqliteStore)
    ledgers.lifecycle(store, project)
    recording: Recording = []
    _watch_writes(store, recording)
    ledgers.lifecycle(store, project)
    store.close()
    assert len(recording) == TRANSACTIONS, f"a lifecycle has {len(recording)} transactions"
    return recording


def _watch_writes(store: SqliteStore, into: Recording) -> None:
    connection, _ = store._mine()
    write = store.write

    def watching(command: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # Any: as Store.write
        with watched(connection, into):
            return write(command, *args, **kwargs)

    store.write = watching  # type: ignore[method-assign]  # only here, for the length of one life


def script(recording: Recording, issue: str, number: int, mark: str = "?") -> list[Step]:
    """Return the statements that write the recorded rows for another issue and another run."""
    swap: dict[Value, Value] = {}
    for change in (change for step in recording for change in step):
        if change.operation == "INSERT":
            values = dict(change.values)
            for name in ("id", "token_hash"):
                if name in values:
                    swap[values[name]] = _fresh(str(values[name]), number)
            if "issue_id" in values:
                swap[values["issue_id"]] = issue
    return [
        [(change.statement(mark), tuple(swap.get(value, value) for value in change.bindings)) for change in step]
        for step in recording
    ]


def _fresh(value: str, number: int) -> str:
    if _ID.fullmatch(value):
        return f"{value[:4]}{number:026d}"
    return hashlib.sha256(f"floor {number}".encode()).hexdigest()


def ready_issues(path: Path, number: int) -> list[str]:
    """Return the first ready issues of the ledger at `path` in the claim order."""
    connection = connect(path, read_only=True)
    rows = connection.execute(
        "SELECT id FROM issues WHERE status = 'ready' ORDER BY claim_rank, unbreached, deadline_key, created_at, id LIMIT ?",
        (number,),
    ).fetchall()
    connection.close()
    return [str(row[0]) for row in rows]


def play(connection: apsw.Connection, lives: Sequence[list[Step]]) -> None:
    """Write the rows of these lives, one transaction after the other."""
    for steps in lives:
        for step in steps:
            connection.execute("BEGIN IMMEDIATE")
            for statement, values in step:
                connection.execute(statement, values)
            connection.execute("COMMIT")


def check(path: Path, recording: Recording) -> None:
    """Play one life into the ledger at `path` (a copy) and insist that it wrote the rows that the product writes."""
    connection = connect(path)
    written: Recording = []
    (issue,) = ready_issues(path, 1)
    for step in script(recording, issue, 1):
        with watched(connection, written):
            connection.execute("BEGIN IMMEDIATE")
            for statement, values in step:
                connection.execute(statement, values)
            connection.execute("COMMIT")
    connection.close()
    wanted, found = counts(recording), counts(written)
    # The floor's constant counters may equal what stands there; then no row changed, though it was written.
    missing = {key: number for key, number in (wanted - found).items() if "INSERT" in key}
    assert not missing, f"the floor leaves rows out: {missing}"
    assert not found - wanted, f"the floor writes more rows: {found - wanted}"


def counts(recording: Recording) -> Counter[tuple[int, str, str]]:
    """Return how many rows each transaction inserted, changed and deleted in each table."""
    return Counter((number, change.table, change.operation) for number, step in enumerate(recording) for change in step)
