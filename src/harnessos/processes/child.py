"""Agents: long-running children that write to files and die with the process that supervises them (P04)."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from harnessos.model.process import Identity
from harnessos.processes.adoption import is_alone, prctl
from harnessos.processes.environment import RUN_MARKER
from harnessos.processes.handle import open_handle, rest, wait_handle
from harnessos.processes.identity import boot_id, machine_id
from harnessos.processes.logs import open_log
from harnessos.processes.start import collect, start
from harnessos.processes.table import LINUX, row_of
from harnessos.processes.tree import kill_run, remember_group, remember_spawned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from queue import SimpleQueue

    from harnessos.processes.start import Process

_PR_SET_PDEATHSIG = 1


class Child:
    """A running agent. `identity` is the leader of its session and group, to be kept in the ledger."""

    def __init__(self, process: Process, run_id: str) -> None:
        self._process = process
        self._run_id = run_id
        self._lock = threading.Lock()
        # Open until the object goes: another thread may be waiting on it.
        self._handle = open_handle(process.pid)
        started = row_of(process.pid, required=True).started
        self.identity = Identity(machine_id(), boot_id(), process.pid, started)
        remember_spawned(self.identity)

    def __del__(self) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal), or None while it runs."""
        with self._lock:
            if self._process.returncode is None:
                if self._handle is not None:
                    if not wait_handle(self._handle, 0):
                        return None
                    if not is_alone():
                        remember_group(self.identity)
                collect(self._process)
            return self._process.returncode

    def wait(self, timeout: float) -> int | None:
        """Return the exit code as soon as it ends, or None after `timeout` seconds; open pipes do not matter."""
        deadline = time.monotonic() + timeout
        if self._handle is not None:
            wait_handle(self._handle, timeout)
            return self.poll()
        while (code := self.poll()) is None and (left := deadline - time.monotonic()) > 0:
            rest(left)
        return code

    def terminate_tree(self, grace: float) -> None:
        """End it and everything of its run, see `kill_run`."""
        kill_run(self._run_id, grace=grace, group=self.identity)
        self.poll()


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    run_id: str,
    stdin: Path | None,
    stdout: Path,
    stderr: Path,
) -> Child:
    """Start an agent with exactly `env` and the run's marker; its output is appended to the two files.

    stdin is the file or empty, never a pipe left open. It dies with this process (Linux), not with the calling thread.
    RunnerProblem when it cannot be started.
    """
    handles: list[int] = []

    def opened(handle: int) -> int:
        handles.append(handle)
        return handle

    try:
        source = opened(os.open(stdin or os.devnull, os.O_RDONLY | os.O_NONBLOCK))
        target = opened(open_log(stdout))
        errors = target if stderr == stdout else opened(open_log(stderr))
        prepare = _dying_with_parent()
        environment = {**env, RUN_MARKER: run_id}

        def begin() -> Child:
            process = start(
                argv, cwd=cwd, env=environment, stdin=source, stdout=target, stderr=errors, in_child=prepare
            )
            return Child(process, run_id)

        return _spawner.call(begin)
    finally:
        for handle in handles:
            os.close(handle)


def _dying_with_parent() -> Callable[[], None] | None:
    """Return what the new process does before exec: ask for SIGKILL at its parent's end.

    Everything it needs is loaded before the fork, so it takes no lock that another thread may have held.
    """
    if not LINUX:
        return None
    call, parent, this_pid, parent_pid, kill = prctl(), os.getpid(), os.getpid, os.getppid, os.kill
    number = int(signal.SIGKILL)

    def prepare() -> None:
        call(_PR_SET_PDEATHSIG, number)
        if parent_pid() != parent:  # it died before the line above took effect
            kill(this_pid(), number)

    return prepare


class _Spawner:
    """One thread that lives as long as the process: the kernel sends the death signal when the *thread* that forked ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[tuple[Callable[[], Child], SimpleQueue[Child | Exception]]] | None = None

    def call(self, job: Callable[[], Child]) -> Child:
        """Run the job on the thread and return or raise what it does."""
        from queue import SimpleQueue

        with self._lock:
            if self._jobs is None:
                self._jobs = SimpleQueue()
                threading.Thread(target=self._work, args=(self._jobs,), name="spawner", daemon=True).start()
        answer: SimpleQueue[Child | Exception] = SimpleQueue()
        self._jobs.put((job, answer))
        result = answer.get()
        if isinstance(result, Exception):
            raise result
        return result

    @staticmethod
    def _work(jobs: SimpleQueue[tuple[Callable[[], Child], SimpleQueue[Child | Exception]]]) -> None:
        while True:
            job, answer = jobs.get()
            try:
                answer.put(job())
            except Exception as problem:  # noqa: BLE001 # raised again in the thread that asked
                answer.put(problem)
            del job, answer


_spawner = _Spawner()
os.register_at_fork(after_in_child=_spawner.__init__)  # type: ignore[misc] # threads do not survive a fork
