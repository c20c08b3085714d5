"""A program in a box: started, watched and ended together with everything it ever started (B-14).

Two sides. `run_keeper` is the harness's: it starts a keeper, a process of its own, and sees that none of its tree is
left. `keep` is the keeper's: it starts the program, counts what it does, and ends it at the first bound it crosses.
In a PID namespace the keeper is process 1: nothing inside can end it, and one signal reaches everything. Elsewhere it
adopts orphans, so that a daemon is still below it. Loaded by a bare interpreter: standard library and this room only.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import select
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from harnessos.processes.handle import open_handle
from harnessos.processes.table import LINUX, all_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from harnessos.processes.quick import Finished

CHECK_MARKER = "HARNESS_CHECK_ID"
"""Every process of one check carries it where there is no PID namespace that ends them all."""

_TICK = 0.02
_MEASURE_EVERY = 10
_CHUNK = 1 << 16
_VERDICT_LIMIT = 1 << 16
_ERRORS_KEPT = 1 << 14
_PATIENCE = 10.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_NOT_STARTED = 127
_DEEPEST = 200
_PR_SET_PDEATHSIG = 1
_checks = itertools.count()


class Bounds(NamedTuple):
    """What the keeper ends a program for: seconds, bytes, processes. `kept` bytes of output stay.

    `scratch` bytes and `files` are what its folder may hold.
    """

    wall: float
    memory_together: int
    processes: int
    output: int
    kept: int
    scratch: int
    files: int


class Ended(NamedTuple):
    """How it was: `why` is exit, or the bound that was crossed: wall, processes, output, memory or scratch.

    `code` is the exit code, negative for a signal. `verdict` is what the program wrote to descriptor 3.
    """

    why: str
    code: int
    cpu: float
    verdict: bytes
    output: bytes
    errors: bytes
    truncated: bool


def run_keeper(
    argv: Sequence[str], *, cwd: Path, request: bytes, timeout: float, answer_limit: int
) -> tuple[Finished, int]:
    """Start a keeper with the request on its standard input; return how it ended, and how many processes survived.

    The keeper's environment has the check's marker, for it to pass on. RunnerProblem when it cannot start.
    """
    from harnessos.processes.quick import run
    from harnessos.processes.tree import kill_marked

    check_id = f"{os.getpid()}.{time.monotonic_ns()}.{next(_checks)}"
    left = []
    try:
        finished = run(
            argv,
            cwd=cwd,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", CHECK_MARKER: check_id},
            timeout=timeout,
            stdin=request,
            output_limit=answer_limit,
        )
    finally:
        left = kill_marked(CHECK_MARKER, check_id, grace=0.0, group=None)
    return finished, len(left)


def in_new_namespace(work: Callable[[], int]) -> int:
    """Do the work in a child, the first process of the PID namespace just made, and return its exit code.

    The child dies with this process, and with it everything in the namespace.
    """
    from harnessos.processes.adoption import prctl

    call = prctl()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            call(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
            code = work()
        except BaseException as problem:  # noqa: BLE001 # a bug: the last line of standard error tells the harness
            os.write(2, f"{type(problem).__name__}: {problem}\n".encode())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def keep(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    bounds: Bounds,
    prepare: Callable[[], None],
    scratch: str | None,
) -> Ended:
    """Run argv to its end or to a bound; when this returns, nothing that it started is left.

    `prepare` is called in the new process just before exec. `scratch` is the folder whose size is measured, None where
    its file system has a size of its own. What goes wrong before exec is the verdict `{"problem": ...}`.
    """
    pipes = [os.pipe() for _ in range(3)]
    deadline = time.monotonic() + bounds.wall
    child = os.fork()
    if child == 0:
        _become(argv, cwd, env, [write for _, write in pipes], prepare)
    for _, write in pipes:
        os.close(write)
    watch = _Watch(child, [read for read, _ in pipes], bounds, scratch)
    try:
        why = watch.follow(deadline)
    finally:
        _end_everything(child, watch)
    watch.drain()
    return watch.ended(why)


def _become(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], ends: Sequence[int], prepare: Callable[[], None]
) -> None:
    """Turn the forked process into the program; never returns. Descriptors: nothing, output, errors, verdict."""
    try:
        os.setsid()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 32) for end in (os.open(os.devnull, os.O_RDONLY), *ends)]
        for target, source in enumerate(high):
            os.dup2(source, target, inheritable=True)
        os.closerange(4, 1024)
        os.chdir(cwd)
        prepare()
        os.execve(argv[0], list(argv), dict(env))
    except BaseException as problem:  # noqa: BLE001 # told to the keeper; this process must not go on
        os.write(3, json.dumps({"problem": f"{type(problem).__name__}: {problem}"}).encode())
    os._exit(_NOT_STARTED)


class _Watch:
    """One running program: its pipes, its end and its size."""

    def __init__(self, child: int, pipes: Sequence[int], bounds: Bounds, scratch: str | None) -> None:
        self._child = child
        self._bounds = bounds
        self._scratch = scratch
        self._output, self._errors, self._verdict = pipes
        self._texts = {pipe: bytearray() for pipe in pipes}
        self._open = set(pipes)
        self._merged = bytearray()
        self._written = 0
        self._status: int | None = None
        self._cpu = 0.0
        self._poller = select.poll()
        for pipe in pipes:
            os.set_blocking(pipe, False)
            self._poller.register(pipe, select.POLLIN)
        self._handle = open_handle(child)
        if self._handle is not None:
            self._poller.register(self._handle, select.POLLIN)

    def follow(self, deadline: float) -> str:
        """Watch until the program has ended (`exit`) or crossed a bound (its name)."""
        for tick in itertools.count():
            left = deadline - time.monotonic()
            for ready, _ in self._poller.poll(max(0.0, min(left, _TICK)) * 1000):
                if ready in self._texts:
                    self._read(ready)
            if self._written > self._bounds.output:
                return "output"
            self.reap()
            crossed = self._crossed(measure=tick % _MEASURE_EVERY == 0)
            if crossed:
                return crossed
            if self._status is not None:
                return "exit"
            if left <= 0:
                return "wall"
        raise AssertionError("unreachable")

    def reap(self) -> None:
        """Wait for everything that has ended: the program, and orphans that became ours."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child:
                self._status, self._cpu = status, used.ru_utime + used.ru_stime

    def drain(self) -> None:
        """Take what is still in the pipes: nobody writes any more."""
        for pipe in list(self._texts):
            while self._read(pipe):
                pass

    def ended(self, why: str) -> Ended:
        """Return the whole story; call it when nothing runs any more."""
        if why == "exit" and self._written > self._bounds.output:
            why = "output"
        code = -int(signal.SIGKILL) if self._status is None else os.waitstatus_to_exitcode(self._status)
        errors = bytes(self._texts[self._errors])
        verdict = bytes(self._texts[self._verdict])
        return Ended(why, code, self._cpu, verdict, bytes(self._merged), errors, self._written > len(self._merged))

    def _crossed(self, *, measure: bool) -> str:
        pids = _below()
        if len(pids) > self._bounds.processes:
            return "processes"
        if measure:
            if sum(map(_own_memory, pids)) > self._bounds.memory_together:
                return "memory"
            if self._scratch is not None and _size_over(self._scratch, self._bounds.scratch, self._bounds.files):
                return "scratch"
        return ""

    def _read(self, pipe: int) -> bool:
        """Take one chunk; False when there is none now, or no more ever."""
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            if pipe in self._open:
                self._open.remove(pipe)
                self._poller.unregister(pipe)
            return False
        if pipe == self._verdict:
            room = _VERDICT_LIMIT - len(self._texts[pipe])
            self._texts[pipe] += data[: max(0, room)]
            return True
        self._written += len(data)
        _add(self._merged, data, self._bounds.kept)
        if pipe == self._errors:
            _add(self._texts[pipe], data, _ERRORS_KEPT)
        return True


