"""Who may do what: what a plan may bring when an agent applies it, and who may answer an approval gate.

Values only: callers know who acts, and raise. A person's plan may bring commands, decide approvals and change budgets;
an agent's may only add work that the same rules judge as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.model.amounts import UNLIMITED
from harnessos.model.budget import limits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from harnessos.model.gate import Gate
    from harnessos.model.plan import Plan, PlannedIssue
    from harnessos.model.policy import Policy


GUARDED = ("size", "gates", "budget", "policy", "metadata")
"""What decides how an issue is judged and what it may use: only who planned it, or a person, rewrites these."""


def beyond_an_agent(plan: Plan, declared: Mapping[str, object]) -> list[str]:
    """Return what in the plan only a person may bring, one sentence each; empty when an agent may apply it.

    `declared` is the budget document of the project's workflow: an issue may ask for less than it gives, not for more.
    """
    found = []
    if plan.campaign is not None:
        found += _policy(plan.campaign.policy, f"the campaign {plan.campaign.name!r}")
    for milestone in plan.milestones:
        found += _approvals(milestone.metadata, f"the milestone {milestone.key!r}")
    for issue in plan.issues:
        found += _issue(issue, declared)
    return found


def _issue(issue: PlannedIssue, declared: Mapping[str, object]) -> list[str]:
    if not (issue.gates or issue.policy or issue.metadata or issue.budget):
        return []
    who = repr(issue.task)
    found = _commands(issue.gates, who) + _policy(issue.policy, who) + _approvals(issue.metadata, who)
    return found + [
        f"{who} asks for a budget above what holds without it: {name} {value}"
        for name, value in issue.budget.items()
        if _raises(name, value, declared)
    ]


def _policy(policy: Policy | None, who: str) -> list[str]:
    if policy is None:
        return []
    found = _commands(policy.gates, who)
    if policy.require_gates is not None:
        found.append(f"{who} decides whether gates are required")
    return found


def _commands(gates: Iterable[Gate], who: str) -> list[str]:
    return [f"{who} brings the gate {gate.name!r}, which runs a command" for gate in gates if gate.runs_command]


def _approvals(metadata: Mapping[str, object], who: str) -> list[str]:
    return [f"{who} decides the approval {name!r}" for name, _, state in _asked(metadata) if state != "pending"]


def _asked(metadata: Mapping[str, object]) -> list[tuple[str, bool, str]]:
    """Return name, whether it is required, and state of each approval."""
    entries = metadata.get("approvals")
    return [
        (str(entry["id"]), bool(entry.get("required", True)), str(entry.get("state", "pending")))
        for entry in (entries if isinstance(entries, list | tuple) else ())
    ]


def _raises(name: str, value: object, declared: Mapping[str, object]) -> bool:
    """Return whether this entry of a budget gives more than the workflow and the defaults do without it."""
    if value == UNLIMITED:
        return declared.get(name) != UNLIMITED
    pairs = zip(limits({name: value}, declared), limits(declared), strict=True)
    return any(most is not None and asked is not None and asked > most for asked, most in pairs)


def rewritten(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the guarded parts of an issue that differ between two of its documents, in the words of a plan."""
    changed = [name for name in GUARDED if name != "metadata" and before[name] != after[name]]
    if _asked(_mapping(before["metadata"])) != _asked(_mapping(after["metadata"])):
        changed.append("approvals")
    return changed


def loosened(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the required approvals that the metadata `after` drops or no longer requires."""
    kept = {name for name, required, _ in _asked(after) if required}
    return [name for name, required, _ in _asked(before) if required and name not in kept]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def may_answer(who: Collection[str], by: str) -> bool:
    """Return whether `by`, an actor in full such as `operator:alice`, may answer a gate that names `who`.

    A person is named as `alice` or as `operator:alice`; a gate that names nobody leaves it to any person.
    """
    kind, _, name = by.partition(":")
    return not who or by in who or (kind == "operator" and bool(name) and name in who)
