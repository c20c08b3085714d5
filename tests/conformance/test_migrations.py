"""The schema and the ways to it: new, interrupted, older, newer; the same on both stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import apsw
import psycopg
import pytest

from harnessos import errors
from harnessos.kernel import projects
from harnessos.ports import SystemIds
from harnessos.store import migrating, postgres_site, schema, sqlite_site, upkeep
from harnessos.store.opening import create_store, open_store, sqlite_path
from harnessos.store.sqlite import connect
from harnessos.store.transaction import Transaction
from harnessos.testing import FakeClock
from tests.support.ledger import BY_OPERATOR, Ledger

Shape = dict[str, object]
LAST = schema.SCHEMA


def _sqlite(url: str) -> Path:
    path = sqlite_path(url)
    assert path is not None
    return path


def _sqlite_shape(path: Path) -> Shape:
    """Every table's columns (name, nullable) and keys, and every index with what it is on."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]  # fmt: skip
        shape: Shape = {}
        for table in tables:
            columns = connection.execute('SELECT name, "notnull", pk FROM pragma_table_xinfo(?)', (table,)).fetchall()
            shape[table] = {name: not required and not key for name, required, key in columns}
            for name, unique, partial in connection.execute(
                'SELECT name, "unique", partial FROM pragma_index_list(?)', (table,)
            ).fetchall():
                on = [row[0] for row in connection.execute(
                    "SELECT name FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno", (name,))]  # fmt: skip
                shape[f"{table}({', '.join(on)}){' unique' if unique else ''}{' partial' if partial else ''}"] = True
        return shape


def _postgres_shape(url: str) -> Shape:
    with psycopg.connect(url) as connection:
        shape: Shape = {}
        for table, column, nullable in connection.execute(
            "SELECT table_name, column_name, is_nullable FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name IN "
            "(SELECT tablename FROM pg_tables WHERE schemaname = current_schema())"
        ).fetchall():
            columns = shape.setdefault(table, {})
            assert isinstance(columns, dict)
            columns[column] = nullable == "YES"
        for table, columns, unique, partial in connection.execute(
            "SELECT t.relname, string_agg(a.attname, ', ' ORDER BY k.place), i.indisunique, i.indpred IS NOT NULL "
            "FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid, unnest(i.indkey) WITH ORDINALITY k (number, place) "
            "JOIN pg_attribute a ON a.attnum = k.number "
            "WHERE a.attrelid = i.indrelid AND t.relnamespace = current_schema()::regnamespace "
            "GROUP BY t.relname, i.indexrelid, i.indisunique, i.indpred IS NOT NULL"
        ).fetchall():
            shape[f"{table}({columns}){' unique' if unique else ''}{' partial' if partial else ''}"] = True
        return shape


def _shape(url: str) -> Shape:
    return _sqlite_shape(_sqlite(url)) if url.startswith("sqlite") else _postgres_shape(url)


