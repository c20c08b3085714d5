"""A backup in the place of a SQLite ledger, so that there is never a second one somebody goes on writing to."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from harnessos import errors
from harnessos.files import FileLock, atomic_write, sync_folder
from harnessos.store.sqlite import application_id, connect, spoken
from harnessos.store.sqlite_site import Kind, count_live, integrity, look, make_folder, refuse_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_MS = 2000
"""How long others may take to let go of the ledger."""


def restore(saved: Path, path: Path, *, keep: Path | None = None, force: bool = False) -> bool:
    """Put a backup in the place of a ledger; return whether something was there, which is put aside as `keep` first.

    Nothing is deleted. Refused while another process has that ledger open, for it would go on writing to the one put
    aside, and while runs are live in it, unless `force`. A ledger too damaged to be asked is put aside as it is.
    """
    _require_whole(saved)
    make_folder(path)
    with FileLock(path.with_name(path.name + ".lock"), timeout=60):
        there = [part for part in _parts(path) if part.exists()]
        if there and keep is None:
            raise errors.Refused(f"{there[0]} exists already", hint="--replace puts it aside first; nothing is deleted")
        part = path.with_name(path.name + ".restoring")
        try:
            _copy(saved, part)
            with _alone(path, force=force):
                for old, new in zip(_parts(path), _parts(keep or path), strict=True):
                    if old.exists():
                        old.rename(new)
                part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)
    return bool(there)


def _parts(path: Path) -> tuple[Path, Path, Path]:
    """Return a ledger's file and the two SQLite keeps beside it: a WAL left there would be read into the new one."""
    return path, Path(f"{path}-wal"), Path(f"{path}-shm")


def _require_whole(saved: Path) -> None:
    seen = look(saved)
    refuse_foreign(saved, seen)
    if seen.kind is not Kind.LEDGER:
        raise errors.StoreForeign(f"{saved} is not a backup of a ledger")
    problems = integrity(saved)
    if problems:
        raise errors.StoreCorrupt(f"{saved} is damaged: {problems[0]}", hint="use another backup")


def _copy(saved: Path, part: Path) -> None:
    """Make the file that will be the ledger, in WAL mode, under a name that nobody opens."""
    atomic_write(part, saved.read_bytes(), 0o600)
    connection = connect(part)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    finally:
        connection.close()


@contextmanager
def _alone(path: Path, *, force: bool) -> Iterator[None]:
    """Be the only one who has the ledger open, which is then one whole file without a WAL.

    SQLite leaves WAL mode only for a sole user. Who opens the file meanwhile waits, finds it moved, and cannot write.
    """
    held = _hold(path, force=force)
    try:
        yield
    except BaseException:
        _let_go(path, held)
        raise
    finally:
        if held is not None:
            held.close()


def _hold(path: Path, *, force: bool) -> apsw.Connection | None:
    """Return the connection that holds the ledger; None where there is none, or one too damaged to be asked."""
    if not path.exists() or not _is_sqlite(path):
        return None
    connection = None
    try:
        with spoken(path):
            refuse_foreign(path, look(path))
            connection = connect(path)
            _take(path, connection)
            _refuse_live(path, connection, force=force)
    except BaseException as problem:
        _let_go(path, connection)
        if connection is not None:
            connection.close()
        if isinstance(problem, errors.StoreCorrupt):
            return None
        raise
    return connection


def _let_go(path: Path, connection: apsw.Connection | None) -> None:
    """Make the ledger as it was for others, if it was taken."""
    if connection is not None and connection.in_transaction and path.exists():
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()


def _take(path: Path, connection: apsw.Connection) -> None:
    connection.set_busy_timeout(WAIT_MS)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE").fetchall()
        connection.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError as problem:
        raise errors.Refused(
            f"{path} is open in another process, which would go on writing to what is put aside",
            hint="end that process (such as `harness up`), then restore again",
        ) from problem


def _refuse_live(path: Path, connection: apsw.Connection, *, force: bool) -> None:
    live = count_live(connection)
    if live and not force:
        raise errors.Refused(
            f"{live} runs are live in {path}; what they do would be lost",
            hint="`harness run list --live` shows them; end them first, or --force",
        )


def _is_sqlite(path: Path) -> bool:
    return application_id(path) is not None
