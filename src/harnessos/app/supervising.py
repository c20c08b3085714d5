"""`harness up`: which projects are served, and the supervisor over them until it is done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.app import readiness
from harnessos.dispatch import place as places
from harnessos.dispatch import working
from harnessos.dispatch.selection import Choice, Serving, select
from harnessos.inspector.views import counted
from harnessos.model.run import SUPERVISOR
from harnessos.services import loop, waiting
from harnessos.services.logfile import logged
from harnessos.services.missions import any_driven, serving
from harnessos.services.projects import Served
from harnessos.services.supervisor import Ending, Options, Supervisor

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.dispatch.ground import Ground
    from harnessos.store.transaction import Row, Transaction

Tell = Callable[[Mapping[str, object]], None]
_READY = 200


class Serve(NamedTuple):
    """What `up` was asked: project keys (none: the cwd's, else all on this machine), a workflow file for one, missions."""

    keys: Sequence[str] = ()
    workflow: Path | None = None
    missions: bool = False


def serve(harness: Harness, wanted: Serve, options: Options, tell: Tell, logs: Path | None = None) -> Ending:
    """Serve until done. BadContent (65) when there is nothing to serve. What is told is also kept in a file in `logs`."""
    if logs is not None:
        with logged(logs, tell, harness.clock) as both:
            return serve(harness, wanted, options, both)
    ground = ground_of(harness)
    served = _served(harness, wanted, tell)
    if wanted.missions:
        tell(serving(ground))
    processes.become_subreaper()
    supervisor = Supervisor(ground, served, options, tell, missions=wanted.missions)
    service = waiting.Waiting(supervisor, ground, served, tell) if options.until_idle else supervisor
    asyncio.run(loop.run(service))
    for event in waiting.paused(ground, served):
        tell(event)
    return supervisor.ending()


def _served(harness: Harness, wanted: Serve, tell: Tell) -> list[Served]:
    """Return the projects to serve; none is needed where missions are served and one has a runner."""
    try:
        return projects(harness, wanted, tell)
    except errors.BadContent:
        here = ground_of(harness)
        if wanted.keys or not wanted.missions or not any_driven(here):
            raise
        return []


def ground_of(harness: Harness) -> Ground:
    """Return the ground on which the supervisor acts."""
    return harness.ground._replace(actor=SUPERVISOR)


def projects(harness: Harness, wanted: Serve, tell: Tell) -> list[Served]:
    """Return the projects to serve: those named, else the cwd's, else everything with a workflow on this machine."""
    ground = ground_of(harness)
    registered = harness.settings.registration
    keys = wanted.keys or ([] if registered is None else [registered.project_key])
    if keys:
        rows = [harness.project(key) for key in keys]
        return [_serve(ground, row, wanted.workflow, tell) for row in rows]
    here = ground.store.read(_here, ground.process.machine_id)
    rows = [row for row, path in here if (Path(path) / places.WORKFLOW).is_file()]
    if not rows:
        raise errors.BadContent(
            "there is nothing to serve: no project with a WORKFLOW.md lies on this machine",
            hint="in a repository: `harness init --key KEY --workflow`, which names the agent it finds on PATH",
        )
    return _those_that_can(ground, rows, tell)


def _those_that_can(ground: Ground, rows: Sequence[Row], tell: Tell) -> list[Served]:
    """Serve what can be served of the projects that nobody named; the last problem is raised when none can."""
    found: list[Served] = []
    last: errors.HarnessError | None = None
    for row in rows:
        try:
            found.append(_serve(ground, row, None, tell))
        except errors.BadContent as problem:
            last = problem
            tell({"event": "up.not_served", "project": row["key"], "reason": str(problem)})
    if last is not None and not found:
        raise last
    return found


def _here(tx: Transaction, machine_id: str) -> list[tuple[Row, str]]:
    found = []
    for row in tx.all("project_here", machine_id=machine_id):
        project = tx.one("project_by_id", id=row["project_id"])
        assert project is not None
        found.append((project, row["path"]))
    return found


def _serve(ground: Ground, project: Row, workflow: Path | None, tell: Tell) -> Served:
    found = places.find(ground, project, load=False)
    if not (workflow or found.root / places.WORKFLOW).is_file():
        raise errors.BadWorkflow(
            f"{workflow or found.root / places.WORKFLOW} is not there, so no agent can be started for {project['key']}",
            hint=f"`harness init {found.root} --key {project['key']} --workflow` writes a first one, with the agent it finds "
            "on PATH; where there is none, name one in it",
        )
    served = Served(ground, project, workflow)
    problem = served.problem()
    if problem is not None:
        raise errors.BadWorkflow(f"nothing can be started for {project['key']}: {problem}", hint=_way_out(served))
    _warn_of_changes(served, tell)
    for text in readiness.missing(served.place):
        tell({"event": "up.not_ready", "project": project["key"], "reason": text})
    return served


def _way_out(served: Served) -> str:
    """Return what helps a project that nothing can be started for, in the order in which `problem` looks."""
    workflow, key = served.place.workflow, served.project["key"]
    if workflow is None or workflow.harness.runner is None:
        file = workflow.path if workflow else served.place.root / places.WORKFLOW
        example = json.dumps(["claude", "-p"])
        return f"name an agent in {file}, which `harness init` leaves as it is: `runner: {{kind: command, command: {example}}}` below `harness:`"
    if workflow.tracker.kind != "harness":
        return f"`tracker: {{kind: harness}}` in {workflow.path} takes the issues from this ledger"
    if workflow.unready:
        return f"set it in the environment of `harness up`, or change {workflow.path}"
    return f"look at {workflow.path} and the plan's gates, then `harness project trust {key}`"


def _warn_of_changes(served: Served, tell: Tell) -> None:
    """Say that what is not committed in the operator's checkout is not in the base that agents start from."""
    if not served.place.is_git:
        return
    from harnessos import worktrees

    state = worktrees.status(served.place.root)
    if not state.clean:
        count = len(state.staged) + len(state.unstaged) + len(state.untracked)
        tell(
            {
                "event": "up.uncommitted_changes",
                "project": served.project["key"],
                "paths": count,
                "reason": f"{counted(count, 'uncommitted change')} in {served.place.root} "
                f"{'is' if count == 1 else 'are'} not in the base agents start from",
            }
        )


def dry_run(harness: Harness, wanted: Serve, options: Options, tell: Tell) -> dict[str, list[Choice]]:
    """Return, by project, what a tick would start now and why not the rest. Changes nothing."""
    ground = ground_of(harness)
    choices = {}
    for served in projects(harness, wanted, tell):
        full = working.full_disk(ground, served.place)
        if full:
            tell({"event": "up.not_ready", "project": served.project["key"], "reason": full})
        most = options.max_agents or served.max_agents
        ready, serving = ground.store.read(_situation, ground, served, most)
        choices[served.project["key"]] = select(ready, serving)
    return choices


def _situation(tx: Transaction, ground: Ground, served: Served, most: int) -> tuple[list[Row], Serving]:
    project = served.project["id"]
    slots = tx.all("slot_taken", machine_id=ground.process.machine_id, project=project)
    taken = sum(row["project_id"] == project for row in slots)
    holds = tx.all("hold_active", project=project, provider=served.provider, now=tx.now)
    held = tx.all("run_files_held", project=project)
    serving = Serving(
        most - taken,
        served.classes,
        served.capabilities,
        [hold["reason"] for hold in holds],
        [row["path"] for row in held],
        tx.now,
    )
    return tx.all("issue_ready_list", project=project, most=_READY), serving


def line(event: Mapping[str, object]) -> str:
    """Return one event as a line for people."""
    data = event.get("data")
    facts = dict(data) if isinstance(data, Mapping) else {k: v for k, v in event.items() if k not in ("event", "at")}
    facts.pop("set", None)
    if event["event"] == "up.uncommitted_changes":
        facts.pop("paths", None)  # the reason says how many
    shown = " ".join(f"{name}={_short(value)}" for name, value in facts.items() if value not in (None, "", [], {}))
    words = (str(event.get("at", ""))[11:19], event.get("issue") or event.get("project"), event["event"], shown)
    return " ".join(str(word) for word in words if word)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 120 else text[:119] + "…"
