"""SQLite file systems that remember what was synced, or run out of space: what a power cut or a full disk leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import apsw

_numbers = count(1)


class Op(NamedTuple):
    """One thing done to a file, or (`acknowledged`) a commit that returned to its caller.

    A `write` puts `data` at `offset`; a `truncate` cuts at `offset`; a `sync` makes all before it durable.
    """

    kind: str
    file: str = ""
    offset: int = 0
    data: bytes = b""


class RecordingDisk(apsw.VFS):
    """Passes everything through to the default file system and writes it down in `ops`."""

    def __init__(self) -> None:
        self.name = f"recording-{next(_numbers)}"
        self.ops: list[Op] = []
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """See apsw.VFS."""
        return _RecordedFile(self, name, flags)


class _RecordedFile(apsw.VFSFile):
    def __init__(self, disk: RecordingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._ops = disk.ops
        self._file = _short(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._ops.append(Op("write", self._file, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._ops.append(Op("truncate", self._file, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._ops.append(Op("sync", self._file))


class FullDisk(apsw.VFS):
    """A disk on which the n-th write (`left`, from 1) and all after it find no space, until `left` is set to None."""

    def __init__(self) -> None:
        self.name = f"full-{next(_numbers)}"
        self.left: int | None = None
        self.writes = 0
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """See apsw.VFS."""
        return _BoundedFile(self, name, flags)

    def take(self) -> None:
        """Count a write, and refuse it when there is no room."""
        self.writes += 1
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                raise apsw.FullError


class _BoundedFile(apsw.VFSFile):
    def __init__(self, disk: FullDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.take()
        super().xWrite(data, offset)


def _short(name: str | apsw.URIFilename | None) -> str:
    text = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
    return "wal" if text.endswith("-wal") else "main"


class Boundary(NamedTuple):
    """The moment before a sync takes effect.

    `durable` is what each file surely holds, `loose` what was done since each file's last sync, in order,
    `acknowledged` how many commits had returned.
    """

    durable: dict[str, bytes]
    loose: list[Op]
    acknowledged: int


def boundaries(start: bytes, ops: Iterable[Op]) -> Iterator[Boundary]:
    """Return each moment at which a power cut could leave something new, from the files' state `start` on."""
    images = {"main": bytearray(start), "wal": bytearray()}
    loose: list[Op] = []
    acknowledged = 0
    for op in ops:
        if op.kind == "acknowledged":
            acknowledged += 1
        elif op.kind == "sync":
            yield Boundary({name: bytes(image) for name, image in images.items()}, list(loose), acknowledged)
            _apply(images, [other for other in loose if other.file == op.file])
            loose = [other for other in loose if other.file != op.file]
        else:
            loose.append(op)
    yield Boundary({name: bytes(image) for name, image in images.items()}, list(loose), acknowledged)


def rebuild(folder: Path, boundary: Boundary, kept: Iterable[Op]) -> Path:
    """Write the files that a power cut leaves when of the loose writes just these reached the disk."""
    images = {name: bytearray(image) for name, image in boundary.durable.items()}
    _apply(images, kept)
    folder.mkdir(exist_ok=True)
    path = folder / "ledger.sqlite"
    path.with_name("ledger.sqlite-shm").unlink(missing_ok=True)
    path.write_bytes(images["main"])
    path.with_name("ledger.sqlite-wal").write_bytes(images["wal"])
    return path


def _apply(images: dict[str, bytearray], ops: Iterable[Op]) -> None:
    for op in ops:
        image = images[op.file]
        if op.kind == "truncate":
            del image[op.offset :]
        else:
            image.extend(bytes(max(0, op.offset - len(image))))
            image[op.offset : op.offset + len(op.data)] = op.data
