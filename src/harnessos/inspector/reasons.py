"""`blocked_reason` as the views show it: stored for blocked issues, derived for pending ones and for held scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.model.issue import Status, pending_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.store.transaction import Row, Transaction


def blocked_reason(issue: Row, waits: Row | None, holds: Sequence[Row]) -> str | None:
    """Return why an issue does not run, None when nothing is in its way.

    `issue` has status, blocked_reason, campaign and campaign_status; `waits` is what `inspect_waits` found for a
    pending issue; `holds` are those of its project and of providers. Holds stop ready issues only and are never
    written to them.
    """
    status = issue["status"]
    if status == Status.BLOCKED:
        return str(issue["blocked_reason"])
    if status == Status.PENDING and waits is not None:
        approval = waits["approval"] or waits["milestone_approval"]
        return pending_reason(waits["issue_dependency"], waits["milestone_dependency"], approval)
    if status == Status.READY:
        return held(issue, holds)
    return None


def held(issue: Row, holds: Sequence[Row]) -> str | None:
    """Return the first hold on an issue's scopes: its campaign, its project, then any provider's account."""
    if issue["campaign_status"] != "active":
        return f"campaign_paused:{issue['campaign']}"
    return next((hold_name(hold) for hold in holds), None)


def hold_name(hold: Row) -> str:
    """Return a hold's row as a reason: `budget:project`, `breaker:provider:NAME`."""
    scope = hold["scope_kind"] if hold["scope_kind"] == "project" else f"{hold['scope_kind']}:{hold['scope_id']}"
    return f"{hold['kind']}:{scope}"


def waits_of(tx: Transaction, issue: Row) -> Row | None:
    """Return what a pending issue (id, milestone_id, status) waits for, None for any other."""
    if issue["status"] != Status.PENDING:
        return None
    return tx.one("inspect_waits", id=issue["id"], milestone=issue["milestone_id"], one=1)


def holds_of(tx: Transaction, project_id: str) -> list[Row]:
    """Return the holds that count for a project now, its own before those of providers."""
    return tx.all("inspect_holds", project=project_id, now=tx.now)
