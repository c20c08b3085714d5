"""The stream log of a workspace, layer 3: one record is one line for ever, whoever writes at the same time.

Hot: an agent appends hundreds of times a day, so nothing heavy is imported here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from harnessos.errors import BadUsage, Busy, DiskLow, NotAFile, Refused
from harnessos.files import contained
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = ("INFO", "WARN", "ERROR", "SUCCESS")
LOG = "logs/execution_stream.log"
LONGEST_STEP = 200
"""Characters of a step's name; a longer one is cut, so that the head of any record is found in its first bytes."""

LOCK_SECONDS = 30.0
_SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}


class _Escapes(dict[int, "int | str"]):
    """What each character is written as: what would end a line, hide text or is no Unicode as its JSON escape."""

    def __missing__(self, code: int) -> int | str:
        if code < 32 or 127 <= code < 160 or code in (0x2028, 0x2029) or 0xD800 <= code < 0xE000:
            return _SHORT.get(code) or f"\\u{code:04x}"
        return code


_TEXT = _Escapes()
_STEP = _Escapes({ord("["): "\\u005b", ord("]"): "\\u005d"})


def clean_step(text: str) -> str:
    """Return a step's name as records and filters hold it: without a leading `Step `, at most 200 characters."""
    text = text.strip()
    while text[:5].lower() == "step " and text[5:].strip():
        text = text[5:].strip()
    return text if len(text) <= LONGEST_STEP else text[: LONGEST_STEP - 1] + "…"


def line(now: int, level: str, step: str, text: str) -> bytes:
    """Return one record with its newline. No text can forge another record or another field (B-17).

    An empty step is written as `-`. BadUsage for another level than LEVELS.
    """
    if level not in LEVELS:
        raise BadUsage(f"{level!r} is no level", hint=f"use one of {', '.join(LEVELS)}")
    where = clean_step(step) or "-"
    if not where.isprintable() or "[" in where or "]" in where:
        where = where.translate(_STEP)
    return f"[{stamp(now)}] [{level}] [Step: {where}] {escaped(text)}\n".encode()


def escaped(text: str) -> str:
    """Return a text as records hold it: one line, valid Unicode. Backslashes stay as they are."""
    return text if text.isprintable() else text.translate(_TEXT)


def append(workspace: str | Path, record: bytes) -> None:
    """Write one record as `line` made it to the end of the workspace's log: whole, or not at all.

    Refused when the workspace is none or its log lies elsewhere, NotAFile when the log is no file, Busy when another
    holds the log for 30 s, DiskLow on a full disk. What a killed writer left of a line is ended first.
    """
    if record.find(b"\n") != len(record) - 1 or not record:
        raise ValueError("a record is one line")
    handle = lock(workspace)
    try:
        _write(handle, b"\n" + record if is_torn(handle) else record, os.fstat(handle).st_size)
    finally:
        os.close(handle)


def is_torn(handle: int) -> bool:
    """Whether the last line of an open log has no newline: its writer was killed, or the disk was full."""
    size = os.fstat(handle).st_size
    return size > 0 and os.pread(handle, 1, size - 1) != b"\n"


def log_of(workspace: str | Path) -> str:
    """Return where the live log really lies. Refused when the workspace is none or the log leads out of it (B-29)."""
    if not os.path.isdir(workspace):  # noqa: PTH112  # a text from the command line, in a hot command
        what = "is a file, not a folder" if os.path.exists(workspace) else "does not exist"  # noqa: PTH110  # as above
        raise Refused(
            f"the workspace {workspace} {what}",
            hint=f"check the path; `harness mission boot {workspace} --init` makes a new workspace",
            path=str(workspace),
        )
    from pathlib import Path

    return os.fspath(contained(Path(workspace), Path(LOG)))


def lock(workspace: str | Path) -> int:
    """Return the live log, made when it is missing, open for reading and appending and locked until it is closed.

    Writers and the rotation hold this lock. It lies on the file itself: a log that was renamed meanwhile is let go.
    """
    left, pause = LOCK_SECONDS, 0.001
    path = log_of(workspace)
    while (handle := _locked(path)) is None:
        from select import select  # only who waits pays for it

        if left <= 0:
            raise Busy(
                f"{path} stayed locked by another process for {LOCK_SECONDS:g} s, nothing was written",
                hint=f"try again; `fuser -v {path}` shows who holds it",
                path=path,
            )
        select([], [], [], pause)
        left -= pause
        pause = min(pause * 2, 0.02)
    return handle


def _locked(path: str) -> int | None:
    """Return the log with its lock; None when another holds it or it was renamed before we had the lock."""
    handle = _open(path)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotAFile(f"{path} is not a file", hint="move it away", path=path)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(path)):  # noqa: PTH116  # hot
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _open(path: str) -> int:
    # Not blocking: a pipe of that name would be waited at. No link at the end: `path` is where the log really lies.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  # hot
            return os.open(path, flags, 0o666)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path) from problem
        raise NotAFile(
            f"{path} cannot be written: {os.strerror(problem.errno or errno.EIO)}",
            hint="look at the folder `logs` of the workspace",
            path=path,
        ) from problem


def _write(handle: int, data: bytes, size: int) -> None:
    """Append all of `data`; when that fails, take back what was written of it."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(handle, view) :]
    except BaseException as problem:
        os.ftruncate(handle, size)
        if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise _full("the log") from problem
        raise


def _full(path: str) -> DiskLow:
    return DiskLow(f"no space is left for {path}, nothing was written", hint="free some space and try again", path=path)
