"""`harness mcp`: the MCP server, over standard input and output or over HTTP."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from harnessos.errors import ToolProblem
from harnessos.mcp.options import Options

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def mcp(call: Call) -> None:
    """Serve until the client is gone."""
    if find_spec("mcp") is None:
        raise ToolProblem("the MCP server needs an extra", hint="pip install 'harnessos[mcp]'")
    from harnessos.mcp.desk import Desk

    args = call.args
    options = Options(args.operator, args.read_only, args.profile)
    desk = Desk(options, args.store, call.harness.environ, wait_s=args.wait)
    from harnessos.mcp import stdio

    stdio.serve(desk)
