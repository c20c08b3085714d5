"""The schema's history: numbered migrations, forward only, one file a dialect with equal numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

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
