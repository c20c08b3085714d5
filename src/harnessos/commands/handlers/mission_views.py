"""`harness mission`, the commands that look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app.missions import reporting, views
from harnessos.app.missions.opening import At, found_by_name
from harnessos.app.missions.verbs import renew, renew_if_any
from harnessos.commands.handlers.report import length_ms
from harnessos.commands.output import instant
from harnessos.mission import context as contexts
from harnessos.mission import marks
from harnessos.mission.documents import reading

if TYPE_CHECKING:
    from harnessos.app.missions.views import Shown
    from harnessos.commands.call import Call

_COLUMNS = ("MISSION", "NAME", "STATUS", "NEXT STEP", "RUNS", "FAILURES", "WORKSPACE")


def listing(call: Call) -> None:
    """List the missions."""
    found = views.listing(call.harness, call.args.limit)
    rows = [
        (
            one["identifier"],
            one["name"],
            "paused" if one["paused"] else one["status"],
            one["step"],
            one["runs"],
            one["failures"],
            one["workspace"],
        )
        for one in found
    ]
    call.out.table({"items": found}, _COLUMNS, rows, "no mission; `harness mission new` makes one")


def show(call: Call) -> None:
    """Show everything about one."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, None)
        seen = views.show(at, call.args.limit)
        call.out.show(seen._asdict(), "\n".join(_lines(seen)))


def _lines(seen: Shown) -> list[str]:
    mission, memory = seen.mission, seen.memory
    lines = [
        f"{mission['identifier']}  {mission['name']}  {mission['workspace']}",
        f"  status      {mission['status']}"
        + (f": {mission['blocking_reason']}" if mission["blocking_reason"] else ""),
        f"  breaker     {mission['breaker']}, {mission['failures']} of {mission['max_failures']} failures in a row",
        f"  pointer     {mission['step']}, done in this cycle: {', '.join(mission['steps_done']) or 'none'}",
        f"  runs        {mission['runs']}, {mission['successes']} judged as passed, {mission['faults']} failed",
        f"  next        run {_when(seen, 'mission')}, dream {_when(seen, 'dream')}",
        (
            f"  memory      heartbeat {memory['heartbeat_bytes']} bytes, {memory['topics']} topics "
            f"({memory['topic_bytes'] / 1024:.0f} KB), stream {memory['stream_bytes'] / 1024:.0f} KB, "
            f"{memory['rotated_logs']} rotated"
        ),
    ]
    if seen.live:
        lines.append(
            f"  live        {seen.live['run']}, {seen.live['agent']}, lease until {instant(seen.live['expires_at'])}"
        )
    lines += [
        f"  run #{run['number']:<5}{instant(run['started_at'])}  {run['step']}  {run['told']}" for run in seen.runs
    ]
    lines += [f"  dream       {instant(one['at'])}  {one['id']}  {one['state']}" for one in seen.dreams]
    return lines


def _when(seen: Shown, target: str) -> str:
    at = seen.firings[target]
    if at is None:
        return "not scheduled"
    rests = seen.mission["paused"] or seen.mission["status"] in ("blocked", "mission_complete")
    return "none while it rests" if rests else instant(at)


def report(call: Call) -> None:
    """The morning report."""
    args = call.args
    with At(call.harness, args.workspace) as at:
        renew(at, None)
        found = reporting.gather(at, length_ms(args.since))
        text = reporting.markdown(found) if args.format == "markdown" else reporting.text(found)
        call.out.show(found, text)


def context(call: Call) -> None:
    """Print what a prompt is made of."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, None)
        parts = contexts.gather(at.site, None, call.args.max_tokens)
        document = {"parts": [part._asdict() for part in parts], "order": [part.name for part in parts]}
        call.out.show(document, contexts.joined(parts))


def lint(call: Call) -> int:
    """Look for what is missing in the documents: problems fail, warnings only with --strict."""
    place = marks.resolve(found_by_name(call.harness, call.args.workspace))
    renew_if_any(call.harness, place)
    loaded = reading.load(place)
    document: dict[str, Any] = {
        "problems": [one._asdict() for one in loaded.problems],
        "warnings": [one._asdict() for one in loaded.warnings],
    }
    lines = [one.describe() for one in loaded.problems] + [f"warning: {one.describe()}" for one in loaded.warnings]
    call.out.show(document, "\n".join(lines) or "nothing is missing")
    return 1 if loaded.problems or (call.args.strict and loaded.warnings) else 0
