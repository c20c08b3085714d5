"""The PostgreSQL of the tests is real, isolated, and can be killed."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.support.postgres import Cluster, Databases, require_server
from tests.support.python import start_python
from tests.support.waiting import eventually

pytestmark = pytest.mark.postgres


def _values(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY value")]


def _fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (value integer PRIMARY KEY)")
        connection.execute("INSERT INTO kept VALUES (1)")


def _is_over(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_server_answers_and_is_not_run_as_root(postgres: Cluster, database: str) -> None:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT current_setting('server_version_num')::int, current_database()").fetchone()
    assert row is not None
    assert row[0] >= 140_000
    assert psutil.Process(postgres.pid).uids().effective != 0


def test_two_databases_do_not_see_each_other(databases: Databases) -> None:
    first, second = databases.create(), databases.create()
    _fill(first)
    assert _values(first) == [1]
    with pytest.raises(psycopg.errors.UndefinedTable):
        _values(second)


def test_a_database_starts_as_a_copy_of_its_template(
    databases: Databases, postgres_template: Callable[[str, Callable[[str], None]], str]
) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        _fill(url)

    for _ in range(2):
        assert _values(databases.create(template=postgres_template("fixture_template", fill))) == [1]
    assert len(filled) == 1


def test_the_socket_path_fits_every_system(postgres: Cluster) -> None:
    assert len(os.fsencode(postgres.folder / "socket" / ".s.PGSQL.5432")) < 100


def test_committed_rows_survive_a_restart_and_a_kill_with_fsync_on() -> None:
    require_server()
    with Cluster(fsync=True) as cluster:
        cluster.start()
        url = cluster.create("kept")
        _fill(url)
        cluster.restart()
        assert _values(url) == [1]
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            connection.execute("INSERT INTO kept VALUES (2)")
            connection.commit()
            connection.execute("INSERT INTO kept VALUES (3)")
            cluster.kill9()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        cluster.start()
        assert _values(url) == [1, 2]
        folder = cluster.folder
    assert not folder.exists()


def test_no_server_is_left_when_the_test_run_is_killed(tmp_path: Path) -> None:
    require_server()
    told = tmp_path / "told"
    program = textwrap.dedent(f"""
        import pathlib, signal
        from tests.support.postgres import Cluster
        cluster = Cluster()
        cluster.start()
        path = pathlib.Path({str(told)!r})
        path.with_suffix(".new").write_text(f"{{cluster.pid}} {{cluster.folder}}", encoding="utf-8")
        path.with_suffix(".new").rename(path)
        signal.pause()
    """)
    process = start_python("-c", program)
    try:
        eventually(lambda: told.exists() or process.poll() is not None, within=60, what="the server's start")
        number, folder = told.read_text(encoding="utf-8").split(" ", 1)
        server = psutil.Process(int(number))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    eventually(lambda: _is_over(server), within=30, what="the server's end")
    eventually(lambda: not Path(folder).exists(), within=30, what="the folder's removal")
