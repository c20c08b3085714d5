"""Issues: their states, the one table of moves, and why one rests where it does."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from harnessos import errors


class Status(StrEnum):
    """Where an issue is. `done` and `cancelled` are terminal."""

    PENDING = "pending"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


_S = Status
MOVES: dict[Status, frozenset[Status]] = {
    _S.PENDING: frozenset({_S.READY, _S.DONE, _S.BLOCKED, _S.CANCELLED}),
    _S.READY: frozenset({_S.PENDING, _S.IN_PROGRESS, _S.BLOCKED, _S.CANCELLED}),
    _S.IN_PROGRESS: frozenset({_S.DONE, _S.READY, _S.PENDING, _S.FAILED, _S.BLOCKED, _S.CANCELLED}),
    _S.BLOCKED: frozenset({_S.PENDING, _S.DONE, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.PENDING, _S.CANCELLED}),
    _S.DONE: frozenset({_S.PENDING}),
    _S.CANCELLED: frozenset({_S.PENDING}),
}
"""Every legal move (ledger.md, "Issue states"). Whoever calls a move states its own condition."""

EDGE = {Status.DONE.value: 1, Status.FAILED.value: 2, Status.CANCELLED.value: 2}
"""What an edge is told of the issue it points to: 1 met, 2 broken; any other status is 0, waiting."""

TERMINAL = frozenset({Status.DONE, Status.CANCELLED})


def check_move(identifier: str, source: str, target: str) -> None:
    """Raise IllegalMove, naming both states, unless the table has the move."""
    if Status(target) not in MOVES[Status(source)]:
        raise errors.IllegalMove(
            f"{identifier} is {source}; it cannot become {target}",
            hint=f"`harness why {identifier}` says what can be done",
            identifier=identifier,
            source=source,
            target=target,
        )


class Waiting(NamedTuple):
    """What an issue waits for: counts of unmet and broken dependencies, of its milestone's, of open approvals."""

    unmet: int
    broken: int
    milestone_unmet: int
    approvals_open: int


def resting(waiting: Waiting) -> Status:
    """Return where an issue that nobody works at belongs: ready, pending, or blocked by a broken dependency."""
    if waiting.broken:
        return Status.BLOCKED
    if waiting.unmet or waiting.milestone_unmet or waiting.approvals_open:
        return Status.PENDING
    return Status.READY


def pending_reason(issue_dependency: str | None, milestone_dependency: str | None, approval: str | None) -> str | None:
    """Derive a pending issue's `blocked_reason`: the first thing it waits for, in the order they are worked off."""
    if milestone_dependency is not None:
        return f"milestone_dependency:{milestone_dependency}"
    if issue_dependency is not None:
        return f"issue_dependency:{issue_dependency}"
    if approval is not None:
        return f"approval:{approval}"
    return None


def merge_first(other: str) -> str:
    """Say what helps an issue that is blocked by `merge_conflict:OTHER`: a retry alone meets the same conflict."""
    return (
        f"the accepted commit of {other} does not merge into what the work would start from, and a retry alone meets the "
        f"same conflict: on the project's target branch `git merge refs/harness/accepted/{other}`, and the accepted commits "
        "of whatever else it depends on, resolve and commit, then retry"
    )


PRIORITIES = ("critical", "high", "medium", "low")
SIZES = ("S", "M", "L", "XL")
