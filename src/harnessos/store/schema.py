"""The schema's history: numbered migrations, forward only, one file a dialect with equal numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from harnessos import errors

APPLICATION_ID = 0x48524E53
"""Written into a SQLite file's header (`HRNS`), so that a ledger is known for one whatever its name."""

SCHEMA = 3
"""The schema this program writes."""
MIN_READER = 3
MIN_WRITER = 3
"""The oldest programs that may read and write what this one writes; recorded in the ledger's `meta`."""

META = """
CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL);
"""

_FOLDER = Path(__file__).parent / "migrations"


class Migration(NamedTuple):
    """One step. `statements` run in order in one transaction together with the row that records the step."""

    number: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def migrations(dialect: str) -> list[Migration]:
    """Return every migration of a dialect in order."""
    import hashlib

    found = []
    for file in sorted((_FOLDER / dialect).glob("[0-9]*.sql")):
        text = file.read_text(encoding="utf-8")
        number, _, name = file.stem.partition("_")
        found.append(Migration(int(number), name, hashlib.sha256(text.encode()).hexdigest(), statements(text)))
    return found


def statements(text: str) -> tuple[str, ...]:
    """Split a migration at its semicolons; the files hold no semicolon elsewhere."""
    bare = re.sub(r"--[^\n]*", "", text)
    return tuple(part.strip() for part in bare.split(";") if part.strip())


def check_version(where: str, schema: int, min_reader: int, min_writer: int, *, write: bool) -> None:
    """Refuse a ledger whose schema this program must not touch: older (migrate first) or too new."""
    if schema < SCHEMA:
        raise errors.StoreTooOld(f"{where} has schema {schema}, this program needs {SCHEMA}", schema=schema)
    if min_reader > SCHEMA or (write and min_writer > SCHEMA):
        verb = "written" if min_reader <= SCHEMA else "read"
        raise errors.StoreTooNew(
            f"{where} has schema {schema}; it cannot be {verb} by this program (schema {SCHEMA})", schema=schema
        )
