"""`harness up`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.app import supervising
from harnessos.app.supervising import Serve
from harnessos.commands.output import clean, dumps
from harnessos.services.supervisor import Ending, Options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.commands.call import Call

STOPPED = 75
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000}


def up(call: Call) -> int:
    """Serve projects until idle, until once through, or until a signal."""
    args = call.args
    if args.max_agents is not None and args.max_agents < 1:
        raise errors.BadUsage(f"--max-agents {args.max_agents} would start nobody", hint="name at least 1")
    wanted = Serve(args.project, _named(args.workflow), args.missions)
    options = Options(args.until_idle, args.once, duration(args.max_wait), args.max_agents)
    if args.dry_run:
        return _dry_run(call, wanted, options)
    try:
        ending = _serve(call, wanted, options)
        _summary(call, ending)
    except BrokenPipeError:
        # Whoever read the events has gone: the runs were handed back, and there may be more to do. That is no success.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED
    return ending.exit_code


def _named(workflow: str | None) -> Path | None:
    """Return the workflow file that the caller names, None without one. NotAFile when it is none."""
    if workflow is None:
        return None
    path = Path(workflow)
    if not path.is_file():
        problem = "is no regular file" if path.exists() else "No such file or directory"
        raise errors.NotAFile(f"{path}: {problem}", hint="name a WORKFLOW.md, or none to take the project's own")
    return path


def _serve(call: Call, wanted: Serve, options: Options) -> Ending:
    logs = Path(call.args.logs_root) if call.args.logs_root else None
    if call.out.json or not sys.stdout.isatty():
        return supervising.serve(call.harness, wanted, options, teller(json=call.out.json), logs)
    from harnessos.commands.live import LiveTable

    with LiveTable() as table:
        return supervising.serve(call.harness, wanted, options, table.tell, logs)


def teller(*, json: bool) -> supervising.Tell:
    """Return what prints each event: a JSON object a line, or a line for people."""

    def tell(event: Mapping[str, object]) -> None:
        print(dumps(event) if json else clean(supervising.line(event), line=True), flush=True)

    return tell


def _summary(call: Call, ending: Ending) -> None:
    document = {
        "event": "up.ended",
        "exit_code": ending.exit_code,
        "failed": ending.failed,
        "waiting": ending.waiting,
        "timers": ending.timers,
    }
    words = {0: "done", 1: "something failed", 75: "stopped; there is more to do later"}[ending.exit_code]
    lines = [words]
    lines += [f"  failed: {identifier} (harness why {identifier})" for identifier in ending.failed]
    lines += [f"  waits for you: {command}" for command in ending.waiting]
    call.out.show(document, "\n".join(lines))


def _dry_run(call: Call, wanted: Serve, options: Options) -> int:
    told: list[Mapping[str, object]] = []
    choices = supervising.dry_run(call.harness, wanted, options, told.append if call.out.json else teller(json=False))
    document = {
        "warnings": told,
        "projects": {
            key: [{"identifier": c.identifier, "start": c.start, "reason": c.reason} for c in found]
            for key, found in choices.items()
        },
    }
    rows = [
        [key, c.identifier, "start" if c.start else "wait", c.reason, c.task]
        for key, found in choices.items()
        for c in found
    ]
    call.out.table(document, ("project", "issue", "would", "reason", "task"), rows, "nothing is ready")
    return 0


def duration(text: str) -> int:
    """Return a time such as 90s, 10m or 2h in milliseconds."""
    found = re.fullmatch(r"(\d+)([smh])", text)
    if found is None:
        raise errors.BadUsage(f"{text!r} is no time", hint="write it like 90s, 10m or 2h")
    return int(found[1]) * _UNITS[found[2]]
