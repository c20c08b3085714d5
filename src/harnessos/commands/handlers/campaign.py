"""`harness campaign`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import listing, operating

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def list_all(call: Call) -> None:
    """List a project's campaigns."""
    items = call.harness.read(listing.campaigns, call.harness.key(call.args.project))
    rows = [(row["name"], row["status"], row["objective"]) for row in items]
    call.out.table({"items": items, "cursor": None}, ("NAME", "STATUS", "OBJECTIVE"), rows, "no campaign")


def create(call: Call) -> None:
    """Create one."""
    key = call.harness.key(call.args.project)
    row = call.harness.write(operating.create_campaign, key, call.args.name, call.args.objective, call.harness.cause)
    call.out.show(listing.campaign(row), f"created the campaign {row['name']}")


def pause(call: Call) -> None:
    """Claim nothing more from it."""
    _move(call, "paused")


def resume(call: Call) -> None:
    """Claim from it again."""
    _move(call, "active")


def archive(call: Call) -> None:
    """Close it for good."""
    _move(call, "archived")


def _move(call: Call, status: str) -> None:
    words = " ".join(call.harness.command.split("."))
    operating.require_operator(call.harness, "move a campaign", f"harness {words} {call.args.name}")
    key = call.harness.key(call.args.project)
    row = call.harness.write(operating.move_campaign, key, call.args.name, status, call.harness.cause)
    call.out.show(listing.campaign(row), f"the campaign {row['name']} is {row['status']}")
