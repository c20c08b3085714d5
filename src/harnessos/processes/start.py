"""Starting a process in its own session, and knowing which children are ours to wait for."""

from __future__ import annotations

import errno
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from harnessos.errors import RunnerProblem

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Process = subprocess.Popen[bytes]

    # A descriptor or one of subprocess's constants, or an open file.
    Stream = int | IO[bytes]

_MISSING = {errno.ENOENT: "not_found", errno.ENOTDIR: "not_found"}


class OwnChildren:
    """What this process started and has not waited for, by pid; whoever reaps orphans leaves it alone."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.processes: dict[int, Process] = {}

    def forget(self, process: Process) -> None:
        """Say that the process has been waited for. No lock: `start` may hold it for as long as a fork takes."""
        if self.processes.get(process.pid) is process:
            del self.processes[process.pid]


own = OwnChildren()
# A copy of this process made by fork has no children yet, and the lock may be held by a thread it does not have.
os.register_at_fork(after_in_child=own.__init__)  # type: ignore[misc] # one object, made new in place


def start(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    in_child: Callable[[], None] | None = None,
) -> Process:
    """Start argv in `cwd` as leader of a new session. RunnerProblem (facts argv0, cause) when it cannot be started."""
    import subprocess

    argv0 = argv[0] if argv else ""
    if not argv0:
        raise RunnerProblem("the command is empty", hint="name a program", argv0="", cause="not_found")
    if not Path(cwd).is_dir():
        raise RunnerProblem(
            f"the folder {cwd} of the command {argv0} does not exist, so it was not started",
            hint="make the folder again, or name another one",
            argv0=argv0,
            cause="no_folder",
            cwd=str(cwd),
        )
    # The lock closes the gap in which a child exists and is not yet known as ours.
    with own.lock:
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=in_child,  # noqa: PLW1509 # one prepared system call, see child.py
            )
        except (OSError, ValueError) as problem:
            raise _not_started(argv0, problem) from problem
        own.processes[process.pid] = process
    return process


def collect(process: Process, seconds: float | None = 0.0) -> int | None:
    """Wait for an own child and forget it; None when it still runs after `seconds`."""
    import subprocess

    try:
        code = process.wait(seconds) if seconds != 0.0 else process.poll()
    except subprocess.TimeoutExpired:
        return None
    if code is not None:
        own.forget(process)
    return code


def ask_all_to_end() -> None:
    """Ask every process this one started, and its session, to end; for one that is about to end itself."""
    for process in list(own.processes.values()):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)


def collect_ended(pids: Iterable[int]) -> None:
    """Wait for those of the pids that are own children and have ended; their exit codes stay known to their Child."""
    for pid in pids:
        process = own.processes.get(pid)
        if process is not None:
            collect(process)


def _not_started(argv0: str, problem: Exception) -> RunnerProblem:
    number = problem.errno if isinstance(problem, OSError) else None
    cause = _MISSING.get(number or 0, "not_executable")
    facts: dict[str, Any] = {"argv0": argv0, "cause": cause}
    if cause == "not_found":
        hint = f"install {argv0}, put its folder on PATH, or name it by its whole path"
        return RunnerProblem(f"the program {argv0} was not found", hint=hint, **facts)
    reason = os.strerror(number) if number else str(problem)
    hint = f"`ls -l {argv0}`: it must be executable (`chmod +x`) and start with a valid #! line or be a binary"
    return RunnerProblem(f"the program {argv0} cannot be executed: {reason}", hint=hint, **facts)
