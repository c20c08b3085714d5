"""One suite, two stores: every test here that takes `store` or `ledger` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harnessos.store.opening import create_store, open_store
from harnessos.store.transaction import Store
from harnessos.testing import FakeClock
from tests.support.ledger import Ledger
from tests.support.postgres import Cluster


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a place where a ledger can be made, on each kind of store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    database: str = request.getfixturevalue("database")
    return database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> str:
    """The address of a new ledger with nothing in it, on each kind of store."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        create_store(url, clock=clock)
        return url
    emptied: str = request.getfixturevalue("emptied_postgres")
    return emptied


@pytest.fixture(scope="session")
def one_postgres(postgres: Cluster) -> str:
    """A ledger in PostgreSQL that the tests of this process use one after the other."""
    url = postgres.create("conformance")
    create_store(url, clock=FakeClock())
    return url


@pytest.fixture
def emptied_postgres(one_postgres: str) -> str:
    """The same ledger as new: emptying it takes a tenth of the time of making a database."""
    with psycopg.connect(one_postgres, autocommit=True) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        tables = [sql.Identifier(name) for (name,) in rows if name not in {"meta", "migrations", "ledger"}]
        deletes = [sql.SQL("DELETE FROM {}").format(table) for table in tables]
        fresh = [sql.SQL("UPDATE ledger SET event_seq = 0, event_head = ''")]
        connection.execute(sql.SQL("; ").join([sql.SQL("SET session_replication_role = replica"), *deletes, *fresh]))
    return one_postgres


@pytest.fixture
def store(store_url: str, clock: FakeClock) -> Iterator[Store]:
    """A new ledger whose time is the test's."""
    opened = open_store(store_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def ledger(store: Store, clock: FakeClock) -> Ledger:
    """A ledger with the project DOCS and its default campaign."""
    return Ledger(store, clock)
