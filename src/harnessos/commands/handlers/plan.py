"""`harness plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.app import planning
from harnessos.inspector.views import counted

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def check(call: Call) -> None:
    """Read a plan and say that it is right; what is wrong is an error that lists everything."""
    from harnessos.plans.read import read_plan

    plan = read_plan(Path(call.args.file), call.out.progress("reading"))
    document = {"valid": True, "milestones": len(plan.milestones), "issues": len(plan.issues)}
    size = f"{counted(len(plan.issues), 'issue')} in {counted(len(plan.milestones), 'milestone')}"
    call.out.show(document, f"{call.args.file} is right: {size}")


def apply(call: Call) -> None:
    """Write a plan into the ledger."""
    args, progress = call.args, call.out.progress("reading")
    done, warnings = planning.apply_file(call.harness, Path(args.file), args.project, args.campaign, progress)
    for warning in warnings:
        call.out.note(f"warning: {warning}")
    skipped = [{"identifier": identifier, "reason": reason} for identifier, reason in done.skipped]
    document = {"created": done.created, "updated": done.updated, "unchanged": done.unchanged, "skipped": skipped}
    counts = ", ".join(f"{len(issues)} {name}" for name, issues in done._asdict().items() if issues)
    lines = [counts, *(f"  {entry['identifier']} skipped: {entry['reason']}" for entry in skipped)]
    call.out.show(document, "\n".join(lines))


def schema(call: Call) -> None:
    """Print the JSON Schema of plans."""
    import json

    from harnessos.plans.schema import plan_schema

    document = plan_schema()
    call.out.show(document, json.dumps(document, indent=2, ensure_ascii=False))
