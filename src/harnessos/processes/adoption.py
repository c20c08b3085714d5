"""Orphans below this process become its children (Linux), so that what outlives its parent can be seen and waited for."""

from __future__ import annotations

import os
import threading
from typing import Protocol

from harnessos.processes.start import own
from harnessos.processes.table import LINUX, all_rows, row_of

_PR_SET_CHILD_SUBREAPER = 36
_adopts = threading.Event()


class Prctl(Protocol):
    """The system call, with the arguments nobody here uses left out."""

    def __call__(self, option: int, value: int) -> int: ...  # noqa: D102 # as the class says


def prctl() -> Prctl:
    """Return the system call, loaded."""
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).prctl
    function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def call(option: int, value: int) -> int:
        return int(function(option, value, 0, 0, 0))

    return call


def become_subreaper() -> None:
    """Make this process the parent of all orphans below it (Linux), so that `reap_orphans` can wait for them."""
    if LINUX:
        if prctl()(_PR_SET_CHILD_SUBREAPER, 1) != 0:
            raise OSError("prctl(PR_SET_CHILD_SUBREAPER) failed")
        _adopts.set()


def is_alone() -> bool:
    """Return whether this process adopts orphans and has none: then nothing outlives the children it has waited for.

    A process's children pass to their new parent before its own end can be seen, so there is no gap in which one hides.
    """
    return _adopts.is_set() and not any(pid not in own.processes for pid in _children())


def reap_orphans() -> None:
    """Wait for the zombies this process has adopted; the exit codes of its own children stay theirs."""
    if not _adopts.is_set():
        return
    for pid in _children():
        if pid in own.processes:
            continue
        # `start` holds the lock until a new child is known as ours.
        with own.lock:
            row = row_of(pid)
            if row is not None and row.dead and row.parent == os.getpid() and pid not in own.processes:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    continue  # another thread was first


def _children() -> list[int]:
    """Return the pids of this process's children, from the kernel's own list; a scan where it keeps none."""
    found: list[int] = []
    try:
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 # names only, asked after every run
            with open(f"/proc/self/task/{thread}/children", "rb") as listed:  # noqa: PTH123 # as above
                found += map(int, listed.read().split())
    except FileNotFoundError:
        if not os.path.exists("/proc/self/task"):  # noqa: PTH110 # as above
            return []
        return [row.pid for row in all_rows().values() if row.parent == os.getpid()]
    return found
