"""The shape of a front matter: Symphony's sections leniently (unknown keys pass), ours strictly."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, WithJsonSchema, with_config
from typing_extensions import TypedDict

from harnessos.documents.shapes import Line, Name, Prose  # noqa: TC001 -- pydantic reads them at run time
from harnessos.model.amounts import budget_schema
from harnessos.model.gate_schema import gates_schema

_LENIENT = ConfigDict(strict=True, extra="allow")
_STRICT = ConfigDict(strict=True, extra="forbid")

Count = Annotated[int, Field(ge=1, le=2**53 - 1)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Environment = Annotated[dict[VariableName, str], Field(json_schema_extra={"additionalProperties": False})]


@with_config(_LENIENT)
class TrackerShape(TypedDict):
    """`tracker`."""

    kind: NotRequired[Line]
    provider: NotRequired[dict[str, Any]]  # any value: it belongs to the adapter
    required_labels: NotRequired[list[str]]
    active_states: NotRequired[list[Prose]]
    terminal_states: NotRequired[list[Prose]]


@with_config(_LENIENT)
class PollingShape(TypedDict):
    """`polling`."""

    interval_ms: NotRequired[Count]


@with_config(_LENIENT)
class WorkspaceShape(TypedDict):
    """`workspace`."""

    root: NotRequired[Line]


@with_config(_LENIENT)
class HooksShape(TypedDict):
    """`hooks`."""

    after_create: NotRequired[Prose]
    before_run: NotRequired[Prose]
    after_run: NotRequired[Prose]
    before_remove: NotRequired[Prose]
    timeout_ms: NotRequired[Count]


@with_config(_LENIENT)
class AgentShape(TypedDict):
    """`agent`; entries of the map that make no sense are ignored, as the specification says."""

    max_concurrent_agents: NotRequired[Count]
    max_turns: NotRequired[Count]
    max_retry_backoff_ms: NotRequired[Count]
    max_concurrent_agents_by_state: NotRequired[dict[str, Any]]


@with_config(_LENIENT)
class CodexShape(TypedDict):
    """`codex`; policies and sandboxes pass through unseen."""

    command: NotRequired[Prose]
    turn_timeout_ms: NotRequired[Count]
    read_timeout_ms: NotRequired[Count]
    stall_timeout_ms: NotRequired[int]


@with_config(_LENIENT)
class SymphonyShape(TypedDict):
    """The specification's sections."""

    tracker: NotRequired[TrackerShape]
    polling: NotRequired[PollingShape]
    workspace: NotRequired[WorkspaceShape]
    hooks: NotRequired[HooksShape]
    agent: NotRequired[AgentShape]
    codex: NotRequired[CodexShape]


@with_config(_STRICT)
class RunnerShape(TypedDict):
    """How the agent is started: a program with arguments, or a command line for a shell."""

    kind: NotRequired[Literal["command"]]
    command: Annotated[
        Any,  # a union would blur the place of an error; `config` reads it
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": "\\S"},
                    {"type": "array", "items": {"type": "string"}, "minItems": 1},
                ]
            }
        ),
    ]
    env: NotRequired[Environment]


@with_config(_STRICT)
class CheckoutShape(TypedDict):
    """How a clean checkout is made ready for gates."""

    setup: NotRequired[list[Prose]]
    cache_key: NotRequired[list[Line]]
    include: NotRequired[list[Line]]


@with_config(_STRICT)
class WorktreeShape(TypedDict):
    """Where a new attempt starts: from the last one's salvage, or from the base."""

    retry: NotRequired[Literal["salvage", "clean"]]


@with_config(_STRICT)
class ServesShape(TypedDict):
    """Which work this host takes."""

    workload_classes: NotRequired[list[Name]]
    capabilities: NotRequired[list[Name]]


@with_config(_STRICT)
class HarnessShape(TypedDict):
    """`harness`: what HarnessOS adds to the specification."""

    runner: NotRequired[RunnerShape]
    gates: NotRequired[Annotated[Any, WithJsonSchema(gates_schema())]]  # read by the model
    require_gates: NotRequired[Annotated[bool, Field(description="true in a git repository, false in a plain folder")]]
    max_rejections: NotRequired[Annotated[Count, Field(json_schema_extra={"default": 3})]]
    on_review: NotRequired[Annotated[Literal["review", "reject"], Field(json_schema_extra={"default": "review"})]]
    checkout: NotRequired[CheckoutShape]
    budget: NotRequired[Annotated[Any, WithJsonSchema(budget_schema())]]  # read by the model
    worktree: NotRequired[WorktreeShape]
    target: NotRequired[Line]
    landing: NotRequired[Literal["none"]]
    env: NotRequired[Environment]
    notify: NotRequired[Annotated[list[str], Field(min_length=1)]]
    serves: NotRequired[ServesShape]
    leftovers: NotRequired[Annotated[Literal["commit", "refuse"], Field(json_schema_extra={"default": "commit"})]]
    protect: NotRequired[list[Line]]


SYMPHONY = TypeAdapter(SymphonyShape)
HARNESS = TypeAdapter(HarnessShape)

KNOWN = {
    where: tuple(shape.__annotations__)
    for where, shape in (
        ("harness", HarnessShape),
        ("harness.runner", RunnerShape),
        ("harness.checkout", CheckoutShape),
        ("harness.worktree", WorktreeShape),
        ("harness.serves", ServesShape),
    )
}
"""The fields of our mappings, by path."""
