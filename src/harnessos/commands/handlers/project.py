"""`harness project`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import processes
from harnessos.app import listing, operating
from harnessos.commands.output import instant

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def list_all(call: Call) -> None:
    """List the projects."""
    items = call.harness.read(listing.all_projects)
    rows = [(row["key"], row["name"], row["kind"], row["target"], instant(row["created_at"])) for row in items]
    call.out.table(
        {"items": items, "cursor": None},
        ("KEY", "NAME", "KIND", "TARGET", "SINCE"),
        rows,
        "no project yet: `harness init PATH --key KEY`",
    )


def show(call: Call) -> None:
    """Show one project."""
    document = call.harness.read(listing.project, call.harness.key(call.args.project))
    places = [
        f"  {place['path']} on {place['machine']}, {'trusted' if place['trusted_by'] else 'not trusted'}"
        for place in document["locations"]
    ]
    counts = ", ".join(f"{number} {status}" for status, number in sorted(document["issues"].items()))
    head = f"{document['key']} ({document['name']}), {document['kind']}, target {document['target'] or 'none'}"
    call.out.show(document, "\n".join([head, f"  issues: {counts or 'none'}", *places]))


def trust(call: Call) -> None:
    """Trust the project on this machine."""
    key = call.harness.key(call.args.project)
    operating.require_operator(call.harness, "trust a project", f"harness project trust {key}")
    user = processes.user_name()
    row = call.harness.write(operating.trust, key, call.harness.machine(), user, call.harness.cause)
    call.out.show({"project": row["key"], "trusted": True}, f"{row['key']} is trusted on this machine by {user}")


def distrust(call: Call) -> None:
    """Take trust back."""
    key = call.harness.key(call.args.project)
    operating.require_operator(call.harness, "change trust", f"harness project distrust {key}")
    row = call.harness.write(operating.trust, key, call.harness.machine(), None, call.harness.cause)
    call.out.show({"project": row["key"], "trusted": False}, f"{row['key']} is no longer trusted on this machine")
