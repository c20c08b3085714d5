"""A program one talks with in lines, over its standard input and output."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING, Self

from harnessos.processes.environment import CALL_MARKER
from harnessos.processes.identity import identity_of
from harnessos.processes.start import collect, start
from harnessos.processes.tree import kill_marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_KEPT = 4096
_WAITING = 10_000


class Conversation:
    """A started program: a context manager that leaves nothing of it behind. RunnerProblem when it cannot be started."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self._call = f"talk.{os.getpid()}.{time.monotonic_ns()}"
        pipe = subprocess.PIPE
        marked = {**env, CALL_MARKER: self._call}
        self._process = start(argv, cwd=cwd, env=marked, stdin=pipe, stdout=pipe, stderr=pipe)
        self._who = identity_of(self._process.pid)
        self._lines: queue.Queue[bytes] = queue.Queue(_WAITING)
        self._said = b""
        self._readers = [
            threading.Thread(target=read, args=(stream,), daemon=True)
            for read, stream in ((self._read, self._process.stdout), (self._listen, self._process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what is left of it."""
        kill_marked(CALL_MARKER, self._call, grace=0.0, group=self._who)
        collect(self._process, None)
        self.close()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(b"")

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._said = (self._said + line)[-_KEPT:]

    def say(self, line: bytes) -> None:
        """Send a line. A program that has ended hears nothing, and says nothing after it."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def hear(self, seconds: float) -> bytes | None:
        """Return its next line; None when none came in time, or none will come any more."""
        try:
            return self._lines.get(timeout=seconds) or None
        except queue.Empty:
            return None

    def complaint(self) -> str:
        """Return the last line it wrote on standard error."""
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Close its standard input."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return

    def ended(self, seconds: float) -> bool:
        """Wait at most so long for its end; return whether it came."""
        return collect(self._process, seconds) is not None
