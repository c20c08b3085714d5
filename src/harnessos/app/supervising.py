"""`harness up`: which projects are served, and the supervisor over them until it is done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.dispatch import place as places
from harnessos.dispatch.selection import Choice, Serving, select
from harnessos.model.run import SUPERVISOR
from harnessos.services import loop
from harnessos.services.logfile import logged
from harnessos.services.projects import Served
from harnessos.services.supervisor import Ending, Options, Supervisor

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.dispatch.ground import Ground
    from harnessos.store.transaction import Row, Transaction

Tell = Callable[[Mapping[str, object]], None]
_READY = 200


class Serve(NamedTuple):
    """What `up` was asked: project keys (none: the cwd's, else all on this machine) and a workflow file for one."""

    keys: Sequence[str] = ()
    workflow: Path | None = None


def serve(harness: Harness, wanted: Serve, options: Options, tell: Tell, logs: Path | None = None) -> Ending:
    """Serve until done. BadContent (65) when there is nothing to serve. What is told is also kept in a file in `logs`."""
    if logs is not None:
        with logged(logs, tell, harness.clock) as both:
            return serve(harness, wanted, options, both)
    served = projects(harness, wanted, tell)
    processes.become_subreaper()
    supervisor = Supervisor(ground_of(harness), served, options, tell)
    asyncio.run(loop.run(supervisor))
    return supervisor.ending()


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
            hint="in a repository: `harness init --key KEY --workflow`",
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
            hint=f"`harness init {found.root} --key {project['key']} --workflow` writes a first one",
        )
    served = Served(ground, project, workflow)
    problem = served.problem()
    if problem is not None:
        raise errors.BadWorkflow(
            f"nothing can be started for {project['key']}: {problem}",
            hint="`harness init --workflow` writes a WORKFLOW.md with a runner; `harness project trust KEY` trusts one",
        )
    _warn_of_changes(served, tell)
    return served


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
                "reason": f"{count} uncommitted changes in {served.place.root} are not in the base agents start from",
            }
        )


def dry_run(harness: Harness, wanted: Serve, options: Options, tell: Tell) -> dict[str, list[Choice]]:
    """Return, by project, what a tick would start now and why not the rest. Changes nothing."""
    ground = ground_of(harness)
    choices = {}
    for served in projects(harness, wanted, tell):
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
    shown = " ".join(f"{name}={_short(value)}" for name, value in facts.items() if value not in (None, "", [], {}))
    words = (str(event.get("at", ""))[11:19], event.get("issue") or event.get("project"), event["event"], shown)
    return " ".join(str(word) for word in words if word)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 120 else text[:119] + "…"
