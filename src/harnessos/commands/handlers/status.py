"""`harness status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import holders
from harnessos.inspector import status, views
from harnessos.inspector.views import counted, span

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.inspector.status import DayBudget, MilestoneLine, StatusView

_UNITS = {"runs": ("", 1), "wall_ms": (" h", 3_600_000), "usd": (" USD", 1_000_000)}


def show(call: Call) -> None:
    """Show how a project stands."""
    project = call.harness.project(call.args.project)
    after = views.number_cursor(call.args.cursor)
    seen = call.harness.read(status.query, project, after, call.args.limit, holders.dead(call.harness))
    call.out.show(views.document(seen), _text(seen))


def _text(seen: StatusView) -> str:
    counts = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in seen.issues.items() if n and name != "total")
    lines = [f"{seen.project}: {counts or 'no issues'}"]
    lines += [
        f"  {run.identifier}  {run.agent or 'agent'}, {run.phase}, turn {run.turn}, for {span(run.age_ms)}, "
        f"last progress {span(run.progress_ms)} ago"
        + (f", LEASE RAN OUT {span(-run.lease_ms)} ago" if run.lease_ms <= 0 else "")
        + (
            f"; ITS SUPERVISOR IS DEAD: `harness up --project {seen.project}` recovers it"
            if run.supervisor_dead
            else ""
        )
        for run in seen.runs
    ]
    if seen.more_runs:
        lines.append("  and more: `harness run list --live`")
    lines += [f"held: {hold.reason}" for hold in seen.holds]
    lines += [f"paused: campaign {name}" for name in seen.paused]
    if seen.attention:
        waiting = counted(seen.attention, "thing waits", "things wait")
        lines.append(f"{waiting} for a person: `harness attention list`")
    lines += [_milestone(line) for line in seen.milestones]
    if seen.milestones_cursor:
        lines.append(f"  more milestones: --cursor {seen.milestones_cursor}")
    lines += [f"later: {timer.identifier} in {span(timer.at - seen.at)}" for timer in seen.timers]
    if seen.unsettled:
        lines.append(f"{counted(seen.unsettled, 'fan-out is', 'fan-outs are')} being worked off")
    lines.append("today: " + ", ".join(_budget(budget) for budget in seen.budgets))
    return "\n".join(lines)


def _milestone(line: MilestoneLine) -> str:
    parts = f"{line.done} of {line.done + line.open} done"
    bad = "".join(f", {n} {word}" for n, word in ((line.failed, "failed"), (line.blocked, "blocked")) if n)
    return f"  {line.key} ({line.campaign}): {line.status}, {parts}{bad}"


def _budget(budget: DayBudget) -> str:
    unit, size = _UNITS[budget.dimension]
    used = (budget.spent + budget.reserved) / size
    cap = "unlimited" if budget.cap is None else f"{budget.cap / size:g}"
    return f"{used:.4g} of {cap}{unit or ' runs'}"
