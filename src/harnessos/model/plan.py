"""A plan that was read and found right: values only, slim enough for 100,000 issues.

`harnessos.plans.read_plan` makes them from a file; the kernel writes them into the ledger.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos.model.digest import sha256_hex
from harnessos.model.policy import PRIORITIES, Policy, as_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.model.amounts import Budget
    from harnessos.model.gate import Gate

MAX_ISSUES = 100_000
SIZES = ("S", "M", "L", "XL")
DEFAULT_PRIORITY = PRIORITIES.index("medium")
DEFAULT_SIZE = "M"

NO_BUDGET: Budget = {}
NOTHING: Mapping[str, object] = {}
"""Empty mappings that all plain issues share; nobody writes to them."""


class PlannedCampaign(NamedTuple):
    """The campaign a plan names."""

    name: str
    objective: str = ""
    policy: Policy | None = None


class PlannedMilestone(NamedTuple):
    """A milestone of the plan.

    `depends_on` are positions in `Plan.milestones`, `depends_on_ids` identifiers of stored milestones which the kernel
    checks. `deadline_at` is in milliseconds since the epoch. `metadata` has the keys recipients, approvals,
    externalRefs as the document gave them, absent ones left out.
    """

    key: str
    description: str
    depends_on: tuple[int, ...] = ()
    depends_on_ids: tuple[str, ...] = ()
    deadline_at: int | None = None
    metadata: Mapping[str, object] = NOTHING


class PlannedIssue(NamedTuple):
    """An issue of the plan.

    `priority` is 0 critical to 3 low. `milestone` is a position in `Plan.milestones`, `depends_on` positions in
    `Plan.issues` (sorted, without repeats), `depends_on_ids` identifiers of stored issues which the kernel checks.
    `budget` maps `amounts.BUDGET_FIELDS` to positive numbers or the word "unlimited". `files` are normalised
    repository-relative paths, folders end in `/`. `deadline_at` and `metadata` as in PlannedMilestone.
    """

    task: str
    description: str
    priority: int
    size: str
    key: str | None
    milestone: int
    depends_on: tuple[int, ...] = ()
    depends_on_ids: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    budget: Budget = NO_BUDGET
    labels: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    policy: Policy | None = None
    deadline_at: int | None = None
    metadata: Mapping[str, object] = NOTHING


class Plan(NamedTuple):
    """A whole plan. Issues stand flat, in the order of the document, milestone after milestone."""

    plan_key: str | None
    campaign: PlannedCampaign | None
    milestones: tuple[PlannedMilestone, ...]
    issues: tuple[PlannedIssue, ...]


def definition_of(issue: PlannedIssue) -> str:
    """Return the canonical JSON of what the issue asks for: equal text means that nothing about it changed.

    The key is its identity and the dependencies are edges of the ledger, so both are compared by themselves
    and are not in here: moving an issue within the file changes no definition.
    """
    document: dict[str, object] = {
        "task": issue.task,
        "description": issue.description,
        "priority": PRIORITIES[issue.priority],
        "size": issue.size,
        "gates": [gate.as_document() for gate in issue.gates],
        "budget": dict(issue.budget),
        "labels": issue.labels,
        "files": issue.files,
        "policy": None if issue.policy is None else as_document(issue.policy),
        "deadline_at": issue.deadline_at,
        "metadata": dict(issue.metadata),
    }
    return canonical({name: value for name, value in document.items() if value not in (None, "", (), [], {})})


def definition_hash(issue: PlannedIssue) -> str:
    """Return the SHA-256 of `definition_of`, 64 hexadecimal digits."""
    return sha256_hex(definition_of(issue).encode())


def canonical(value: object) -> str:
    """Return JSON with sorted keys, no spaces and no escapes beyond what JSON needs."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
