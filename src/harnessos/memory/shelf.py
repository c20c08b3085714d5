"""The knowledge folder of a workspace: which topic files there are, and reading and writing one safely."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.files import atomic_write, contained, read_bounded
from harnessos.memory import topics

if TYPE_CHECKING:
    from harnessos.memory.topics import Topic

KNOWLEDGE = "knowledge"
LONGEST = 16 << 20


def folder(workspace: str | Path) -> Path:
    """Return where the topic files lie. Refused when that leads out of the workspace."""
    return contained(Path(workspace), Path(KNOWLEDGE))


def files(workspace: str | Path, prefix: str = "") -> list[Path]:
    """Return the topic files whose names begin so, by name.

    README.md and what begins with a dot is none, and a link out of the folder is passed over.
    """
    place = folder(workspace)
    try:
        # Names first: there may be thousands, and only few are looked at.
        names = [name for name in os.listdir(place) if name.startswith(prefix) and name.endswith(".md")]  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        path
        for path in (place / name for name in sorted(names))
        if path.name.lower() != "readme.md"
        and not path.name.startswith(".")
        and path.is_file()
        and Path(os.path.realpath(path)).is_relative_to(place)
    ]


def slug_of_file(path: Path) -> str | None:
    """Return the slug a topic file answers to; None when its name gives none."""
    try:
        return topics.slug_of(os.fsencode(path.stem).decode("utf-8", "replace"))
    except errors.Refused:
        return None


def find(workspace: str | Path, slug: str) -> Path:
    """Return the file of a slug, there or not: `<slug>.md`, or the first whose name gives this slug (`node.js.md`).

    Refused when it leads out of the knowledge folder.
    """
    place = folder(workspace)
    plain = place / f"{slug}.md"
    if not plain.is_symlink() and not plain.exists():
        plain = next((path for path in files(workspace) if slug_of_file(path) == slug), plain)
    contained(place, plain)
    return plain


def read(path: Path) -> Topic | None:
    """Return a topic; None when there is no such file. Bytes that are no UTF-8 survive being written again."""
    if not path.exists():
        return None
    return topics.parse_topic(slug_of_file(path) or path.stem, read_text(path))


def read_text(path: Path) -> str:
    """Return a topic file's text, every byte of it."""
    return read_bounded(path, LONGEST).decode("utf-8", "surrogateescape")


def write_text(path: Path, text: str) -> None:
    """Replace a topic file, or make it; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text.encode("utf-8", "surrogateescape"))


def is_part(path: Path) -> bool:
    """Return whether a file was split off another topic, which is then found through that one."""
    base, _, number = path.stem.rpartition("_")
    if not base or not number.isdecimal() or not path.with_name(f"{base}.md").is_file():
        return False
    return any(part.slug == path.stem for part in parts(path.parent.parent, base))


def parts(workspace: str | Path, slug: str) -> list[Topic]:
    """Return what was split off a topic, oldest first: `<slug>_2.md`, ... as long as their first line says so."""
    found = []
    for path in files(workspace, f"{slug}_"):
        number = path.stem.removeprefix(f"{slug}_")
        if number != path.stem and number.isdecimal() and (topic := read(path)) and topic.title.endswith(f"({number})"):
            found.append((int(number), topic._replace(slug=path.stem)))
    return [topic for _, topic in sorted(found)]
