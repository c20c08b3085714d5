"""What a loaded WORKFLOW.md says, as values. Times are milliseconds where the name ends in `_ms`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harnessos.model.amounts import Budget
    from harnessos.model.gate import Gate

ErrorKind = Literal[
    "missing_workflow_file",
    "workflow_parse_error",
    "workflow_front_matter_not_a_map",
    "workflow_config_error",
    "template_parse_error",
    "template_render_error",
]
"""The specification's classes of error, and `workflow_config_error` for a value that is wrong."""


class Tracker(NamedTuple):
    """Where issues come from. `provider` belongs to the adapter and is kept as it is; states None: its own default."""

    kind: str
    provider: Mapping[str, object]
    required_labels: tuple[str, ...]
    active_states: tuple[str, ...] | None
    terminal_states: tuple[str, ...] | None
    raw: Mapping[str, object]


class Hooks(NamedTuple):
    """Shell scripts around a run; each is killed after `timeout_ms`."""

    after_create: str | None
    before_run: str | None
    after_run: str | None
    before_remove: str | None
    timeout_ms: int


class Agent(NamedTuple):
    """Limits of agents; `by_state` maps trimmed, lower-case state names to how many may run in that state."""

    max_concurrent_agents: int
    max_turns: int
    max_retry_backoff_ms: int
    by_state: Mapping[str, int]


class Runner(NamedTuple):
    """How the agent is started: exactly one of `argv` and `shell` (a command line) is set."""

    kind: str
    argv: tuple[str, ...] | None
    shell: str | None


class Checkout(NamedTuple):
    """How a clean checkout is made ready for gates."""

    setup: tuple[str, ...] = ()
    cache_key: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


class Harness(NamedTuple):
    """Our own section. `env` is resolved; `runner` None means that nothing can be started from here."""

    runner: Runner | None
    gates: tuple[Gate, ...]
    require_gates: bool | None
    max_rejections: int
    on_review: Literal["review", "reject"]
    checkout: Checkout
    budget: Budget
    retry: Literal["salvage", "clean"]
    target: str | None
    env: Mapping[str, str]
    notify: tuple[str, ...] | None
    workload_classes: tuple[str, ...]
    capabilities: tuple[str, ...]
    leftovers: Literal["commit", "refuse"]
    protect: tuple[str, ...]


class Workflow(NamedTuple):
    """One version of a WORKFLOW.md.

    `digest` is the SHA-256 of the file, `prompt` the trimmed body or the default one, `prompt_line` where it begins.
    `unready` are sentences about the environment (a `$VAR` that is not set): gates can be read all the same, but
    nothing may be dispatched. `codex` and `raw` are passed through.
    """

    path: Path
    digest: str
    tracker: Tracker
    polling_interval_ms: int
    workspace_root: Path
    hooks: Hooks
    agent: Agent
    codex: Mapping[str, object]
    harness: Harness
    prompt: str
    prompt_line: int
    unready: tuple[str, ...]
    raw: Mapping[str, object]
