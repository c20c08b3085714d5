"""From documents of the right shape to the model's values, with the rules a shape cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from harnessos.documents.tree import Problem, split_problem
from harnessos.model.amounts import normal_file, parse_budget, parse_instant
from harnessos.model.gate import parse_gates
from harnessos.model.plan import (
    DEFAULT_PRIORITY,
    DEFAULT_SIZE,
    NO_BUDGET,
    NOTHING,
    PlannedCampaign,
    PlannedIssue,
    PlannedMilestone,
)
from harnessos.model.policy import PRIORITIES, Policy, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.model.amounts import Budget
    from harnessos.model.gate import Gate
    from harnessos.plans.shape import CampaignShape, IssueShape, MilestoneShape, PolicyShape

_RANK = {word: rank for rank, word in enumerate(PRIORITIES)}


def to_issue(shape: IssueShape, milestone: int, where: str, problems: list[Problem]) -> PlannedIssue:
    """Return the issue without its dependencies inside the batch."""
    priority = shape.get("priority")
    return PlannedIssue(
        task=shape["task"],
        description=shape.get("description", ""),
        priority=DEFAULT_PRIORITY if priority is None else _RANK[priority],
        size=shape.get("size", DEFAULT_SIZE),
        key=shape.get("key"),
        milestone=milestone,
        depends_on_ids=_unique(shape, "depends_on_ids", where, problems),
        gates=_gates(shape["gates"], f"{where}.gates", problems) if "gates" in shape else (),
        budget=_budget(shape["budget"], f"{where}.budget", problems) if "budget" in shape else NO_BUDGET,
        labels=_unique(shape, "labels", where, problems),
        files=_files(shape["files"], where, problems) if "files" in shape else (),
        policy=to_policy(shape["policy"], f"{where}.policy", problems) if "policy" in shape else None,
        deadline_at=_instant(shape["deadlineAt"], where, problems) if "deadlineAt" in shape else None,
        metadata=_metadata(shape, where, problems),
    )


def to_milestone(shape: MilestoneShape, where: str, problems: list[Problem]) -> PlannedMilestone:
    """Return the milestone without its dependencies inside the batch."""
    return PlannedMilestone(
        key=shape["milestone_key"],
        description=shape["description"],
        depends_on_ids=_unique(shape, "depends_on_milestone_ids", where, problems),
        deadline_at=_instant(shape["deadlineAt"], where, problems) if "deadlineAt" in shape else None,
        metadata=_metadata(shape, where, problems),
    )


def to_campaign(shape: CampaignShape, problems: list[Problem]) -> PlannedCampaign:
    """Return the campaign."""
    policy = to_policy(shape["policy"], "campaign.policy", problems) if "policy" in shape else None
    return PlannedCampaign(shape["name"], shape.get("objective", ""), policy)


def to_policy(shape: PolicyShape, where: str, problems: list[Problem]) -> Policy:
    """Return the policy."""
    level = shape.get("serviceLevel")
    if level is not None and not level:
        problems.append(Problem(f"{where}.serviceLevel", "needs responseWithinMinutes, resolveWithinMinutes or both"))
    rules = []
    for at, rule in enumerate(shape.get("escalationRules", ())):
        priority = rule.get("priority")
        if rule["action"] == "raise_priority" and priority is None:
            problems.append(Problem(f"{where}.escalationRules[{at}].priority", "is missing: raise_priority needs it"))
        rank = None if priority is None else _RANK[priority]
        rules.append(Rule(rule["trigger"], rule["action"], rank, rule.get("note")))
    dispatch = shape.get("dispatch")
    return Policy(
        owner=shape.get("owner"),
        response_minutes=level.get("responseWithinMinutes") if level else None,
        resolve_minutes=level.get("resolveWithinMinutes") if level else None,
        rules=tuple(rules),
        workload_class=dispatch["workloadClass"] if dispatch else None,
        capabilities=tuple(sorted(set(dispatch.get("requiredHostCapabilities", ())))) if dispatch else (),
        gates=_gates(shape["gates"], f"{where}.gates", problems) if "gates" in shape else (),
        require_gates=shape.get("require_gates"),
    )


def _gates(value: object, where: str, problems: list[Problem]) -> tuple[Gate, ...]:
    if not isinstance(value, list):
        problems.append(Problem(where, "must be a list of gates"))
        return ()
    said: list[str] = []
    gates = parse_gates(value, where, said)
    problems += [split_problem(None, text) for text in said]
    return gates


def _budget(value: object, where: str, problems: list[Problem]) -> Budget:
    said: list[str] = []
    budget = parse_budget(value, where, said)
    problems += [split_problem(None, text) for text in said]
    return budget


def _instant(text: str, where: str, problems: list[Problem]) -> int | None:
    try:
        return parse_instant(text)
    except ValueError as error:
        problems.append(Problem(f"{where}.deadlineAt", str(error)))
        return None


def _files(given: Sequence[str], where: str, problems: list[Problem]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for at, text in enumerate(given):
        try:
            found[normal_file(text)] = None
        except ValueError as error:
            problems.append(Problem(f"{where}.files[{at}]", str(error)))
    return tuple(found)


def _unique(shape: Mapping[str, object], field: str, where: str, problems: list[Problem]) -> tuple[str, ...]:
    given = cast("Sequence[str]", shape.get(field, ()))
    if not given:
        return ()
    if len(set(given)) != len(given):
        for at, name in enumerate(given):
            if name in given[:at]:
                problems.append(Problem(f"{where}.{field}[{at}]", f"{name!r} stands here more than once"))
    return tuple(given)


def _metadata(shape: Mapping[str, object], where: str, problems: list[Problem]) -> Mapping[str, object]:
    found = {field: shape[field] for field in ("recipients", "approvals", "externalRefs") if field in shape}
    if not found:
        return NOTHING
    lists = cast("Mapping[str, Sequence[Mapping[str, object]]]", found)
    for field, entries in lists.items():
        seen: set[object] = set()
        for at, entry in enumerate(entries):
            if entry["id"] in seen:
                problems.append(Problem(f"{where}.{field}[{at}].id", f"another one has the id {entry['id']!r}"))
            seen.add(entry["id"])
    recipients = {entry["id"] for entry in lists.get("recipients", ())}
    for at, approval in enumerate(lists.get("approvals", ())):
        for place, name in enumerate(cast("Sequence[str]", approval.get("recipientIds", ()))):
            if name not in recipients:
                path = f"{where}.approvals[{at}].recipientIds[{place}]"
                problems.append(Problem(path, f"no recipient here has the id {name!r}"))
    return found
