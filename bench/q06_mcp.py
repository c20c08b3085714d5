"""Q6: how soon an MCP server answers, how much context its tools cost, and what a call costs over a ping."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import commands, crowds, ledgers
from bench.measure import Sample, exponent, ratio, sample
from bench.report import Bench, Result, Target
from harnessos.processes import Conversation

if TYPE_CHECKING:
    from collections.abc import Mapping

START_S, TOOL_BYTES, AIM_S = 1.0, 10_000, 0.5
CALLS = ("next_action", "begin", "checkpoint", "heartbeat")
ROUNDS = 60
_WAIT_S = 60.0
_HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


class Client:
    """One server and requests to it, each timed from its line to the answer's."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.talk = Conversation([sys.executable, "-m", "harnessos", "mcp"], cwd=Path("/"), env=env)
        self._number = 0

    def ask(self, method: str, params: Mapping[str, Any]) -> tuple[Any, float]:
        """Return the result and the seconds it took. Any: JSON."""
        self._number += 1
        begun = time.perf_counter()
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": dict(params)}
        self.talk.say(json.dumps(message).encode())
        while (line := self.talk.hear(_WAIT_S)) is not None:
            answer = json.loads(line)
            if answer.get("id") == self._number:
                return answer["result"], time.perf_counter() - begun
        raise RuntimeError(f"no answer to {method}: {self.talk.complaint()}")

    def call(self, tool: str, action: str, **arguments: Any) -> tuple[Any, float]:
        """Call an action that goes well; return its document and the seconds. Any: JSON."""
        result, seconds = self.ask("tools/call", {"name": tool, "arguments": {"action": action, **arguments}})
        if result["isError"]:
            raise RuntimeError(f"{tool} {action}: {result['structuredContent']}")
        return result["structuredContent"], seconds


def run(bench: Bench) -> Result:
    """Start servers, and live an agent's minute often in ledgers of three sizes."""
    commands.compile_source()
    sizes = bench.pick((1_000, 30_000, 1_000_000), (10, 50, 100))
    rounds = 3 if bench.quick else ROUNDS
    starts: list[float] = []
    rows, data = [], {}
    medians: dict[str, list[float]] = {name: [] for name in CALLS}
    size_of_tools = 0
    for size in sizes:
        repository, ledger = crowds.registered(bench, size)
        env = {**repository.env, "HARNESS_STORE": ledgers.address(ledger), "HARNESS_PROJECT": ledgers.KEY}
        starts += [_started(env) for _ in range(bench.rounds)]
        spent, size_of_tools = _lived(env, rounds)
        data[str(size)] = spent
        rows.append((f"{size:,} issues: ping", sample(spent["ping"]).show(5), "1.00"))
        for name in CALLS:
            medians[name].append(sample(spent[name]).median)
            rows.append(
                (f"{size:,} issues: {name}", sample(spent[name]).show(5), ratio(spent[name], spent["ping"]).show())
            )
    start = sample(starts)
    rows.insert(0, ("process start to initialize answered", start.show(3), ""))
    return Result(
        "Q6",
        "an MCP server over standard input and output: its start, the size of its tools, and calls over a ping",
        ("", "seconds", "times ping"),
        rows,
        [
            Target("start to initialize answered", start, START_S, most=True, unit=" s"),
            Target("tools/list", Sample(size_of_tools, 0, 1), TOOL_BYTES, most=True, unit=" bytes"),
        ],
        [
            f"aim for the start: {AIM_S} s",
            *(f"{name}: grows with the ledger by exponent {exponent(sizes, medians[name]):.2f}" for name in CALLS),
        ],
        {"starts": starts, "calls": data, "tools_bytes": size_of_tools},
    )


def _started(env: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    client = Client(env)
    with client.talk:
        client.ask("initialize", _HELLO)
        return time.perf_counter() - begun


def _lived(env: Mapping[str, str], rounds: int) -> tuple[dict[str, list[float]], int]:
    """Return the seconds of each call of each round, and the bytes of the list of tools."""
    client = Client(env)
    spent: dict[str, list[float]] = {name: [] for name in ("ping", *CALLS)}
    with client.talk:
        client.ask("initialize", _HELLO)
        client.talk.say(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        tools = client.ask("tools/list", {})[0]["tools"]
        client.call("harness_inspector", "next_action")
        for _ in range(rounds):
            spent["ping"].append(client.ask("ping", {})[1])
            spent["next_action"].append(client.call("harness_inspector", "next_action")[1])
            begun, seconds = client.call("harness_session", "begin")
            spent["begin"].append(seconds)
            token = begun["session"]["token"]
            words = {"title": "half", "summary": "half of it is done", "next_step": "the rest"}
            spent["checkpoint"].append(client.call("harness_session", "checkpoint", session=token, **words)[1])
            spent["heartbeat"].append(client.call("harness_session", "heartbeat", session=token)[1])
            client.call("harness_session", "close", session=token, outcome="released")
    return spent, len(json.dumps(tools, ensure_ascii=False, separators=(",", ":")).encode())
