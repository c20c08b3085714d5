"""`harness export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.commands.output import dumps
from harnessos.inspector import export, views

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def show(call: Call) -> None:
    """Print a page of a project's document; it is JSON with and without --json."""
    project = call.harness.project(call.args.project)
    page = views.document(call.harness.read(export.query, project, call.args.cursor, call.args.limit))
    call.out.show(page, dumps(page))
