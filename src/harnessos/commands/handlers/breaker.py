"""`harness breaker`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import listing, operating
from harnessos.commands.output import instant

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def list_all(call: Call) -> None:
    """List the open ones."""
    items = call.harness.read(listing.breakers, call.args.limit)
    rows = [(item["scope"], item["reason"], instant(item["opened_at"]), item["reset"]) for item in items]
    call.out.table(
        {"items": items, "cursor": None}, ("SCOPE", "REASON", "SINCE", "RESET WITH"), rows, "no breaker is open"
    )


def reset(call: Call) -> None:
    """Close an issue's breaker, or lift the hold on a provider's account (`provider:NAME`)."""
    operating.require_operator(call.harness, "reset a breaker", f"harness breaker reset {call.args.issue}")
    if call.args.issue.startswith("provider:"):
        name = call.args.issue.removeprefix("provider:")
        operating.reset_provider(call.harness, name)
        call.out.show({"provider": name, "held": False}, f"{name} may be used again")
        return
    issue = operating.change(call.harness, operating.reset_breaker, call.args.issue, call.harness.cause)
    call.out.show(
        {"identifier": issue["identifier"], "status": issue["status"]}, f"{issue['identifier']} is {issue['status']}"
    )
