"""The state of a plain folder (no git) as one hash: what evidence there is bound to."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadContent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_FILES = 100_000
MOST_BYTES = 2 * 2**30
EXCLUDED = ".harness"
_CHUNK = 2**20


class Entry(NamedTuple):
    """One path: `kind` is file, link (the hash is of its target's text; never followed) or other (never opened)."""

    kind: str
    size: int
    sha256: str


class Manifest(NamedTuple):
    """Every path of a folder, sorted, and the hash over all of it (64 hexadecimal digits)."""

    hash: str
    files: Mapping[str, Entry]


class Difference(NamedTuple):
    """What changed from one manifest to a later one, sorted paths."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def manifest(folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> Manifest:
    """Read a folder; `.harness/` at its top is left out.

    Raises BadContent above a limit, or naming a file that cannot be read.
    """
    found: dict[str, Entry] = {}
    total = 0
    for path, name in _walk(folder):
        if len(found) >= most_files:
            raise BadContent(
                f"{folder} holds more than {most_files:,} files, too many to bind evidence to",
                hint="make it a git repository (`git init`), or register a smaller folder",
            )
        try:
            entry = _entry(path, most_bytes - total)
        except (
            FileNotFoundError,
            NotADirectoryError,
        ):  # removed since it was listed: the next manifest differs and voids the evidence
            continue
        except PermissionError as refused:
            raise BadContent(f"{path} cannot be read, so nothing can be proved about {folder}") from refused
        if entry is None:
            raise BadContent(
                f"{folder} holds more than {most_bytes:,} bytes, too many to bind evidence to",
                hint="make it a git repository (`git init`), or register a smaller folder",
            )
        found[name] = entry
        total += entry.size
    files = dict(sorted(found.items()))
    return Manifest(_digest(files), files)


def difference(before: Manifest, after: Manifest) -> Difference:
    """Compare two manifests of one folder."""
    old, new = before.files, after.files
    return Difference(
        added=tuple(path for path in new if path not in old),
        changed=tuple(path for path in new if path in old and new[path] != old[path]),
        removed=tuple(path for path in old if path not in new),
    )


def _walk(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (path to open, name in the manifest) of everything that is no folder; links to folders are links."""
    waiting = [("", os.fspath(folder))]
    while waiting:
        prefix, place = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except (FileNotFoundError, NotADirectoryError):
            if not prefix:
                raise
            continue
        except PermissionError as refused:
            raise BadContent(f"{place} cannot be read, so nothing can be proved about {folder}") from refused
        for entry in entries:
            if not prefix and entry.name == EXCLUDED:
                continue
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append((name + "/", entry.path))
            else:
                yield entry.path, name


def _entry(path: str, room: int) -> Entry | None:
    """Return what a path is, None when it has more than `room` bytes."""
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        target = os.fsencode(os.readlink(path))  # noqa: PTH115 -- the text as it is
        return Entry("link", len(target), hashlib.sha256(target).hexdigest())
    if not stat.S_ISREG(mode):
        return Entry("other", 0, "")
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if os.fstat(stream.fileno()).st_size > room:
            return None
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > room:
                return None
            digest.update(chunk)
    return Entry("file", size, digest.hexdigest())


def _digest(files: Mapping[str, Entry]) -> str:
    digest = hashlib.sha256()
    for path, entry in files.items():
        digest.update(b"%s\0%s\0%d\0%s\n" % (os.fsencode(path), entry.kind.encode(), entry.size, entry.sha256.encode()))
    return digest.hexdigest()
