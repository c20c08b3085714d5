"""A plain copy of a workspace for level `limits`: bounded, read-only by mode, without links that lead out."""

# ruff: noqa: PTH101, PTH102, PTH115, PTH117, PTH211
# Names as they are, in a loop over a whole workspace.

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from harnessos.errors import BadContent

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

HARNESS_FOLDER = ".harness"
NOWHERE = "/nonexistent/left-the-workspace"
"""What a link that leads out of the workspace points to in the copy, as it leads nowhere inside a box."""

_CHUNK = 1 << 20
_READ_ONLY = 0o555  # for another user too: the check may run as one
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HINT = "use a machine with bubblewrap or user namespaces, or keep large data outside of the workspace"


def copy_workspace(source: str, target: str, *, most_bytes: int, most_files: int, hidden: Container[str]) -> None:
    """Copy files, folders and links of `source` (absolute, without links) into `target`, which must not exist.

    `.harness` at the top and the absolute paths of `hidden` are left out, and what is no file, folder or link. Times
    are kept, the right to write is not; a file that may not be read is there, empty and closed. BadContent above a
    limit.
    """
    left = most_bytes
    folders: list[tuple[str, os.stat_result]] = []
    os.mkdir(target, 0o700)
    for count, entry in enumerate(_walk(source, hidden), 1):
        if count > most_files:
            raise BadContent(f"{source} holds more than {most_files:,} files, too many to copy for a check", hint=_HINT)
        place = target + entry.path[len(source.rstrip("/")) :]
        about = entry.stat(follow_symlinks=False)
        if entry.is_symlink():
            os.symlink(_led(source, target, entry.path), place)
        elif stat.S_ISDIR(about.st_mode):
            os.mkdir(place, 0o700)
            folders.append((place, about))
        elif stat.S_ISREG(about.st_mode):
            left -= _copy_file(entry.path, place, left)
            if left < 0:
                size = most_bytes // 2**20
                raise BadContent(f"{source} holds more than {size:,} MB, too much to copy for a check", hint=_HINT)
            os.utime(place, ns=(about.st_atime_ns, about.st_mtime_ns))
    for place, about in reversed(folders):
        os.chmod(place, _READ_ONLY)
        os.utime(place, ns=(about.st_atime_ns, about.st_mtime_ns))
    os.chmod(target, _READ_ONLY)


def _walk(source: str, hidden: Container[str]) -> Iterator[os.DirEntry[str]]:
    """Yield every entry, a folder before what is in it."""
    waiting = [source]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except (PermissionError, FileNotFoundError, NotADirectoryError):
            if folder == source:
                raise
            continue
        for entry in entries:
            if entry.path in hidden or (folder == source and entry.name == HARNESS_FOLDER):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            try:
                entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield entry


def _led(source: str, target: str, link: str) -> str:
    """Return what the copy of a link says: the same inside of the workspace, nowhere when it leads out."""
    text = os.readlink(link)
    end = os.path.realpath(link)
    if end != source and not end.startswith(source.rstrip("/") + "/"):
        return NOWHERE
    return text if not os.path.isabs(text) else target + end[len(source.rstrip("/")) :]


def _copy_file(path: str, place: str, room: int) -> int:
    """Copy one file of at most `room` bytes and return its size; more than `room` when it is larger."""
    try:
        reading = os.open(path, _READ_FLAGS)
    except PermissionError:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0))
        return 0
    size = 0
    try:
        executable = os.fstat(reading).st_mode & 0o111
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
            while size <= room and (data := os.read(reading, _CHUNK)):
                size += len(data)
                writing.write(data)
            os.fchmod(writing.fileno(), 0o555 if executable else 0o444)
    finally:
        os.close(reading)
    return size
