"""`harness plan promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.kernel import settling

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def promote(call: Call) -> None:
    """Work off what is unsettled and recompute what is ready."""
    harness = call.harness
    project = harness.project(call.args.project)
    settling.drain(harness.store, project["id"], harness.cause)
    moved = harness.write(settling.promote, project["id"], harness.cause)
    text = f"now moved: {', '.join(moved)}" if moved else "nothing was left to promote"
    call.out.show({"moved": moved}, text)
