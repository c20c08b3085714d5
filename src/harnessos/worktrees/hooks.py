"""Running a workflow's hook (SYM-9.3, 9.4): a shell script in the worktree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import processes
from harnessos.errors import WorktreeProblem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harnessos.processes import Finished


LOG_LIMIT = 64 * 1024 * 1024
"""Bytes a hook may print before it is ended."""


def run_hook(script: str, *, worktree: Path, env: Mapping[str, str], timeout_s: float, log: Path) -> Finished:
    """Run `sh -lc script` in `worktree` with exactly `env` less GIT_*; at the timeout its whole group is killed.

    Output goes to `log`. The outcome is a value: whether a failure is fatal is the caller's rule (SYM-9.4-03).
    WorktreeProblem when the worktree is gone: a hook never runs anywhere else (I18).
    """
    if not (worktree / ".git").exists():
        raise WorktreeProblem(f"{worktree} is not there any more, so its hook does not run", path=str(worktree))
    clean = {name: value for name, value in env.items() if not name.startswith("GIT_")}
    return processes.run(
        ["sh", "-lc", script], cwd=worktree, env=clean, timeout=timeout_s, log=log, output_limit=LOG_LIMIT
    )
