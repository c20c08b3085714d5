"""A real PostgreSQL server for tests: one cluster a session, one database a test.

Nothing here touches a server that runs already, creates users, or changes modes outside its own temporary folder.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import pytest
from psycopg import sql

from tests.support.pg_binaries import find_binaries, runner
from tests.support.pg_folders import Watchdog, short_folder
from tests.support.waiting import eventually

_USER = "harness"
_numbers = itertools.count(1)
_MISSING = (
    "no PostgreSQL server found: set PG_BIN to the folder of initdb and postgres, install Debian's `postgresql`, "
    "or the `pgtest` group (`make test` does)"
)


class Cluster:
    """One server with its own data, reached through a Unix socket only.

    Made stopped. `fsync` is off unless the test is about what survives. `settings` are server settings by name.
    Use it as a context manager, or call `remove` at the end; a watchdog does it if the test run is killed.
    """

    def __init__(self, *, fsync: bool = False, **settings: str) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise FileNotFoundError(_MISSING)
        self._binaries = binaries
        self._runner = runner()
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = {
            "fsync": "on" if fsync else "off",
            "synchronous_commit": "on" if fsync else "off",
            "full_page_writes": "on" if fsync else "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
            "listen_addresses": "",
            **settings,
        }
        self.folder = short_folder("hpg-")
        self._watchdog = Watchdog(self.folder)
        try:
            self._create()
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """Return the address of `database` in this cluster."""
        return f"postgresql://{_USER}@/{quote(database)}?host={quote(str(self.folder / 'socket'), safe='')}"

    def start(self) -> None:
        """Start the server and return when it answers."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        arguments = [
            str(self._binaries / "postgres"),
            "-D",
            str(self.data),
            "-k",
            str(self.folder / "socket"),
            *options,
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = self._runner.start(arguments, self.folder, log)
        eventually(self._answers, within=60, what="the PostgreSQL server's answer")

    def stop(self) -> None:
        """Stop the server in order; connections are cut. Nothing happens when it is not running."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            self._process = None

    def kill9(self) -> None:
        """Kill the server and every process of it with SIGKILL, as a power cut of the machine's memory would."""
        assert self._process is not None, "the server is not running"
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait(timeout=60)
        self._process = None
        for child in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(family, timeout=60)

    def restart(self) -> None:
        """Stop the server if it runs, and start it on the same data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=60)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)
        self._watchdog.release()

    def create(self, name: str, *, template: str = "template1") -> str:
        """Create the database `name` as a copy of `template` and return its address."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self._command(statement)
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop the database `name`, cutting its connections."""
        self._command(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _command(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _create(self) -> None:
        for name, mode in (("data", 0o700), ("socket", 0o755)):
            (self.folder / name).mkdir(mode=mode)
            os.chown(self.folder / name, self._runner.uid, self._runner.gid)
        arguments = [str(self._binaries / "initdb"), "-D", str(self.data), "--username", _USER, "--auth", "trust"]
        self._runner.run([*arguments, "--encoding", "UTF8", "--no-sync", *self._collation()], self.folder)

    def _collation(self) -> list[str]:
        # A language's order differs from the order of bytes: a query that forgot its collation shows itself here.
        with contextlib.suppress(RuntimeError, OSError):
            built = self._runner.run([str(self._binaries / "pg_config"), "--configure"], self.folder)
            if "--with-icu" in built:
                return ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]
        return ["--locale=C"]

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            self._process = None
            message = f"the PostgreSQL server ended at once: {log[-2000:]}"
            raise RuntimeError(message)
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=5):
            return True
        return False


class Databases:
    """Makes the databases of one test and drops them at its end."""

    def __init__(self, cluster: Cluster, label: str) -> None:
        self._cluster = cluster
        self._label = label
        self._made: list[str] = []

    def create(self, *, template: str = "template1") -> str:
        """Create a database as a copy of `template` and return its address."""
        name = f"{self._label}_{next(_numbers)}"
        self._made.append(name)
        return self._cluster.create(name, template=template)

    def drop_all(self) -> None:
        """Drop what was made."""
        for name in self._made:
            self._cluster.drop(name)


def require_server() -> None:
    """Skip the test where no server can be found; under CI=true that is a failure."""
    if find_binaries() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(_MISSING)
        pytest.skip(_MISSING)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One running cluster for this test process, without fsync."""
    require_server()
    with Cluster() as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="session")
def postgres_template(postgres: Cluster) -> Callable[[str, Callable[[str], None]], str]:
    """Return `prepare(name, fill)`: the name of a database that `fill(url)` filled once a session, to copy from.

    `fill` must close its connections: a database in use cannot be copied.
    """
    ready: set[str] = set()

    def prepare(name: str, fill: Callable[[str], None]) -> str:
        if name not in ready:
            fill(postgres.create(name))
            ready.add(name)
        return name

    return prepare


@pytest.fixture
def databases(postgres: Cluster, request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Databases of this test alone."""
    made = Databases(postgres, re.sub(r"\W+", "_", request.node.name.lower())[:40])
    yield made
    made.drop_all()


@pytest.fixture
def database(databases: Databases) -> str:
    """The address of an empty database of this test alone."""
    return databases.create()
