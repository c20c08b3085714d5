"""What an agent met that used the server for the first time, each as a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harnessos.mcp.fitting import shortened, size
from tests.support.commands import Terminal
from tests.support.mcp_desk import Hands, agent, terminal
from tests.support.repositories import commit_files
from tests.support.workspaces import Workspace

__all__ = ["agent", "terminal"]

FINISHED: dict[str, Any] = {"outcome": "finished"}


def begin(agent: Hands) -> tuple[str, Path]:
    """Begin at DOCS-1 in a worktree; return token and worktree."""
    begun = agent.good("harness_session", "begin", issue="DOCS-1", worktree=True)
    return begun["session"]["token"], Path(begun["worktree"])


def test_a_proposed_begin_asks_for_a_worktree_where_there_is_a_repository(agent: Hands) -> None:
    then = agent.good("harness_inspector", "next_action")["next"]
    assert (then["action"], then["arguments"]["worktree"]) == ("begin", True)


def test_a_rejection_says_which_gate_why_and_how_often_it_may_still_happen(agent: Hands) -> None:
    token, folder = begin(agent)
    commit_files(folder, {"b.txt": "not what the gate looks for\n"})
    for said in (
        agent.good("harness_session", "close", session=token, **FINISHED),
        agent.good("harness_session", "heartbeat", session=token),
    ):
        (gate,) = said["failed"]
        assert size(said) < 2_000
        assert "a.txt" in gate["detail"]
        assert said["rejections"] == 1
    agent.good("harness_session", "close", session=token, **FINISHED)
    assert agent.good("harness_session", "heartbeat", session=token)["rejections"] == 2


def test_of_what_a_gate_printed_the_end_is_kept() -> None:
    printed = {"failed": [{"gate": "tests", "excerpt": "a" * 4_000 + "the cause"}]}
    assert shortened(printed, 1_000)["failed"][0]["excerpt"].endswith("the cause")


def test_a_refused_close_leads_back_to_the_session(agent: Hands) -> None:
    token, folder = begin(agent)
    (folder / "left.txt").write_text("not committed", encoding="utf-8")
    then = agent.refused("harness_session", "close", session=token, **FINISHED)["next"]
    assert (then["tool"], then["action"], then["arguments"]) == ("harness_session", "heartbeat", {"session": token})


def test_a_kept_file_leads_on_in_the_session_that_kept_it(agent: Hands) -> None:
    token, folder = begin(agent)
    (folder / "a.txt").write_text("x", encoding="utf-8")
    then = agent.good("harness_artifacts", "save", session=token, path="a.txt", kind="data")["next"]
    assert (then["action"], then["arguments"]["session"]) == ("close", token)


def test_closing_again_what_was_accepted_says_so(agent: Hands) -> None:
    token, folder = begin(agent)
    commit_files(folder, {"a.txt": "done\n"})
    assert agent.good("harness_session", "close", session=token, **FINISHED)["verdict"] == "verified"
    said = agent.refused("harness_session", "close", session=token, **FINISHED)
    assert (said["code"], said["verdict"]) == ("lease_lost", "verified")
    assert agent.good("harness_inspector", "why", id="DOCS-1")["next"]["action"] == "next_action", "nothing to reopen"


def test_a_checkout_that_is_none_is_refused_instead_of_another_one_judged(agent: Hands, tmp_path: Path) -> None:
    token = agent.good("harness_session", "begin", issue="DOCS-1")["session"]["token"]
    empty = tmp_path / "empty"
    empty.mkdir()
    said = agent.refused("harness_session", "close", session=token, checkout=str(empty), **FINISHED)
    assert said["code"] == "bad_usage"


def test_a_cancelled_issue_says_who_cancelled_it(terminal: Terminal, agent: Hands) -> None:
    planned = {"milestones": [{"milestone_key": "m", "description": "d", "issues": [{"task": "t"}]}]}
    (mine,) = agent.good("harness_orchestrator", "plan_issues", **planned)["created"]
    agent.good("harness_orchestrator", "cancel_issue", issue=mine)
    assert "agent:mcp:tester" in terminal.good("why", mine)["sentence"]


def test_a_workflow_names_its_gates_kinds_as_they_are_written(terminal: Terminal, agent: Hands) -> None:
    (terminal.cwd / "WORKFLOW.md").write_text(
        '---\n{"harness": {"gates": [{"name": "t", "kind": "tests", "argv": ["true"]}]}}\n---\nDo.\n', encoding="utf-8"
    )
    terminal.good("project", "trust", "DOCS")
    (gate,) = agent.good("harness_symphony", "load_workflow")["gates"]
    assert gate["kind"] == "tests"


def test_a_mission_is_named_by_its_identifier_everywhere(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    assert ws.terminal("mission", "boot", "MSN-1").code == 0
    agent = Hands(ws.terminal.environment(), tmp_path)
    assert agent.good("harness_mission", "boot", workspace="MSN-1")["next"]["action"] == "start"
    begun = agent.good("harness_mission", "start", workspace="MSN-1")
    assert begun["next"]["arguments"]["step"] == begun["step"]
    agent.good("harness_mission", "stream", workspace="MSN-1", step="1", event="looked")
    assert agent.refused("harness_mission", "boot", workspace="MSN-9", init=True)["code"] == "unknown_identifier"
    assert not (tmp_path / "MSN-9").exists()
    agent.desk.close()
    ws.terminal.good("memory", "stream", "MSN-1", "--step", "1", "--event", "looked again")


def test_where_nothing_is_planned_the_way_to_plan_is_shown(terminal: Terminal, agent: Hands) -> None:
    for issue in terminal.good("issue", "list")["items"]:
        terminal.good("issue", "cancel", issue["identifier"])
    then = agent.good("harness_inspector", "next_action")["next"]
    assert then["arguments"] == {"tool": "harness_orchestrator", "action_name": "plan_issues"}
    assert "depends_on_keys" in str(agent.good("harness_inspector", "capabilities", **then["arguments"])["schema"])
