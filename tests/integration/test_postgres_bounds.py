"""PostgreSQL: what is refused before a connection is tried, and how long anything waits for a server or a lock."""

from __future__ import annotations

import psycopg
import pytest

from harnessos import errors
from harnessos.kernel import projects
from harnessos.kernel.events import Cause
from harnessos.model.run import OPERATOR
from harnessos.store.opening import create_store, open_store
from harnessos.store.postgres import ALIVE, PostgresStore, PostgresTransaction, connect, parameters
from harnessos.store.transaction import Transaction

SECRET = "zxq"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}%zz@h/x",
        f"postgresql://me:{SECRET}/more@h/x",
        f"postgresql://me:{SECRET}@{SECRET}@h/x",
        f"postgresql://me:{SECRET}@[bad/x",
        f"postgresql://me:{SECRET}@h/x?nonsense=1",
    ],
)
def test_a_bad_address_is_bad_usage_and_says_no_password(url: str) -> None:
    with pytest.raises(errors.BadUsage) as caught:
        connect(url)
    told = caught.value
    assert SECRET not in f"{told.message} {told.hint} {told.facts}"
    assert told.__cause__ is None
    assert told.__suppress_context__


def test_a_connection_notices_a_dead_server_unless_the_address_says_otherwise() -> None:
    assert parameters("postgresql://h/x").items() >= ALIVE.items()
    assert parameters("postgresql://h/x?keepalives_idle=60")["keepalives_idle"] == "60"
    password = parameters(f"postgresql://me:{SECRET}%40@h/x")["password"]
    assert password == f"{SECRET}@"


@pytest.mark.postgres
def test_every_connection_has_the_bounds(database: str) -> None:
    create_store(database)
    store = open_store(database)
    assert isinstance(store, PostgresStore)
    with store._pool.connection() as connection, connect(database) as other:
        for used in (connection, other):
            told = used.info.get_parameters()
            assert {name: told[name] for name in ALIVE} == {name: str(value) for name, value in ALIVE.items()}
        asked = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
        assert connection.execute(asked).fetchone() == ("1min", "30s")
    store.close()


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("bound", "long"), [("lock_timeout", "LOCK TABLE projects"), ("statement_timeout", "SELECT pg_sleep(60)")]
)
def test_what_waits_too_long_is_busy_and_not_tried_again(database: str, bound: str, long: str) -> None:
    create_store(database)
    store = open_store(database)
    tries = []

    def command(tx: Transaction) -> None:
        tries.append(tx.now)
        tx._connection.execute(f"SET LOCAL {bound} = '50ms'")  # type: ignore[attr-defined]  # PostgreSQL's own
        tx._connection.execute(long)  # type: ignore[attr-defined]

    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE projects")
        with pytest.raises(errors.Busy):
            store.write(command)
    store.close()
    assert len(tries) == 1


@pytest.mark.postgres
def test_a_lock_that_is_met_at_the_commit_is_busy_too(database: str) -> None:
    create_store(database)
    store = open_store(database)
    tries = []

    def command(tx: Transaction) -> None:
        tries.append(tx.now)
        tx._connection.execute("SET LOCAL lock_timeout = '50ms'")  # type: ignore[attr-defined]
        tx._waiting.append(("LOCK TABLE projects", []))  # type: ignore[attr-defined]

    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE projects")
        with pytest.raises(errors.Busy):
            store.write(command)
    store.close()
    assert len(tries) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("lost", ["the answer to COMMIT", "COMMIT itself"])
def test_a_command_whose_commit_lost_its_answer_is_done_once(
    database: str, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The driver still takes the connection for a good one, and fails once more when the pool wants it back."""
    create_store(database)
    store = open_store(database)
    tries: list[int] = []
    commit = PostgresTransaction.commit

    def cut(tx: PostgresTransaction) -> None:
        connection = tx._connection
        if len(tries) > 1:
            return commit(tx)
        if lost == "the answer to COMMIT":
            commit(tx)
            connection.execute("BEGIN")
        with psycopg.connect(database, autocommit=True) as server:
            server.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
        raise psycopg.OperationalError("the answer was lost")

    def command(tx: Transaction) -> str:
        tries.append(tx.now)
        project = projects.create(tx, f"P{len(tries)}", "p", "git", "r00t", "main", Cause(OPERATOR, "test"))
        return str(project["key"])

    monkeypatch.setattr(PostgresTransaction, "commit", cut)
    done = store.write(command)
    store.close()
    with psycopg.connect(database) as server:
        found = server.execute("SELECT key FROM projects").fetchall()
    assert found == [(done,)]
    assert len(tries) == (1 if lost == "the answer to COMMIT" else 2)
