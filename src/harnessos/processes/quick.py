"""Commands that run to their end: git, gates, hooks. The end is the process's, not that of its pipes (cpython #119710)."""

from __future__ import annotations

import enum
import itertools
import os
import select
import time
from typing import IO, TYPE_CHECKING, NamedTuple

from harnessos.processes.environment import CALL_MARKER, RUN_MARKER
from harnessos.processes.handle import open_handle
from harnessos.processes.identity import identity_of
from harnessos.processes.logs import open_log
from harnessos.processes.start import collect, start
from harnessos.processes.tree import kill_marked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harnessos.processes.start import Process

_CHUNK = 32768
_LOOK = 0.05
_HOUR = 3600.0
_GRACE = 0.5
_MOMENT = 0.2
_calls = itertools.count()


class EndedBy(enum.Enum):
    """Why a command is over."""

    EXIT = "exit"
    TIMEOUT = "timeout"
    OUTPUT_LIMIT = "output_limit"
    STOPPED = "stopped"


class Finished(NamedTuple):
    """A command that is over. `exit_code` is negative for a signal, None unless it ended by itself (ended_by EXIT).

    `output` and `errors` are at most the last `output_limit` bytes each, `truncated` says that more was written.
    """

    exit_code: int | None
    seconds: float
    output: bytes
    errors: bytes
    ended_by: EndedBy
    truncated: bool


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    stdin: bytes = b"",
    output_limit: int = 1_000_000,
    log: Path | None = None,
    merge: bool = False,
    stop: Callable[[], bool] | None = None,
    run_id: str | None = None,
) -> Finished:
    """Run argv in its own session until it ends, `timeout` seconds pass, or `stop()` says so (asked 20 times a second).

    `env` is the whole environment, plus a marker of this call and of `run_id`. With `log`, all output is appended to
    that file, and more than `output_limit` bytes end the command. What is cut off is killed with its whole tree; what a
    command leaves behind when it exits by itself belongs to its run (`kill_run`). RunnerProblem when it cannot start.
    """
    import subprocess

    call_id = f"{os.getpid()}.{time.monotonic_ns()}.{next(_calls)}"
    environment = {**env, CALL_MARKER: call_id}
    if run_id is not None:
        environment[RUN_MARKER] = run_id
    begun = time.monotonic()
    source = _source(stdin)
    record = os.fdopen(open_log(log), "ab", buffering=0) if log else None
    try:
        process = start(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL if source is None else source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
        )
        with _Following(process, output_limit, record) as following:
            ended_by, exit_code = _to_the_end(process, following, begun + timeout, stop, call_id)
    finally:
        if source is not None:
            os.close(source)
        if record is not None:
            record.close()
    return Finished(
        exit_code=exit_code if ended_by is EndedBy.EXIT else None,
        seconds=time.monotonic() - begun,
        output=bytes(following.output.kept),
        errors=bytes(following.errors.kept),
        ended_by=ended_by,
        truncated=following.output.cut or following.errors.cut or following.over,
    )


def _to_the_end(
    process: Process, following: _Following, deadline: float, stop: Callable[[], bool] | None, call_id: str
) -> tuple[EndedBy, int | None]:
    """Follow the process to its end, or bring it there; return why it ended and its exit code."""
    ended_by = EndedBy.STOPPED
    try:
        ended_by = following.follow(deadline, stop)
    finally:
        if ended_by is not EndedBy.EXIT:
            grace = 0.0 if ended_by is EndedBy.OUTPUT_LIMIT else _GRACE
            kill_marked(CALL_MARKER, call_id, grace=grace, group=identity_of(process.pid))
        exit_code = collect(process, None if ended_by is EndedBy.EXIT else _GRACE)
    following.drain()
    if ended_by is EndedBy.EXIT and following.over:
        ended_by = EndedBy.OUTPUT_LIMIT
    return ended_by, exit_code


def _source(data: bytes) -> int | None:
    """Return a nameless file with the data: reading it ends by itself, and writing it cannot block as a pipe does."""
    if not data:
        return None
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("stdin")
    else:
        from tempfile import TemporaryFile

        with TemporaryFile() as file:
            handle = os.dup(file.fileno())
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


class _Tail:
    """The last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self.kept = bytearray()
        self.cut = False
        self._limit = limit

    def add(self, data: bytes) -> None:
        self.kept += data
        over = len(self.kept) - self._limit
        if over > 0:
            self.cut = True
            del self.kept[:over]


class _Following:
    """The pipes and the end of one running command."""

    def __init__(self, process: Process, limit: int, record: IO[bytes] | None) -> None:
        self.output, self.errors = _Tail(limit), _Tail(limit)
        self._process = process
        self._record = record
        self._room = limit
        self._handle = open_handle(process.pid)
        self._tails: dict[int, _Tail] = {}
        self._poller = select.poll()
        for pipe, tail in ((process.stdout, self.output), (process.stderr, self.errors)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._tails[pipe.fileno()] = tail
                self._poller.register(pipe.fileno(), select.POLLIN)
        if self._handle is not None:
            self._poller.register(self._handle, select.POLLIN)

    def __enter__(self) -> _Following:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if self._handle is not None:
            os.close(self._handle)

    def follow(self, deadline: float, stop: Callable[[], bool] | None) -> EndedBy:
        """Read until the process has ended or must be ended."""
        step = _LOOK if stop or self._handle is None else _HOUR
        while True:
            left = deadline - time.monotonic()
            ready = {handle for handle, _ in self._poller.poll(max(0.0, min(left, step)) * 1000)}
            for handle in ready & self._tails.keys():
                self._read(handle)
            if self.over:
                return EndedBy.OUTPUT_LIMIT
            if self._handle in ready or (self._handle is None and self._process.poll() is not None):
                return EndedBy.EXIT
            if stop and stop():
                return EndedBy.STOPPED
            if left <= 0:
                return EndedBy.TIMEOUT

    def drain(self) -> None:
        """Take what is still in the pipes; a grandchild that keeps writing gets a moment, one that is silent none."""
        deadline = time.monotonic() + _MOMENT
        for handle in list(self._tails):
            while handle in self._tails and self._read(handle) and time.monotonic() < deadline:
                pass

    def _read(self, handle: int) -> bool:
        """Take one chunk; False when there is none now, or no more ever."""
        try:
            data = os.read(handle, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._poller.unregister(handle)
            del self._tails[handle]
            return False
        self._tails[handle].add(data)
        if self._record is not None:
            self._record.write(data[: max(0, self._room)])
        self._room -= len(data)
        return True

    @property
    def over(self) -> bool:
        """More was written than the log may hold."""
        return self._record is not None and self._room < 0
