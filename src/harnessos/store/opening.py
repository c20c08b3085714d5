"""From an address to a store: `sqlite:///path` or `postgresql://...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.settings import without_password
from harnessos.store.schema import APPLICATION_ID, SCHEMA

if TYPE_CHECKING:
    from harnessos.ports import Clock, Ids
    from harnessos.store.transaction import Store

SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite address, None for PostgreSQL; BadUsage for anything else."""
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).expanduser()
        if not path.is_absolute():
            raise errors.BadUsage(
                f"{url} must name an absolute path",
                hint="an absolute path makes four slashes: sqlite:////srv/harness.sqlite",
            )
        return path
    if url.startswith(POSTGRES):
        return None
    raise errors.BadUsage(f"{without_password(url)!r} is no store", hint="sqlite:///PATH or postgresql://HOST/DATABASE")


def open_store(url: str, *, clock: Clock | None = None, ids: Ids | None = None, write: bool = True) -> Store:
    """Open an existing ledger. Never creates one: a wrong path is an error (P09)."""
    path = sqlite_path(url)
    if path is not None:
        from harnessos.store import sqlite

        store = sqlite.SqliteStore(path, clock=clock, ids=ids)
        if not _is_marked(path) or store.user_version() != SCHEMA:
            from harnessos.store import sqlite_site

            store.close()
            sqlite_site.check(path, write=write)
        return store
    _need_psycopg()
    from harnessos.store import postgres, postgres_site

    postgres_site.check(url, write=write)
    return postgres.PostgresStore(url, clock=clock, ids=ids)


def _is_marked(path: Path) -> bool:
    """Tell a ledger by the file's header alone: only then may it be opened at all, and most commands need no more.

    Opening another program's database in WAL mode would write to it when it is closed.
    """
    from harnessos.store.sqlite import application_id

    try:
        return application_id(path) == APPLICATION_ID
    except OSError:
        return False


def create_store(url: str, *, clock: Clock | None = None, ids: Ids | None = None) -> bool:
    """Make a ledger where there is none; return whether it is new. An existing one is left as it is."""
    path = sqlite_path(url)
    if path is not None:
        from harnessos.store import sqlite_site

        return sqlite_site.create(path, clock=clock, ids=ids)
    _need_psycopg()
    from harnessos.store import postgres_site

    return postgres_site.create(url, clock=clock, ids=ids)


def _need_psycopg() -> None:
    try:
        import psycopg_pool  # noqa: F401  # only asks whether it is there
    except ImportError as problem:
        raise errors.StoreUnavailable("PostgreSQL needs an extra", hint="pip install 'harnessos[pg]'") from problem
