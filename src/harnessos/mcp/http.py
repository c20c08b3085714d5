"""Serving over streamable HTTP, on this machine only: whoever has the token may call, as an agent.

The SDK checks Host and Origin, so that no web page reaches the server through a browser; the token is compared in constant
time and lies in a file that only this user may read.
"""

from __future__ import annotations

import hmac
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from harnessos import errors
from harnessos.files import atomic_write, private_folder
from harnessos.mcp.server import server_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from pathlib import Path

    from harnessos.mcp.desk import Desk

    Message = MutableMapping[str, Any]  # Any: ASGI's
    App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

LOOPBACK = "127.0.0.1"
PATH = "/mcp"
GRACE_S = 2


class Guarded:
    """An application behind a bearer token."""

    def __init__(self, inner: App, token: str) -> None:
        self._inner = inner
        self._wanted = f"Bearer {token}".encode()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer 401 without the token; what is no request, such as the start of the server, passes."""
        if scope["type"] == "http" and not self._knows(scope):
            headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b"the token is in the file that the server named\n"})
            return
        await self._inner(scope, receive, send)

    def _knows(self, scope: Message) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._wanted)


def serve(desk: Desk, port: int, tell: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; port 0 takes a free one. The address and the token's file are told."""
    # The server of the web gives a signal on once it has ended: then it is done, and the token goes too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    taken = _bound(port)
    number = taken.getsockname()[1]
    token = desk.base.ids.token()
    with taken, _kept(desk.base.settings.home, number, token) as file:
        app = Guarded(server_of(desk).streamable_http_app(streamable_http_path=PATH, host=LOOPBACK), token)
        tell(f"serving http://{LOOPBACK}:{number}{PATH}\ntoken file {file}")
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S)
        try:
            uvicorn.Server(config).run(sockets=[taken])
        finally:
            desk.close()


def _bound(port: int) -> socket.socket:
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((LOOPBACK, port))
    except OSError as problem:
        taken.close()
        raise errors.Busy(
            f"port {port} cannot be taken: {problem.strerror}", hint="--port 0 takes a free one", port=port
        ) from problem
    return taken


@contextmanager
def _kept(home: Path, port: int, token: str) -> Iterator[Path]:
    """Keep the token in a file of this user's own, as long as the server runs."""
    file = private_folder(home / "mcp") / f"http-{port}.token"
    atomic_write(file, f"{token}\n".encode(), 0o600)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
