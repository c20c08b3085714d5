"""Serving over standard input and output: lines of any size and any content, and an end when the client is gone."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import anyio
from mcp.server.stdio import stdio_server

from harnessos import processes
from harnessos.mcp.server import server_of

if TYPE_CHECKING:
    from harnessos.mcp.desk import Desk

_LOOK_S = 0.5
GRACE_S = 1.0


def serve(desk: Desk) -> None:
    """Serve until the client closes its end, or its process is gone. The process ends here: work for nobody is cut off."""
    _end_with(os.getppid())
    code = 0
    try:
        anyio.run(_serve, desk)
    except* (BrokenPipeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass  # nobody reads any more
    except* KeyboardInterrupt:
        code = 130
    leave(code)


def leave(code: int) -> None:
    """End the process now. Threads that still work are not waited for; what they started is asked to end with us.

    Their leases end as after a crash, and a supervisor that was asked hands its runs back.
    """
    processes.ask_all_to_end()
    sys.stderr.flush()
    os._exit(code)


async def _serve(desk: Desk) -> None:
    server = server_of(desk)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())
        # Answers that are on their way get a moment; a client that has left and never read them gets no more.
        threading.Timer(GRACE_S, leave, (0,)).start()


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: its pipe may be held open by another child of it."""

    def watch() -> None:
        while os.getppid() == parent:
            threading.Event().wait(_LOOK_S)
        leave(0)

    threading.Thread(target=watch, name="harness-parent", daemon=True).start()
