"""The server's wire: whatever comes in, what goes out is JSON-RPC, the next call is answered, and it ends with its client."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.agents import ended
from tests.support.commands import registered
from tests.support.mcp_clients import minimal
from tests.support.mcp_raw import HELLO, RawServer
from tests.support.waiting import eventually

SERVER = [sys.executable, "-m", "harnessos", "mcp"]
LOOK = {"action": "capabilities"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    """A server that was greeted; there is no ledger."""
    with RawServer(SERVER, minimal(tmp_path / "home")) as made:
        made.greet()
        yield made


def pings(server: RawServer, number: int = 99) -> bool:
    """Whether the server still answers."""
    server.say({"jsonrpc": "2.0", "id": number, "method": "ping"})
    return bool(server.answer(number)["result"] == {})


@pytest.mark.parametrize(
    "line",
    [
        b"no json at all\n",
        b"\xff\xfe\x00garbage\n",
        b'{"jsonrpc": "2.0", "id": 1\n',
        b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}\n',
        b'{"jsonrpc": "2.0", "id": 1, "method": "no/such"}\n',
        b'{"jsonrpc": "2.0", "method": "tools/call"}\n',
        b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "id": 2, "method": "ping"}]\n',
        b"[]\n",
        b"null\n",
        b"\n\n\r\n",
        b"Content-Length: 20\r\n\r\n",
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 5000 + b"]" * 5000 + b"}\n",
    ],
    ids=["words", "bytes", "half", "version", "unknown", "notification", "batch", "empty batch", "null", "blank", "headers", "deep"],
)  # fmt: skip
def test_a_line_that_is_no_request_wedges_nothing(server: RawServer, line: bytes) -> None:
    server.send(line)
    assert pings(server)


def test_a_line_of_10_mb_is_read_and_answered(server: RawServer) -> None:
    server.call(5, "harness_inspector", **LOOK, project="x" * 10_000_000)
    said = server.answer(5)["result"]
    assert said["isError"]
    assert said["structuredContent"]["code"] == "bad_usage"
    assert pings(server)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.one_of(st.binary(max_size=300), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["2.0", "ping", "tools/call"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"]), inner, max_size=6),
    max_leaves=12,
).map(lambda found: json.dumps(found).encode())))  # fmt: skip
def test_fuzz_of_the_transport(server: RawServer, line: bytes) -> None:
    server.send(line.replace(b"\n", b" ") + b"\n")
    assert pings(server)
    assert b"Traceback" not in server.errors


def test_stdout_is_only_json_rpc_though_something_prints(tmp_path: Path) -> None:
    """A library that prints, a warning, and a child that inherits our output: none reaches the wire."""
    plugin = "import os, sys, warnings; print('printed'); warnings.warn('warned'); os.system('echo child')"
    program = (
        f"import harnessos.mcp.calling as c, sys\nreal = c.perform\n"
        f"def loud(*a, **k):\n    {plugin}\n    return real(*a, **k)\nc.perform = loud\n"
        "from harnessos.cli.main import main\nsys.argv = ['harness', 'mcp']\nmain()\n"
    )
    with RawServer([sys.executable, "-c", program], minimal(tmp_path / "home")) as server:
        server.greet()
        server.call(1, "harness_inspector", **LOOK)
        assert not server.answer(1)["result"]["isError"]
        assert pings(server)


def test_initialize_works_with_db_missing_locked_or_too_new(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with RawServer(SERVER, minimal(home)) as server:
        assert server.greet()["result"]["serverInfo"]["name"] == "harness"
        server.call(1, "harness_inspector", action="export", project="DOCS")
        assert server.answer(1)["result"]["structuredContent"]["code"] == "store_missing"
        (home / "harness.sqlite").write_bytes(b"this is no database" * 100)
        server.call(2, "harness_inspector", action="export", project="DOCS")
        assert server.answer(2)["result"]["structuredContent"]["code"] in ("store_foreign", "store_corrupt")


def test_a_ledger_that_vanishes_is_told_and_one_that_comes_back_is_used(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    file = terminal.home / "harness.sqlite"
    with RawServer(SERVER, minimal(terminal.home)) as server:
        server.greet()
        wanted = {"action": "plan_issues", "project": "DOCS"}
        milestones = [{"milestone_key": "late", "description": "x", "issues": [{"task": "t"}]}]
        server.call(1, "harness_admin", action="reconcile", project="DOCS")
        assert not server.answer(1)["result"]["isError"], "it has the ledger open for writing now"
        aside = terminal.home / "aside"
        aside.mkdir()
        for part in terminal.home.glob("harness.sqlite*"):
            part.rename(aside / part.name)
        server.call(2, "harness_orchestrator", **wanted, milestones=milestones)
        assert server.answer(2)["result"]["structuredContent"]["code"] == "store_missing"
        assert not file.exists()
        for part in aside.iterdir():
            part.rename(terminal.home / part.name)
        server.call(3, "harness_orchestrator", **wanted, milestones=milestones)
        assert server.answer(3)["result"]["structuredContent"]["created"] == ["DOCS-4"]
    assert terminal.good("issue", "show", "DOCS-4")["issue"]["task"] == "t"


def test_it_ends_when_its_client_closes_its_end(tmp_path: Path) -> None:
    with RawServer(SERVER, minimal(tmp_path / "home")) as server:
        server.greet()
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(30) == 0


def test_it_ends_when_nobody_reads_its_answers(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys\n"
        f"server = subprocess.Popen({SERVER!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        f"server.stdin.write({json.dumps(HELLO).encode() + chr(10).encode()!r})\n"
        "server.stdin.flush()\n"
        "assert server.stdout.readline()\n"
        "server.stdout.close()\n"
        'server.stdin.write(b\'{"jsonrpc":"2.0","id":1,"method":"ping"}\\n\')\n'
        "server.stdin.close()\n"
        "print(server.wait(), flush=True)\n"
    )
    with RawServer([sys.executable, "-c", program], minimal(tmp_path / "home")) as client:
        assert client.lines.get(timeout=60).strip() == b"0"


def test_it_ends_with_its_parent_though_another_process_holds_its_pipe(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys\n"
        "reading, writing = os.pipe()\n"
        f"os.write(writing, {json.dumps(HELLO).encode() + chr(10).encode()!r})\n"
        f"server = subprocess.Popen({SERVER!r}, stdin=reading, stdout=subprocess.PIPE)\n"
        "keeper = subprocess.Popen(['sleep', '120'], pass_fds=[writing], stdout=subprocess.DEVNULL)\n"
        "assert server.stdout.readline()\n"
        "print(server.pid, keeper.pid, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with RawServer([sys.executable, "-c", program], minimal(tmp_path / "home")) as parent:
        server, keeper = map(int, parent.lines.get(timeout=60).split())
        try:
            parent.process.kill()
            eventually(lambda: ended(server), what="the end of the server")
        finally:
            os.kill(keeper, signal.SIGKILL)


def test_a_heartbeat_is_answered_while_a_long_call_goes_on(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    (terminal.cwd / "WORKFLOW.md").write_text(
        '---\n{"harness": {"runner": {"kind": "command", "command": ["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done"]}}}\n---\nDo.\n'
    )
    terminal.good("project", "trust", "DOCS")
    env = {**terminal.environment()}
    with RawServer(SERVER, env) as server:
        server.greet()
        server.call(1, "harness_symphony", action="supervisor_tick", project="DOCS")
        for number in range(10, 60):  # fifty at once, behind it
            server.call(number, "harness_inspector", action="next_action", project="DOCS")
        for number in range(10, 60):
            assert not server.answer(number)["result"]["isError"]
        assert pings(server)
        assert 1 not in server.answers
        server.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        assert pings(server, 98)
        eventually(lambda: terminal.good("run", "list", "--live")["items"] == [], what="the end of the cancelled run")


def test_a_client_that_never_reads_cannot_keep_it_alive(tmp_path: Path) -> None:
    """The pipe of its answers is full, and nobody will ever empty it."""
    program = (
        "import json, subprocess\n"
        f"server = subprocess.Popen({SERVER!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        f"server.stdin.write({json.dumps(HELLO).encode() + chr(10).encode()!r})\n"
        "for number in range(1, 60):\n"
        "    server.stdin.write(json.dumps({'jsonrpc': '2.0', 'id': number, 'method': 'tools/list'}).encode() + b'\\n')\n"
        "server.stdin.flush()\n"
        "import select\n"
        "select.select([server.stdout], [], [], 60)\n"
        "server.stdin.close()\n"
        "print(server.wait(), flush=True)\n"
    )
    with RawServer([sys.executable, "-c", program], minimal(tmp_path / "home")) as client:
        assert client.lines.get(timeout=60).strip() == b"0"


def test_works_with_minimal_environment() -> None:
    with RawServer(SERVER, {"PATH": "/usr/bin:/bin", "PYTHONPATH": minimal(Path("/"))["PYTHONPATH"]}) as server:
        server.greet()
        server.call(1, "harness_inspector", **LOOK)
        assert not server.answer(1)["result"]["isError"]


def test_a_locked_ledger_delays_only_who_writes(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    with RawServer(SERVER, terminal.environment()) as server:
        server.greet()
        server.call(1, "harness_inspector", action="next_action", project="DOCS")
        assert not server.answer(1)["result"]["isError"]
        other = sqlite3.connect(terminal.home / "harness.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        server.call(2, "harness_session", action="begin", project="DOCS")
        server.call(3, "harness_inspector", action="next_action", project="DOCS")
        assert not server.answer(3)["result"]["isError"]
        assert pings(server)
        assert 2 not in server.answers
        other.execute("ROLLBACK")
        other.close()
        assert server.answer(2)["result"]["structuredContent"]["session"]["token"]


def test_a_ledger_of_a_newer_program_is_named(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    with sqlite3.connect(terminal.home / "harness.sqlite") as ledger:
        ledger.execute("UPDATE meta SET value = '999' WHERE name = 'min_writer'")
        ledger.execute("PRAGMA user_version = 999")
    with RawServer(SERVER, terminal.environment()) as server:
        server.greet()
        server.call(1, "harness_session", action="begin", project="DOCS")
        said = server.answer(1)["result"]["structuredContent"]
        assert said["code"] == "store_too_new"
        assert said["next"]["tool"] is None
        server.call(2, "harness_symphony", action="inspect_state", project="DOCS")
        assert not server.answer(2)["result"]["isError"], "an older program may still read"
        assert pings(server)
