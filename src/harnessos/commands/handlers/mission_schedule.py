"""`harness mission schedule`: when the mission runs and dreams, for whoever shall see to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.app.missions import scheduling, verbs
from harnessos.app.missions.opening import At
from harnessos.mission.timetable import formats as timetable_formats
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from harnessos.app.missions.scheduling import Timetable
    from harnessos.commands.call import Call
    from harnessos.mission.timetable.formats import Job, Rendered


def schedule(call: Call) -> None:
    """Print both schedules in a format, or register them."""
    args = call.args
    if args.agent is not None and not args.install:
        raise errors.BadUsage("--agent says who runs what is installed", hint="add --install, or leave --agent out")
    with At(call.harness, args.workspace) as at:
        verbs.renew(at, args.session)
        found = scheduling.look(at, args.skill_dir)
        rendered = timetable_formats.render(args.format, found.jobs, found.now)
        for note in found.notes:
            call.out.note(f"note: {note}")
        if args.install:
            for one in scheduling.install(at, found, args.agent):
                call.out.note(f"{one.row['name']}: {one.done}")
            found = scheduling.look(at, args.skill_dir)
            _hint_at_runner(call, at)
        call.out.show(_document(found, rendered), rendered.text)
        if rendered.how:
            call.out.note(rendered.how)


def _hint_at_runner(call: Call, at: At) -> None:
    if at.row()["runner_json"] == "{}":
        call.out.note(
            "`harness up --missions` fires them once the mission has a runner: "
            f"harness mission schedule {at.place} --install --agent KIND"
        )


def _document(found: Timetable, rendered: Rendered) -> dict[str, Any]:
    """Return the answer as a program sees it. Any: texts, numbers and lists."""
    files = {"files": dict(rendered.files)} if rendered.files else {}
    return {"schedules": [_shown(job) for job in found.jobs], "installed": found.installed, **files}


def _shown(job: Job) -> dict[str, Any]:
    entry = job.entry
    times = {"cron": entry.cron} if entry.interval_s is None else {"interval_seconds": entry.interval_s}
    return {
        "name": entry.name,
        "type": entry.type,
        **times,
        "repeat": entry.repeat,
        "expire": entry.expire,
        "timezone": entry.timezone,
        "prompt": entry.prompt,
        "next": [stamp(at) for at in job.upcoming],
    }
