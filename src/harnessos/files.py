"""Files that are whole or absent, paths that stay inside, locks that end with their holder."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import select
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.errors import BadDocument, Busy, DiskLow, NotAFile, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_LINUX = bool(sys.platform == "linux")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 200
_LOCK_STEP = 0.05
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FAMILIES = {"nfs4": "nfs", "smb2": "cifs", "smb3": "cifs", "smbfs": "cifs", "fuseblk": "fuse", "macfuse": "fuse"}
_temporary = itertools.count()


def atomic_write(path: Path, data: bytes, mode: int | None = None) -> None:
    """Replace the file's content so that after a crash the old or the new one is there, whole.

    `mode` None keeps the mode and owner of an existing file and takes the umask's for a new one. A symbolic link stays,
    the file it points to is replaced. NotAFile for anything that is no regular file, DiskLow when there is no room.
    """
    target = Path(os.path.realpath(path))
    before = _regular_or_none(target)
    fresh, handle = _fresh_beside(target, private=mode is not None or before is not None)
    try:
        try:
            if before is not None and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                # Only root may give a file away; anybody else becomes the owner, as every editor does.
                with suppress(PermissionError):
                    os.fchown(handle, before.st_uid, before.st_gid)
            if mode is not None or before is not None:
                os.fchmod(handle, mode if mode is not None else stat.S_IMODE(before.st_mode) if before else 0o600)
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(target)
    except BaseException as problem:
        fresh.unlink(missing_ok=True)
        if isinstance(problem, OSError) and problem.errno in _NO_ROOM:
            raise _full(target) from problem
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or removed in the folder outlast a power cut, where its file system can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)


def private_folder(path: Path) -> Path:
    """Make the folder and its missing parents, readable by this user only; what exists keeps its mode. Return it."""
    missing = []
    here = path
    while not here.is_dir():
        # Asked again: another process may have made it since (20 that open a new ledger at once).
        if (here.is_symlink() or here.exists()) and not here.is_dir():
            raise Refused(f"{here} is no folder", hint="move it away, or name another folder", path=str(here))
        missing.append(here)
        here = here.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process was first
            folder.mkdir(mode=0o700)
    return path


def contained(root: Path, candidate: Path) -> Path:
    """Return where `candidate` (relative ones: below root) really lies; Refused when not strictly inside root (SYM-9.5-02)."""
    try:
        real_root = Path(os.path.realpath(root))
        real = Path(os.path.realpath(real_root / candidate))
    except ValueError as problem:  # a NUL byte
        raise Refused(f"{str(candidate)!r} is no path", hint="use a plain name", path=str(candidate)) from problem
    if real == real_root or not real.is_relative_to(real_root):
        raise Refused(
            f"{candidate} leads outside of {root}",
            hint="use a name without .. and without links that lead away",
            path=str(real),
            root=str(real_root),
        )
    return real


def read_bounded(path: Path, limit: int) -> bytes:
    """Return a regular file of at most `limit` bytes.

    NotAFile for a folder, a missing or unreadable file, a pipe or device; BadDocument, before reading, for a larger one.
    """
    try:
        # Not blocking: opening a named pipe that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as problem:
        raise _not_a_file(path, problem) from problem
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise NotAFile(f"{path} is {_kind(facts.st_mode)}, not a file", hint="name a file", path=str(path))
        if facts.st_size > limit:
            raise _too_large(path, facts.st_size, limit)
        parts: list[bytes] = []
        left = limit + 1
        while left and (part := os.read(handle, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        if not left:
            raise _too_large(path, limit + 1, limit)
        return b"".join(parts)
    finally:
        os.close(handle)


def remove_any(path: Path) -> None:
    """Take away what lies under a name, whatever it is: a file, a link (not what it points to), a pipe, a folder."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 (64 hexadecimal characters) and the number of bytes that went into it."""
    from hashlib import sha256

    digest, size = sha256(), 0
    with path.open("rb", buffering=0) as file:
        while part := file.read(1 << 20):
            digest.update(part)
            size += len(part)
    return digest.hexdigest(), size


class FileLock:
    """An exclusive lock between processes and threads: `with FileLock(path, timeout=5.0): ...`; Busy at the timeout.

    The kernel gives it back when the holder dies. The file stays; `wait(seconds)` is how to rest between two tries.
    """

    def __init__(self, path: Path, timeout: float, wait: Callable[[float], object] | None = None) -> None:
        self._path = path
        self._timeout = timeout
        self._wait = wait or _rest
        self._handle: int | None = None

    def __enter__(self) -> FileLock:
        left = self._timeout
        while (handle := self._try()) is None:
            if left <= 0:
                raise Busy(
                    f"{self._path} stayed locked by another process for {self._timeout:g} s",
                    hint=f"try again; `fuser -v {self._path}` shows who holds it",
                    path=str(self._path),
                )
            self._wait(min(left, _LOCK_STEP))
            left -= _LOCK_STEP
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _try(self) -> int | None:
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
        except IsADirectoryError as problem:
            raise NotAFile(f"{self._path} is a folder, not a lock", hint="remove it", path=str(self._path)) from problem
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), self._path.stat()):
                return handle
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # held by another, or the file was replaced meanwhile: the next try opens the new one
        return None


