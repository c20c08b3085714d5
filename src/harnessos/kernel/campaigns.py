"""Campaigns: goals inside a project, with a policy. Claims respect their status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.kernel import events
from harnessos.model.event import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction

DEFAULT = "default"
_VERBS = {"paused": "campaign.paused", "active": "campaign.resumed", "archived": "campaign.archived"}
_FROM = {"paused": ("active",), "active": ("paused",), "archived": ("active", "paused")}


def create(
    tx: Transaction, project_id: str, name: str, objective: str, policy: Mapping[str, object], cause: Cause
) -> Row:
    """Create a campaign; an existing name is refused."""
    if tx.one("campaign_by_name", project=project_id, name=name) is not None:
        raise errors.Refused(f"the project already has a campaign {name}", hint="`harness campaign list`")
    campaign = tx.new_id("cmp")
    tx.do(
        "campaign_insert",
        id=campaign,
        project=project_id,
        name=name,
        objective=objective,
        policy_json=canonical(policy),
        now=tx.now,
    )
    data = {"name": name, "objective": objective, "policy": dict(policy)}
    events.note(tx, ("campaign", campaign), "campaign.created", cause, data)
    return find(tx, project_id, name)


def find(tx: Transaction, project_id: str, name: str) -> Row:
    """Return a project's campaign by name, or raise UnknownIdentifier."""
    row = tx.one("campaign_by_name", project=project_id, name=name)
    if row is None:
        raise errors.UnknownIdentifier(f"the project has no campaign {name}", hint="`harness campaign list`")
    return row


def set_status(tx: Transaction, campaign: Row, status: str, cause: Cause) -> None:
    """Pause (drain: live runs may finish), resume or archive a campaign."""
    seen = campaign["status"]
    if seen == status:
        return
    if seen not in _FROM[status]:
        raise errors.IllegalMove(f"campaign {campaign['name']} is {seen}; it cannot become {status}")
    tx.do("campaign_status", id=campaign["id"], status=status, seen=seen)
    events.note(tx, ("campaign", campaign["id"]), _VERBS[status], cause, {"set": {"status": status}})
    tx.wake()


def set_policy(tx: Transaction, campaign: Row, objective: str, policy: Mapping[str, object], cause: Cause) -> None:
    """Change what a campaign is for and under which policy; issues planned before keep their lane and deadlines."""
    tx.do("campaign_policy", id=campaign["id"], objective=objective, policy_json=canonical(policy))
    data = {"objective": objective, "policy": dict(policy)}
    events.note(tx, ("campaign", campaign["id"]), "campaign.changed", cause, data)
