"""The ledger in a PostgreSQL database (15 or newer), through psycopg and its pool.

`now` is the server's clock, read together with the BEGIN, so that machines with wrong clocks agree.
Row locks come from the queries (`FOR UPDATE`); deadlocks and serialisation failures run the command again.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, LiteralString, cast

import psycopg
import psycopg_pool
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8Dumper

from harnessos import errors
from harnessos.ports import Clock, Ids, SystemIds
from harnessos.settings import without_password
from harnessos.store.queries import Queries, Query
from harnessos.store.transaction import Collided, P, Row, T, Transaction, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

OLDEST_SERVER = 150_000
TRIES = 8
MOST_WAITING = 100
"""Statements that may wait for the next round trip: a bound on what the driver holds."""
ASKED = 20
"""How often a restarting server is asked what became of a commit, up to the pool's 30 s each time."""
ALIVE: Mapping[str, str | int] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Half a minute after a server's machine or the way to it is gone, its connections are errors. Seconds, and last ms."""
_CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now"
_BEGIN_WRITE: LiteralString = f"BEGIN; SELECT {_CLOCK}, pg_current_xact_id()::text AS number"
_BEGIN_READ: LiteralString = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT {_CLOCK}, '' AS number"

# A number the server has not given out yet belongs to a transaction that a crash wiped away. Taking one tells: the
# snapshot's xmax does not, it follows the newest transaction that is over, and ours may be newer and still committing.
_STATUS: LiteralString = """
SELECT CASE WHEN $1::text::xid8 < pg_current_xact_id()
    THEN pg_xact_status($1::text::xid8) ELSE 'aborted' END"""
_APPENDED: LiteralString = "SELECT 1 FROM events WHERE subject_id = $1 AND subject_seq = $2 AND hash = $3"

_TOO_LONG = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled)
"""A lock or a whole statement took longer than `_configure` allows."""

Connection = psycopg.Connection[Row]
"""A connection of its own for sites and checks: rows by name."""
Cells = tuple[Any, ...]
"""A row of the pool's connections. Any: text, whole numbers and None, untyped by the driver."""
Pooled = psycopg.Connection[Cells]


class Statement:
    """One named query as the server takes it: `$1`, `$2`, and which value goes where. Columns are learned once."""

    def __init__(self, query: Query) -> None:
        # They come from files of this package and from nowhere else.
        self.text: LiteralString
        self.text, self.names = query.positional
        self.columns: tuple[str, ...] | None = None

    def values(self, given: Mapping[str, Value]) -> list[Value]:
        """Return the values in the order of the parameters."""
        return [given[name] for name in self.names]

    def row(self, cursor: psycopg.Cursor[Cells], cells: Cells) -> Row:
        """Return a row by column name."""
        if self.columns is None:
            self.columns = tuple(column.name for column in cursor.description or ())
        return dict(zip(self.columns, cells, strict=True))


