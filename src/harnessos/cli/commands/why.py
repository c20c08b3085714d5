"""`harness why`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harnessos.inspector import views, why
from harnessos.inspector.views import Host

if TYPE_CHECKING:
    from harnessos.cli.call import Call


def show(call: Call) -> None:
    """Say why an issue, a run or a project is where it is."""
    from harnessos.processes.identity import boot_id, machine_id, user_name

    args = call.args
    classes = tuple(args.workload_class) or None
    host = Host(machine_id(), boot_id(), classes, tuple(args.capability), user_name())
    found = call.harness.read(why.query, args.subject or call.harness.key(None), host)
    if args.store:
        found = found._replace(command=(*found.command, "--store", args.store))
    row = f"{found.row.table} {found.row.id}, {found.row.column} = {found.row.value}"
    who = " (for a person)" if found.needs == "operator" else ""
    text = f"{found.sentence}.\n  decided by  {row}\n  changed by  {shlex.join(found.command)}{who}"
    call.out.show(views.document(found), text)
