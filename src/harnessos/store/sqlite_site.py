"""The place of a SQLite ledger: recognising the file, making it, upgrading it, backing it up, checking it.

`sqlite_restore` puts a backup in its place.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import apsw

from harnessos import errors
from harnessos.files import FileLock, filesystem_kind, private_folder
from harnessos.ports import Clock, Ids, SystemClock, SystemIds
from harnessos.store import migrating, schema
from harnessos.store.sqlite import application_id, connect, refuse_old_library, spoken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SHARED = frozenset({"nfs", "cifs", "fuse", "9p", "virtiofs", "vboxsf", "sshfs", "ceph", "lustre", "afs"})
"""Where WAL's shared memory is not shared, and many writers damage the file (P08: virtiofs, NFS)."""

"""What every SQLite file begins with."""


class Kind(StrEnum):
    """What lies at a path."""

    MISSING = "missing"
    EMPTY = "empty"
    LEDGER = "ledger"
    EARLIER = "earlier"
    FOREIGN = "foreign"


class Seen(NamedTuple):
    """A path's kind, and for a ledger its versions."""

    kind: Kind
    schema: int = 0
    min_reader: int = 0
    min_writer: int = 0


def look(path: Path) -> Seen:
    """Say what lies at `path` without changing it."""
    if not path.exists():
        return Seen(Kind.MISSING)
    if not path.is_file():
        raise errors.StoreForeign(f"{path} is not a file")
    if path.stat().st_size == 0:
        return Seen(Kind.EMPTY)
    with spoken(path):
        ours = _is_ours(path)
        connection = connect(path, read_only=True) if ours else _untouched(path)
        try:
            return _versions(connection) if ours else _stranger(path, connection)
        finally:
            connection.close()


def _is_ours(path: Path) -> bool:
    try:
        whose = application_id(path)
    except OSError as problem:
        raise errors.StoreUnavailable(
            f"{path} cannot be read: {problem.strerror}", hint="check the owner and mode of the file and its folder"
        ) from problem
    if whose is None:
        raise errors.StoreForeign(f"{path} is not a SQLite file")
    return whose == schema.APPLICATION_ID


def _untouched(path: Path) -> apsw.Connection:
    """Open another program's file so that nothing is written in it or beside it; its WAL is not read."""
    from urllib.parse import quote

    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"file:{quote(str(path))}?immutable=1", flags=flags)


def _versions(connection: apsw.Connection) -> Seen:
    version = _number(connection, "user_version")
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchall():
        return Seen(Kind.LEDGER, 0)
    meta = {str(name): str(value) for name, value in connection.execute("SELECT name, value FROM meta")}
    return Seen(Kind.LEDGER, version, int(meta.get("min_reader", 0)), int(meta.get("min_writer", 0)))


def _stranger(path: Path, connection: apsw.Connection) -> Seen:
    version = _number(connection, "user_version")
    names = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if {"runs", "leases"} <= names and 2 <= version <= 5:
        return Seen(Kind.EARLIER, version)
    # What another program has written may still lie in its WAL only.
    empty = not names and not path.with_name(path.name + "-wal").exists()
    return Seen(Kind.EMPTY if empty else Kind.FOREIGN, version)


def _number(connection: apsw.Connection, pragma: str) -> int:
    (value,) = next(connection.execute(f"PRAGMA {pragma}"))
    return int(str(value))


def check(path: Path, *, write: bool) -> None:
    """Raise unless `path` is a ledger this program may use."""
    seen = look(path)
    if seen.kind in (Kind.MISSING, Kind.EMPTY):
        raise errors.StoreMissing(f"there is no ledger at {path}")
    refuse_foreign(path, seen)
    schema.check_version(str(path), seen.schema, seen.min_reader, seen.min_writer, write=write)


def refuse_foreign(path: Path, seen: Seen) -> None:
    """Raise for another program's file and for the earlier product's; neither is ever written."""
    if seen.kind is Kind.EARLIER:
        raise errors.StoreForeign(
            f"{path} is a database of the earlier harness-os (schema {seen.schema}); it is not changed",
            hint="choose another place: --store sqlite:///PATH, or HARNESS_STORE; keep the old file for its own program",
        )
    if seen.kind is Kind.FOREIGN:
        raise errors.StoreForeign(
            f"{path} is another program's SQLite database; it is not changed",
            hint="choose another place: --store sqlite:///PATH, or HARNESS_STORE",
        )


def create(path: Path, *, clock: Clock | None = None, ids: Ids | None = None) -> bool:
    """Make a ledger at `path`, or finish one whose making was interrupted; return whether it is new.

    Twenty processes may do this at once: one makes it, the others find it made (P07).
    """
    clock, ids = clock or SystemClock(), ids or SystemIds()
    refuse_old_library()
    make_folder(path)
    kind = filesystem_kind(path.parent)
    if kind in _SHARED:
        raise errors.StoreFileSystem(
            f"{path} lies on {kind}, where several processes cannot share a SQLite file safely"
        )
    try:
        with FileLock(path.with_name(path.name + ".lock"), timeout=60):
            seen = look(path)
            refuse_foreign(path, seen)
            if seen.kind is Kind.LEDGER and seen.schema >= schema.SCHEMA:
                return False
            if seen.kind is Kind.LEDGER and seen.schema > 0 and _has_ledger(path):
                schema.check_version(str(path), seen.schema, seen.min_reader, seen.min_writer, write=True)
            _prepare(path)
            with spoken(path):
                _migrate(path, clock, ids)
            return seen.kind is not Kind.LEDGER
    except PermissionError as problem:
        raise errors.StoreReadOnly(
            f"{path} cannot be made: {problem.strerror}", hint="choose another place with --store"
        ) from problem
    except OSError as problem:
        raise errors.StoreReadOnly(
            f"{path} cannot be made: {problem.strerror}", hint="choose another place with --store"
        ) from problem


