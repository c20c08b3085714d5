"""`harness mission new`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app.missions import making, views
from harnessos.app.missions.making import Wish

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def new(call: Call) -> int:
    """Make a mission; exit 1 when its first run was not judged as passed."""
    args: Any = call.args
    wish = Wish(args.idea, vars(args)["from"], args.agent, args.workspace, not args.no_run)
    if args.dry_run:
        place, spec, agent = making.plan(call.harness, wish)
        plan = {"workspace": str(place), "agent": agent, "name": spec.name if spec else None, "dry_run": True}
        filled = "from the file" if spec else f"by {agent}"
        call.out.show(plan, f"would make {place}, filled in {filled}, and {'run' if agent else 'not run'} it")
        return 0
    made = making.make(call.harness, wish, call.out.note)
    with made.at as at:
        run = None if made.run is None else views.run_document(made.run)
        mission = at.row()
        document: dict[str, Any] = {"mission": views.document(mission), "run": run, "scheduled": made.installed}
        lines = [f"{mission['identifier']} {mission['name']} lives in {at.place}"]
        driven = document["mission"]["runner"] is not None
        begin = f"begin: harness mission {'run' if driven else 'start'} {at.place}"
        lines.append(f"first run: {run['told']}" if run else begin)
        if mission["status"] == "mission_complete":
            lines.append("the mission is complete")
        elif driven:
            lines.append("its schedules fire under: harness up --missions")
        else:
            lines.append(f"name its agent: harness mission schedule {at.place} --install --agent KIND")
        call.out.show(document, "\n".join(lines))
        return 0 if run is None or run["result"] == "passed" else 1