def _age(url: str, number: int) -> None:
    """Leave a ledger as it was after migration `number`."""
    steps = migrating.migrations("sqlite" if url.startswith("sqlite") else "postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrating, "migrations", lambda dialect: steps[:number])
        create_store(url)


@pytest.mark.postgres
def test_both_dialects_have_the_same_tables_columns_and_indexes(tmp_path: Path, database: str) -> None:
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    create_store(url)
    create_store(database)
    here, there = _sqlite_shape(_sqlite(url)), _postgres_shape(database)
    events = there["events"]
    assert isinstance(events, dict)
    # PostgreSQL commits out of order: its readers need to know the transaction of an event.
    events.pop("transaction_id")
    # The key of a rowid table is the row's own number in SQLite, an index in PostgreSQL.
    there.pop("events(seq) unique")
    there.pop("migrations(number) unique")
    here.pop("migrations(number) unique", None)
    assert here == there


def test_migrations_have_the_same_numbers_and_names_in_both_dialects() -> None:
    numbered = [[(step.number, step.name) for step in migrating.migrations(name)] for name in ("sqlite", "postgres")]
    assert numbered[0] == numbered[1]
    assert [number for number, _ in numbered[0]] == list(range(1, LAST + 1))


def test_a_schema_made_step_by_step_is_the_schema_made_at_once(empty_url: str, tmp_path: Path) -> None:
    for number in range(1, LAST + 1):
        _age(empty_url, number)
    stepwise = _shape(empty_url)
    if empty_url.startswith("sqlite"):
        other = f"sqlite:///{tmp_path / 'other.sqlite'}"
        create_store(other)
        assert stepwise == _shape(other)
    assert upkeep.ensure(empty_url) == (False, False, None)
    assert _shape(empty_url) == stepwise


def test_making_a_ledger_twice_leaves_it_as_it_is(empty_url: str) -> None:
    assert create_store(empty_url) is True
    store = open_store(empty_url)
    store.write(projects.create, "DOCS", "docs", "git", None, None, BY_OPERATOR)
    assert create_store(empty_url) is False
    assert [row["key"] for row in store.read(_projects)] == ["DOCS"]
    store.close()


def _projects(tx: Transaction) -> list[dict[str, object]]:
    return tx.all("project_list")


class Crash(Exception):
    """The process ends here."""


@pytest.mark.parametrize("number", range(1, LAST + 1))
def test_crash_at_each_migration_step_is_recoverable(tmp_path: Path, number: int) -> None:
    """P18: whatever step was the last one committed, making the ledger again finishes it."""
    path = tmp_path / "x.sqlite"

    def stop(after: int) -> None:
        if after == number:
            raise Crash

    sqlite_site._prepare(path)
    with pytest.raises(Crash):
        sqlite_site._migrate(path, FakeClock(), SystemIds(), stop)
    if number < LAST:
        with pytest.raises(errors.StoreTooOld, match=f"schema {number}"):
            open_store(f"sqlite:///{path}")
    create_store(f"sqlite:///{path}")
    other = tmp_path / "other.sqlite"
    create_store(f"sqlite:///{other}")
    assert _sqlite_shape(path) == _sqlite_shape(other)
    assert sqlite_site.integrity(path) == []


def test_a_crash_inside_a_migration_leaves_nothing_of_it(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = "sqlite" if empty_url.startswith("sqlite") else "postgres"
    steps = migrating.migrations(dialect)
    broken = steps[1]._replace(statements=(*steps[1].statements[:3], "CREATE NONSENSE"))
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "migrations", lambda dialect: [steps[0], broken, *steps[2:]])
        with pytest.raises((apsw.SQLError, psycopg.errors.SyntaxError)):
            create_store(empty_url)
    create_store(empty_url)
    open_store(empty_url).close()


@pytest.mark.parametrize("before", ["nothing", "an empty file", "a header"])
def test_a_crash_before_the_first_migration_is_recoverable(tmp_path: Path, before: str) -> None:
    path = tmp_path / "x.sqlite"
    if before == "an empty file":
        path.touch()
    if before == "a header":
        connection = apsw.Connection(str(path))
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    create_store(f"sqlite:///{path}")
    open_store(f"sqlite:///{path}").close()


# Older and newer


def test_every_command_on_an_older_schema_is_refused_and_says_what_to_type(empty_url: str) -> None:
    _age(empty_url, LAST - 1)
    for write in (True, False):
        with pytest.raises(errors.StoreTooOld, match=f"schema {LAST - 1}") as caught:
            open_store(empty_url, write=write)
        assert "harness db upgrade" in caught.value.hint
        assert caught.value.exit_code == 69


def _set(url: str, **values: int) -> None:
    """Pretend that a later program wrote this ledger."""
    if url.startswith("sqlite"):
        connection = connect(_sqlite(url))
        for name, value in values.items():
            if name == "schema":
                connection.execute(f"PRAGMA user_version = {value}")
            else:
                connection.execute("UPDATE meta SET value = ? WHERE name = ?", (str(value), name))
        connection.close()
        return
    with psycopg.connect(url, autocommit=True) as client:
        for name, value in values.items():
            client.execute("UPDATE meta SET value = %s WHERE name = %s", (str(value), name))


def test_newer_schema_opens_read_only(empty_url: str) -> None:
    """P18: a later program that only added things lets this one read."""
    create_store(empty_url)
    _set(empty_url, schema=LAST + 1, min_reader=LAST, min_writer=LAST + 1)
    store = open_store(empty_url, write=False)
    assert store.read(_projects) == []
    store.close()
    with pytest.raises(errors.StoreTooNew, match="written") as caught:
        open_store(empty_url)
    assert caught.value.exit_code == 69


def test_a_newer_schema_that_shuts_out_readers_is_not_read(empty_url: str) -> None:
    create_store(empty_url)
    _set(empty_url, schema=LAST + 2, min_reader=LAST + 1, min_writer=LAST + 2)
    for write in (True, False):
        with pytest.raises(errors.StoreTooNew, match="read"):
            open_store(empty_url, write=write)
    with pytest.raises(errors.StoreTooNew):
        upkeep.upgrade(empty_url)


def test_a_newer_schema_that_lets_old_programs_write_is_written(empty_url: str) -> None:
    create_store(empty_url)
    _set(empty_url, schema=LAST + 1, min_reader=LAST, min_writer=LAST)
    open_store(empty_url).close()


def test_backup_before_migration_and_printed_restore(tmp_path: Path) -> None:
    """P18. The path of the backup is what the command line prints."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    _age(url, LAST - 1)
    upgraded, saved = upkeep.upgrade(url, clock=FakeClock())
    assert upgraded is True
    assert saved is not None
    assert saved.stat().st_mode & 0o777 == 0o600
    assert sqlite_site.look(saved).schema == LAST - 1
    open_store(url).close()
    assert upkeep.upgrade(url) == (False, None)


def test_only_explicit_migrate_migrates(empty_url: str) -> None:
    """P18: making an existing ledger is no upgrade, and upgrading waits until no run is live."""
    create_store(empty_url)
    clock = FakeClock()
    store = open_store(empty_url, clock=clock)
    ledger = Ledger(store, clock)
    ledger.plan("a")
    ledger.claim("a")
    store.close()
    _forget_last_migration(empty_url)
    with pytest.raises(errors.StoreTooOld):
        create_store(empty_url)
    with pytest.raises(errors.Refused, match="1 runs are live"):
        upkeep.upgrade(empty_url)
    with pytest.raises(errors.StoreTooOld):
        open_store(empty_url)


def _forget_last_migration(url: str) -> None:
    """An older ledger with everything in it: only its number says so."""
    if url.startswith("sqlite"):
        connection = connect(_sqlite(url))
        connection.execute(f"DELETE FROM migrations WHERE number = {LAST}; PRAGMA user_version = {LAST - 1}")
        connection.close()
        return
    with psycopg.connect(url, autocommit=True) as client:
        client.execute("DELETE FROM migrations WHERE number = %s", (LAST,))
        client.execute("UPDATE meta SET value = %s WHERE name = 'schema'", (str(LAST - 1),))


def test_an_upgrade_keeps_what_is_in_the_ledger(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later schema adds a table; the ledger of today gets it and keeps its rows."""
    create_store(empty_url)
    clock = FakeClock()
    store = open_store(empty_url, clock=clock)
    Ledger(store, clock).plan("a", "b")
    store.close()
    later = migrating.Migration(LAST + 1, "later", "0", ("CREATE TABLE later (id TEXT NOT NULL PRIMARY KEY)",))
    before = migrating.migrations
    monkeypatch.setattr(schema, "SCHEMA", LAST + 1)
    monkeypatch.setattr(migrating, "migrations", lambda dialect: [*before(dialect), later])
    assert upkeep.upgrade(empty_url)[0] is True
    store = open_store(empty_url)
    assert [row["key"] for row in store.read(_projects)] == ["DOCS"]
    assert "later" in _shape(empty_url)
    store.close()


def test_a_migration_that_was_changed_afterwards_is_refused(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _age(empty_url, 1)
    steps = migrating.migrations("sqlite" if empty_url.startswith("sqlite") else "postgres")
    monkeypatch.setattr(migrating, "migrations", lambda dialect: [steps[0]._replace(checksum="0"), *steps[1:]])
    with pytest.raises(errors.StoreForeign, match="migration 1"):
        create_store(empty_url)


def test_a_ledger_has_an_identity_that_stays(empty_url: str) -> None:
    create_store(empty_url)
    found = [_identity(empty_url) for _ in range(2)]
    create_store(empty_url)
    assert len({*found, _identity(empty_url)}) == 1


def _identity(url: str) -> object:
    store = open_store(url, write=False)
    try:
        rows = store.read(_ledgers)
        assert len(rows) == 1
        return rows[0]["id"]
    finally:
        store.close()


def _ledgers(tx: Transaction) -> list[dict[str, object]]:
    return tx.all("ledger_read", one=9)


@pytest.mark.postgres
def test_a_database_with_other_tables_is_refused_and_left_alone(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as client:
        client.execute("CREATE TABLE theirs (x int); INSERT INTO theirs VALUES (1)")
    for act in (create_store, open_store):
        with pytest.raises(errors.StoreUnavailable):
            act(database)
    with psycopg.connect(database) as client:
        assert client.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (1,)


@pytest.mark.postgres
def test_a_crash_between_two_migrations_on_postgres_is_recoverable(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stop_after(monkeypatch, database, 1)
    with pytest.raises(errors.StoreTooOld):
        open_store(database)
    create_store(database)
    open_store(database).close()
    assert postgres_site.upgrade(database) is False


def _stop_after(monkeypatch: pytest.MonkeyPatch, url: str, number: int) -> None:
    read: Callable[[str], list[migrating.Migration]] = migrating.migrations
    with monkeypatch.context() as patch:
        broken = migrating.Migration(number + 1, "broken", "0", ("CREATE NONSENSE",))
        patch.setattr(migrating, "migrations", lambda dialect: [*read(dialect)[:number], broken])
        with pytest.raises(psycopg.errors.SyntaxError):
            create_store(url)