def folder_size(path: Path) -> int:
    """Return the bytes of all files below, links not followed, a file with two names counted once; 0 when missing."""
    total = 0
    seen: set[tuple[int, int]] = set()
    folders = [os.fspath(path)]
    while folders:
        # Entries may vanish while we look: an agent or a removal is at work in there.
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                    continue
                with suppress(FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    key = (facts.st_dev, facts.st_ino)
                    if facts.st_nlink > 1 and key in seen:
                        continue
                    seen.add(key)
                    total += facts.st_size
    return total


def free_bytes(path: Path) -> int:
    """Return what this user can still write on the file system of the path, which need not exist yet."""
    facts = os.statvfs(_existing(path))
    return facts.f_bavail * facts.f_frsize


def filesystem_kind(path: Path) -> str:
    """Return the kind of file system a path (to be) lies on: ext4, overlay, tmpfs, nfs, cifs, fuse, 9p, virtiofs, ...

    `unknown` when the system does not say.
    """
    real = _existing(path)
    if _LINUX:
        return _family(
            _mounted(real, Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))
        )
    import psutil

    below = [
        (len(part.mountpoint), part.fstype)
        for part in psutil.disk_partitions(all=True)
        if real.is_relative_to(part.mountpoint)
    ]
    return _family(max(below)[1] if below else "unknown")


def safe_name(text: str) -> str:
    """Return a name for one file or folder; different texts give different names (SYM-4.2-01, SYM-4.2-02).

    A text of A-Z a-z 0-9 . _ - stays as it is; otherwise, and when it means another place or is longer than 200
    characters, a hash of the original is appended.
    """
    clean = _UNSAFE.sub("_", text)[:_LONGEST_NAME]
    if clean == text and text not in ("", ".", ".."):
        return text
    from hashlib import sha256

    return f"{clean}--{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _regular_or_none(path: Path) -> os.stat_result | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        raise NotAFile(f"{path} is {_kind(facts.st_mode)}, not a file", hint="name a file", path=str(path))
    return facts


def _fresh_beside(target: Path, *, private: bool) -> tuple[Path, int]:
    """Create a new file in the target's folder: a rename is atomic within one file system only."""
    while True:
        fresh = target.parent / f".harness-{os.getpid()}-{next(_temporary)}.tmp"
        try:
            return fresh, os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        except FileExistsError:
            continue  # left by a dead process with our pid
        except OSError as problem:
            if problem.errno not in _NO_ROOM:
                raise
            raise _full(target) from problem


def _full(path: Path) -> DiskLow:
    return DiskLow(
        f"there is no room for {path}, it is as it was", hint="free some space and try again", path=str(path)
    )


def _not_a_file(path: Path, problem: Exception) -> NotAFile:
    reason = os.strerror(problem.errno) if isinstance(problem, OSError) and problem.errno else str(problem)
    return NotAFile(f"{path} cannot be read: {reason}", hint="name a readable file", path=str(path))


def _too_large(path: Path, size: int, limit: int) -> BadDocument:
    return BadDocument(
        f"{path} has {size:,} bytes, more than the {limit:,} that are read",
        hint="split it into smaller files",
        path=str(path),
        size=size,
        limit=limit,
    )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _rest(seconds: float) -> None:
    # flock has no timeout of its own, an alarm signal belongs to the main thread only, and this room has no clock to
    # ask: so it counts steps. select is the wait that needs nothing else.
    select.select([], [], [], seconds)


def _existing(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    while not real.exists():
        real = real.parent
    return real


def _mounted(path: Path, mountinfo: str) -> str:
    """Return the type of the mount a path lies on: same device if one has it, else the deepest, else the last mounted."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    best: tuple[bool, int] = (False, -1)
    kind = "unknown"
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        columns = fields.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), columns[4])
        rank = (columns[2] == number, len(point))
        if path.is_relative_to(point) and rank >= best:
            best, kind = rank, rest.split(" ")[0]
    return kind


def _family(kind: str) -> str:
    return _FAMILIES.get(kind, "fuse" if kind.startswith("fuse.") else kind)
