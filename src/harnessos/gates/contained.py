"""Reading a file that an agent may have made: inside the checkout, regular, bounded."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Unreadable(Exception):
    """Why a file cannot be read; the message is the rest of a sentence about it."""


def locate(root: Path, path: str, *, follow_last: bool = True) -> Path:
    """Return the place of a path with links resolved (its own last part only with `follow_last`).

    Raises Unreadable when it leads out of the root, or into `.git`.
    """
    top = root.resolve()
    target = top / path
    try:
        place = target.resolve() if follow_last else target.parent.resolve() / target.name
    except (OSError, RuntimeError) as broken:  # a loop of links, a name too long
        raise Unreadable(f"{path} cannot be resolved: {broken}") from broken
    if not place.is_relative_to(top):
        raise Unreadable(f"{path} leads out of the checkout")
    if ".git" in place.relative_to(top).parts:
        raise Unreadable(f"{path} leads into .git")
    return place


def read_regular(root: Path, path: str, limit: int, *, follow_last: bool = True) -> bytes:
    """Return the content of a regular file of at most `limit` bytes, or raise Unreadable."""
    handle = open_regular(root, path, follow_last=follow_last)
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise Unreadable(f"{path} is larger than {limit:,} bytes")
    return content


def open_regular(root: Path, path: str, *, follow_last: bool = True) -> int:
    """Return a descriptor of a regular file; a pipe or device is refused and never waited for."""
    place = locate(root, path, follow_last=follow_last)
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as missing:
        raise Unreadable(f"{path} does not exist") from missing
    except OSError as broken:
        raise Unreadable(f"{path} cannot be opened: {broken.strerror}") from broken
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Unreadable(f"{path} is no regular file")
    return handle
