"""What an operator does to a whole ledger, on either database: make, upgrade, check, back up, restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.store import schema
from harnessos.store.opening import create_store, sqlite_path

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.ports import Clock, Ids


class Ensured(NamedTuple):
    """What `ensure` did. `backup` is the copy made before an upgrade (SQLite)."""

    created: bool
    upgraded: bool
    backup: Path | None


def ensure(url: str, *, force: bool = False, clock: Clock | None = None, ids: Ids | None = None) -> Ensured:
    """Make the ledger where there is none, upgrade an older one. Refused while runs are live, unless `force`."""
    if _is_older(url):
        upgraded, backup = upgrade(url, force=force, clock=clock, ids=ids)
        return Ensured(created=False, upgraded=upgraded, backup=backup)
    return Ensured(created=create_store(url, clock=clock, ids=ids), upgraded=False, backup=None)


def _is_older(url: str) -> bool:
    path = sqlite_path(url)
    if path is not None:
        from harnessos.store import sqlite_site

        seen = sqlite_site.look(path)
        return seen.kind is sqlite_site.Kind.LEDGER and 0 < seen.schema < schema.SCHEMA
    _require_psycopg()
    from harnessos.store import postgres_site

    try:
        postgres_site.check(url, write=True)
    except errors.StoreTooOld:
        return True
    except errors.StoreMissing:
        return False
    return False


def upgrade(
    url: str, *, force: bool = False, clock: Clock | None = None, ids: Ids | None = None
) -> tuple[bool, Path | None]:
    """Bring a ledger to this program's schema; return whether it was older, and the backup (SQLite)."""
    path = sqlite_path(url)
    if path is not None:
        from harnessos.store import sqlite_site

        backup = sqlite_site.upgrade(path, force=force, clock=clock, ids=ids)
        return backup is not None, backup
    _require_psycopg()
    from harnessos.store import postgres_site

    return postgres_site.upgrade(url, force=force, clock=clock, ids=ids), None


def backup(url: str, target: Path) -> None:
    """Copy a SQLite ledger as of one instant; PostgreSQL has pg_dump for that."""
    from harnessos.store import sqlite_site

    path = _file_of(url, "`pg_dump` makes backups of a PostgreSQL database; `harness db export` writes JSON lines")
    sqlite_site.check(path, write=False)
    try:
        sqlite_site.backup(path, target)
    except OSError as problem:
        raise errors.BadUsage(f"{target} cannot be written: {problem.strerror}", hint="name another file") from problem


def restore(saved: Path, url: str, *, keep: Path | None, force: bool = False) -> bool:
    """Put a backup in the place of a SQLite ledger; what is there is moved to `keep` first, Refused without one.

    Return whether something was there. Refused while it is in use, and while runs are live, unless `force`.
    """
    from harnessos.store import sqlite_restore

    path = _file_of(url, "`pg_restore` brings back a PostgreSQL database; `harness db import` reads an export")
    if not saved.is_file():
        raise errors.NotAFile(f"{saved} is no file", hint="name a backup", path=str(saved))
    return sqlite_restore.restore(saved, path, keep=keep, force=force)


def problems(url: str) -> list[str]:
    """Return what the database's own checks find wrong; for PostgreSQL, whether every constraint is in force."""
    path = sqlite_path(url)
    if path is not None:
        from harnessos.store import sqlite_site

        try:
            sqlite_site.check(path, write=False)
        except errors.StoreCorrupt as problem:
            return [problem.message, *sqlite_site.integrity(path)]
        return sqlite_site.integrity(path)
    _require_psycopg()
    from harnessos.store import postgres_site
    from harnessos.store.postgres import connect

    postgres_site.check(url, write=False)
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT conname, conrelid::regclass::text AS held FROM pg_constraint "
            "WHERE connamespace = current_schema()::regnamespace AND NOT convalidated"
        )
        return [f"{row['held']}: the constraint {row['conname']} is not validated" for row in rows]


def _file_of(url: str, otherwise: str) -> Path:
    path = sqlite_path(url)
    if path is None:
        raise errors.BadUsage("that is for SQLite ledgers", hint=otherwise)
    return path


def _require_psycopg() -> None:
    try:
        import psycopg  # noqa: F401  # only asks whether it is there
    except ImportError as problem:
        raise errors.StoreUnavailable("PostgreSQL needs an extra", hint="pip install 'harnessos[pg]'") from problem
