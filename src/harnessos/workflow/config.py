"""Front matter to values: defaults, then `$VAR`, then limits; every problem with its key and line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from harnessos.documents.shapes import shape_problems
from harnessos.documents.tree import Problem, join, line_of, split_problem
from harnessos.model.amounts import parse_budget
from harnessos.model.fields import path_problem
from harnessos.model.gate import parse_gates
from harnessos.workflow.expand import expand_path, expand_value
from harnessos.workflow.shape import HARNESS, KNOWN, SYMPHONY, HarnessShape, RunnerShape, SymphonyShape
from harnessos.workflow.values import Agent, Checkout, Harness, Hooks, Runner, Tracker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harnessos.model.amounts import Budget
    from harnessos.model.gate import Gate

Shape = TypeVar("Shape")

SECTIONS = ("tracker", "polling", "workspace", "hooks", "agent", "codex")
LATER_RUNNERS = ("codex", "claude", "acp")
LATER_LANDINGS = ("merge", "pr")
CODEX_DEFAULTS: Mapping[str, object] = {
    "command": "codex app-server",
    "turn_timeout_ms": 3_600_000,
    "read_timeout_ms": 5_000,
    "stall_timeout_ms": 300_000,
}


class Settings(NamedTuple):
    """Everything of a Workflow that its front matter decides."""

    tracker: Tracker
    polling_interval_ms: int
    workspace_root: Path
    hooks: Hooks
    agent: Agent
    codex: Mapping[str, object]
    harness: Harness
    unready: tuple[str, ...]


def parse_config(
    tree: Mapping[str, object], folder: Path, environ: Mapping[str, str], home: Path
) -> tuple[Settings, list[Problem]]:
    """Return the settings and what is wrong with them. `folder` holds WORKFLOW.md, `home` is HARNESS_HOME.

    With problems the settings hold defaults in the places that are wrong and are not to be used.
    """
    reader = _Reader(tree, environ)
    common = reader.shape(
        SYMPHONY, {name: _without_nothing(tree[name]) for name in SECTIONS if tree.get(name) is not None}
    )
    ours = reader.shape(HARNESS, {} if tree.get("harness") is None else tree["harness"], "harness")
    settings = Settings(
        tracker=_tracker(common),
        polling_interval_ms=common.get("polling", {}).get("interval_ms", 30_000),
        workspace_root=reader.root(common.get("workspace", {}).get("root"), folder, home),
        hooks=_hooks(common),
        agent=_agent(common),
        codex={**CODEX_DEFAULTS, **common.get("codex", {})},
        harness=reader.harness(ours),
        unready=tuple(reader.unready),
    )
    problems = [found._replace(line=found.line or line_of(tree, found.where)) for found in reader.problems]
    return settings, sorted(problems, key=lambda found: found.line or 0)


def _without_nothing(section: object) -> object:
    """Drop keys with nothing behind them: in the specification's sections that means the default."""
    return {key: value for key, value in section.items() if value is not None} if isinstance(section, dict) else section


def _tracker(common: SymphonyShape) -> Tracker:
    given = common.get("tracker", {})
    active, terminal = given.get("active_states"), given.get("terminal_states")
    return Tracker(
        kind=given.get("kind", "harness"),
        provider=given.get("provider", {}),
        required_labels=tuple(label.strip().lower() for label in given.get("required_labels", ())),
        active_states=None if active is None else tuple(active),
        terminal_states=None if terminal is None else tuple(terminal),
        raw=dict(given),
    )


def _hooks(common: SymphonyShape) -> Hooks:
    given = common.get("hooks", {})
    return Hooks(
        after_create=given.get("after_create"),
        before_run=given.get("before_run"),
        after_run=given.get("after_run"),
        before_remove=given.get("before_remove"),
        timeout_ms=given.get("timeout_ms", 60_000),
    )


def _agent(common: SymphonyShape) -> Agent:
    given = common.get("agent", {})
    by_state = given.get("max_concurrent_agents_by_state", {})
    return Agent(
        max_concurrent_agents=given.get("max_concurrent_agents", 4),
        max_turns=given.get("max_turns", 20),
        max_retry_backoff_ms=given.get("max_retry_backoff_ms", 300_000),
        by_state={
            state.strip().lower(): count
            for state, count in by_state.items()
            if state.strip() and isinstance(count, int) and not isinstance(count, bool) and count > 0
        },
    )


