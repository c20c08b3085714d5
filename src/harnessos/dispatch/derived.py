"""The checkpoint of a run whose agent wrote none: what git shows, and how the run ended (P13)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import worktrees
from harnessos.kernel import runs
from harnessos.model.checkpoint import Progress, body
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.kernel.events import Cause
    from harnessos.model.outcome import Ended
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row

MOST_PATHS = 30


def record(ground: Ground, lease: Lease, run: Row, end: Ended, cause: Cause) -> None:
    """Record where the work of a run that is about to end stands, unless its agent did or nothing shows it."""
    if run["checkpoints"] or not run["worktree"] or not (Path(run["worktree"]) / ".git").exists():
        return
    ground.store.write(runs.checkpoint, lease, of(run, end), cause)


def of(run: Row, end: Ended) -> Progress:
    """Return the checkpoint that a worktree shows."""
    state = worktrees.status(Path(run["worktree"]))
    touched = [*state.staged, *state.unstaged, *state.untracked]
    files = [f"{sayable(path)}: uncommitted when the run ended" for path in touched[:MOST_PATHS]]
    summary = (
        f"{len(touched)} uncommitted paths; HEAD is {state.head.commit[:12]} (base {str(run['base_commit'])[:12]})"
    )
    return Progress(
        f"Derived: the run ended as {end.outcome.value}",
        summary,
        "Look at the worktree's state, it was restored, and go on.",
        body({"files": files, "failed": [sayable(end.reason)] if end.reason else []}),
        derived=True,
    )
