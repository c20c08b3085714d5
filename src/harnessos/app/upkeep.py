"""`harness db`: whole ledgers, named by the harness's settings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.settings import without_password
from harnessos.store import dump
from harnessos.store import upkeep as stores
from harnessos.store.opening import sqlite_path

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.app.harness import Harness

__all__ = ["backup", "export", "export_to_stdout", "load", "problems", "restore", "upgrade", "without_password"]


def problems(harness: Harness) -> list[str]:
    """Return what the database itself finds wrong."""
    return stores.problems(harness.settings.store_url)


def backup(harness: Harness, target: Path) -> None:
    """Copy the ledger to a file that does not exist."""
    stores.backup(harness.settings.store_url, target)


def restore(harness: Harness, saved: Path, *, replace: bool, force: bool = False) -> Path | None:
    """Put a backup in the ledger's place; return where the former ledger was put, None when there was none."""
    path = sqlite_path(harness.settings.store_url)
    keep = None
    if path is not None and replace:
        keep = path.with_name(f"{path.name}.before-restore-{harness.clock.now()}")
    was_there = stores.restore(saved, harness.settings.store_url, keep=keep, force=force)
    return keep if was_there else None


def export(harness: Harness, target: Path) -> int:
    """Write an export to a file that does not exist; return the number of rows. The file is whole or absent."""
    part = target.with_name(target.name + ".part")
    try:
        if target.exists():
            raise errors.Refused(f"{target} exists already", hint="name another file")
        handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            lines = sum(1 for line in dump.export(harness.settings.store_url) if stream.write(line))
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(target)
    except OSError as problem:
        raise errors.BadUsage(f"{target} cannot be written: {problem.strerror}", hint="name another file") from problem
    finally:
        part.unlink(missing_ok=True)
    return lines - 2


def export_to_stdout(harness: Harness) -> None:
    """Write an export to standard output, in UTF-8 whatever the locale."""
    for line in dump.export(harness.settings.store_url):
        sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()


def load(harness: Harness, file: Path) -> tuple[int, bool]:
    """Read an export into a ledger that does not exist or is empty; return the rows, and whether it was created."""
    return dump.load(file, harness.settings.store_url)


def upgrade(harness: Harness, *, force: bool) -> tuple[bool, Path | None]:
    """Bring the ledger to this program's schema; return whether it was older, and the backup made first."""
    return stores.upgrade(harness.settings.store_url, force=force)
