"""A connection over its time: progress, leases that are kept alive, and the tools that a profile shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors
from tests.support.commands import registered
from tests.support.mcp_clients import ERAS, McpClient, minimal
from tests.support.mcp_desk import Hands
from tests.support.waiting import eventually


def test_profile_filter_really_shrinks_tools_list(tmp_path: Path) -> None:
    async def size(client: Any) -> int:
        tools = (await client.list_tools()).tools
        return len(json.dumps([tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]))

    sizes = {}
    for profile in ("coding", "ops", "research"):
        with McpClient("--profile", profile, env=minimal(tmp_path / "home")) as agent:
            sizes[profile] = agent.do(size)
            if profile == "research":
                assert agent.refused("harness_admin", "reconcile") == "unknown_identifier"
    assert sizes["research"] < sizes["ops"] < sizes["coding"] <= 12_000


@pytest.mark.parametrize("era", ERAS)
def test_a_long_call_sends_progress_to_who_asked_for_it(tmp_path: Path, era: str) -> None:
    terminal = registered(tmp_path)
    script = tmp_path / "agent.sh"
    script.write_text(f"while [ ! -e '{tmp_path / 'go'}' ]; do sleep 0.05; done\n", encoding="utf-8")
    front = {"harness": {"runner": {"kind": "command", "command": ["sh", str(script)]}}}
    (terminal.cwd / "WORKFLOW.md").write_text(f"---\n{json.dumps(front)}\n---\nDo.\n", encoding="utf-8")
    terminal.good("project", "trust", "DOCS")
    heard: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert progress > 0
        heard.append(message)
        (tmp_path / "go").touch()

    async def work(client: Any) -> Any:
        given = {"action": "supervisor_tick", "project": "DOCS"}
        return await client.call_tool("harness_symphony", given, progress_callback=note)

    with McpClient(env=dict(terminal.environment()), era=era) as agent:
        done = agent.do(work)
    assert not done.is_error, done.structured_content
    assert heard
    assert "supervisor" in str(heard[0])


def test_a_session_that_began_here_is_renewed_until_it_is_over(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    agent = Hands(terminal.environment(), terminal.cwd)
    session = agent.good("harness_session", "begin", issue="DOCS-1", ttl_seconds=600)["session"]
    before = session["expires_at"]
    agent.desk.renewing.renew()

    def renewed() -> bool:
        agent.desk.renewing.renew()
        return bool(terminal.good("session", "show", "--session", session["token"])["session"]["expires_at"] > before)

    eventually(renewed, what="a later end of the lease")
    agent.good("harness_session", "close", session=session["token"], outcome="released")
    agent.desk.renewing.renew()
    assert agent.desk.renewing.tokens == frozenset()
    agent.desk.close()


def test_a_ledger_that_cannot_be_asked_does_not_end_the_renewing(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    agent = Hands(terminal.environment(), terminal.cwd)
    token = agent.good("harness_session", "begin", issue="DOCS-1")["session"]["token"]
    file, aside = terminal.home / "harness.sqlite", terminal.home / "aside.sqlite"
    file.rename(aside)
    with pytest.raises(errors.StoreMissing):
        agent.desk.ledger.store(write=True)
    agent.desk.renewing.renew()
    assert agent.desk.renewing.tokens == {token}
    aside.rename(file)
    agent.desk.renewing.renew()
    assert agent.desk.renewing.tokens == {token}
    agent.desk.close()
