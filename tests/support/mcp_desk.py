"""Calls of tools in this process: what the protocol would carry, without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harnessos.mcp import calling
from harnessos.mcp.asking import Hooks
from harnessos.mcp.desk import Desk
from harnessos.mcp.options import Options
from tests.support.commands import Terminal, registered
from tests.support.mcp_clients import Reply


class Hands:
    """An agent's hands at a desk; `options` are those of the server."""

    def __init__(self, environ: Mapping[str, str], cwd: Path, store: str | None = None, **options: Any) -> None:
        self.told: list[str] = []
        self.desk = Desk(Options(**options), store, environ, cwd)

    def call(self, tool: str, action: str, /, **arguments: Any) -> Reply:
        """Call an action, wherever that leads. Any: JSON."""
        return self.raw(tool, {"action": action, **arguments})

    def raw(self, tool: str, arguments: object) -> Reply:
        """Send arguments as they are."""
        told = calling.perform(self.desk, tool, arguments, Hooks(self.told.append), "tester")
        assert {"tool", "action", "arguments", "reason"} <= set(told.document["next"])
        if told.failed:
            assert {"code", "message", "hint"} <= set(told.document)
            assert told.document["message"] != "this is a bug of harness", arguments
        return Reply(told.document, told.failed)

    def good(self, tool: str, action: str, /, **arguments: Any) -> Any:
        """Call an action that must go well; return its document. Any: a test looks into it."""
        reply = self.call(tool, action, **arguments)
        assert not reply.failed, reply.document
        return reply.document

    def refused(self, tool: str, action: str, /, **arguments: Any) -> Any:
        """Call an action that must be refused; return the error. Any: a JSON object."""
        reply = self.call(tool, action, **arguments)
        assert reply.failed, reply.document
        return reply.document


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registered project with a plan (fixture: import it)."""
    return registered(tmp_path)


@pytest.fixture
def agent(terminal: Terminal) -> Iterator[Hands]:
    """An ordinary client of a server in that project (fixture: import it)."""
    made = Hands(terminal.environment(), terminal.cwd)
    yield made
    made.desk.close()
