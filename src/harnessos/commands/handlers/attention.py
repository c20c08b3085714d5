"""`harness attention`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app import listing, operating
from harnessos.commands.output import instant
from harnessos.inspector import inbox
from harnessos.kernel import attention

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.store.transaction import Transaction


def list_all(call: Call) -> None:
    """List what waits for a person."""
    args = call.args
    page = call.harness.read(_page, call.harness.key(args.project), args.limit, args.cursor)
    rows = [(item["id"], instant(item["created_at"]), item["question"], item["command"]) for item in page["items"]]
    call.out.table(page, ("ENTRY", "SINCE", "QUESTION", "ANSWER WITH"), rows, "nothing waits for a person")
    if page["cursor"] and not call.out.json:
        call.out.note(f"more: --cursor {page['cursor']}")


def _page(tx: Transaction, key: str, most: int, cursor: str) -> dict[str, Any]:
    """Return a page of the inbox with every question in full. Any: a JSON document."""
    page = listing.attention(tx, key, most, cursor)
    return {**page, "items": [{**item, "question": inbox.question(tx, item)} for item in page["items"]]}


def resolve(call: Call) -> None:
    """Settle an entry."""
    operating.require_operator(
        call.harness, "settle what waits for a person", f"harness attention resolve {call.args.entry}"
    )
    call.harness.write(attention.resolve, call.args.entry, call.harness.cause)
    call.out.show({"id": call.args.entry, "resolved": True}, f"{call.args.entry} is settled")
