"""Where the self-test happens: beside the user's ledger, never in it."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from harnessos.files import private_folder
from harnessos.store.opening import sqlite_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harnessos.ports import Clock, Ids


class Amounts(NamedTuple):
    """How much is done."""

    openers: int = 8
    claimers: int = 8
    issues: int = 40
    rounds: int = 1
    kills: int = 6


CHAOS = Amounts(openers=20, claimers=32, issues=100, rounds=3, kills=40)


class Place(NamedTuple):
    """A ledger's address that nobody else uses, and a folder for what the test writes."""

    url: str
    folder: Path
    clock: Clock
    ids: Ids

    def other(self, name: str) -> str:
        """Return the address of another SQLite ledger in the folder."""
        return f"sqlite:///{self.folder / f'{name}.sqlite'}"


@contextmanager
def prepare(url: str, home: Path, clock: Clock, ids: Ids) -> Iterator[Place]:
    """Make the place for the store at `url` (on its file system, or in its database) and remove it at the end."""
    path = sqlite_path(url)
    name = ids.new("selftest", clock.now())
    folder = (home if path is None else path.parent) / name
    private_folder(folder)
    try:
        if path is not None:
            yield Place(f"sqlite:///{folder / 'ledger.sqlite'}", folder, clock, ids)
            return
        with _schema(url, name.replace("-", "_")) as own:
            yield Place(own, folder, clock, ids)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _schema(url: str, name: str) -> Iterator[str]:
    """Make a schema of its own in a PostgreSQL database, and drop it with all it holds."""
    from psycopg import sql

    from harnessos.store.postgres import connect

    with connect(url) as server:
        server.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield f"{url}{'&' if '?' in url else '?'}options={quote(f'-csearch_path={name}', safe='')}"
    finally:
        with connect(url) as server:
            server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


def worker(*words: str) -> tuple[list[str], dict[str, str]]:
    """Return the command line and environment of a worker process of this same installation."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return [sys.executable, "-m", "harnessos.selftest.worker", *words], environment
