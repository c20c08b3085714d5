"""`harness skill`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.app import skills
from harnessos.version import VERSION

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def list_all(call: Call) -> None:
    """List the skills of this package."""
    found = skills.available()
    items = [{"name": one.name, "version": VERSION, "description": one.description} for one in found]
    rows = [(one.name, VERSION, f"{one.description.split('. ', 1)[0]}.") for one in found]
    call.out.table({"items": items, "cursor": None}, ("NAME", "VERSION", "WHAT FOR"), rows, "there is no skill")


def install(call: Call) -> None:
    """Install a skill."""
    args = call.args
    done = skills.install(call.harness, args.name, Path(args.to).absolute(), dry_run=args.dry_run, force=args.force)
    document = {
        "skill": done.skill,
        "version": done.version,
        "path": str(done.path),
        "state": done.state,
        "dry_run": args.dry_run,
        "changes": [change._asdict() for change in done.changes],
        "backup": None if done.backup is None else str(done.backup),
    }
    lines = [f"{done.skill} {done.version}: {'would be ' if args.dry_run else ''}{done.state} in {done.path}"]
    if args.dry_run:
        lines += [f"  {change.what:8} {change.path}" for change in done.changes]
    if done.backup:
        lines.append(f"what was edited is kept in {done.backup}")
    call.out.show(document, "\n".join(lines))
