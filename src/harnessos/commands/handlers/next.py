"""`harness next`."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.app import holders
from harnessos.inspector import next_action, views
from harnessos.inspector.views import Host

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.commands.call import Call
    from harnessos.inspector.next_action import NextAction
    from harnessos.store.transaction import Row


def show(call: Call) -> None:
    """Say what to do next in a project, and with which command."""
    found = same_store(call, _find(call))
    command = shlex.join(found.payload["command"])
    who = " (for a person)" if found.payload["needs"] == "operator" else ""
    lines = [found.reason, f"  {command}{who}"]
    if "supervised" in found.payload:
        lines = [found.reason, f"  {shlex.join(found.payload['supervised'])}", f"  or by hand: {command}"]
    call.out.show(views.document(found), "\n".join(lines))


def same_store(call: Call, found: NextAction) -> NextAction:
    """Return the action with the ledger that was named here named in its command too."""
    if not call.args.store:
        return found
    words = {name: argv for name, argv in found.payload.items() if name in ("command", "supervised")}
    named = {name: [*argv, "--store", call.args.store] for name, argv in words.items()}
    return found._replace(payload={**found.payload, **named})


def _find(call: Call) -> NextAction:
    args, harness = call.args, call.harness
    host = Host(classes=tuple(args.workload_class) or None, capabilities=tuple(args.capability))
    try:
        harness.read(_nothing)
        if not args.project and harness.settings.project_key is None:
            return next_action.unregistered(str(harness.settings.cwd), _key(call))
        project = harness.project(args.project)
        host = host._replace(runner=_may_supervise(harness, project))
        found = harness.read(next_action.query, project, host)
        if found.action in ("reap", "idle"):
            # Who this machine is costs a look at the system, and matters only for what it may still hold itself.
            found = harness.read(next_action.query, project, _here(harness, host))
    except errors.StoreUnavailable as problem:
        return next_action.store_problem(problem, _key(call))
    return found


def _nothing(_: object) -> None:
    """Open the ledger: a problem with it comes before every question about a project."""


def _may_supervise(harness: Harness, project: Row) -> bool:
    """Return whether to propose a supervisor: never to an agent, which works at its own issue."""
    return harness.actor.kind == "operator" and holders.has_runner(harness, project)


def _here(harness: Harness, host: Host) -> Host:
    from harnessos.processes.identity import boot_id, machine_id

    return host._replace(machine_id=machine_id(), boot_id=boot_id(), dead=holders.dead(harness))


def _key(call: Call) -> str:
    """Return a key to propose for a place that has none yet."""
    known = call.args.project or call.harness.settings.project_key
    if known:
        return str(known)
    letters = re.sub(r"[^A-Z0-9]", "", call.harness.settings.cwd.name.upper()).lstrip("0123456789")
    return letters[:16] or "WORK"
