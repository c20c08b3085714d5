"""`harness mcp doctor` starts a server as a host would and says what a host would trip over."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from harnessos.mcp import doctor
from harnessos.ports import SystemClock
from tests.support.commands import Terminal

SERVER = """
import json, sys, time
{before}
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("method") == "initialize":
        {first}
        print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "result": {{"protocolVersion": "2025-06-18", "capabilities": {{}}}}}}), flush=True)
    elif asked.get("method") == "tools/list":
        print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "result": {{"tools": {tools}}}}}), flush=True)
{after}
"""
TOOL = {"name": "t", "inputSchema": {"type": "object"}}


def scripted(
    folder: Path, tools: object = (TOOL,), before: str = "", first: str = "pass", after: str = ""
) -> list[str]:
    """A server of our own; `before`, `first` and `after` are what is wrong with it."""
    file = folder / "server.py"
    file.write_text(SERVER.format(before=before, first=first, after=after, tools=repr(list(tools))), encoding="utf-8")  # type: ignore[call-overload] # a list
    return [sys.executable, str(file)]


def wrong(found: list[doctor.Finding]) -> set[str]:
    return {one.name for one in found if one.ok is False}


def test_our_own_server_is_well_and_started_with_nothing_but_path(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    said = terminal("mcp", "doctor", "--json")
    assert said.json["ok"] or [one["name"] for one in said.json["findings"] if one["ok"] is False] == ["initialize"], (
        said.json
    )
    seen = {one["name"]: one["value"] for one in said.json["findings"]}
    assert seen["tools"] == "7"
    assert seen["standard output"] == "protocol only"


@pytest.mark.parametrize(
    ("made", "names"),
    [
        ({}, set()),
        ({"before": "print('hello')"}, {"standard output"}),
        ({"before": "sys.exit('no database')"}, {"initialize"}),
        ({"tools": [TOOL] * 9}, {"tools"}),
        ({"tools": []}, {"tools"}),
        ({"tools": [{**TOOL, "description": "x" * 20_000}]}, {"size of the tools"}),
        ({"tools": [{**TOOL, "name": "n" * 70}]}, {"names"}),
        ({"tools": [{"name": "t", "inputSchema": {"anyOf": []}}]}, {"schemas"}),
    ],
)  # fmt: skip
def test_what_a_host_would_trip_over_is_named(tmp_path: Path, made: dict[str, Any], names: set[str]) -> None:
    found = doctor.examine(scripted(tmp_path, **made), {"PATH": "/usr/bin:/bin"}, SystemClock())
    assert wrong(found) - {"initialize" if "before" not in made else ""} == names
    assert all(one.advice for one in found if one.ok is False)


def test_a_server_that_says_nothing_or_stays_behind_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ANSWER_S", 0.5)
    silent = doctor.examine(scripted(tmp_path, first="time.sleep(600)"), {"PATH": "/usr/bin:/bin"}, SystemClock())
    assert wrong(silent) == {"initialize"}
    assert "no answer" in silent[1].value
    monkeypatch.setattr(doctor, "ANSWER_S", 30.0)
    monkeypatch.setattr(doctor, "END_S", 0.2)
    staying = doctor.examine(scripted(tmp_path, after="time.sleep(600)"), {"PATH": "/usr/bin:/bin"}, SystemClock())
    assert "end after its client" in wrong(staying)


def test_what_it_said_on_standard_error_is_told(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    said = terminal("mcp", "doctor", "--json", "--", "sh", "-c", "echo no database >&2; exit 3")
    assert said.code == 1
    first = next(one for one in said.json["findings"] if one["name"] == "initialize")
    assert "no database" in first["value"]
    assert "ended" in first["value"]
    assert terminal("mcp", "doctor", "--", "/no/such/server").code == 1
    assert json.dumps(said.json)
