"""`$VAR` and `~`, only where they are documented: `workspace.root` and the values of `env`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


class Expanded(NamedTuple):
    """A text with its variables filled in, and those that are not set or empty (which counts as missing)."""

    text: str
    missing: tuple[str, ...]


def expand_path(text: str, folder: Path, environ: Mapping[str, str]) -> tuple[Path, tuple[str, ...]]:
    """Return an absolute path: `$VAR` anywhere, `~` at its head, relative to the folder of WORKFLOW.md."""
    filled = _fill(text, environ)
    path = filled.text
    if path == "~" or path.startswith("~/"):
        home = environ.get("HOME", "")
        if not home:
            return folder, (*filled.missing, "HOME")
        path = home + path[1:]
    return folder / path, filled.missing


def expand_value(text: str, environ: Mapping[str, str]) -> Expanded:
    """Return the value of an `env` entry: wholly `$NAME` or `${NAME}` is looked up, everything else is literal."""
    return _fill(text, environ) if _VARIABLE.fullmatch(text) else Expanded(text, ())


def _fill(text: str, environ: Mapping[str, str]) -> Expanded:
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        found = environ.get(name, "")
        if not found:
            missing.append(name)
        return found

    return Expanded(_VARIABLE.sub(value, text), tuple(missing))
