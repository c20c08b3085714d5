"""A run's worktree: made on the right base, and taken away only after its work is kept. Intent, act, confirmation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.errors import Refused, WorktreeProblem
from harnessos.kernel import intents, lineage, runs
from harnessos.worktrees import Merge, Repository, Worktree, copy_includes, create, remove, salvage

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.kernel.lineage import Accepted
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

DISK_FLOOR = "HARNESS_DISK_FLOOR"
"""Bytes that must be free for a new worktree; the default is worktrees.creation.FLOOR."""


def root_of(ground: Ground, place: Place) -> Path:
    """Return the folder worktrees lie in: the workflow's, else `$HARNESS_HOME/worktrees`."""
    return place.workflow.workspace_root if place.workflow is not None else ground.home / "worktrees"


def make(ground: Ground, place: Place, lease: Lease, issue: Row) -> Worktree:
    """Make the worktree of a run under its lease. MergeConflict, DiskLow, WorktreeProblem, GitFailed, LeaseLost."""
    repo = repository(place)
    intent = ground.store.write(intents.plan, lease, "worktree", lease.run_id)
    before, start = ground.store.read(_origin, issue)
    retry = place.workflow.harness.retry if place.workflow else "salvage"
    worktree = create(
        repo,
        root=root_of(ground, place),
        key=place.project["key"],
        run_id=lease.run_id,
        issue=issue["identifier"],
        target=place.target,
        merges=[Merge(accepted.identifier, accepted.commit) for accepted in before],
        start=start if retry == "salvage" else None,
    )
    copy_includes(repo, worktree.path)
    ground.store.write(_confirm, lease, intent, worktree)
    return worktree


def repository(place: Place) -> Repository:
    """Return the project's repository; a plain folder has no worktrees."""
    if place.repo is None:
        raise Refused(f"{place.project['key']} is a plain folder; without git there are no worktrees")
    return place.repo


def _origin(tx: Transaction, issue: Row) -> tuple[list[Accepted], str | None]:
    last = tx.one("run_last_salvage", issue=issue["id"], one=1)
    return lineage.accepted_before(tx, issue), last["salvage_ref"] if last else None


def _confirm(tx: Transaction, lease: Lease, intent: str, worktree: Worktree) -> None:
    runs.settle_worktree(tx, lease, str(worktree.path), worktree.branch, worktree.base_commit)
    intents.confirm(tx, lease, intent, {"path": str(worktree.path), "branch": worktree.branch})


def keep(ground: Ground, place: Place, run: Row) -> str | None:
    """Salvage what a run made beyond its base; return the ref, None when there is nothing. Safe to repeat."""
    if run["worktree"] is None:
        return None
    kept = salvage(repository(place), Path(run["worktree"]), run["id"], run["base_commit"])
    if kept is None:
        return None
    ground.store.write(_salvaged, run["id"], kept.ref)
    return kept.ref


def _salvaged(tx: Transaction, run_id: str, ref: str) -> None:
    tx.run("run_salvaged", run=run_id, ref=ref)


def clear(ground: Ground, place: Place, run: Row) -> bool:
    """Remove the worktree of a run that is over, after salvaging it; False when a process still works in it."""
    if run["worktree"] is None:
        return True
    keep(ground, place, run)
    try:
        remove(repository(place), Path(run["worktree"]), run["branch"], salvaged=True)
    except WorktreeProblem:
        return False
    return True
