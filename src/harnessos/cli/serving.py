"""`harness mcp`: the MCP server, over standard input and output or over HTTP."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harnessos.errors import BadUsage, ToolProblem
from harnessos.mcp.options import Options

if TYPE_CHECKING:
    from harnessos.commands.call import Call

_WORDS = {True: "ok", False: "WRONG", None: ""}


def doctor(call: Call) -> int:
    """Examine a server; exit 1 where a host would trip over it."""
    from harnessos.mcp.doctor import examine

    words = call.args.server or [sys.executable, "-m", "harnessos", "mcp"]
    found = examine(words, call.harness.environ, call.harness.clock)
    document = {"ok": all(one.ok is not False for one in found), "findings": [one._asdict() for one in found]}
    rows = [(one.name, one.value, _WORDS[one.ok], "" if one.ok else one.advice) for one in found]
    call.out.table(document, ("WHAT", "SEEN", "", "ADVICE"), rows, "")
    return 0 if document["ok"] else 1


def mcp(call: Call) -> None:
    """Serve until the client is gone."""
    if find_spec("mcp") is None:
        raise ToolProblem("the MCP server needs an extra", hint="pip install 'harnessos[mcp]'")
    from harnessos.mcp.desk import Desk

    args = call.args
    options = Options(args.operator, args.read_only, args.profile)
    if args.port is not None and not args.http:
        raise BadUsage("--port is for --http", hint="`harness mcp --http --port N`")
    desk = Desk(options, args.store, call.harness.environ, wait_s=args.wait, connected=not args.http)
    from harnessos.mcp import stdio

    if args.http:
        from harnessos.mcp import http

        http.serve(desk, args.port or 0, call.out.note)
        stdio.leave(0)
    stdio.serve(desk)
