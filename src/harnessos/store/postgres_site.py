"""The place of a PostgreSQL ledger: recognising the database, making the tables, upgrading them."""

from __future__ import annotations

from typing import LiteralString

from harnessos import errors
from harnessos.ports import Clock, Ids, SystemClock, SystemIds
from harnessos.settings import without_password
from harnessos.store import migrating, schema
from harnessos.store.postgres import Connection, connect

_LOCK = 0x48524E53


def check(url: str, *, write: bool) -> None:
    """Raise unless the database holds a ledger this program may use."""
    with connect(url) as connection:
        meta = _meta(connection)
    if meta is None:
        raise errors.StoreMissing(f"the database {without_password(url)} holds no ledger")
    versions = (int(meta.get(name, "0")) for name in ("schema", "min_reader", "min_writer"))
    schema.check_version(without_password(url), *versions, write=write)


def _meta(connection: Connection) -> dict[str, str] | None:
    row = connection.execute(
        "SELECT to_regclass('meta') IS NOT NULL AND to_regclass('migrations') IS NOT NULL AS there"
    ).fetchone()
    if row is None or not row["there"]:
        return None
    return {row["name"]: row["value"] for row in connection.execute("SELECT name, value FROM meta")}


def create(url: str, *, clock: Clock | None = None, ids: Ids | None = None) -> bool:
    """Make a ledger's tables in an existing, empty database; return whether it is new."""
    with connect(url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        meta = _meta(connection)
        if meta is not None and int(meta.get("schema", "0")) >= schema.SCHEMA:
            return False
        if meta is not None and _complete(connection):
            # A ledger that was whole once is only changed by an upgrade, on purpose.
            versions = (int(meta.get(name, "0")) for name in ("schema", "min_reader", "min_writer"))
            schema.check_version(without_password(url), *versions, write=True)
        if meta is None:
            _refuse_foreign(connection, url)
            with connection.transaction():
                for statement in migrating.statements(migrating.META):
                    connection.execute(_text(statement))
        _migrate(connection, url, clock or SystemClock(), ids or SystemIds())
        return meta is None


def _complete(connection: Connection) -> bool:
    """Return whether somebody has used the ledger: one that was cut off while it was made holds no project."""
    row = connection.execute("SELECT to_regclass('projects') IS NOT NULL AS there").fetchone()
    if row is None or not row["there"]:
        return False
    return connection.execute("SELECT 1 AS used FROM projects LIMIT 1").fetchone() is not None


def _refuse_foreign(connection: Connection, url: str) -> None:
    row = connection.execute(
        "SELECT count(*) AS n FROM pg_class c WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    ).fetchone()
    if row is not None and row["n"]:
        raise errors.StoreForeign(
            f"the database {without_password(url)} holds other tables; they are not changed",
            hint="make an empty database for the ledger: `createdb harness`",
        )


def _migrate(connection: Connection, url: str, clock: Clock, ids: Ids) -> None:
    done = {row["number"]: row["checksum"] for row in connection.execute("SELECT number, checksum FROM migrations")}
    for step in migrating.migrations("postgres"):
        if step.number in done:
            if done[step.number] != step.checksum:
                raise errors.StoreForeign(f"migration {step.number} of {without_password(url)} is another program's")
            continue
        with connection.transaction():
            for statement in step.statements:
                connection.execute(_text(statement))
            now = clock.now()
            connection.execute(
                "INSERT INTO migrations VALUES (%s, %s, %s, %s)", (step.number, step.name, step.checksum, now)
            )
            if step.number == 1:
                connection.execute("INSERT INTO ledger (id, created_at) VALUES (%s, %s)", (ids.new("ledger", now), now))
            values = {"schema": step.number, "min_reader": schema.MIN_READER, "min_writer": schema.MIN_WRITER}
            for name, value in values.items():
                connection.execute(
                    "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (name, str(value)),
                )


def upgrade(url: str, *, force: bool = False, clock: Clock | None = None, ids: Ids | None = None) -> bool:
    """Bring an older ledger to this program's schema, in transactions of their own; False when it is current."""
    with connect(url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        meta = _meta(connection)
        if meta is None:
            raise errors.StoreMissing(f"the database {without_password(url)} holds no ledger")
        found = int(meta.get("schema", "0"))
        if found > schema.SCHEMA:
            schema.check_version(without_password(url), found, found, found, write=True)
        if found == schema.SCHEMA:
            return False
        row = connection.execute("SELECT to_regclass('runs') IS NOT NULL AS there").fetchone()
        if row is not None and row["there"] and not force:
            live = connection.execute("SELECT count(*) AS n FROM runs WHERE live = 1").fetchone()
            if live is not None and live["n"]:
                raise errors.Refused(f"{live['n']} runs are live", hint="drain them first, or --force")
        _migrate(connection, url, clock or SystemClock(), ids or SystemIds())
        return True


def _text(statement: str) -> LiteralString:
    # The statements come from files of this package and from nowhere else.
    return statement
