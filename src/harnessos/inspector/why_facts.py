"""What `why` needs to know of an issue: the rows around it, each found by an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.inspector import reasons
from harnessos.inspector.situation import conflict
from harnessos.inspector.status import DayBudget, budgets
from harnessos.inspector.views import Host, lacking, project_by_id
from harnessos.model.issue import Status

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

HOPS = 100
"""Dependencies followed to find what really holds an issue up; a longer chain is named up to there."""


class Facts(NamedTuple):
    """An issue and what bears on it.

    `root` is the issue at the end of the chain of first unmet dependencies, or the failed one behind a
    `dependency_failed`; `waits` as `inspect_waits` gives it; `milestone` the dependency milestone waited for;
    `untrusted` says that this machine has the project in a place nobody trusts, `abandoned` that the live run's
    supervisor is known to be dead.
    """

    project: Row
    issue: Row
    campaign: Row
    now: int
    last: Row | None
    verdict: Row | None
    waits: Row | None
    root: Row | None
    milestone: Row | None
    holds: list[Row]
    budgets: tuple[DayBudget, ...]
    blocking: Row | None
    missing: tuple[str, ...]
    lane: Row | None
    untrusted: Row | None
    abandoned: bool
    settling: Row | None
    breaker: Row | None
    cancelled: Row | None


def of_issue(tx: Transaction, issue: Row, host: Host) -> Facts:
    """Gather what bears on an issue."""
    status, issue_id = issue["status"], issue["id"]
    project_id = issue["project_id"]
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    assert campaign is not None
    waits = reasons.waits_of(tx, issue)
    ready = status == Status.READY
    lane = _lane(tx, issue) if ready else None
    last = tx.one("run_last_of", issue=issue_id, one=1)
    settlements = tx.all("inspect_settlements", project=project_id, most=1) if status == Status.PENDING else []
    return Facts(
        project=project_by_id(tx, project_id),
        issue=issue,
        campaign=campaign,
        now=tx.now,
        last=last,
        verdict=next(iter(tx.all("inspect_verdicts", issue=issue_id, most=1)), None),
        waits=waits,
        root=_root(tx, issue, waits),
        milestone=_milestone(tx, waits),
        holds=reasons.holds_of(tx, project_id) if ready else [],
        budgets=budgets(tx, project_id),
        blocking=_blocking(tx, issue) if ready else None,
        missing=tuple(lacking(host, lane)) if lane else (),
        lane=lane,
        untrusted=untrusted(tx, project_id, host) if ready else None,
        abandoned=last is not None and last["id"] in host.dead,
        settling=settlements[0] if settlements else None,
        breaker=tx.one("inspect_breaker", scope_kind="issue", scope=issue_id) if status == Status.BLOCKED else None,
        cancelled=_ending(tx, issue_id) if status == Status.CANCELLED else None,
    )


def _ending(tx: Transaction, issue_id: str) -> Row | None:
    own = tx.one("inspect_last_event", subject=issue_id, kind="issue.cancelled", one=1)
    run = tx.one("inspect_last_event", subject=issue_id, kind="run.ended", one=1)
    return max((row for row in (own, run) if row), key=lambda row: int(row["subject_seq"]), default=None)


def _lane(tx: Transaction, issue: Row) -> Row | None:
    return next(
        (lane for lane in tx.all("lane_list", project=issue["project_id"]) if lane["id"] == issue["lane_id"]), None
    )


def _blocking(tx: Transaction, issue: Row) -> Row | None:
    """Return the live run whose files keep a ready issue from starting, with the path."""
    return conflict(issue, tx.all("run_files_held", project=issue["project_id"]))


def untrusted(tx: Transaction, project_id: str, host: Host) -> Row | None:
    """Return a place of the project on this machine when it has one and who asks trusts none of them."""
    here = [row for row in tx.all("project_locations", project=project_id) if row["machine_id"] == host.machine_id]
    trusted = [row for row in here if row["trusted_by"] and host.user in (None, row["trusted_by"])]
    return here[0] if here and not trusted else None


def _root(tx: Transaction, issue: Row, waits: Row | None) -> Row | None:
    reason = str(issue["blocked_reason"])
    if reason.startswith("dependency_failed:"):
        return tx.one("issue_by_identifier", identifier=reason.partition(":")[2])
    found = None
    for _ in range(HOPS):
        if waits is None or waits["milestone_dependency"] or not waits["issue_dependency"]:
            break
        found = tx.one("issue_by_identifier", identifier=waits["issue_dependency"])
        if found is None:
            break
        waits = reasons.waits_of(tx, found)
    return found


def _milestone(tx: Transaction, waits: Row | None) -> Row | None:
    if waits is None or not waits["milestone_dependency_id"]:
        return None
    row = tx.one("milestone_by_id", id=waits["milestone_dependency_id"])
    if row is None:
        return None
    for status in ("failed", "ready", "blocked", "in_progress", "pending"):
        first = tx.one("inspect_open_in", milestone=row["id"], status=status, one=1)
        if first is not None:
            return {**row, "first": first["identifier"], "first_status": status}
    return {**row, "first": None, "first_status": None}
