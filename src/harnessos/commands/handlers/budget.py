"""`harness budget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app import operating

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.commands.call import Call

_UNITS = {"runs": ("", 1), "wall_ms": (" h", 3_600_000), "usd": (" USD", 1_000_000)}


def show(call: Call) -> None:
    """Show what today's budget has left."""
    _show(call, call.harness.read(operating.budget, call.harness.key(call.args.project)))


def set_cap(call: Call) -> None:
    """Change a cap."""
    args = call.args
    command = f"harness budget set {args.project} {args.dimension} {args.amount}"
    operating.require_operator(call.harness, "change a budget", command)
    cap = (args.project, args.dimension, args.amount, call.harness.cause)
    _show(call, call.harness.write(operating.set_cap, *cap))


def _show(call: Call, document: Mapping[str, Any]) -> None:
    columns = ("cap", "spent", "reserved", "left")
    rows = [
        (item["dimension"], *(_amount(item["dimension"], item[name]) for name in columns), item["set_by"])
        for item in document["items"]
    ]
    call.out.table(document, ("BUDGET", "CAP", "SPENT", "RESERVED", "LEFT", "SET BY"), rows, "no budget")


def _amount(dimension: str, value: int | None) -> str:
    if value is None:
        return "unlimited"
    unit, size = _UNITS.get(dimension, ("", 1))
    return f"{value / size:g}{unit}"