def _add(kept: bytearray, data: bytes, limit: int) -> None:
    kept += data
    if len(kept) > limit:
        del kept[: len(kept) - limit]


def _end_everything(child: int, watch: _Watch) -> None:
    """Kill all that is below this process until two looks find nothing, and wait for it."""
    deadline = time.monotonic() + _PATIENCE
    quiet = 0
    while quiet < 2 and time.monotonic() < deadline:
        if os.getpid() == 1:
            _kill(-1)
        else:
            # What is stopped starts nothing more: a bomb is frozen before it is ended.
            _signal(_below(), signal.SIGSTOP)
            _signal([child, *_below()] if quiet == 0 and watch is not None else _below(), signal.SIGKILL)
        watch.reap()
        left = _below()
        quiet = 0 if left else quiet + 1
        if left:
            select.select([], [], [], 0.002)
            watch.reap()


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        _kill(pid, number)


def _kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # gone, or not ours: the next look tells which


def _below() -> list[int]:
    """Return every process below this one; as process 1 of a namespace, every other one in it."""
    me = os.getpid()
    if me == 1:
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]  # noqa: PTH208 # often
    if not LINUX:
        return _below_by_table(me)
    found: list[int] = []
    waiting = [me]
    while waiting:
        children = _children_of(waiting.pop())
        found += children
        waiting += children
    return found


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 # often
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as listed:  # noqa: PTH123 # often
                found += map(int, listed.read().split())
    except (FileNotFoundError, ProcessLookupError):
        return found  # it ended in the meantime: its children are ours now
    return found


def _below_by_table(me: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for row in all_rows().values():
        children.setdefault(row.parent, []).append(row.pid)
    found: list[int] = []
    waiting = [me]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _own_memory(pid: int) -> int:
    """Return the bytes in memory that a process does not share with files."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as sizes:  # noqa: PTH123 # often
            fields = sizes.read().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE if len(fields) > 2 else 0


def _size_over(folder: str, most_bytes: int, most_files: int) -> bool:
    """Tell whether what a folder holds is more than allowed, or nested too deeply to be looked at."""
    total = seen = 0
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                    total += os.lstat(entry.path).st_blocks * 512
        except OSError:
            continue  # removed in the meantime, or closed; what it holds is then bounded by the size of one file
        if total > most_bytes or seen > most_files or depth > _DEEPEST:
            return True
    return False
