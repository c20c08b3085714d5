"""Opening the files that other programs' output goes to."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from harnessos.errors import RunnerProblem

if TYPE_CHECKING:
    from pathlib import Path

_HINT = "move it away; logs are regular files that the harness makes"


def open_log(path: Path) -> int:
    """Open a log for appending, made when it is missing; the caller closes the descriptor.

    RunnerProblem for what is no regular file: an agent of the same user can put a pipe there, on which opening would
    wait for ever, or a link to a file of somebody else's.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as problem:
        raise RunnerProblem(f"the log {path} cannot be opened: {problem.strerror}", hint=_HINT) from problem
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RunnerProblem(f"the log {path} is no regular file", hint=_HINT)
    return handle
