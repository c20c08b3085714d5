"""Whether a mission may run now, decided from facts alone, and what to say about it.

The words mission_complete, blocked, tripped, stuck and `Workspace is ready` are the founding document's: agents look
for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.model.instants import DAY_MS, stamp
from harnessos.model.mission import Mission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.mission.documents.problems import Problem
    from harnessos.model.mission import Standing

READY = 0
COMPLETE = 10
BLOCKED = 11
NOT_READY = 12
RUNNING = 13
DREAM_OVERDUE_MS = 2 * DAY_MS


class Tool(NamedTuple):
    """What probing a tool of the playbook gave; `present` is None where there is no probe."""

    name: str
    role: str
    present: bool | None
    required: bool
    detail: str = ""


class Facts(NamedTuple):
    """All that boot looks at.

    `problems` keep the mission from running, `warnings` do not. `running` is the live run's id, and `own` whether the
    caller holds it. `stuck` says that a run was ended just now because its lease had run out. `dreams` is whether a
    dream schedule is known; `dreamt_at` and `born` are instants.
    """

    standing: Standing
    workspace: str
    now: int
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    tools: Sequence[Tool] = ()
    strays: Sequence[str] = ()
    running: str | None = None
    own: bool = False
    held: bool = False
    stuck: bool = False
    dreams: bool = False
    dreamt_at: int | None = None
    born: int = 0
    notes: Sequence[str] = ()
    cancelled: bool = False


class Boot(NamedTuple):
    """The exit code, one sentence for it, and further lines: what is wrong, what to know, what to do."""

    code: int
    sentence: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    todo: str


def decide(facts: Facts) -> Boot:
    """Return what boot says. The first that holds wins: cancelled, complete, blocked or tripped, running, not ready, ready."""
    notes = _notes(facts)
    problems = _problems(facts)
    was, place = facts.standing, facts.workspace
    if facts.cancelled:
        todo = f"Stop here: `harness mission reset {place}` begins it anew, a person's to do"
        return Boot(BLOCKED, "blocked: the mission was cancelled", (), notes, todo)
    if was.status == Mission.MISSION_COMPLETE:
        return Boot(COMPLETE, "mission_complete: there is nothing left to do. Stop here.", (), notes, "")
    lift = f"Stop here and wait for a person: `harness mission resume {place}`"
    if was.breaker == "tripped":
        why = f"Circuit Breaker tripped: {was.failures} failures in a row. The mission is blocked."
        return Boot(BLOCKED, why, (), notes, lift)
    if was.status == Mission.BLOCKED:
        return Boot(BLOCKED, f"blocked: {was.blocking_reason or 'no reason was given'}", (), notes, lift)
    if facts.held:
        return Boot(BLOCKED, "blocked: a person paused the mission", (), notes, lift)
    if facts.running and not facts.own:
        todo = "Stop here: the run that holds the mission ends by itself, or its lease runs out."
        return Boot(RUNNING, f"running already (run {facts.running})", (), notes, todo)
    if problems:
        todo = f"Mend what is listed, then `harness mission boot {place}` again"
        return Boot(NOT_READY, f"Workspace is not ready: {len(problems)} to mend", problems, notes, todo)
    if facts.own:
        return Boot(READY, f"Workspace is ready: run {facts.running} is yours", (), notes, f"Go on at {was.step}")
    first = "" if was.runs else " Nothing has run yet: begin the first run now, do not wait for the schedule."
    return Boot(READY, "Workspace is ready, execution can start." + first, (), notes, _begin(place, was.step))


def _begin(place: str, step: str) -> str:
    return f"`harness mission start {place}`, then read heartbeat.md and go on at {step}"


def _problems(facts: Facts) -> tuple[str, ...]:
    missing = [
        f"tool {tool.name} is required and missing{f': {tool.detail}' if tool.detail else ''}"
        for tool in facts.tools
        if tool.required and tool.present is False
    ]
    return (*(problem.describe() for problem in facts.problems), *missing)


def _notes(facts: Facts) -> tuple[str, ...]:
    notes = list(facts.notes)
    if facts.stuck:
        notes.append("stuck: the last run's lease had run out without a word; it was ended and counts as a failure")
    notes += [
        f"{path} is not read: heartbeat.md and progress.md live in the workspace's root only" for path in facts.strays
    ]
    notes += [f"warning: {warning.describe()}" for warning in facts.warnings]
    notes += [
        f"warning: tool {tool.name} is missing, it is optional"
        for tool in facts.tools
        if tool.present is False and not tool.required
    ]
    if dream_is_missing(facts):
        last = "none ran yet" if facts.dreamt_at is None else f"the last one ran at {stamp(facts.dreamt_at)}"
        notes.append(
            f"warning: no dream is scheduled and {last}; memory will bloat: `harness mission schedule {facts.workspace} --install`"
        )
    return tuple(notes)


def dream_is_missing(facts: Facts) -> bool:
    """Return whether nobody dreams here: no schedule is known, and none ran for 48 hours (rule 11)."""
    if facts.dreams:
        return False
    return facts.now - max(facts.dreamt_at or 0, facts.born) >= DREAM_OVERDUE_MS