class _Reader:
    """Reads sections and keeps every problem, and what the environment lacks."""

    def __init__(self, tree: Mapping[str, object], environ: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self.unready: list[str] = []
        self._tree = tree
        self._environ = environ

    def shape(self, adapter: TypeAdapter[Shape], raw: object, where: str = "") -> Shape:
        """Return `raw` in its shape; of a broken one the sound keys, so that the others are checked all the same."""
        raw = self._without_later(raw) if where == "harness" else raw
        try:
            return adapter.validate_python(raw)
        except ValidationError as error:
            self.problems += shape_problems(error, where, KNOWN)
            broken = {detail["loc"][0] for detail in error.errors(include_url=False) if detail["loc"]}
            sound = {key: value for key, value in raw.items() if key not in broken} if isinstance(raw, dict) else {}
            return cast("Shape", sound)

    def _without_later(self, raw: object) -> object:
        """Refuse by name what a later version brings, and take it out."""
        if not isinstance(raw, dict):
            return raw
        raw = dict(raw)
        runner = raw.get("runner")
        if isinstance(runner, dict) and runner.get("kind") in LATER_RUNNERS:
            self._problem("harness.runner.kind", f"{runner['kind']} is not available yet, use `command`")
            del raw["runner"]
        if raw.get("landing") in LATER_LANDINGS:
            self._problem("harness.landing", f"{raw['landing']} is not available yet, merge the branch yourself")
            del raw["landing"]
        return raw

    def _problem(self, where: str, sentence: str) -> None:
        self.problems.append(Problem(where, sentence))

    def root(self, given: str | None, folder: Path, home: Path) -> Path:
        """Return where worktrees lie."""
        if given is None:
            return home / "worktrees"
        root, missing = expand_path(given, folder, self._environ)
        self._missing("workspace.root", missing)
        return root

    def _missing(self, where: str, names: tuple[str, ...]) -> None:
        line = line_of(self._tree, where)
        place = f"line {line}: {where}" if line else where
        self.unready += [f"{place}: ${name} is not set or empty in the environment" for name in names]

    def harness(self, given: HarnessShape) -> Harness:
        """Return our section."""
        runner = given.get("runner")
        env = self._env(given.get("env", {}), "harness.env")
        if runner is not None:
            env |= self._env(runner.get("env", {}), "harness.runner.env")
        checkout, serves, notify = given.get("checkout", {}), given.get("serves", {}), given.get("notify")
        return Harness(
            runner=None if runner is None else self._runner(runner),
            gates=self._gates(given.get("gates")),
            require_gates=given.get("require_gates"),
            max_rejections=given.get("max_rejections", 3),
            on_review=given.get("on_review", "review"),
            checkout=Checkout(
                tuple(checkout.get("setup", ())),
                self._paths(checkout.get("cache_key", ()), "harness.checkout.cache_key"),
                self._paths(checkout.get("include", ()), "harness.checkout.include"),
            ),
            budget=self._budget(given["budget"]) if "budget" in given else {},
            retry=given.get("worktree", {}).get("retry", "salvage"),
            target=self._target(given.get("target")),
            env=env,
            notify=None if notify is None else self._argv(notify, "harness.notify"),
            workload_classes=tuple(serves.get("workload_classes", ())),
            capabilities=tuple(sorted(set(serves.get("capabilities", ())))),
            leftovers=given.get("leftovers", "commit"),
            protect=self._paths(given.get("protect", ()), "harness.protect"),
        )

    def _runner(self, given: RunnerShape) -> Runner | None:
        where = "harness.runner.command"
        command = given.get("command")
        if isinstance(command, str) and command.strip():
            return Runner("command", None, command)
        if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
            return Runner("command", self._argv(command, where), None)
        self._problem(where, "must be a command line, or a list of a program and its arguments")
        return None

    def _argv(self, words: list[str], where: str) -> tuple[str, ...]:
        if not words[0].strip():
            self._problem(f"{where}[0]", "must name a program")
        return tuple(words)

    def _gates(self, given: object) -> tuple[Gate, ...]:
        said: list[str] = []
        gates = parse_gates(given, "harness.gates", said)
        self.problems += [split_problem(self._tree, text) for text in said]
        return gates

    def _budget(self, given: object) -> Budget:
        said: list[str] = []
        budget = parse_budget(given, "harness.budget", said)
        self.problems += [split_problem(self._tree, text) for text in said]
        return budget

    def _paths(self, given: list[str] | tuple[str, ...], where: str) -> tuple[str, ...]:
        for at, text in enumerate(given):
            if complaint := path_problem(text):
                self._problem(join(where, at), complaint)
        return tuple(given)

    def _target(self, given: str | None) -> str | None:
        if given is not None and (given.startswith("-") or ".." in given or set(given) & set(" ~^:?*[\\")):
            self._problem("harness.target", "must be the name of a branch")
        return given

    def _env(self, given: Mapping[str, str], where: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, text in given.items():
            if name.startswith("HARNESS_"):
                self._problem(join(where, name), "names that begin with HARNESS_ are set by the harness")
            value = expand_value(text, self._environ)
            self._missing(join(where, name), value.missing)
            if not value.missing:
                found[name] = value.text
        return found
