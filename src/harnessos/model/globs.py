"""Which paths a pattern of a gate covers. Paths are relative to the repository's root, with forward slashes."""

from __future__ import annotations

import re
from functools import lru_cache

_SPECIAL = frozenset("*?[")


def covers(pattern: str, path: str) -> bool:
    """Whether a pattern covers a path.

    Without `*`, `?` or `[` it is a file, or a folder and everything inside. Else `*` and `?` stay within one part of
    the path, `**` crosses parts, `[...]` is a set of characters, and a `/` at the end means everything inside.
    """
    if not _SPECIAL & set(pattern):
        return path == pattern or path.startswith(pattern.removesuffix("/") + "/")
    return _compiled(pattern).fullmatch(path) is not None


def covers_any_part(pattern: str, path: str) -> bool:
    """Whether a pattern covers a path or one of the folders it lies in (the generous reading, for protection)."""
    parts = path.split("/")
    return any(covers(pattern.removesuffix("/"), "/".join(parts[:length])) for length in range(1, len(parts) + 1))


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Translate a glob; adjacent stars are folded, so that matching never backtracks more than the stars written."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**", at):
            end = at + len(pattern[at:]) - len(pattern[at:].lstrip("*"))
            if pattern.startswith("/", end) and (at == 0 or pattern[at - 1] == "/"):
                out.append("(?:[^/]+/)*+")
                at = end + 1
            else:
                out.append(".*")
                at = end
            continue
        character = pattern[at]
        if character == "[" and (end := pattern.find("]", at + 2)) > 0:
            out.append(_character_set(pattern[at + 1 : end]))
            at = end + 1
            continue
        out.append({"*": "[^/]*", "?": "[^/]"}.get(character, re.escape(character)))
        at += 1
    if pattern.endswith("/"):
        out.append(".+")
    return re.compile("".join(out), re.DOTALL)


def _character_set(body: str) -> str:
    negated = body[0] in "!^" and len(body) > 1
    inner = body[1:] if negated else body
    out: list[str] = []
    at = 0
    while at < len(inner):
        if inner[at + 1 : at + 2] == "-" and at + 2 < len(inner) and inner[at] <= inner[at + 2]:
            out.append(f"{re.escape(inner[at])}-{re.escape(inner[at + 2])}")
            at += 3
        else:
            out.append(re.sub(r"([^A-Za-z0-9_])", r"\\\1", inner[at]))
            at += 1
    return f"(?!/)[{'^' if negated else ''}{''.join(out)}]"
