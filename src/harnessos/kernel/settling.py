"""Settling: what depends on a finished, failed, cancelled or reopened issue or milestone learns of it.

Fan-out is bounded: at most BATCH dependents move in one transaction. What is left stands in `settlements` and is
taken up by the call that caused it, by any later claim, or by the supervisor's tick, so a crash loses nothing.
Each edge carries the state it was last told, which makes every step repeatable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.kernel import attention, escalation, events, issues
from harnessos.model.issue import EDGE, Status, check_move

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Store, Transaction

BATCH = 500
AT_ONCE = 5_000
_MOVED = {Status.READY: "issue.promoted", Status.PENDING: "issue.demoted", Status.BLOCKED: "issue.blocked"}
_PROMOTE = "promote/"


def after_issue(tx: Transaction, issue: Row, cause: Cause) -> None:
    """Tell the issue's dependents of its new status, leaving a settlement for those over BATCH."""
    if _issue(tx, issue["id"], cause, BATCH) >= BATCH:
        tx.do("settlement_insert", subject=issue["id"], kind="issue", project=issue["project_id"], now=tx.now)


def step(tx: Transaction, project_id: str, cause: Cause, most: int = BATCH) -> bool:
    """Work off at most `most` dependents of unfinished settlements; return whether any are left."""
    moved = 0
    while moved < most:
        row = tx.one("settlement_next", project=project_id, one=1)
        if row is None:
            return False
        subject, kind = row["subject_id"], row["subject_kind"]
        if kind == "issue":
            count = _issue(tx, subject, cause, most - moved)
        elif kind == "milestone":
            count = _milestone(tx, subject, project_id, most - moved)
        else:
            count = _promote(tx, subject.removeprefix(_PROMOTE), cause, most - moved)
        if count < most - moved:
            tx.do("settlement_delete", subject=subject)
        moved += max(count, 1)
    return tx.one("settlement_next", project=project_id, one=1) is not None


