"""A command that goes on by itself while the test does something else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.commands import Terminal


@contextmanager
def started(terminal: Terminal, *words: str, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start `harness WORDS` with its standard output in a file; it is killed at the end if it still runs."""
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "harnessos", *words],
            cwd=terminal.cwd,
            env=dict(terminal.environment()),
            stdin=subprocess.DEVNULL,
            stdout=stream,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
