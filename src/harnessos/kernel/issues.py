"""Reading an issue for a change, and the one function that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.kernel import events
from harnessos.kernel.events import Cause, Head
from harnessos.model.claim_order import claim_rank
from harnessos.model.event import DECIDED
from harnessos.model.issue import Status, Waiting, check_move, resting
from harnessos.model.milestone import STATUSES
from harnessos.store import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.store.transaction import Row, Transaction

_NONE = dict.fromkeys((*STATUSES, Status.CANCELLED.value), 0)
_OVER = (None, Status.DONE, Status.CANCELLED)
"""Only an issue that gets here or leaves (None: it is new) can make or break its milestone's being done."""


def lock(tx: Transaction, issue_id: str) -> Row:
    """Return the issue's row, locked until the transaction ends."""
    row = tx.one("issue_lock", id=issue_id)
    if row is None:
        raise errors.UnknownIdentifier(f"there is no issue {issue_id}")
    return row


def lock_named(tx: Transaction, identifier: str) -> Row:
    """Return the row of the issue with that identifier (`DOCS-42`), locked until the transaction ends."""
    return lock(tx, named.issue(tx, identifier)["id"])


def change(
    tx: Transaction,
    issue: Row,
    kind: str,
    cause: Cause,
    changes: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
) -> Row:
    """Change an issue and append the event that says so, in one statement each; return the new row.

    `changes` are columns. The event carries those of them that decide (model.event.DECIDED) under `set`, which is
    what makes replay possible. A changed status is checked against the table of moves, counted with its milestone,
    and settles or parks what depends on being ready.
    """
    after = {**issue, **changes}
    moved = after["status"] != issue["status"]
    if moved:
        check_move(issue["identifier"], issue["status"], after["status"])
        _enter(tx, issue, after)
    decided = {name: after[name] for name in DECIDED if after[name] != issue[name]}
    head = events.append(
        tx,
        ("issue", issue["id"]),
        Head(issue["event_seq"], issue["event_head"]),
        kind,
        cause,
        {"set": decided, **(data or {})} if decided else (data or {}),
    )
    after.update(event_seq=head.seq, event_head=head.hash, updated_at=tx.now)
    # Whoever changed the issue meanwhile appended an event of the same number, which `events.append` cannot do twice.
    tx.do("issue_change", **{name: after[name] for name in _COLUMNS}, id=issue["id"], seen=issue["event_seq"])
    if moved and issue["milestone_id"] is not None:
        count(tx, issue["milestone_id"], issue["status"], after["status"])
    return after


def _enter(tx: Transaction, issue: Row, after: Row) -> None:
    """Set the columns that belong to a state on entering it, and clear those of the state left."""
    status = after["status"]
    if status != Status.BLOCKED:
        after["blocked_reason"] = None
    if status == Status.READY:
        after["ready_at"] = tx.now
        after["claim_rank"] = claim_rank(after["effective_priority"], tx.now)
        after["parked"] = 1 if after["not_before"] is not None and after["not_before"] > tx.now else 0
        tx.wake()
    else:
        after["parked"] = 0
        after["parked_by"] = None
        after["not_before"] = None
    ended = status in (Status.DONE, Status.CANCELLED, Status.FAILED)
    after["ended_at"] = tx.now if ended else None


def count(tx: Transaction, milestone_id: str, source: str | None, target: str | None, number: int = 1) -> None:
    """Move issues between a milestone's counters; a milestone that becomes or stops being done settles."""
    delta = dict(_NONE)
    if source is not None:
        delta[str(source)] -= number
    if target is not None:
        delta[str(target)] += number
    tx.do("milestone_count", id=milestone_id, **delta)
    if (source in _OVER) != (target in _OVER):
        tx.do("milestone_settles", id=milestone_id, now=tx.now)


def waiting(tx: Transaction, issue: Row) -> Waiting:
    """Return what the issue waits for, its milestone included."""
    milestone = None if issue["milestone_id"] is None else tx.one("milestone_by_id", id=issue["milestone_id"])
    return Waiting(
        issue["unmet"],
        issue["broken"],
        milestone["unmet"] if milestone else 0,
        issue["approvals_open"] + (milestone["approvals_open"] if milestone else 0),
    )


def rest(tx: Transaction, issue: Row) -> tuple[str, str | None]:
    """Return the status, and for blocked the reason, of an issue that nobody works at."""
    status = resting(waiting(tx, issue))
    if status is not Status.BLOCKED:
        return status.value, None
    broken = tx.one("issue_first_broken", issue=issue["id"], one=1)
    return status.value, f"dependency_failed:{broken['identifier'] if broken else ''}"


_COLUMNS = (
    "status", "blocked_reason", "unmet", "broken", "approvals_open", "lease_epoch", "attempts", "forgiven", "breaks",
    "gate_errors", "wall_ms", "verdict", "accepted_commit", "definition", "effective_priority", "claim_rank",
    "unbreached", "deadline_key", "parked", "parked_by", "not_before", "due_at", "breaches", "ready_at", "ended_at",
    "event_seq", "event_head", "updated_at",
)  # fmt: skip
