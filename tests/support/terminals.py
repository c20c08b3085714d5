"""`harness` on a terminal of its own, as wide as a test wants it: what a person there sees, escapes included."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from tests.support.commands import Terminal

_CHUNK = 1 << 16


def seen(terminal: Terminal, *words: str, columns: int, **env: str) -> str:
    """Run a command whose output is a terminal with so many columns; return what it wrote there."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "harnessos", *words],
            cwd=terminal.cwd,
            env={**terminal.environment(), "TERM": "xterm", **env},
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=subprocess.STDOUT,
        ) as process:
            os.close(its)
            written = b"".join(iter(lambda: _read(ours), b""))
            assert process.wait(60) == 0, written
    finally:
        os.close(ours)
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, _CHUNK)
    except OSError:  # the last writer has gone
        return b""
