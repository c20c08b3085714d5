"""`harness run`, the commands that change one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import operating
from harnessos.kernel import operations

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def stop(call: Call) -> None:
    """Ask a live run to stop."""
    operating.require_operator(call.harness, "stop a run", f"harness run stop {call.args.run}")
    reason = call.args.reason or "a person asked for it"
    asked = call.harness.write(operations.request_stop, call.args.run, reason, call.harness.cause)
    text = "asked to stop" if asked else "was asked before, or is over"
    call.out.show({"run": call.args.run, "asked": asked}, f"{call.args.run} {text}")
