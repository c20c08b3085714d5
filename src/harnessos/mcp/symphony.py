"""`harness_symphony`: reading a workflow, compiling a plan, and one look or many of the supervisor.

The supervisor runs as a process of its own: it outlives no client that left, and blocks no other call.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from harnessos import errors, processes
from harnessos.plans.slices import compiled

if TYPE_CHECKING:
    from harnessos.mcp.actions import Asked

LONGEST_S = 24 * 3600.0
_EVERY = 100
"""Looks of the twentieth of a second between two words of progress."""
_KEPT = 20

Document = dict[str, Any]  # Any: JSON


def workflow(asked: Asked) -> Document:
    """Return what the project's WORKFLOW.md declares. BadWorkflow says what is wrong with it."""
    from harnessos.workflow.load import load_workflow

    harness = asked.harness
    root = harness.place(harness.project(asked.given.get("project")))
    if root is None:
        raise errors.Refused(
            "the project does not lie on this machine", hint="`harness project show` says where it does"
        )
    found = load_workflow(root / "WORKFLOW.md", harness.environ, harness.settings.home)
    ours = found.harness
    return {
        "path": str(root / "WORKFLOW.md"),
        "runner": ours.runner.kind if ours.runner else None,
        "gates": [{"name": gate.name, "kind": gate.kind.value, "required": gate.required} for gate in ours.gates],
        "max_concurrent_agents": found.agent.max_concurrent_agents,
        "max_turns": found.agent.max_turns,
        "max_rejections": ours.max_rejections,
        "budget": dict(ours.budget),
    }


def compile_plan(asked: Asked) -> Document:
    """Turn slices into the milestones that plan_issues takes; nothing is written."""
    return {"milestones": compiled(asked.given["milestones"], asked.given["slices"])}


def tick(asked: Asked) -> Document:
    """Start what is ready, and wait for its end."""
    return _up(asked, "--once")


def until_idle(asked: Asked) -> Document:
    """Serve until nothing is left to do."""
    return _up(asked, "--until-idle", "--max-wait", asked.given.get("max_wait", "10m"))


def _up(asked: Asked, *words: str) -> Document:
    harness = asked.harness
    key = harness.project(asked.given.get("project"))["key"]
    looks = 0

    def left() -> bool:
        nonlocal looks
        looks += 1
        if looks % _EVERY == 0:
            asked.hooks.tell("the supervisor works")
        return asked.hooks.gone.is_set()

    env = {
        name: value
        for name, value in harness.environ.items()
        if name not in ("HARNESS_RUN_ID", "HARNESS_SESSION_TOKEN")
    }
    env |= {"HARNESS_STORE": harness.settings.store_url, "HARNESS_HOME": str(harness.settings.home)}
    argv = [sys.executable, "-m", "harnessos", "up", "--project", key, "--json", *words]
    done = processes.run(argv, cwd=harness.settings.home, env=env, timeout=LONGEST_S, stop=left)
    if done.ended_by is processes.EndedBy.STOPPED:
        raise errors.Refused("the supervisor was stopped: the call was cancelled", hint="its runs were handed back")
    events = _events(done.output)
    if done.exit_code not in (0, 1, 75) or not events:
        raise _failure(done.errors)
    return {"exit_code": done.exit_code, "ended": events[-1], "events": len(events), "last": events[-_KEPT:-1]}


def _events(output: bytes) -> list[Document]:
    found = []
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the first line, where the output was too long to be kept
        if isinstance(event, dict):
            found.append(event)
    return found


def _failure(told: bytes) -> errors.HarnessError:
    """Return the error a supervisor ended with, as it said it."""
    for line in reversed(told.splitlines()):
        try:
            said = json.loads(line)["error"]
            return errors.Refused(str(said["message"]), hint=str(said["hint"]), supervisor=str(said["code"]))
        except (ValueError, LookupError, TypeError):
            continue
    return errors.ToolProblem("the supervisor ended without an answer", hint="`harness up --once` shows what it says")
