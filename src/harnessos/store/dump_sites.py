"""Whole tables of a database, for export and import, on one connection and in one transaction.

The statements are put together from the names in the database's own catalogue and from nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from harnessos import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    import apsw

    from harnessos.store.postgres import Connection

Cells = tuple[Any, ...]
"""A row's values in the order of its table's columns. Any: text, whole numbers and None, untyped by the drivers."""


class Table(NamedTuple):
    """A table as both dialects have it: its columns and key columns in order, and the tables it refers to."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    parents: frozenset[str]


class Site(Protocol):
    """One transaction over whole tables; leaving the `with` block by an exception undoes it."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit or undo, and close."""
        ...

    def tables(self) -> list[Table]:
        """Return every table of the ledger."""
        ...

    def rows(self, table: Table) -> Iterator[Cells]:
        """Return a table's rows by key."""
        ...

    def holds_rows(self, name: str) -> bool:
        """Return whether a table holds anything."""
        ...

    def clear(self, name: str) -> None:
        """Delete a table's rows."""
        ...

    def insert(self, table: Table, rows: Sequence[Cells]) -> None:
        """Insert rows; BadDocument when the database refuses one."""
        ...

    def finish(self) -> None:
        """Check what can only be checked at the end, and bring counters up to the rows."""
        ...


class SqliteSite:
    """See Site."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path = path
        self._write = write
        self._connection: apsw.Connection

    def __enter__(self) -> Self:
        """See Site."""
        from harnessos.store.sqlite import connect

        self._connection = connect(self._path, read_only=not self._write)
        self._connection.execute("BEGIN IMMEDIATE" if self._write else "BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Site."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
        self._connection.close()

    def tables(self) -> list[Table]:
        """See Site."""
        listed = self._connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return [self._table(str(name)) for (name,) in listed.fetchall()]

    def _table(self, name: str) -> Table:
        columns = self._connection.execute("SELECT name, pk FROM pragma_table_info(?)", (name,)).fetchall()
        parents = self._connection.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (name,)).fetchall()
        key = sorted((int(str(place)), str(column)) for column, place in columns if place)
        return Table(
            name,
            tuple(str(column) for column, _ in columns),
            tuple(c for _, c in key),
            frozenset(str(p) for (p,) in parents),
        )

    def rows(self, table: Table) -> Iterator[Cells]:
        """See Site."""
        order = ", ".join(_quoted(table.key))
        text = f"SELECT {', '.join(_quoted(table.columns))} FROM {_quoted([table.name])[0]} ORDER BY {order}"
        yield from self._connection.execute(text)

    def holds_rows(self, name: str) -> bool:
        """See Site."""
        return bool(self._connection.execute(f"SELECT 1 FROM {_quoted([name])[0]} LIMIT 1").fetchall())

    def clear(self, name: str) -> None:
        """See Site."""
        self._connection.execute(f"DELETE FROM {_quoted([name])[0]}")

    def insert(self, table: Table, rows: Sequence[Cells]) -> None:
        """See Site."""
        import apsw

        places = ", ".join("?" for _ in table.columns)
        names = ", ".join(_quoted(table.columns))
        text = f"INSERT INTO {_quoted([table.name])[0]} ({names}) VALUES ({places})"
        try:
            self._connection.executemany(text, rows)
        except (apsw.ConstraintError, apsw.MismatchError, OverflowError) as problem:
            raise _refused(table, problem) from problem

    def finish(self) -> None:
        """See Site: AUTOINCREMENT follows by itself, references were checked row by row."""


class PostgresSite:
    """See Site."""

    def __init__(self, url: str, *, write: bool) -> None:
        self._url = url
        self._write = write
        self._connection: Connection

    def __enter__(self) -> Self:
        """See Site."""
        from harnessos.store.postgres import connect

        self._connection = connect(self._url)
        self._connection.execute("BEGIN" if self._write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Site."""
        if not self._connection.closed:
            self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
            self._connection.close()

    def tables(self) -> list[Table]:
        """See Site. Columns that only this dialect has carry a default that no export names."""
        rows = self._connection.execute(_CATALOGUE).fetchall()
        return [Table(row["name"], tuple(row["columns"]), tuple(row["key"]), frozenset(row["parents"])) for row in rows]

    def rows(self, table: Table) -> Iterator[Cells]:
        """See Site, through a cursor on the server."""
        from psycopg.rows import tuple_row
        from psycopg.sql import SQL, Identifier

        names, order = (SQL(", ").join(map(Identifier, part)) for part in (table.columns, table.key))
        text = SQL("SELECT {} FROM {} ORDER BY {}").format(names, Identifier(table.name), order)
        with self._connection.cursor("export", row_factory=tuple_row) as cursor:
            yield from cursor.execute(text)

    def holds_rows(self, name: str) -> bool:
        """See Site."""
        from psycopg.sql import SQL, Identifier

        return bool(self._connection.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(Identifier(name))).fetchall())

    def clear(self, name: str) -> None:
        """See Site."""
        from psycopg.sql import SQL, Identifier

        self._connection.execute(SQL("DELETE FROM {}").format(Identifier(name)))

    def insert(self, table: Table, rows: Sequence[Cells]) -> None:
        """See Site."""
        import psycopg
        from psycopg.sql import SQL, Identifier, Placeholder

        names = SQL(", ").join(map(Identifier, table.columns))
        places = SQL(", ").join(Placeholder() for _ in table.columns)
        text = SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            Identifier(table.name), names, places
        )
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(text, rows)
        except (psycopg.IntegrityError, psycopg.DataError) as problem:
            raise _refused(table, problem) from problem

    def finish(self) -> None:
        """See Site: the next event's number follows the last one's."""
        self._connection.execute(
            "SELECT setval(pg_get_serial_sequence('events', 'seq'), coalesce(max(seq), 0) + 1, false) FROM events"
        )


_CATALOGUE = """
SELECT c.relname AS name,
    array(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
            AND a.atttypid = ANY (ARRAY['text'::regtype, 'bigint'::regtype, 'smallint'::regtype, 'integer'::regtype])
        ORDER BY a.attnum) AS columns,
    array(SELECT a.attname::text FROM pg_index i
        JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place) ON true
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
        WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key,
    array(SELECT f.confrelid::regclass::text FROM pg_constraint f
        WHERE f.conrelid = c.oid AND f.contype = 'f') AS parents
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
"""
"""Tables with the columns that both dialects have: the transaction id of an event exists on PostgreSQL only."""


def _quoted(names: Sequence[str]) -> list[str]:
    return ['"' + name.replace('"', '""') + '"' for name in names]


def _refused(table: Table, problem: Exception) -> errors.BadDocument:
    reason = str(problem).strip().splitlines()[0]
    return errors.BadDocument(
        f"a row of {table.name} is not possible in a ledger: {reason}; nothing was imported", hint="use another export"
    )
