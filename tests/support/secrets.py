"""Secrets planted for a test to look for, and text of agents that would harm whoever shows it unfiltered."""

from __future__ import annotations

from pathlib import Path

from harnessos.store import dump

PASSWORD = "planted-password-of-the-store"
DECLARED = "planted-key-that-workflow-md-names"
UNDECLARED = "sk-planted-of-the-supervisor"
PLANTED = (PASSWORD, DECLARED, UNDECLARED)

_RANGES = (range(32), range(127, 160), range(0x202A, 0x202F), range(0x2066, 0x206A))
UNSAFE = {chr(code) for codes in _RANGES for code in codes} - {"\n", "\t"}
HOSTILE = "\x1b[2J\x1b]0;title\x07 \x9b31m red \u202egnp.exe\u202c \u2066x\u2069 \r\x08"
"""Clears a screen, sets a title, colours, turns the direction of text, returns the carriage."""


def with_password(url: str) -> str:
    """Return a PostgreSQL address that carries the planted password; a server that trusts does not ask for it."""
    scheme, _, rest = url.partition("://")
    who, at, where = rest.rpartition("@")
    name = who.partition(":")[0] if at else ""
    return f"{scheme}://{name or 'harness'}:{PASSWORD}@{where}"


def files_with(words: tuple[str, ...], *folders: Path) -> list[tuple[str, str]]:
    """Return (file, word) for every regular file below the folders that holds one of the words."""
    found = []
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink():
                content = file.read_bytes()
                found += [(str(file.relative_to(folder)), word) for word in words if word.encode() in content]
    return found


def rows_with(words: tuple[str, ...], url: str) -> list[tuple[str, str]]:
    """Return (row, word) for every row of a ledger, as its export shows it, that holds one of the words."""
    return [(line[:200], word) for line in dump.export(url) for word in words if word in line]


def unsafe(text: str) -> list[str]:
    """Return the characters of a text that must not reach a terminal."""
    return sorted(UNSAFE & set(text))