def make_folder(path: Path) -> None:
    """Make the folder a ledger is to lie in; StoreReadOnly where that cannot be."""
    try:
        private_folder(path.parent)
    except OSError as problem:
        raise errors.StoreReadOnly(
            f"the folder {path.parent} cannot be made: {problem.strerror}", hint="choose another place with --store"
        ) from problem


def _has_ledger(path: Path) -> bool:
    """Return whether somebody has used the ledger: one that was cut off while it was made holds no project."""
    connection = connect(path, read_only=True)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'projects'").fetchall():
            return False
        return bool(connection.execute("SELECT 1 FROM projects LIMIT 1").fetchall())
    finally:
        connection.close()


def _prepare(path: Path) -> None:
    """Make the file with its mode, its header and WAL, all under the caller's lock."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    with spoken(path):
        connection = connect(path)
        try:
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchall():
                for statement in migrating.statements(migrating.META):
                    connection.execute(statement)
            connection.execute("COMMIT")
        finally:
            connection.close()


def _migrate(path: Path, clock: Clock, ids: Ids, stop_after: Callable[[int], None] | None = None) -> None:
    """Apply the migrations that are missing, each in a transaction of its own that also records it."""
    connection = connect(path)
    try:
        done = {
            number: str(checksum) for number, checksum in connection.execute("SELECT number, checksum FROM migrations")
        }
        for step in migrating.migrations("sqlite"):
            if step.number in done:
                _same(path, step, done[step.number])
                continue
            connection.execute("BEGIN IMMEDIATE")
            for statement in step.statements:
                connection.execute(statement)
            now = clock.now()
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?, ?, ?)", (step.number, step.name, step.checksum, now)
            )
            if step.number == 1:
                connection.execute("INSERT INTO ledger (id, created_at) VALUES (?, ?)", (ids.new("ledger", now), now))
            _write_meta(connection)
            connection.execute(f"PRAGMA user_version = {step.number}")
            connection.execute("COMMIT")
            if stop_after is not None:
                stop_after(step.number)
    finally:
        connection.close()


def _same(path: Path, step: migrating.Migration, checksum: str) -> None:
    if checksum != step.checksum:
        raise errors.StoreForeign(f"migration {step.number} of {path} is not the one this program knows")


def _write_meta(connection: apsw.Connection) -> None:
    for name, value in (("min_reader", schema.MIN_READER), ("min_writer", schema.MIN_WRITER)):
        connection.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, str(value))
        )


def upgrade(path: Path, *, force: bool = False, clock: Clock | None = None, ids: Ids | None = None) -> Path | None:
    """Bring an older ledger to this program's schema after a backup; return the backup, None when it is current.

    Refused while leases are live, unless `force`.
    """
    clock, ids = clock or SystemClock(), ids or SystemIds()
    seen = look(path)
    if seen.kind is not Kind.LEDGER:
        refuse_foreign(path, seen)
        raise errors.StoreMissing(f"there is no ledger at {path}")
    if seen.schema == schema.SCHEMA:
        return None
    if seen.schema > schema.SCHEMA:
        schema.check_version(str(path), seen.schema, max(seen.min_reader, seen.schema), seen.schema, write=True)
    with FileLock(path.with_name(path.name + ".lock"), timeout=60):
        live = _live_runs(path)
        if live and not force:
            raise errors.Refused(
                f"{live} runs are live in {path}", hint="drain them first (`harness up` ends on SIGTERM), or --force"
            )
        saved = path.with_name(f"{path.name}.schema-{seen.schema}-{clock.now()}.backup")
        backup(path, saved)
        _prepare(path)
        with spoken(path):
            _migrate(path, clock, ids)
        return saved


def _live_runs(path: Path) -> int:
    connection = connect(path, read_only=True)
    try:
        return count_live(connection)
    finally:
        connection.close()


def count_live(connection: apsw.Connection) -> int:
    """Return how many runs are live; an early schema has none."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").fetchall():
        return 0
    return int(next(connection.execute("SELECT count(*) FROM runs WHERE live = 1"))[0])


def backup(path: Path, target: Path) -> None:
    """Copy a ledger while it is in use, as of one instant; the copy is complete or absent."""
    if target.exists():
        raise errors.Refused(f"{target} exists already")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    with spoken(path):
        source = connect(path, read_only=True)
        os.close(os.open(part, os.O_CREAT | os.O_RDWR, 0o600))
        copy = apsw.Connection(str(part))
        try:
            with copy.backup("main", source, "main") as pages:
                while not pages.done:
                    pages.step(1000)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        finally:
            copy.close()
            source.close()
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.rename(target)


def integrity(path: Path) -> list[str]:
    """Return what SQLite's own checks find wrong with the file: damage, and rows whose foreign row is missing."""
    try:
        connection = connect(path, read_only=True)
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
            found += [
                f"{row[0]}: a row points to a missing {row[2]}"
                for row in connection.execute("PRAGMA foreign_key_check")
            ]
            return found[:20]
        finally:
            connection.close()
    except (apsw.CorruptError, apsw.NotADBError) as problem:
        return [str(problem)]
