"""The machine's process table, read straight from /proc (a scan takes milliseconds); psutil where there is none."""

from __future__ import annotations

import os
import sys
from typing import Literal, NamedTuple, overload

LINUX = bool(sys.platform == "linux")
_TICKS = os.sysconf("SC_CLK_TCK")


class Row(NamedTuple):
    """One process. `cpu`: seconds of user and system time, of its waited-for children too."""

    pid: int
    parent: int
    group: int
    dead: bool
    started: int
    cpu: float


@overload
def row_of(pid: int, *, required: Literal[True]) -> Row: ...
@overload
def row_of(pid: int) -> Row | None: ...
def row_of(pid: int, *, required: bool = False) -> Row | None:
    """Return the row of one process, or None; with `required` ProcessLookupError."""
    row = _linux_row(pid) if LINUX else _other_row(pid)
    if row is None and required:
        raise ProcessLookupError(pid)
    return row


def all_rows() -> dict[int, Row]:
    """Return every process of this machine that can be seen, by pid."""
    if LINUX:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 # half the time
    else:
        import psutil

        pids = psutil.pids()
    return {pid: row for pid in pids if (row := row_of(pid)) is not None}


def environment_entry(pid: int, name: str) -> str | None:
    """Return the value of one environment variable a process was started with; None when absent or not ours to read."""
    if not LINUX:
        return _other_entry(pid, name)
    data = b"\0" + (_read(f"/proc/{pid}/environ") or b"")
    _, found, rest = data.partition(b"\0" + os.fsencode(name) + b"=")
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def _linux_row(pid: int) -> Row | None:
    data = _read(f"/proc/{pid}/stat")
    if not data:
        return None
    # The command name in brackets may hold anything, brackets and spaces too: count from the last one.
    fields = data[data.rindex(b")") + 2 :].split()
    return Row(
        pid=pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        dead=fields[0] in (b"Z", b"X", b"x"),
        started=int(fields[19]),
        cpu=sum(map(int, fields[11:15])) / _TICKS,
    )


def _read(path: str) -> bytes | None:
    """Return a file of /proc, or None when the process is gone (ESRCH too) or another user's."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        parts = []
        while part := os.read(handle, 65536):
            parts.append(part)
        return b"".join(parts)
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(handle)


def _other_row(pid: int) -> Row | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            dead = process.status() == psutil.STATUS_ZOMBIE
            times = None if dead else process.cpu_times()
            return Row(
                pid=pid,
                parent=process.ppid(),
                group=os.getpgid(pid),
                dead=dead,
                started=int(process.create_time() * 1000),
                cpu=0.0 if times is None else times.user + times.system,
            )
    except (psutil.Error, ProcessLookupError, PermissionError):
        return None


def _other_entry(pid: int, name: str) -> str | None:
    import psutil

    try:
        value: str | None = psutil.Process(pid).environ().get(name)
    except (psutil.Error, OSError):
        return None
    return value
