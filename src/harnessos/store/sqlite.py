"""The ledger in a SQLite file, through apsw and the SQLite it brings.

One long-lived connection a thread; every write transaction is BEGIN IMMEDIATE, so a write never
starts from a stale read (P07). WAL is switched once, when the file is made (`store/create.py`).
"""

from __future__ import annotations

import os
from _thread import _local  # threading.local itself, without half a millisecond of its module
from _thread import get_ident as _get_ident
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Concatenate

import apsw

from harnessos import errors
from harnessos.ports import Clock, Ids, SystemClock, SystemIds
from harnessos.store.queries import Queries
from harnessos.store.schema import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from harnessos.store.transaction import P, Row, T, Transaction, Value

BUSY_TIMEOUT_MS = 30_000
LOOK_S = 0.5
OLDEST_LIBRARY = 3_051_003
"""SQLite 3.51.3 is the first without the WAL-reset corruption bug (sqlite.org/wal.html#walresetbug)."""


class SqliteTransaction:
    """See store.transaction.Transaction."""

    def __init__(self, connection: apsw.Connection, queries: Queries, columns: dict[str, tuple[str, ...]]) -> None:
        self._connection = connection
        self._queries = queries
        self._columns = columns
        self._ids: Ids = SystemIds()
        self.now = 0

    def start(self, now: int, ids: Ids) -> SqliteTransaction:
        """Begin a new life at the instant `now`."""
        self.now = now
        self._ids = ids
        return self

    def wake(self) -> None:
        """See Transaction: readers of a file look at its data_version."""

    def new_id(self, noun: str) -> str:
        """See Transaction."""
        return self._ids.new(noun, self.now)

    def one(self, name: str, /, **values: Value) -> Row | None:
        """See Transaction."""
        cursor = self._connection.execute(self._queries[name].sql, values)
        for row in cursor:
            found = dict(zip(self._columns_of(name, cursor), row, strict=True))
            cursor.close()
            return found
        return None

    def all(self, name: str, /, **values: Value) -> list[Row]:
        """See Transaction."""
        cursor = self._connection.execute(self._queries[name].sql, values)
        return [dict(zip(self._columns_of(name, cursor), row, strict=True)) for row in cursor]

    def run(self, name: str, /, **values: Value) -> int:
        """See Transaction."""
        self._connection.execute(self._queries[name].sql, values)
        return self._connection.changes()

    def do(self, name: str, /, **values: Value) -> None:
        """See Transaction."""
        self._connection.execute(self._queries[name].sql, values)

    def many(self, name: str, rows: Iterable[Mapping[str, Value]], /) -> None:
        """See Transaction."""
        self._connection.executemany(self._queries[name].sql, rows)

    def _columns_of(self, name: str, cursor: apsw.Cursor) -> tuple[str, ...]:
        columns = self._columns.get(name)
        if columns is None:
            columns = self._columns[name] = tuple(column[0] for column in cursor.get_description())
        return columns


MAGIC = b"SQLite format 3\0"
_HEADER = 72
_connected: set[tuple[int, int]] = set()
"""Device and inode of each file this process ever connected to."""

_MANY = 8
"""Open connections from which on those of ended threads are looked for."""


