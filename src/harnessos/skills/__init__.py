"""The skills that are installed into agents, as package data: a folder each, with a SKILL.md (Agent Skills)."""

from __future__ import annotations

import os
from pathlib import Path

from harnessos.errors import UnknownIdentifier

ROOT = Path(__file__).parent
DOCUMENT = "SKILL.md"
UNCOUNTED = frozenset({"__pycache__", ".DS_Store"})
"""What interpreters and file browsers leave in a folder: no part of a skill, and no edit of one."""


def names() -> list[str]:
    """Return the names of the skills that this package has."""
    return sorted(path.parent.name for path in ROOT.glob(f"*/{DOCUMENT}"))


def folder(name: str) -> Path:
    """Return where a skill lies, UnknownIdentifier for one that is not there."""
    if name not in names():
        hint = f"there are {', '.join(names())}: `harness skill list`"
        raise UnknownIdentifier(f"there is no skill {name!r}", hint=hint, skill=name)
    return ROOT / name


def files(name: str) -> dict[str, bytes]:
    """Return a skill's files, by their paths in its folder (with `/`)."""
    root = folder(name)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths(root)}


def paths(root: Path) -> list[Path]:
    """Return what lies in a skill's folder and counts, folders left out, links not followed."""
    found = []
    for place, inner, outer in os.walk(root):
        inner[:] = [name for name in inner if name not in UNCOUNTED]
        links = [name for name in inner if Path(place, name).is_symlink()]
        found += [Path(place, name) for name in (*outer, *links) if name not in UNCOUNTED]
    return sorted(found)
