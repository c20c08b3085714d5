"""`harness why`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harnessos.app import holders
from harnessos.inspector import views, why
from harnessos.inspector.views import Host

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.inspector.why import Why


def show(call: Call) -> None:
    """Say why an issue, a run or a project is where it is."""
    from harnessos.processes.identity import boot_id, machine_id, user_name

    args = call.args
    classes = tuple(args.workload_class) or None
    host = Host(machine_id(), boot_id(), classes, tuple(args.capability), user_name(), dead=holders.dead(call.harness))
    subject = args.subject or call.harness.key(None)
    project = call.harness.read(why.project_of, subject)
    host = host._replace(runner=call.harness.actor.kind == "operator" and holders.has_runner(call.harness, project))
    found = call.harness.read(why.query, subject, host)
    if args.store:
        found = _in_store(found, args.store)
    call.out.show(views.document(found), _text(found))


def _in_store(found: Why, store: str) -> Why:
    """Return the answer with the ledger that was named here named in its commands too."""
    supervised = None if found.supervised is None else (*found.supervised, "--store", store)
    return found._replace(command=(*found.command, "--store", store), supervised=supervised)


def _text(found: Why) -> str:
    row = f"{found.row.table} {found.row.id}, {found.row.column} = {found.row.value}"
    who = " (for a person)" if found.needs == "operator" else ""
    command = f"{shlex.join(found.command)}{who}"
    if found.supervised is not None:
        command = f"{shlex.join(found.supervised)}\n  or by hand  {command}"
    return f"{found.sentence}.\n  decided by  {row}\n  changed by  {command}"
