"""`harness mcp doctor`: start a server as a host would, measure it, and say what a host would trip over.

It speaks the protocol by itself, a line at a time: a server that breaks it is what is looked for (P21).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import processes
from harnessos.errors import BadUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.ports import Clock

ANSWER_S = 30.0
START_S = 1.0
END_S = 2.0
_END_LOOK_S = 0.1
_MOST_NOISE = 100
TOOL_BYTES = 10_000
TOOLS = 8
_LONGEST_NAME = 60
_BARRED = ("$ref", "oneOf", "anyOf", "allOf")
_ENVIRONMENT = ("PATH", "HOME")
_HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "harness-doctor", "version": "1"},
}


class Finding(NamedTuple):
    """One thing that was looked at: `ok` None is only told. `advice` is what to do where it is not."""

    name: str
    value: str
    ok: bool | None
    advice: str = ""


class Seen(NamedTuple):
    """What a server did. Times in seconds, None when it did not get there. Any: as it answered."""

    started_s: float | None = None
    ended_s: float | None = None
    tools: Sequence[Any] = ()
    noise: Sequence[str] = ()
    complaint: str = ""
    gone: bool = False
    refused: bool = False


def examine(command: Sequence[str], environ: Mapping[str, str], clock: Clock) -> list[Finding]:
    """Return what is to be said of a server; the first finding that is not `ok` explains those after it."""
    env = {name: environ[name] for name in _ENVIRONMENT if name in environ}
    env |= {name: value for name, value in environ.items() if name.startswith("HARNESS_")}
    return [_by_path(command), *judged(_probe(command, env, clock))]


def judged(seen: Seen) -> list[Finding]:
    """Return the findings on what a server did. Pure."""
    if seen.started_s is None:
        how = "it ended without an answer" if seen.gone else f"no answer within {ANSWER_S:g} s"
        how = "it answered with an error" if seen.refused else how
        said = f"{how}: {seen.complaint}" if seen.complaint else how
        advice = "run the command by hand and read what it says"
        return [Finding("initialize", said, ok=False, advice=advice), *_noise(seen)]
    size = len(json.dumps(list(seen.tools), ensure_ascii=False, separators=(",", ":")).encode())
    slow = "hosts give up after 1 to 60 s: name the program by its path, not through npx or uvx"
    found = [
        Finding("initialize", f"{seen.started_s:.2f} s", seen.started_s <= START_S, slow),
        Finding(
            "tools",
            str(len(seen.tools)),
            0 < len(seen.tools) <= TOOLS,
            f"more than {TOOLS} tools fill a context: `--profile`",
        ),
        Finding(
            "size of the tools",
            f"{size:,} bytes",
            size <= TOOL_BYTES,
            "each of them is in every context of every agent",
        ),
        *_names(seen.tools),
        *_schemas(seen.tools),
        *_noise(seen),
    ]
    late = seen.ended_s is None or seen.ended_s > END_S
    told = "did not end" if seen.ended_s is None else f"{seen.ended_s:.2f} s"
    return [*found, Finding("end after its client", told, not late, "servers that stay behind hold leases and memory")]


def _by_path(command: Sequence[str]) -> Finding:
    if not command:
        raise BadUsage("which server?", hint="`harness mcp doctor -- COMMAND ...`, or nothing for `harness mcp`")
    whole = Path(command[0]).is_absolute()
    return Finding(
        "command", " ".join(command), ok=True if whole else None, advice="hosts have another PATH: name it in full"
    )


def _names(tools: Sequence[Any]) -> list[Finding]:
    long = [str(tool.get("name")) for tool in tools if len(str(tool.get("name"))) > _LONGEST_NAME]
    return [Finding("names", ", ".join(long), ok=False, advice="hosts cut names at 60 characters")] if long else []


def _schemas(tools: Sequence[Any]) -> list[Finding]:
    bad = [f"{tool.get('name')}: {word}" for tool in tools for word in sorted(_barred(tool.get("inputSchema")))]
    advice = "some hosts refuse the tool, or the whole server"
    return [Finding("schemas", ", ".join(bad), ok=False, advice=advice)] if bad else []


def _barred(schema: Any) -> set[str]:
    """Return the words in a schema, or anywhere below it, that hosts trip over; `anyOf` only at its top."""
    top = {word for word in _BARRED if isinstance(schema, dict) and word in schema}
    return top | ({"$ref"} if '"$ref"' in json.dumps(schema) else set())


def _noise(seen: Seen) -> list[Finding]:
    if not seen.noise:
        return [Finding("standard output", "protocol only", ok=True)]
    first = seen.noise[0][:80]
    return [
        Finding(
            "standard output",
            f"not JSON-RPC: {first!r}",
            ok=False,
            advice="print to standard error: one such line ends a session",
        )
    ]


def _probe(command: Sequence[str], env: Mapping[str, str], clock: Clock) -> Seen:
    """Start it, shake hands, list its tools, close its input, and see it end."""
    begun = clock.monotonic()
    with processes.Conversation(list(command), cwd=Path("/"), env=env) as server:
        talk = _Talk(server, clock)
        if not isinstance(talk.ask("initialize", _HELLO), dict):
            said = talk.refusal or server.complaint()
            return Seen(
                noise=talk.noise, gone=server.ended(_END_LOOK_S), complaint=said[:200], refused=bool(talk.refusal)
            )
        started = clock.monotonic() - begun
        server.say(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        listed = talk.ask("tools/list", {})
        tools = listed.get("tools") if isinstance(listed, dict) else None
        found = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
        seen = Seen(started, None, found, talk.noise)
        left = clock.monotonic()
        server.close()
        return seen._replace(ended_s=clock.monotonic() - left) if server.ended(2 * END_S) else seen


class _Talk:
    """Requests and their answers; what is no JSON-RPC is kept as noise."""

    def __init__(self, server: processes.Conversation, clock: Clock) -> None:
        self.noise: list[str] = []
        self.refusal = ""
        self._clock = clock
        self._server = server
        self._number = 0

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:  # Any: a result
        """Send a request and return its result; None when none came."""
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": dict(params)}
        self._server.say(json.dumps(message).encode())
        until = self._clock.monotonic() + ANSWER_S
        while (left := until - self._clock.monotonic()) > 0 and (line := self._server.hear(left)) is not None:
            answer = _message(line)
            if answer is None:
                self.noise.append(line[:200].decode("utf-8", "replace").strip())
                del self.noise[_MOST_NOISE:]
            elif answer.get("id") == self._number:
                self.refusal = json.dumps(answer["error"])[:200] if "error" in answer else ""
                return answer.get("result")
        return None


def _message(line: bytes) -> Any:  # Any: a JSON object
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("jsonrpc") == "2.0" else None
