"""Rotating the stream log by size. A rotated log is compressed, keeps every record and is still searched.

The live log is renamed into `logs/archive` first and compressed there, so a kill at any point leaves each record in
exactly one log: the uncompressed one until the compressed one is whole, which then carries the same name and `.gz`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.files import contained, sync_folder
from harnessos.memory import stream
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 10 << 20
ARCHIVE = "logs/archive"
PIECE = 1 << 20

_NAME = re.compile(r"execution_stream_(\d{8})[T_](\d{6})(?:Z_(\d+))?\.log")
_LOG = re.compile(r"execution_stream.*\.log(?:\.gz)?", re.DOTALL)
_OURS = re.compile(r"execution_stream_\d{8}T\d{6}Z_\d+\.log")
_GZIP = 31  # zlib's word for a gzip header, with its checksum


class Place(NamedTuple):
    """Where a rotated log stands among the others, and its name without `.gz`."""

    time: str
    number: int
    name: str


def rotate(workspace: str | Path, max_bytes: int, now: int) -> Path | None:
    """Rotate the live log when it has more than `max_bytes`, and return the compressed log; None when it has not.

    First ends what a killed rotation left. Refused when the archive leads out of the workspace, DiskLow when it is full
    (the records then lie there uncompressed, and are read).
    """
    finish(workspace)
    handle = stream.lock(workspace)
    try:
        if os.fstat(handle).st_size <= max_bytes:
            return None
        archive = _archive(workspace)
        archive.mkdir(parents=True, exist_ok=True)
        target = archive / next_name(archive, now)
        live = Path(stream.log_of(workspace))
        live.rename(target)
        sync_folder(archive)
        sync_folder(live.parent)
        # Whoever waits for the old log's lock sees that it was renamed, and takes this one.
        live.touch()
        return _compress(handle, target)
    finally:
        os.close(handle)


def finish(workspace: str | Path) -> list[Path]:
    """Compress the rotated logs that a killed rotation left uncompressed; return the compressed ones."""
    archive = _archive(workspace)
    done = []
    for path in sorted(_listed(archive)):
        if not is_left(path):
            continue
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # another process ended it meanwhile
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                done.append(_compress(handle, path))
        except BlockingIOError:  # a rotation is at work on it
            continue
        finally:
            os.close(handle)
    return done


def logs(workspace: str | Path) -> list[Path]:
    """Return the live log and the rotated ones, newest first; a rotated one is named once, uncompressed while it lies so.

    A path may turn into the same name with `.gz` while it is looked at: a rotation has compressed it.
    """
    live = Path(stream.log_of(workspace))
    return [*([live] if live.is_file() else []), *rotated(workspace)]


def rotated(workspace: str | Path) -> list[Path]:
    """Return the rotated logs, newest first."""
    found: dict[str, Path] = {}
    for path in sorted(_listed(_archive(workspace))):  # `x.log` comes before `x.log.gz`
        found.setdefault(path.name.removesuffix(".gz"), path)
    places = sorted((place_of(name) for name in found), reverse=True)
    return [found[place.name] for place in places]


def place_of(name: str) -> Place:
    """Return where a rotated log of this name stands; names that say no time come first."""
    plain = name.removesuffix(".gz")
    match = _NAME.fullmatch(plain)
    return Place(match[1] + match[2], int(match[3] or 0), plain) if match else Place("", 0, plain)


def next_name(archive: Path, now: int) -> str:
    """Return a name no rotated log has, after all that there are: also twice in a second, and after a clock set back (B-03)."""
    text = stamp(now)
    time = text[:19].replace("-", "").replace(":", "").replace(" ", "")
    newest = max((place_of(path.name) for path in _listed(archive)), default=Place("", 0, ""))
    number = 1
    if newest.time >= time:
        time, number = newest.time, newest.number + 1
    return f"execution_stream_{time[:8]}T{time[8:]}Z_{number}.log"


def is_left(path: Path) -> bool:
    """Whether a killed rotation left this rotated log uncompressed; those of the earlier scripts are meant to be so."""
    return bool(_OURS.fullmatch(path.name))


def damage(path: Path) -> str | None:
    """Return what is wrong with a rotated log; None when it can be read to its end."""
    try:
        for _ in pieces(path):
            pass
    except (errors.BadDocument, errors.NotAFile) as problem:
        return problem.message
    return None


def open_log(path: Path) -> int | None:
    """Return a log opened for reading; None when it is not there. NotAFile for a link, and for what is no readable file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise errors.NotAFile(
            f"{path} cannot be read: {problem.strerror}", hint="look at it", path=str(path)
        ) from problem
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise errors.NotAFile(f"{path} is not a file", hint="move it away", path=str(path))
    return handle


def pieces(path: Path) -> Iterator[bytes]:
    """Yield a rotated log's content in pieces of at most 1 MB; nothing when it is gone.

    BadDocument when a compressed one is damaged, NotAFile as `open_log`.
    """
    handle = open_log(path)
    if handle is None:
        return
    with open(handle, "rb", buffering=0) as file:  # noqa: PTH123  # a descriptor
        if path.suffix != ".gz":
            while piece := file.read(PIECE):
                yield piece
            return
        inflate, whole = zlib.decompressobj(_GZIP), False
        try:
            while data := file.read(PIECE // 8 or 1):
                while data:
                    piece = inflate.decompress(data, PIECE)
                    if piece:
                        yield piece
                    data = inflate.unconsumed_tail
                    if inflate.eof:
                        data, inflate, whole = inflate.unused_data, zlib.decompressobj(_GZIP), True
                    else:
                        whole = False
            if piece := inflate.flush():
                yield piece
        except zlib.error as problem:
            raise _damaged(path) from problem
        if not whole:
            raise _damaged(path)


def _archive(workspace: str | Path) -> Path:
    return contained(Path(workspace), Path(ARCHIVE))


def _listed(archive: Path) -> list[Path]:
    try:
        return [path for path in archive.iterdir() if _LOG.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _compress(handle: int, source: Path) -> Path:
    """Put the compressed log in the place of the rotated one, which is open and locked as `handle`."""
    target = source.with_name(f"{source.name}.gz")
    if not (target.is_file() and _holds(target, os.fstat(handle).st_size)):
        fresh = target.with_name(f".{target.name}.tmp")  # nobody else writes it: the lock is held
        try:
            _deflate(handle, fresh)
        except OSError as problem:
            fresh.unlink(missing_ok=True)
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise errors.DiskLow(
                    f"no space is left to compress {source}; its records stay there and are searched",
                    hint="free some space and run `harness mission cleanup` again",
                    path=str(source),
                ) from problem
            raise
        fresh.replace(target)
        sync_folder(target.parent)
    source.unlink()
    return target


def _deflate(handle: int, path: Path) -> None:
    with path.open("wb") as file:
        deflate = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        place = 0
        while piece := os.pread(handle, PIECE, place):
            file.write(deflate.compress(piece))
            place += len(piece)
        file.write(deflate.flush())
        file.flush()
        os.fsync(file.fileno())


def _holds(path: Path, size: int) -> bool:
    """Whether a compressed log is whole and has this many bytes in it."""
    try:
        return sum(map(len, pieces(path))) == size
    except (errors.BadDocument, errors.NotAFile):
        return False


def _damaged(path: Path) -> errors.BadDocument:
    return errors.BadDocument(
        f"{path} is damaged: it cannot be read to its end",
        hint="bring it back from a backup, or move it out of logs/archive",
        path=str(path),
    )
