"""`harness issue rollback`: what an agent does is stopped, and the issue begins anew."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import registered


def test_a_rolled_back_issue_is_ready_again_and_its_run_may_write_nothing(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    token = terminal.good("session", "begin", "--issue", "DOCS-1")["session"]["token"]
    said = terminal.good("issue", "rollback", "DOCS-1", "--reason", "wrong way")
    assert said["status"] == "ready"
    assert terminal("session", "heartbeat", "--session", token).code == 75
    again = terminal.good("session", "begin", "--issue", "DOCS-1")
    assert again["issue"]["identifier"] == "DOCS-1"


def test_an_agent_may_not_roll_back(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    said = terminal("issue", "rollback", "DOCS-1", "--json", HARNESS_RUN_ID="run-x")
    assert (said.code, said.error["code"]) == (65, "operator_only")
    assert "harness issue rollback DOCS-1" in said.error["hint"]