class Statements:
    """The statements of the dialect, each prepared for the driver once."""

    def __init__(self) -> None:
        self._queries = Queries("postgres")
        self._known: dict[str, Statement] = {}

    def __getitem__(self, name: str) -> Statement:
        """Return the statement called `name`."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Statement(self._queries[name])
        return found


class PostgresTransaction:
    """See store.transaction.Transaction."""

    def __init__(self, connection: Pooled, statements: Statements, now: int, ids: Ids) -> None:
        self._connection = connection
        self._statements = statements
        self._ids = ids
        self.now = now
        self.woken = False
        self._waiting: list[tuple[LiteralString, list[Value]]] = []
        self.appended: list[Value] | None = None

    def wake(self) -> None:
        """See Transaction."""
        self.woken = True

    def new_id(self, noun: str) -> str:
        """See Transaction."""
        return self._ids.new(noun, self.now)

    def one(self, name: str, /, **values: Value) -> Row | None:
        """See Transaction."""
        statement = self._statements[name]
        cursor = self._send(statement.text, statement.values(values))
        cells = cursor.fetchone()
        return None if cells is None else statement.row(cursor, cells)

    def all(self, name: str, /, **values: Value) -> list[Row]:
        """See Transaction."""
        statement = self._statements[name]
        cursor = self._send(statement.text, statement.values(values))
        return [statement.row(cursor, cells) for cells in cursor.fetchall()]

    def run(self, name: str, /, **values: Value) -> int:
        """See Transaction."""
        statement = self._statements[name]
        return self._send(statement.text, statement.values(values)).rowcount

    def do(self, name: str, /, **values: Value) -> None:
        """See Transaction: it waits, and travels in one round trip with the next statement that is asked for a result."""
        if name == "event_insert":
            self.appended = [values["subject_id"], values["subject_seq"], values["hash"]]
        statement = self._statements[name]
        self._waiting.append((statement.text, statement.values(values)))
        if len(self._waiting) >= MOST_WAITING:
            self.flush()

    def many(self, name: str, rows: Iterable[Mapping[str, Value]], /) -> None:
        """See Transaction."""
        self.flush()
        statement = self._statements[name]
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.text, [statement.values(row) for row in rows])

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting:
            self._send("SELECT 1", [])

    def commit(self) -> None:
        """Send what waits, and COMMIT, in one round trip; after an error in it the server skips the rest."""
        if self.woken:
            self._waiting.append(("NOTIFY harness_changed", []))
        self._send("COMMIT", None)

    def close(self) -> None:
        """Give the connection up; the server rolls back what is not committed."""
        self._connection.close()

    def _send(self, text: LiteralString, values: list[Value] | None) -> psycopg.Cursor[Cells]:
        prepare = values is not None
        if not self._waiting:
            return self._connection.execute(text, values, prepare=prepare)
        waiting, self._waiting = self._waiting, []
        with self._connection.pipeline():
            for one, given in waiting:
                self._connection.execute(one, given, prepare=bool(given))
            return self._connection.execute(text, values, prepare=prepare)


class PostgresStore:
    """See store.transaction.Store."""

    dialect = "postgres"

    def __init__(self, url: str, *, clock: Clock | None = None, ids: Ids | None = None, size: int = 8) -> None:
        self.url = url
        self._clock = clock
        self._ids = ids or SystemIds()
        self._statements = Statements()
        self._size = size
        self._opened: psycopg_pool.ConnectionPool[Pooled] | None = None
        self._listening: Connection | None = None
        self._changes = 0

    def write(self, command: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See Store. A connection that breaks before COMMIT is replaced and the command runs again (I15)."""
        for attempt in range(1, TRIES + 1):
            try:
                with spoken(self.url), self._pool.connection() as connection:
                    tx, number = self._begin(connection, _BEGIN_WRITE)
                    result = command(tx, *args, **kwargs)
                    self._commit(tx, number)
                    return result
            except (Collided, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected) as problem:
                if attempt == TRIES:
                    raise errors.Busy("the ledger's transactions kept colliding, nothing was written") from problem
                # Those that collided must not meet again at once; the process number spreads them.
                threading.Event().wait(attempt * (1 + os.getpid() % 7) / 200)
            except errors.StoreUnavailable as problem:
                if attempt == TRIES or not isinstance(problem.__cause__, psycopg.OperationalError):
                    raise
                self._opened_check()
        raise AssertionError("unreachable")

    def read(self, query: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See Store."""
        for attempt in range(1, TRIES + 1):
            try:
                with spoken(self.url), self._pool.connection() as connection:
                    tx, _ = self._begin(connection, _BEGIN_READ)
                    result = query(tx, *args, **kwargs)
                    connection.execute("ROLLBACK")
                    return result
            except errors.StoreUnavailable as problem:
                if attempt == TRIES or not isinstance(problem.__cause__, psycopg.OperationalError):
                    raise
                self._opened_check()
        raise AssertionError("unreachable")

    def _begin(self, connection: Pooled, text: LiteralString) -> tuple[PostgresTransaction, str]:
        """Begin, and read the server's clock and the transaction's number in the same round trip."""
        cursor = connection.execute(text)
        cursor.nextset()
        cells = cursor.fetchone()
        assert cells is not None
        now = cells[0] if self._clock is None else self._clock.now()
        return PostgresTransaction(connection, self._statements, now, self._ids), cells[1]

    def _commit(self, tx: PostgresTransaction, number: str) -> None:
        """Commit; when the connection breaks while committing, ask the server what became of it."""
        try:
            tx.commit()
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected, *_TOO_LONG):
            raise  # the server has answered: it committed nothing
        except psycopg.OperationalError as problem:
            # Half broken it would fail once more where the pool takes it back, and a committed command would run again.
            tx.close()
            if not self._was_committed(number, tx.appended):
                raise errors.StoreUnavailable("the connection broke, nothing was written") from problem

    def _was_committed(self, number: str, appended: list[Value] | None) -> bool:
        """Return whether our transaction is in the database.

        A server that crashed may give the number of a transaction it forgot to another one, so what the transaction
        appended decides; the number only tells when it is over. Not knowing is an error that nobody retries.
        """
        for _ in range(ASKED):
            try:
                with self._pool.connection() as connection:
                    cells = connection.execute(_STATUS, [number]).fetchone()
                    status = cells[0] if cells else None
                    if status == "in progress":
                        connection.execute("SELECT pg_sleep(0.1)")
                        continue
                    if appended is None:
                        return bool(status == "committed")
                    return connection.execute(_APPENDED, appended).fetchone() is not None
            except (psycopg.OperationalError, psycopg_pool.PoolTimeout):
                self._opened_check()
        raise errors.StoreUnavailable("the connection broke while committing; whether it was written is not known yet")

    def _opened_check(self) -> None:
        """Let the pool drop the connections a restarted server has left dead; it reconnects with its own backoff."""
        if self._opened is not None:
            self._opened.check()

    @property
    def _pool(self) -> psycopg_pool.ConnectionPool[Pooled]:
        if self._opened is None:
            with spoken(self.url):
                connect(self.url).close()
            self._opened = psycopg_pool.ConnectionPool(
                connection_class=cast("type[Pooled]", psycopg.Connection),
                kwargs={**parameters(self.url), "cursor_factory": psycopg.RawCursor, "autocommit": True},
                min_size=1,
                max_size=self._size,
                open=True,
                configure=_configure,
                timeout=30,
                name="harness",
            )
        return self._opened

    def change_count(self) -> int:
        """See Store: counted from the notifications this store has received."""
        return self._changes

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """See Store: LISTEN on a connection of its own, opened again after a server restart."""
        if seen != self._changes:
            return self._changes
        try:
            if self._listening is None or self._listening.closed:
                self._listening = connect(self.url)
                self._listening.execute("LISTEN harness_changed")
            select.select([self._listening.fileno()], [], [], timeout)
            for _ in self._listening.notifies(timeout=0):
                self._changes += 1
        except psycopg.OperationalError:
            # A restarted server: what changed meanwhile is unknown, so the caller looks.
            self._listening = None
            self._changes += 1
        return self._changes

    def close(self) -> None:
        """See Store."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        if self._listening is not None:
            self._listening.close()
            self._listening = None


def _configure(connection: Pooled) -> None:
    """Prepare a new connection of the pool.

    Every number travels as bigint: by its size the driver would prepare a statement anew for small and large ones. A
    machine that stops in the middle of a transaction keeps its row locks no longer than a busy SQLite file waits. No
    statement of the ledger takes a minute; one that does waits for something that does not come.
    """
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.execute(
        "SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '30s'; SET statement_timeout = '60s'"
    )


def parameters(url: str) -> dict[str, Any]:
    """Return an address as libpq reads it, with ours where it says nothing. Any: as the driver takes them.

    BadUsage, without the password, for what is no address, and for a password with signs that end it before its end:
    libpq would take the rest for host or port and tell it in its errors.
    """
    shown = without_password(url)
    try:
        given, plain = conninfo_to_dict(url), conninfo_to_dict(shown)
    except psycopg.ProgrammingError:
        given, plain = {}, {"host": ""}
    if {name: value for name, value in given.items() if not name.endswith("password")} != plain:
        raise errors.BadUsage(
            f"{shown} is no address of a PostgreSQL database",
            hint="postgresql://USER@HOST:PORT/DATABASE; in a password write %40 for @, %2F for /, %25 for %, "
            "or keep it in PGPASSWORD or ~/.pgpass",
        ) from None
    return {**ALIVE, **given}


def connect(url: str) -> Connection:
    """Open one connection of its own in autocommit mode (migration, LISTEN, checks). BadUsage for a bad address."""
    with spoken(url):
        opened = psycopg.connect(**parameters(url), autocommit=True, row_factory=dict_row)
        connection = cast("Connection", opened)
        if connection.info.server_version < OLDEST_SERVER:
            version = connection.info.server_version // 10_000
            connection.close()
            raise errors.StoreUnavailable(f"PostgreSQL {version} is too old, 15 or newer is needed")
        return connection


@contextmanager
def spoken(url: str) -> Iterator[None]:
    """Turn psycopg's connection and resource problems into ours; a constraint that fails is a bug and stays."""
    try:
        yield
    except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
        raise
    except _TOO_LONG as problem:
        raise errors.Busy from problem
    except psycopg.errors.ReadOnlySqlTransaction as problem:
        raise errors.StoreReadOnly(f"{without_password(url)} is read-only") from problem
    except psycopg.errors.DiskFull as problem:
        raise errors.StoreFull(f"the disk of {without_password(url)} is full, nothing was written") from problem
    except (psycopg.OperationalError, psycopg_pool.PoolTimeout) as problem:
        raise errors.StoreUnavailable(
            f"no connection to {without_password(url)}: {str(problem).strip().splitlines()[0]}",
            hint="check that the server runs and the address is right, then try again",
        ) from problem
