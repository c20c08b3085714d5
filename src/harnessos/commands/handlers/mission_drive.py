"""`harness mission run`: one driven run now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app.missions import driving, views
from harnessos.app.missions.opening import At

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def run(call: Call) -> int:
    """Drive one run; exit 0 when it was judged as passed."""
    with At(call.harness, call.args.workspace) as at:
        try:
            row = driving.run_now(at, call.args.agent, tell=call.out.note)
        except KeyboardInterrupt:
            call.out.note("stopped; the run was released and counts as no failure")
            raise
        document = {"run": views.run_document(row), "mission": views.document(at.row())}
        mission = at.row()
        text = f"run #{row['number']} {row['step'] or row['began_step']}: {document['run']['shown']}"
        note = row["note"] or row["reason"]
        call.out.show(
            document,
            f"{text}{f', {note}' if note else ''}; the mission is {mission['status']}, next step {mission['step']}",
        )
        return 0 if row["result"] == "passed" else 1
