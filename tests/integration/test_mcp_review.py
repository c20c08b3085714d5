"""What an independent review of the MCP server found, each as a sentence."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harnessos import errors
from harnessos.dispatch import verification
from harnessos.mcp.fitting import size
from tests.support.agents import ended
from tests.support.commands import Terminal, registered
from tests.support.mcp_clients import minimal
from tests.support.mcp_desk import Hands, agent, terminal
from tests.support.mcp_raw import RawServer
from tests.support.repositories import commit_files
from tests.support.scorecards import card
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

__all__ = ["agent", "terminal"]

SERVER = [sys.executable, "-m", "harnessos", "mcp"]


def work(agent: Hands) -> tuple[str, Path]:
    """Begin at DOCS-1 with the file its gate looks for committed; return token and worktree."""
    begun = agent.good("harness_session", "begin", issue="DOCS-1", worktree=True)
    folder = Path(begun["worktree"])
    commit_files(folder, {"a.txt": "done\n"})
    return begun["session"]["token"], folder


def test_a_pattern_from_a_client_is_not_searched_with(agent: Hands) -> None:
    said = agent.refused("harness_mission", "search", workspace="MSN-1", query="(a+)+$", regex=True)
    assert said["code"] == "bad_usage"


def test_a_verification_that_broke_off_is_done_again_by_the_next_look(
    agent: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = work(agent)
    really: Callable[..., Any] = verification.judge

    def breaks(*_: Any) -> None:
        raise errors.DiskLow("no space is left")

    monkeypatch.setattr(verification, "judge", breaks)
    assert agent.call("harness_session", "close", session=token, outcome="finished").failed
    monkeypatch.setattr(verification, "judge", really)
    assert agent.good("harness_session", "heartbeat", session=token)["verdict"] == "verified"


def test_a_scorecard_cannot_be_slipped_in_as_a_file(agent: Hands) -> None:
    token, folder = work(agent)
    (folder / "card.json").write_text("no json", encoding="utf-8")
    said = agent.refused("harness_artifacts", "save", session=token, path="card.json", kind="scorecard")
    assert said["code"] == "bad_usage"


def test_marks_rest_on_no_marks_and_one_bad_card_keeps_none(agent: Hands) -> None:
    token, _ = work(agent)
    evidence = agent.good("harness_artifacts", "save", session=token, path="a.txt", kind="data")["id"]
    words = {"session": token, "title": "t", "summary": "s", "next_step": "n"}
    (first,) = agent.good("harness_session", "checkpoint", scorecards=[card(evidence=evidence)], **words)["scorecards"]
    both = [card(evidence=evidence, id="card-2"), card(evidence=first)]
    assert first in agent.refused("harness_session", "checkpoint", scorecards=both, **words)["message"]
    assert len(agent.good("harness_artifacts", "list", kind="scorecard")["items"]) == 1
    assert agent.refused("harness_session", "checkpoint", scorecards=[card(evidence=evidence, weightedAverage=10**400)], **words)["code"] == "bad_document"  # fmt: skip


def test_a_begin_that_was_cancelled_while_it_waited_holds_nothing(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    with RawServer(SERVER, terminal.environment()) as server:
        server.greet()
        server.call(1, "harness_admin", action="reconcile", project="DOCS")
        server.answer(1)
        other = sqlite3.connect(terminal.home / "harness.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        server.call(2, "harness_session", action="begin", project="DOCS")
        server.call(3, "harness_inspector", action="next_action", project="DOCS")
        server.answer(3)
        server.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}})
        server.say({"jsonrpc": "2.0", "id": 4, "method": "ping"})
        server.answer(4)
        other.execute("ROLLBACK")
        other.close()

        def given_back() -> bool:
            runs = terminal.good("run", "list")["items"]
            return bool(runs) and terminal.good("run", "list", "--live")["items"] == []

        eventually(given_back, what="the lease given back")


def test_looking_at_a_mission_keeps_no_dead_agents_run_alive(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    token = ws.start()

    def expires() -> int:
        with sqlite3.connect(ws.terminal.home / "harness.sqlite") as ledger:
            return int(ledger.execute("SELECT expires_at FROM runs WHERE live = 1").fetchone()[0])

    looker = Hands(ws.terminal.environment(), tmp_path)
    before = expires()
    for action in ("show", "topics", "context"):
        looker.good("harness_mission", action, workspace=str(ws.path))
    looker.good("harness_mission", "search", workspace=str(ws.path), query="x")
    assert expires() == before
    looker.good("harness_mission", "search", workspace=str(ws.path), query="x", session=token)
    assert expires() > before, "its holder says that it is"
    looker.desk.close()


def test_what_a_server_started_is_asked_to_end_with_it(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    (terminal.cwd / "WORKFLOW.md").write_text(
        '---\n{"harness": {"runner": {"kind": "command", "command": ["sh", "-c", "sleep 300"]}}}\n---\nDo.\n'
    )
    terminal.good("project", "trust", "DOCS")
    with RawServer(SERVER, terminal.environment()) as server:
        server.greet()
        server.call(1, "harness_symphony", action="supervisor_tick", project="DOCS")
        eventually(lambda: terminal.good("run", "list", "--live")["items"], what="an agent at work")
        children = [child.pid for child in psutil.Process(server.process.pid).children()]
        assert children
        assert server.process.stdin is not None
        server.process.stdin.close()
        server.process.wait(30)
        eventually(lambda: all(ended(pid) for pid in children), what="the end of the supervisor", within=60.0)
    assert terminal.good("run", "list", "--live")["items"] == []


def test_every_artifact_is_met_by_following_the_cursor(agent: Hands) -> None:
    token, folder = work(agent)
    for number in range(12):
        (folder / f"file-{number:02}-{'x' * 60}.txt").write_text(str(number), encoding="utf-8")
        agent.good("harness_artifacts", "save", session=token, path=f"file-{number:02}-{'x' * 60}.txt", kind="data")
    seen: list[str] = []
    page = agent.good("harness_artifacts", "list", issue="DOCS-1")
    while True:
        seen += [row["path"] for row in page["items"]]
        if page["cursor"] is None:
            break
        page = agent.good(page["next"]["tool"], page["next"]["action"], **page["next"]["arguments"])
    assert [path[:7] for path in seen] == [f"file-{number:02}" for number in range(12)]


def test_a_long_description_reaches_who_begins(terminal: Terminal, agent: Hands) -> None:
    text = "".join(f"line {number} of what is to be done\n" for number in range(220))
    milestones = [{"milestone_key": "long", "description": "x", "issues": [{"task": "read", "description": text}]}]
    identifier = agent.good("harness_orchestrator", "plan_issues", milestones=milestones)["created"][0]
    begun = agent.good("harness_session", "begin", issue=identifier)
    assert "description" not in begun["issue"]
    assert json_text(begun["briefing"]).count("of what is to be done") > 100
    assert begun["session"]["token"].startswith("hs_")
    assert size(begun) < 14_000


def json_text(value: object) -> str:
    return str(value)


@pytest.mark.parametrize(
    "given",
    [
        {"verb": "init", "agents": 2000},
        {"verb": "init", "agents": -3},
        {"verb": "dispatch"},
        {"verb": "dispatch", "task": "x", "priority": "medium"},
        {"verb": "status", "task": "x"},
    ],
)
def test_what_agents_takes_is_what_the_command_takes(tmp_path: Path, given: dict[str, Any]) -> None:
    ws = Workspace(tmp_path)
    hands = Hands(ws.terminal.environment(), tmp_path)
    assert hands.refused("harness_mission", "agents", workspace=str(ws.path), **given)["code"] == "bad_usage"
    hands.good("harness_mission", "agents", workspace=str(ws.path), verb="init", agents=2)
    made = hands.good(
        "harness_mission", "agents", workspace=str(ws.path), verb="dispatch", task="x", priority="critical"
    )
    assert made["task"]["worker"] == "worker-1"
    hands.desk.close()


def test_a_refused_call_leads_on_with_its_own_session(agent: Hands) -> None:
    token, _ = work(agent)
    agent.good("harness_session", "close", session=token, outcome="released")
    said = agent.refused("harness_session", "checkpoint", session=token, title="t", summary="s", next_step="n")
    assert not agent.call(said["next"]["tool"], said["next"]["action"], **said["next"]["arguments"]).failed


def test_without_a_project_the_projects_are_shown(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    lost = Hands(terminal.environment(), tmp_path)
    said = lost.refused("harness_session", "begin")
    assert (said["next"]["tool"], said["next"]["action"]) == ("harness_inspector", "get_context")
    assert lost.good("harness_inspector", "get_context")["projects"][0]["key"] == "DOCS"
    lost.desk.close()


def test_connections_of_threads_that_ended_are_closed(terminal: Terminal, agent: Hands) -> None:
    agent.good("harness_admin", "reconcile")
    for _ in range(40):
        thread = threading.Thread(target=agent.good, args=("harness_admin", "reconcile"))
        thread.start()
        thread.join()
    opened = [path for path in Path("/proc/self/fd").iterdir() if _leads_to(path, terminal.home / "harness.sqlite")]
    assert len(opened) <= 16


def _leads_to(link: Path, file: Path) -> bool:
    try:
        return str(link.readlink()) == str(file)
    except OSError:
        return False


@pytest.mark.parametrize(
    "slices",
    [
        [{"id": "s", "milestoneId": ["m"], "task": "t"}],
        [{"id": "s", "milestoneId": "m", "task": "t", "externalRefs": 5}],
        [{"id": "s", "milestoneId": "m", "task": "t", "dependsOnSliceIds": [{}]}],
    ],
)
def test_slices_of_wrong_types_are_refused(agent: Hands, slices: Any) -> None:
    said = agent.refused(
        "harness_symphony", "compile_plan", milestones=[{"id": "m", "description": "d"}], slices=slices
    )
    assert said["code"] == "bad_plan"


def test_a_link_among_a_runs_logs_is_not_served(terminal: Terminal, agent: Hands) -> None:
    from harnessos.app import logs

    folder = terminal.home / "runs" / "run-x"
    folder.mkdir(parents=True)
    (folder / "evil.log").symlink_to("/etc/passwd")
    assert logs.of_run(terminal.home, "run-x") == []


def test_sixty_four_calls_that_wait_hold_up_nobody_who_looks(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    with RawServer(SERVER, terminal.environment()) as server:
        server.greet()
        server.call(1, "harness_admin", action="reconcile", project="DOCS")
        server.answer(1)
        other = sqlite3.connect(terminal.home / "harness.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for number in range(100, 170):
            server.call(number, "harness_session", action="begin", project="DOCS")
        server.call(2, "harness_inspector", action="capabilities")
        assert not server.answer(2)["result"]["isError"]
        assert not set(range(100, 170)) & server.answers.keys()
        other.execute("ROLLBACK")
        other.close()


def test_a_server_at_home_in_another_repository_judges_the_project(tmp_path: Path) -> None:
    """HARNESS_HOME may lie in a repository of dotfiles."""
    terminal = registered(tmp_path)
    os.system(f"git init -q '{terminal.home.parent}'")
    agent = Hands(terminal.environment(), Path("/"))
    token = agent.good("harness_session", "begin", project="DOCS", issue="DOCS-1")["session"]["token"]
    commit_files(terminal.cwd, {"a.txt": "done\n"})
    assert agent.good("harness_session", "close", session=token, outcome="finished")["verdict"] == "verified"
    agent.desk.close()
    assert minimal(terminal.home)["HARNESS_HOME"]
