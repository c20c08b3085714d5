"""The official Python client over a real `harness mcp`, called from plain tests: its loop lives in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.support.python import ROOT

ERAS = ("legacy", "auto")
"""With `initialize`, and stateless: what the client negotiates by itself with a server that serves both."""
_LONGEST_S = 90.0


class Reply(NamedTuple):
    """A tool's answer. Any: a JSON object."""

    document: Any
    failed: bool

    @property
    def next(self) -> Any:
        """The call to make after it. Any: a JSON object."""
        return self.document["next"]


class McpClient:
    """A client of one server, whose environment is nothing but what is given."""

    def __init__(self, *words: str, env: Mapping[str, str], cwd: Path = Path("/"), era: str = "auto") -> None:
        self._server = StdioServerParameters(
            command=sys.executable, args=["-m", "harnessos", "mcp", *words], env=dict(env), cwd=str(cwd)
        )
        self._era = era
        self._errlog = Path(os.devnull).open("w")  # noqa: SIM115 # closed with the client
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mcp-client", daemon=True)
        self.client: Client

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_LONGEST_S), "the server did not answer"
        if self._problem is not None:
            raise self._problem
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_LONGEST_S)
        self._errlog.close()
        assert not self._thread.is_alive(), "the client did not end"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        except BaseException as problem:  # noqa: BLE001 # raised in the test's thread
            self._problem = problem
            self._ready.set()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _live(self) -> None:
        async with Client(stdio_client(self._server, errlog=self._errlog), mode=self._era) as self.client:
            self._ready.set()
            await self._over.wait()

    def do(self, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
        """Run a coroutine with the client; return what it comes to. Any: by the SDK."""
        return asyncio.run_coroutine_threadsafe(work(self.client), self._loop).result(_LONGEST_S)

    def begin(self, tool: str, action: str, /, **arguments: Any) -> Any:
        """Send a call and do not wait for it; return the future of its Reply."""

        async def work() -> Reply:
            return _reply(await self.client.call_tool(tool, {"action": action, **arguments}))

        return asyncio.run_coroutine_threadsafe(work(), self._loop)

    def call(self, tool: str, action: str, /, **arguments: Any) -> Reply:
        """Call an action, wherever that leads."""
        found: Reply = self.begin(tool, action, **arguments).result(_LONGEST_S)
        return found

    def good(self, tool: str, action: str, /, **arguments: Any) -> Any:
        """Call an action that must go well; return its document. Any: a test looks into it."""
        reply = self.call(tool, action, **arguments)
        assert not reply.failed, reply.document
        return reply.document

    def refused(self, tool: str, action: str, /, **arguments: Any) -> str:
        """Call an action that must be refused; return the error's code."""
        reply = self.call(tool, action, **arguments)
        assert reply.failed, reply.document
        assert {"code", "message", "hint", "next"} <= set(reply.document)
        return str(reply.document["code"])

    def follow(self, reply: Mapping[str, Any]) -> Reply:
        """Make the call that an answer names as the next one, exactly as it says."""
        then = reply["next"]
        return self.call(then["tool"], then["action"], **then["arguments"])


def _reply(result: Any) -> Reply:
    """Check what every answer has, whatever it is about. Any: the SDK's result."""
    document = result.structured_content
    assert json.loads(result.content[0].text) == document, "the text and the structure say different things"
    assert {"tool", "action", "arguments", "reason"} <= set(document["next"])
    return Reply(document, bool(result.is_error))


def minimal(home: Path, **more: str) -> dict[str, str]:
    """The environment that the poorest host gives, and where the ledger is."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), "HARNESS_HOME": str(home), **more}