class SqliteStore:
    """See store.transaction.Store."""

    dialect = "sqlite"

    def __init__(
        self, path: Path, *, clock: Clock | None = None, ids: Ids | None = None, vfs: str | None = None
    ) -> None:
        refuse_old_library()
        self.path = path
        self.url = f"sqlite:///{path}"
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        self._vfs = vfs
        self._queries = Queries("sqlite")
        self._columns: dict[str, tuple[str, ...]] = {}
        self._local = _local()
        self._open: list[tuple[int, apsw.Connection]] = []

    def write(self, command: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See Store."""
        with self._transaction("BEGIN IMMEDIATE") as tx:
            return command(tx, *args, **kwargs)

    def read(self, query: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See Store."""
        with self._transaction("BEGIN") as tx:
            return query(tx, *args, **kwargs)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[SqliteTransaction]:
        connection, tx = self._mine()
        with spoken(self.path):
            connection.execute(begin)
            try:
                yield tx.start(self._clock.now(), self._ids)
            except BaseException:
                # A full disk or an I/O error may have rolled back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT" if begin == "BEGIN IMMEDIATE" else "ROLLBACK")

    def _mine(self) -> tuple[apsw.Connection, SqliteTransaction]:
        mine: tuple[apsw.Connection, SqliteTransaction] | None = getattr(self._local, "pair", None)
        if mine is None:
            with spoken(self.path):
                connection = connect(self.path, vfs=self._vfs)
            self._close_left()
            self._open.append((_get_ident(), connection))
            mine = self._local.pair = (connection, SqliteTransaction(connection, self._queries, self._columns))
        return mine

    def _close_left(self) -> None:
        """Close the connections of threads that have ended: a server's threads come and go for days."""
        if len(self._open) < _MANY:
            return
        import threading

        alive = {thread.ident for thread in threading.enumerate()}
        mine = _get_ident()  # the number of a thread that ended, given to this one
        gone = [pair for pair in self._open if pair[0] not in alive or pair[0] == mine]
        self._open = [pair for pair in self._open if pair not in gone]
        for _, connection in gone:
            connection.close()

    def user_version(self) -> int:
        """Return the schema of the ledger, which must be one."""
        connection, _ = self._mine()
        with spoken(self.path):
            (version,) = next(connection.execute("PRAGMA user_version"))
        return int(version)

    def change_count(self) -> int:
        """See Store."""
        connection, _ = self._mine()
        with spoken(self.path):
            (version,) = next(connection.execute("PRAGMA data_version"))
        return int(version)

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """See Store. SQLite cannot wake a reader: it looks every LOOK_S seconds."""
        left = timeout
        while (now := self.change_count()) == seen and left > 0:
            import threading

            threading.Event().wait(min(left, LOOK_S))
            left -= LOOK_S
        return now

    def close(self) -> None:
        """See Store."""
        for _, connection in self._open:
            connection.close()
        self._open.clear()
        self._local = _local()


def refuse_old_library() -> None:
    """Raise StoreUnavailable when the SQLite library still has the WAL-reset bug."""
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_LIBRARY:
        raise errors.StoreUnavailable(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a ledger with many writers; 3.51.3 or newer is needed",
            hint="pip install --upgrade apsw",
        )


def application_id(path: Path) -> int | None:
    """Return whose database a file is, None for what is no SQLite file. OSError when it cannot be read.

    The header is read without SQLite, which leaves files beside a database in WAL mode that it only looked at. But a file
    this process is connected to is never opened beside SQLite: POSIX drops all locks that a process holds on a file as
    soon as it closes any descriptor of it, SQLite's among them, and another program could then remove the log that we
    write to (sqlite.org/howtocorrupt.html, 2.2).
    """
    facts = os.stat(path)  # noqa: PTH116 # a hot path
    if (facts.st_dev, facts.st_ino) in _connected:
        try:
            with closing(connect(path, read_only=True)) as connection:
                return int(next(connection.execute("PRAGMA application_id"))[0])
        except apsw.NotADBError:
            return None
        except apsw.CorruptError:
            return APPLICATION_ID  # we were connected to it: it is ours, and damaged since
    with path.open("rb") as stream:
        header = stream.read(_HEADER)
    return int.from_bytes(header[68:], "big") if header.startswith(MAGIC) else None


def connect(path: Path, *, read_only: bool = False, vfs: str | None = None) -> apsw.Connection:
    """Open an existing SQLite file with our settings; never creates one."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=200)
    # A plan never depends on bound values: else SQLite plans `LIMIT :one` anew on every call, and peeks at the 1.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    # busy_timeout comes before anything that may meet a lock (P07: 162 of 200 first opens failed the other way).
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    facts = os.stat(path)  # noqa: PTH116 # a hot path
    _connected.add((facts.st_dev, facts.st_ino))
    connection.execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL")
    return connection


@contextmanager
def spoken(path: Path) -> Iterator[None]:
    """Turn apsw's exceptions into ours; a constraint that fails is a bug and stays as it is."""
    try:
        yield
    except apsw.BusyError as problem:
        raise errors.Busy(f"{path} stayed locked for {BUSY_TIMEOUT_MS // 1000} s, nothing was written") from problem
    except apsw.FullError as problem:
        raise errors.StoreFull(f"the disk of {path} is full, nothing was written") from problem
    except apsw.ReadOnlyError as problem:
        raise errors.StoreReadOnly(f"{path} cannot be written", hint="check the file's owner and mode") from problem
    except apsw.CantOpenError as problem:
        if path.exists():
            raise errors.StoreUnavailable(
                f"{path} cannot be opened", hint="check the owner and mode of the file and its folder"
            ) from problem
        raise errors.StoreMissing(f"there is no ledger at {path}") from problem
    except apsw.NotADBError as problem:
        raise errors.StoreForeign(f"{path} is not a SQLite file") from problem
    except apsw.CorruptError as problem:
        raise errors.StoreCorrupt(
            f"{path} is damaged; it was not changed",
            hint=f"copy it aside, then `harness db restore BACKUP --replace --store sqlite:///{path}`",
        ) from problem
    except apsw.IOError as problem:
        raise errors.StoreUnavailable(f"reading or writing {path} failed: {problem}") from problem
