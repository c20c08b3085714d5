"""What the server is and what the ledger holds: capabilities, context, health, and putting things in order."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.app import examining, listing, skills
from harnessos.kernel import escalation, reaping, settling
from harnessos.mcp import schemas
from harnessos.mcp.profiles import PROFILES
from harnessos.model.gate import GateKind
from harnessos.processes import this_process
from harnessos.version import VERSION

if TYPE_CHECKING:
    from harnessos.mcp.actions import Action, Asked

RUNNERS = ("claude", "codex", "gemini")
_REAPED = 32
_FALLEN_DUE = 1000

Document = dict[str, Any]  # Any: JSON


def capabilities(asked: Asked) -> Document:
    """Return what this server can do; of one tool its actions, of one action its precise schema and an example."""
    name, wanted = asked.given.get("tool"), asked.given.get("action_name")
    if name is None:
        return _overview(asked)
    tool = next((one for one in asked.tools if one.name == name), None)
    if tool is None:
        raise errors.UnknownIdentifier(f"there is no tool {name!r} here", hint="capabilities without a tool lists them")
    if wanted is None:
        return {"tool": tool.name, "about": tool.about, "actions": [_line(action) for action in tool.actions]}
    action = tool.action(wanted)
    if action is None:
        raise errors.UnknownIdentifier(
            f"{tool.name} has no action {wanted!r}", hint=f"capabilities of {tool.name} lists them"
        )
    example = {"action": action.name, **action.example}
    return {"tool": tool.name, **_line(action), "schema": schemas.precise(action), "example": example}


def _line(action: Action) -> Document:
    line: Document = {"action": action.name, "purpose": action.purpose, "call": action.signature}
    if action.needs:
        return {**line, "available": False, "reason": action.needs}
    return {**line, "needs_operator": True} if action.persons else line


def _overview(asked: Asked) -> Document:
    options = asked.options
    return {
        "version": VERSION,
        "tools": {
            tool.name: {"about": tool.about, "actions": [action.name for action in tool.actions if not action.needs]}
            for tool in asked.tools
        },
        "unavailable": {
            f"{tool.name} {action.name}": action.needs
            for tool in asked.tools
            for action in tool.actions
            if action.needs
        },
        "profiles": {name: list(tools) for name, tools in PROFILES.items()},
        "profile": options.profile,
        "read_only": options.read_only,
        "acts_as": "operator" if options.operator else "agent",
        "skills": [one.name for one in skills.available()],
        "symphony": {
            "mode": "supervised",
            "runners": {"command": True} | {name: shutil.which(name) is not None for name in RUNNERS},
            "gates": [kind.value for kind in GateKind],
            "max_agents": 4,
        },
        "mem0": {"configured": False, "available": False, "reason": "recall comes with the memory room"},
        "postgresql": find_spec("psycopg") is not None,
        "git": shutil.which("git") is not None,
    }


def context(asked: Asked) -> Document:
    """Return the project, its campaigns and its counts; the projects there are where none is meant."""
    harness = asked.harness
    try:
        key = harness.key(asked.given.get("project"))
    except errors.BadUsage:
        items = harness.read(listing.all_projects)
        return {"project": None, "projects": [{"key": row["key"], "name": row["name"]} for row in items]}
    return {"project": harness.read(listing.project, key), "campaigns": harness.read(listing.campaigns, key)}


def health(asked: Asked) -> Document:
    """Return which invariants do not hold, and what to do about each."""
    found = list(examining.checks(asked.harness, replay=False))
    wrong = [
        {"name": one.name, "says": one.says, "severity": one.severity, "remedy": one.remedy,
         "findings": [f"{finding.subject}: {finding.detail}" for finding in one.findings]}
        for one in found if not one.ok
    ]  # fmt: skip
    return {"ok": not wrong, "checked": len(found), "wrong": wrong}


def reconcile(asked: Asked) -> Document:
    """End what lost its lease, tell what depends on finished work, and escalate what is overdue."""
    harness = asked.harness
    project = harness.project(asked.given.get("project"))
    ended = harness.write(reaping.reap, this_process(), harness.cause, _REAPED)
    settling.drain(harness.store, project["id"], harness.cause)
    late = harness.write(escalation.fall_due, project["id"], harness.cause, _FALLEN_DUE)
    moved = harness.write(settling.promote, project["id"], harness.cause)
    return {"reaped": [issue["identifier"] for issue in ended], "overdue": late, "moved": moved}
