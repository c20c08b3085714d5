"""The shape of a plan document: fields, types, enums. What refers to what is checked in `references`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, get_args

from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema, with_config
from typing_extensions import TypedDict

from harnessos.documents.shapes import Line, Name, Prose
from harnessos.model.amounts import budget_schema
from harnessos.model.gate_schema import gates_schema
from harnessos.model.policy import Action, Trigger  # noqa: TC001 -- pydantic reads them at run time

_STRICT = ConfigDict(strict=True, extra="forbid")

Priority = Literal["critical", "high", "medium", "low"]
Size = Literal["S", "M", "L", "XL"]
Minutes = Annotated[int, Field(ge=1, le=100_000_000)]
Names = list[Name]
# Gates and budgets are read by the model, which WORKFLOW.md shares; here stands only what their schema says.
Gates = Annotated[Any, WithJsonSchema(gates_schema())]  # the model's reader takes any value and names its problems
BudgetShape = Annotated[Any, WithJsonSchema(budget_schema())]  # as above
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
ISSUES_PLACE = "issues of a milestone"
Issues = Annotated[list[Any], Field(min_length=1), WithJsonSchema({"description": ISSUES_PLACE})]  # one by one


@with_config(_STRICT)
class RecipientShape(TypedDict):
    """Someone who is told."""

    id: Name
    kind: Line
    label: NotRequired[Line]
    address: NotRequired[Line]
    role: NotRequired[Line]


@with_config(_STRICT)
class ApprovalShape(TypedDict):
    """Someone's consent."""

    id: Name
    label: Line
    recipientIds: NotRequired[Annotated[Names, Field(min_length=1)]]
    state: NotRequired[Literal["pending", "approved", "rejected", "waived"]]
    required: NotRequired[bool]
    note: NotRequired[str]


@with_config(_STRICT)
class ReferenceShape(TypedDict):
    """A place outside the ledger."""

    id: Name
    kind: Line
    value: Line
    label: NotRequired[Line]
    url: NotRequired[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#]+[^\s]*$")]]


@with_config(_STRICT)
class ServiceLevelShape(TypedDict):
    """How soon; at least one of the two."""

    responseWithinMinutes: NotRequired[Minutes]
    resolveWithinMinutes: NotRequired[Minutes]


@with_config(_STRICT)
class RuleShape(TypedDict):
    """What happens on a breach; `priority` is needed for raise_priority."""

    trigger: Trigger
    action: Action
    priority: NotRequired[Priority]
    note: NotRequired[str]


@with_config(_STRICT)
class DispatchShape(TypedDict):
    """Where the work may run."""

    workloadClass: Name
    requiredHostCapabilities: NotRequired[Annotated[Names, Field(min_length=1)]]


@with_config(_STRICT)
class PolicyShape(TypedDict):
    """A policy of a campaign or an issue."""

    owner: NotRequired[Line]
    serviceLevel: NotRequired[Annotated[ServiceLevelShape, Field(json_schema_extra={"minProperties": 1})]]
    escalationRules: NotRequired[Annotated[list[RuleShape], Field(min_length=1)]]
    dispatch: NotRequired[DispatchShape]
    gates: NotRequired[Gates]
    require_gates: NotRequired[bool]


@with_config(_STRICT)
class CampaignShape(TypedDict):
    """The campaign the plan belongs to."""

    name: Name
    objective: NotRequired[str]
    policy: NotRequired[PolicyShape]


@with_config(_STRICT)
class IssueShape(TypedDict):
    """One piece of wanted work."""

    task: Prose
    description: NotRequired[str]
    priority: NotRequired[Priority]
    size: NotRequired[Size]
    key: NotRequired[Name]
    depends_on_indices: NotRequired[list[Annotated[int, Field(ge=0)]]]
    depends_on_keys: NotRequired[Names]
    depends_on_ids: NotRequired[Names]
    gates: NotRequired[Gates]
    budget: NotRequired[BudgetShape]
    labels: NotRequired[Names]
    files: NotRequired[list[str]]
    policy: NotRequired[PolicyShape]
    deadlineAt: NotRequired[Instant]
    recipients: NotRequired[Annotated[list[RecipientShape], Field(min_length=1)]]
    approvals: NotRequired[Annotated[list[ApprovalShape], Field(min_length=1)]]
    externalRefs: NotRequired[Annotated[list[ReferenceShape], Field(min_length=1)]]


@with_config(_STRICT)
class MilestoneShape(TypedDict):
    """A group of issues."""

    milestone_key: Name
    description: Prose
    depends_on_milestone_keys: NotRequired[Names]
    depends_on_milestone_ids: NotRequired[Names]
    deadlineAt: NotRequired[Instant]
    recipients: NotRequired[Annotated[list[RecipientShape], Field(min_length=1)]]
    approvals: NotRequired[Annotated[list[ApprovalShape], Field(min_length=1)]]
    externalRefs: NotRequired[Annotated[list[ReferenceShape], Field(min_length=1)]]
    issues: Issues


@with_config(_STRICT)
class PlanShape(TypedDict):
    """A plan."""

    version: NotRequired[Literal[1]]
    plan_key: NotRequired[Name]
    campaign: NotRequired[CampaignShape]
    milestones: Annotated[list[Any], Field(min_length=1)]  # milestones are validated one by one


ISSUE = TypeAdapter(IssueShape)
MILESTONE = TypeAdapter(MilestoneShape)
PLAN = TypeAdapter(PlanShape)


def fields_of(*places: tuple[str, type]) -> dict[str, tuple[str, ...]]:
    """Return the fields of each shape, by the path it stands at."""
    return {where: tuple(shape.__annotations__) for where, shape in places}


def work_fields(where: str) -> tuple[tuple[str, type], ...]:
    """Return where the shapes of workflow metadata stand below a path."""
    return (
        (f"{where}.recipients", RecipientShape),
        (f"{where}.approvals", ApprovalShape),
        (f"{where}.externalRefs", ReferenceShape),
    )


def policy_fields(where: str) -> tuple[tuple[str, type], ...]:
    """Return where the shapes of a policy stand, whose own path this is."""
    return (
        (where, PolicyShape),
        (f"{where}.serviceLevel", ServiceLevelShape),
        (f"{where}.escalationRules", RuleShape),
        (f"{where}.dispatch", DispatchShape),
    )


KNOWN = fields_of(
    ("", PlanShape),
    ("campaign", CampaignShape),
    *policy_fields("campaign.policy"),
    ("milestones", MilestoneShape),
    *work_fields("milestones"),
    ("milestones.issues", IssueShape),
    *work_fields("milestones.issues"),
    *policy_fields("milestones.issues.policy"),
)
"""The fields of every mapping of a plan, by its path without indices."""

PRIORITY_WORDS: tuple[Priority, ...] = get_args(Priority)
