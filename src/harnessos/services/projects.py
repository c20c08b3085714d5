"""A project as the supervisor serves it: its place, and its workflow reloaded whenever the file changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.dispatch import place as places
from harnessos.workflow.source import WorkflowSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.services.reporting import Reporter
    from harnessos.store.transaction import Row
    from harnessos.workflow.values import Workflow


class Served:
    """A project and the newest good version of its WORKFLOW.md."""

    def __init__(self, ground: Ground, project: Row, workflow: Path | None = None) -> None:
        self.project = project
        found = places.find(ground, project, load=False)
        self._source = WorkflowSource(
            workflow or found.root / places.WORKFLOW, ground.clock, ground.environ, ground.home
        )
        loaded = self._source.current()
        self._error = loaded.error
        self.place: Place = found._replace(workflow=loaded.workflow)
        self._ground = ground

    def refresh(self, reporter: Reporter) -> None:
        """Look at the workflow file and at who trusts the project; an invalid edit is told once and changes nothing."""
        loaded = self._source.current()
        if loaded.error is not None and str(loaded.error) != str(self._error):
            reporter.say("workflow.invalid", project=self.project["key"], problem=str(loaded.error))
        if loaded.workflow.digest != self._workflow.digest:
            reporter.say("workflow.reloaded", project=self.project["key"], digest=loaded.workflow.digest[:12])
        self._error = loaded.error
        trusted = places.find(self._ground, self.project, load=False).trusted
        self.place = self.place._replace(workflow=loaded.workflow, trusted=trusted)

    @property
    def _workflow(self) -> Workflow:
        assert self.place.workflow is not None
        return self.place.workflow

    def problem(self) -> str | None:
        """Return why nothing can be dispatched now, None when it can."""
        if self._workflow.harness.runner is None:
            return "WORKFLOW.md names no runner (harness.runner.command)"
        if self._workflow.tracker.kind != "harness":
            return f"the tracker {self._workflow.tracker.kind} is not available yet"
        if self._workflow.unready:
            return "; ".join(self._workflow.unready)
        if not self.place.trusted:
            return f"the project is not trusted here: `harness project trust {self.project['key']}`"
        return None

    @property
    def max_agents(self) -> int:
        """How many agents may work at once: the workflow's limit, and that for issues in progress."""
        agent = self._workflow.agent
        return min(agent.max_concurrent_agents, agent.by_state.get("in_progress", agent.max_concurrent_agents))

    @property
    def poll_s(self) -> float:
        """Seconds after which the project is looked at even when the ledger tells of no change (SYM-8.1)."""
        return self._workflow.polling_interval_ms / 1000

    @property
    def classes(self) -> Sequence[str] | None:
        """The workload classes served; None serves every class."""
        return self._workflow.harness.workload_classes or None

    @property
    def capabilities(self) -> Sequence[str]:
        """The capabilities this machine offers to the project."""
        return self._workflow.harness.capabilities

    @property
    def provider(self) -> str:
        """The account that a quota wall concerns: the runner's program on this machine."""
        runner = self._workflow.harness.runner
        if runner is None:
            return ""
        word = runner.argv[0] if runner.argv else (runner.shell or "").split(" ", 1)[0]
        return f"{Path(word).name}@{self._ground.process.machine_id}"

    @property
    def agent(self) -> str:
        """The name runs are recorded under."""
        return self.provider.partition("@")[0] or "command"
