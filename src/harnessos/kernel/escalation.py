"""Deadlines and service levels that pass: by index, a few at a time, an event and an attention row each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harnessos.kernel import attention, issues
from harnessos.model.claim_order import claim_rank, deadline_key
from harnessos.model.issue import PRIORITIES, Status
from harnessos.model.policy import (
    Breach,
    Facts,
    Policy,
    breaches,
    effective_priority,
    from_document,
    merge,
    next_due_at,
)

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction


def policy_of(tx: Transaction, issue: Row) -> Policy:
    """Return the policy that counts for an issue: its own over its campaign's."""
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    assert campaign is not None
    return merge(from_document(json.loads(campaign["policy_json"])), from_document(json.loads(issue["policy_json"])))


def facts_of(issue: Row) -> Facts:
    """Return the instants an issue's policy is measured against."""
    return Facts(
        issue["created_at"],
        issue["ready_at"],
        # The first claim answers the response level: from then on the epoch is above zero.
        issue["updated_at"] if issue["lease_epoch"] else None,
        issue["ended_at"],
        issue["deadline_at"],
    )


def fall_due(tx: Transaction, project_id: str, cause: Cause, most: int) -> int:
    """Escalate what has fallen due in the project, at most `most` issues; return how many were looked at."""
    rows = tx.all("issue_due", project=project_id, now=tx.now, most=most)
    for row in rows:
        _escalate(tx, issues.lock(tx, row["id"]), cause)
    return len(rows)


def _escalate(tx: Transaction, issue: Row, cause: Cause) -> None:
    policy, facts = policy_of(tx, issue), facts_of(issue)
    found = breaches(policy, facts, tx.now)
    known = set(filter(None, issue["breaches"].split(",")))
    new = [breach for breach in found if breach.trigger not in known]
    if not new:
        # Answered or over meanwhile: nothing happened, only the timer moves on.
        tx.do("issue_due_next", id=issue["id"], due_at=next_due_at(policy, facts, tx.now))
        return
    priority = effective_priority(issue["priority"], found)
    changes = {
        "due_at": next_due_at(policy, facts, tx.now),
        "breaches": ",".join(sorted(known | {breach.trigger for breach in found})),
        "unbreached": 0 if found else 1,
        "effective_priority": priority,
        "claim_rank": claim_rank(priority, issue["ready_at"])
        if issue["status"] == Status.READY
        else issue["claim_rank"],
    }
    data = {"breaches": [breach.trigger for breach in new], "priority": PRIORITIES[priority]}
    issues.change(tx, issue, "issue.escalated", cause, changes, data)
    for breach in new:
        _ask(tx, issue, breach)


def _ask(tx: Transaction, issue: Row, breach: Breach) -> None:
    what = breach.trigger.replace("_", " ")
    note = f" ({breach.note})" if breach.note else ""
    attention.ask(
        tx,
        issue["project_id"],
        issue["id"],
        kind="escalation",
        dedup=f"escalation/{issue['id']}/{breach.trigger}",
        question=f"{issue['identifier']}: {what}{note}",
        command=f"harness why {issue['identifier']}",
    )


def again(tx: Transaction, issue: Row) -> dict[str, Any]:
    """Return the claim order columns of an issue that was edited or opened again. Any: they are numbers and a text.

    What it was told to be late with counts on only as far as it is still late.
    """
    fresh = {**issue, "ended_at": None}
    policy, facts = policy_of(tx, fresh), facts_of(fresh)
    known = set(filter(None, issue["breaches"].split(",")))
    late = {breach.trigger for breach in breaches(policy, facts, tx.now)}
    columns = order_columns(policy, facts, issue["priority"], tx.now)
    if late <= known:
        columns["due_at"] = next_due_at(policy, facts, tx.now)
    return {**columns, "breaches": ",".join(sorted(known & late)), "unbreached": 0 if known & late else 1}


def due_when_ready(tx: Transaction, issue: Row) -> int | None:
    """Return when an issue that becomes ready now falls due: its response level begins to run."""
    due: int | None = issue["due_at"]
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    assert campaign is not None
    levels = "responseWithinMinutes" in issue["policy_json"] or "responseWithinMinutes" in campaign["policy_json"]
    if not levels or (due is not None and due <= tx.now):
        return due
    return next_due_at(policy_of(tx, issue), facts_of({**issue, "ready_at": tx.now}), tx.now)


def order_columns(policy: Policy, facts: Facts, priority: int, now: int) -> dict[str, Any]:
    """Return the stored columns of the claim order for a new issue. Any: they are all numbers."""
    found = breaches(policy, facts, now)
    effective = effective_priority(priority, found)
    return {
        "effective_priority": effective,
        "claim_rank": claim_rank(effective, facts.ready_at) if facts.ready_at is not None else 0,
        "deadline_key": deadline_key(facts.deadline_at),
        # What is overdue from the start falls due at once, so that the escalation is an event like any other.
        "due_at": now if found else next_due_at(policy, facts, now),
    }
