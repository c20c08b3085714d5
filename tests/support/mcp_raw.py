"""A `harness mcp` without a client: bytes go in, lines come out, and nothing checks them on the way."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

HELLO = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}  # fmt: skip
_LONGEST_S = 60.0


class RawServer:
    """A server process. Its lines are read by a thread, so that nothing a test sends can block it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=dict(env), cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.answers: dict[Any, Any] = {}
        self.errors = bytearray()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._complain)]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(_LONGEST_S)
        for reader in self._readers:
            reader.join(_LONGEST_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def _complain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def say(self, message: object) -> None:
        """Send one message."""
        self.send(json.dumps(message).encode() + b"\n")

    def answer(self, number: object) -> Any:
        """Wait for the answer to a request; what comes before it is kept. Any: a JSON-RPC message."""
        while number not in self.answers:
            message = json.loads(self.lines.get(timeout=_LONGEST_S))
            assert message["jsonrpc"] == "2.0"
            self.answers[message.get("id")] = message
        return self.answers.pop(number)

    def greet(self) -> Any:
        """Shake hands; return the server's answer. Any: a JSON-RPC message."""
        self.say(HELLO)
        found = self.answer(0)
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return found

    def call(self, number: int, tool: str, **arguments: Any) -> None:
        """Send a tool call."""
        params = {"name": tool, "arguments": arguments}
        self.say({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
