"""A plan as a schedule keeps it until it fires: plain JSON, and back without the reader of foreign files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.errors import BadDocument
from harnessos.model import policy
from harnessos.model.gate import parse_gates
from harnessos.model.plan import Plan, PlannedCampaign, PlannedIssue, PlannedMilestone

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, Any]
"""Any: a JSON document."""


def as_document(plan: Plan) -> Document:
    """Return the plan as JSON values; `from_document` gives the same plan again."""
    campaign = plan.campaign
    return {
        "plan_key": plan.plan_key,
        "campaign": None
        if campaign is None
        else {"name": campaign.name, "objective": campaign.objective, "policy": _policy(campaign.policy)},
        "milestones": [{**found._asdict(), "metadata": dict(found.metadata)} for found in plan.milestones],
        "issues": [issue_document(issue) for issue in plan.issues],
    }


def issue_document(issue: PlannedIssue) -> Document:
    """Return one issue of a plan as JSON values."""
    return {
        **issue._asdict(),
        "gates": [gate.as_document() for gate in issue.gates],
        "budget": dict(issue.budget),
        "policy": _policy(issue.policy),
        "metadata": dict(issue.metadata),
    }


def _policy(found: policy.Policy | None) -> Document | None:
    return None if found is None else policy.as_document(found)


def from_document(document: Mapping[str, Any]) -> Plan:
    """Return the plan that `as_document` wrote. Any: its JSON. BadDocument when the row it came from is damaged."""
    try:
        campaign = document["campaign"]
        return Plan(
            document["plan_key"],
            None if campaign is None else PlannedCampaign(**{**campaign, "policy": _read_policy(campaign["policy"])}),
            tuple(_milestone(found) for found in document["milestones"]),
            tuple(issue_from(found) for found in document["issues"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadDocument(f"a stored plan is damaged: {error!r}") from error


def _milestone(found: Mapping[str, Any]) -> PlannedMilestone:
    lists = {name: tuple(found[name]) for name in ("depends_on", "depends_on_ids")}
    return PlannedMilestone(**{**found, **lists})


def issue_from(found: Mapping[str, Any]) -> PlannedIssue:
    """Return the issue that `issue_document` wrote. Any: its JSON."""
    problems: list[str] = []
    gates = parse_gates(found["gates"], "gates", problems)
    if problems:
        raise BadDocument("a stored gate is damaged: " + "; ".join(problems))
    lists = {name: tuple(found[name]) for name in ("depends_on", "depends_on_ids", "labels", "files")}
    return PlannedIssue(**{**found, **lists, "gates": gates, "policy": _read_policy(found["policy"])})


def _read_policy(found: Mapping[str, Any] | None) -> policy.Policy | None:
    return None if found is None else policy.from_document(found)