def drain(store: Store, project_id: str, cause: Cause, most: int = AT_ONCE) -> None:
    """Continue after a commit, in transactions of their own, until `most` dependents were looked at."""
    for _ in range(most // BATCH):
        if not store.write(step, project_id, cause):
            return


def _issue(tx: Transaction, issue_id: str, cause: Cause, most: int) -> int:
    # Locked, so that the status cannot move while its dependents are told of it.
    issue = issues.lock(tx, issue_id)
    state = EDGE.get(issue["status"], 0)
    edges = tx.all("issue_dependents", id=issue_id, state=state, most=most)
    for edge in edges:
        dependent = issues.lock(tx, edge["issue_id"])
        if not tx.run("issue_settle", issue=edge["issue_id"], on=issue_id, state=state, seen=edge["state"]):
            continue  # someone else settled or dropped this edge before the lock was ours
        unmet = dependent["unmet"] + (state == 0) - (edge["state"] == 0)
        broken = dependent["broken"] + (state == 2) - (edge["state"] == 2)
        waits(tx, dependent, unmet, broken, cause)
        if state != 1 and dependent["status"] == Status.IN_PROGRESS:
            _flag(tx, dependent, issue, cause)
    return len(edges)


def _flag(tx: Transaction, running: Row, dependency: Row, cause: Cause) -> None:
    """Say that a running issue builds on something that no longer stands; its run goes on."""
    on, status = dependency["identifier"], dependency["status"]
    events.note(tx, ("issue", running["id"]), "issue.flagged", cause, {"dependency": on, "status": status})
    attention.ask(
        tx,
        running["project_id"],
        running["id"],
        kind="flagged",
        dedup=f"flagged/{running['id']}/{on}",
        question=f"{running['identifier']} is being worked on, but {on}, which it builds on, is {status} now",
        command=f"harness issue cancel {running['identifier']}",
    )


def waits(tx: Transaction, issue: Row, unmet: int, broken: int, cause: Cause) -> Row:
    """Record what an issue now waits for and move it to where it then rests; return its row.

    A move carries the new counts in its own statement: no row may ever be ready and waiting, not even in between.
    """
    fresh = {**issue, "unmet": unmet, "broken": broken}
    settled = settle_one(tx, fresh, cause)
    if settled is fresh:
        tx.do("issue_waits", id=issue["id"], unmet=unmet, broken=broken)
    return settled


def refresh(tx: Transaction, issue: Row, cause: Cause) -> Row:
    """Bring one issue up to date with what it depends on, ahead of the settlement that is on its way to it."""
    unmet, broken = issue["unmet"], issue["broken"]
    for edge in tx.all("issue_dependencies", issue=issue["id"]):
        state, seen = EDGE.get(edge["status"], 0), edge["state"]
        if state != seen and tx.run(
            "issue_settle", issue=issue["id"], on=edge["depends_on_id"], state=state, seen=seen
        ):
            unmet += (state == 0) - (seen == 0)
            broken += (state == 2) - (seen == 2)
    return waits(tx, issue, unmet, broken, cause)


def settle_one(tx: Transaction, issue: Row, cause: Cause) -> Row:
    """Move an issue that nobody works at to where it rests; return its row. Others are left where they are."""
    if issue["kind"] != "task":
        return issue  # a mission, or a task below one, is never promoted: its own verbs take it
    for _ in range(2):
        resting = issue["status"] in (Status.PENDING, Status.READY)
        if not resting and not str(issue["blocked_reason"]).startswith("dependency_failed:"):
            return issue
        status, reason = issues.rest(tx, issue)
        if status == issue["status"]:
            if reason == issue["blocked_reason"]:
                return issue
            return issues.change(tx, issue, "issue.blocked", cause, {"blocked_reason": reason})
        if issue["status"] == Status.BLOCKED:
            # The table has no way from blocked to ready: an issue that is free again first waits, then is promoted.
            status, reason = Status.PENDING.value, None
        check_move(issue["identifier"], issue["status"], status)
        kind = _MOVED[Status(status)] if issue["status"] != Status.BLOCKED else "issue.unblocked"
        changes: dict[str, object] = {"status": status, "blocked_reason": reason}
        if status == Status.READY:
            changes["due_at"] = escalation.due_when_ready(tx, issue)
        issue = issues.change(tx, issue, kind, cause, changes)
        if status == Status.BLOCKED:
            return issue
    return issue


def _milestone(tx: Transaction, milestone_id: str, project_id: str, most: int) -> int:
    milestone = tx.one("milestone_lock", id=milestone_id)
    assert milestone is not None
    state = int(milestone["status"] == "done")
    edges = tx.all("milestone_dependents", id=milestone_id, state=state, most=most)
    for edge in edges:
        dependent = tx.one("milestone_lock", id=edge["milestone_id"])
        assert dependent is not None
        if not tx.run("milestone_settle", milestone=edge["milestone_id"], on=milestone_id, state=state):
            continue
        unmet = dependent["unmet"] + (1 if state == 0 else -1)
        release(tx, dependent, unmet, dependent["approvals_open"])
    return len(edges)


def release(tx: Transaction, milestone: Row, unmet: int, approvals_open: int) -> None:
    """Store what a milestone now waits for, and have its issues promoted or demoted accordingly."""
    tx.do("milestone_waits", id=milestone["id"], unmet=unmet, approvals_open=approvals_open)
    tx.do(
        "settlement_insert",
        subject=_PROMOTE + milestone["id"],
        kind="promote",
        project=milestone["project_id"],
        now=tx.now,
    )


def _promote(tx: Transaction, milestone_id: str, cause: Cause, most: int) -> int:
    milestone = tx.one("milestone_by_id", id=milestone_id)
    assert milestone is not None
    free = milestone["unmet"] == 0 and milestone["approvals_open"] == 0
    rows = tx.all("issue_waiting_in" if free else "issue_ready_in", milestone=milestone_id, most=most)
    for row in rows:
        settle_one(tx, issues.lock(tx, row["id"]), cause)
    return len(rows)


def promote(tx: Transaction, project_id: str, cause: Cause, most: int = BATCH) -> list[str]:
    """Recompute what is ready (`promote_queue`); return the identifiers that moved, normally none."""
    step(tx, project_id, cause, most)
    moved = []
    for row in tx.all("issue_promotable", project=project_id, most=most):
        issue = settle_one(tx, issues.lock(tx, row["id"]), cause)
        moved.append(issue["identifier"])
    return moved
