"""Waiting for and signalling processes by a handle that cannot be reused (pidfd), or by checked pid where there is none."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING

from harnessos.processes.identity import identity_of, is_alive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harnessos.model.process import Identity

_STEP = 0.02
_LONGEST = 2_000_000.0  # poll counts milliseconds in 31 bits


def open_handle(pid: int) -> int | None:
    """Return a pidfd, or None where the system has none (macOS, gVisor) or the process is gone."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def wait_handle(handle: int, seconds: float) -> bool:
    """Wait until the process behind a pidfd has ended, at most `seconds`; tell whether it has."""
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(min(max(0.0, seconds), _LONGEST) * 1000))


def rest(seconds: float) -> None:
    """Wait where nothing reports an end (no pidfd): the only way left is to look again."""
    select.select([], [], [], max(0.0, min(seconds, _STEP)))


def send(who: Identity, number: signal.Signals) -> None:
    """Signal exactly this process; a pid that has passed to another one is left alone (P04).

    The start time is compared after the pidfd is open: if it matches then, the pidfd cannot be of anybody else.
    """
    handle = open_handle(who.pid)
    try:
        if identity_of(who.pid) != who:
            return
        if handle is None:
            os.kill(who.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return  # gone, or not ours: the next scan tells which
    finally:
        if handle is not None:
            os.close(handle)


def wait_gone(those: Iterable[Identity], seconds: float) -> None:
    """Wait until all have ended, at most `seconds` together."""
    deadline = time.monotonic() + seconds
    for who in those:
        handle = open_handle(who.pid)
        try:
            while is_alive(who) and (left := deadline - time.monotonic()) > 0:
                if handle is None:
                    rest(left)
                else:
                    wait_handle(handle, left)
        finally:
            if handle is not None:
                os.close(handle)
