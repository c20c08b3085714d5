"""The server over HTTP: for whoever has the token, on this machine, and for no web page."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.commands import Terminal, registered
from tests.support.mcp_clients import ERAS
from tests.support.mcp_raw import HELLO, RawServer
from tests.support.waiting import eventually

SERVER = [sys.executable, "-m", "harnessos", "mcp", "--http", "--port", "0"]
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


class HttpServer:
    """A running server: its process, address and token."""

    def __init__(self, raw: RawServer) -> None:
        def told() -> bool:
            return b"token file" in raw.errors and raw.errors.endswith(b"\n")

        eventually(told, what="the address")
        text = raw.errors.decode()
        address, file = re.search(r"serving (\S+)", text), re.search(r"token file (.+)", text)
        assert address is not None
        assert file is not None
        self.process = raw.process
        self.url, self.file = address[1], Path(file[1])
        self.token = self.file.read_text(encoding="utf-8").strip()

    def post(self, message: object = HELLO, token: str | None = None, **headers: str) -> httpx2.Response:
        """Send a message as any program could."""
        bearer = {"authorization": f"Bearer {token or self.token}"}
        return httpx2.post(self.url, json=message, headers={**HEADERS, **bearer, **headers}, timeout=30)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


@pytest.fixture
def server(terminal: Terminal) -> Iterator[HttpServer]:
    with RawServer(SERVER, terminal.environment()) as raw:
        yield HttpServer(raw)


@pytest.mark.parametrize("era", ERAS)
def test_an_official_client_works_over_http(server: HttpServer, era: str) -> None:
    async def work() -> list[Any]:
        auth = {"authorization": f"Bearer {server.token}"}
        async with (
            httpx2.AsyncClient(headers=auth, timeout=60) as over,
            Client(streamable_http_client(server.url, http_client=over), mode=era) as client,
        ):
            tools = await client.list_tools()
            said = await client.call_tool("harness_inspector", {"action": "next_action", "project": "DOCS"})
            begun = await client.call_tool("harness_session", {"action": "begin", "project": "DOCS"})
            return [len(tools.tools), said.structured_content, begun.structured_content]

    count, said, begun = asyncio.run(work())
    assert count == 7
    assert said["next"]["arguments"]["issue"] == "DOCS-1"
    assert begun["issue"]["identifier"] == "DOCS-1"


def test_without_the_token_nobody_gets_in(server: HttpServer) -> None:
    assert server.post().status_code == 200
    for token in ("wrong", server.token[:-1], server.token + "x"):
        refused = server.post(token=token)
        assert refused.status_code == 401
        assert server.token not in refused.text
    assert httpx2.post(server.url, json=HELLO, headers=HEADERS).status_code == 401


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_no_web_page_reaches_it(server: HttpServer, headers: dict[str, str]) -> None:
    assert server.post(**headers).status_code in (403, 421)


def test_the_token_is_this_users_own_and_goes_with_the_server(server: HttpServer) -> None:
    assert server.file.stat().st_mode & 0o077 == 0
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) in (0, -signal.SIGTERM)
    assert not server.file.exists()


def test_it_listens_on_this_machine_only(server: HttpServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_told(server: HttpServer, terminal: Terminal) -> None:
    taken = server.url.rpartition(":")[2].partition("/")[0]
    said = terminal("mcp", "--http", "--port", taken, "--json")
    assert (said.code, said.error["code"]) == (75, "busy")
    assert terminal("mcp", "--port", "1").code == 2
