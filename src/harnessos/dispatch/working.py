"""A run's worktree: made on the right base, and taken away only after its work is kept. Intent, act, confirmation."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.dispatch import predecessors
from harnessos.dispatch.settlement import finish
from harnessos.files import free_bytes
from harnessos.kernel import ending, intents, lineage, operations, runs
from harnessos.kernel.events import Cause
from harnessos.model.checkpoint import Progress, body
from harnessos.model.issue import Status
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import SUPERVISOR
from harnessos.worktrees import Merge, Worktree, copy_includes, create, remove, salvage, status, unhide
from harnessos.worktrees.creation import FLOOR

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.kernel.claims import Claimed
    from harnessos.kernel.lineage import Accepted
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction


DISK_FLOOR = "HARNESS_DISK_FLOOR"
"""Bytes that must be free for a new worktree; the default is worktrees.creation.FLOOR."""


def root_of(ground: Ground, place: Place) -> Path:
    """Return the folder worktrees lie in: the workflow's, else `$HARNESS_HOME/worktrees`."""
    return place.workflow.workspace_root if place.workflow is not None else ground.home / "worktrees"


def floor_of(ground: Ground) -> int:
    """Return how many bytes must be free for a new worktree."""
    given = ground.environ.get(DISK_FLOOR, "")
    return int(given) if given.isdigit() else FLOOR


def full_disk(ground: Ground, place: Place) -> str | None:
    """Return why no new worktree can be made now, None when one can (P14)."""
    if not place.is_git:
        return None
    root, floor = root_of(ground, place), floor_of(ground)
    free = free_bytes(root)
    if free >= floor:
        return None
    return f"{free / 1024**3:.1f} GB are free at {root}; a new worktree needs {floor / 1024**3:.1f} GB"


def begin(ground: Ground, place: Place, claimed: Claimed, cause: Cause) -> Worktree:
    """Make the run's worktree; whatever prevents it ends the run, and a conflict of dependencies blocks the issue."""
    try:
        return make(ground, place, claimed.lease, claimed.issue)
    except errors.MergeConflict as problem:
        ground.store.write(_conflict, claimed, str(problem.facts.get("issue", "")), cause)
        raise
    except errors.HarnessError as problem:
        if not isinstance(problem, errors.LeaseLost):
            closing = ending.Closing(most_backoff_ms=place.most_backoff_ms)
            finish(ground, claimed.lease, Ended(Outcome.HARNESS_FAULT, str(problem)), cause, closing)
        raise


def _conflict(tx: Transaction, claimed: Claimed, other: str, cause: Cause) -> None:
    reason = f"the accepted commit of {other} does not merge into its base"
    issue = ending.finish(tx, claimed.lease, Ended(Outcome.RELEASED, reason), cause)
    if issue["status"] in (Status.READY, Status.PENDING):
        operations.block(tx, issue["identifier"], f"merge_conflict:{other}", cause)


def make(ground: Ground, place: Place, lease: Lease, issue: Row) -> Worktree:
    """Make the worktree of a run under its lease. MergeConflict, DiskLow, WorktreeProblem, GitFailed, LeaseLost.

    It starts from the work of the last attempt. Where that does not fit the present base it starts without, and the
    work stays in its salvage: nobody could be asked for a merge of what was never accepted.
    """
    for earlier in predecessors.end_here(ground, issue):
        # Where it cannot be kept its worktree stays, and the sweep says so until a person has looked.
        with suppress(errors.ToolProblem, OSError):
            keep(ground, place, earlier)
    intent = ground.store.write(intents.plan, lease, "worktree", lease.run_id)
    before, start = ground.store.read(_origin, issue)
    retry = place.workflow.harness.retry if place.workflow else "salvage"
    making = partial(
        create,
        place.repo,
        root=root_of(ground, place),
        key=place.project["key"],
        run_id=lease.run_id,
        issue=issue["identifier"],
        target=place.target,
        merges=[Merge(accepted.identifier, accepted.commit) for accepted in before],
        floor=floor_of(ground),
    )
    try:
        worktree = making(start=start if retry == "salvage" else None)
    except errors.MergeConflict as conflict:
        if "start" not in conflict.facts:
            raise
        worktree = making(start=None)
        ground.store.write(_set_aside, lease, conflict)
    copy_includes(place.repo, worktree.path)
    ground.store.write(_confirm, lease, intent, worktree)
    return worktree


def _set_aside(tx: Transaction, lease: Lease, conflict: errors.MergeConflict) -> None:
    """Leave word of it where the agent of this attempt looks: in the resume packet."""
    where = conflict.facts["start"]
    made = Progress(
        "the work of the last attempt is set aside",
        f"{conflict.message}; this attempt starts on the base without it",
        f"look at it with `git log {where}` and `git show {where}`, and do again what still holds",
        body({}),
        derived=True,
    )
    runs.checkpoint(tx, lease, made, Cause(SUPERVISOR, "worktree", lease.run_id, lease.epoch))


def _origin(tx: Transaction, issue: Row) -> tuple[list[Accepted], str | None]:
    last = tx.one("run_last_work", issue=issue["id"], one=1)
    return lineage.accepted_before(tx, issue), last["start"] if last else None


def _confirm(tx: Transaction, lease: Lease, intent: str, worktree: Worktree) -> None:
    runs.settle_worktree(tx, lease, str(worktree.path), worktree.branch, worktree.base_commit)
    intents.confirm(tx, lease, intent, {"path": str(worktree.path), "branch": worktree.branch})


def keep(ground: Ground, place: Place, run: Row) -> str | None:
    """Salvage what a run made beyond its base; return the ref, None when there is nothing. Safe to repeat."""
    if run["worktree"] is None:
        return None
    keeping = partial(salvage, place.repo, Path(run["worktree"]), run["id"], run["base_commit"])
    try:
        kept = keeping()
    except errors.GitFailed:
        # The sweep and the issue's next attempt may keep the same work at once: who comes second finds it kept.
        kept = keeping()
    if kept is None:
        return None
    ground.store.write(_salvaged, run["id"], kept.ref)
    return kept.ref


def _salvaged(tx: Transaction, run_id: str, ref: str) -> None:
    tx.do("run_salvaged", run=run_id, ref=ref)


def clear(ground: Ground, place: Place, run: Row) -> str:
    """Remove the worktree of a run that is over, its work kept; return why it stays, "" when it is gone.

    An accepted run keeps its branch, for merging, and needs no salvage unless more than the accepted commit is there.
    """
    if run["worktree"] is None:
        return ""
    accepted = run["outcome"] == Outcome.SUCCESS and run["verdict"] in ("verified", "unverified")
    try:
        if not (accepted and _is_at(Path(run["worktree"]), run["commit_id"])):
            keep(ground, place, run)
        remove(place.repo, Path(run["worktree"]), run["branch"], salvaged=True, keep_branch=accepted)
    except (errors.ToolProblem, OSError) as problem:
        return str(problem)
    return ""


def _is_at(folder: Path, commit: str) -> bool:
    """Return whether a worktree holds this commit and nothing beyond it; True where the folder is gone already."""
    if not folder.is_dir():
        return True
    unhide(folder)
    state = status(folder)
    return state.clean and state.head.commit == commit
