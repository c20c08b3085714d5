"""A whole day of an agent, through nothing but MCP: a real server, the official client, both eras, both stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mcp_clients import ERAS, McpClient, minimal
from tests.support.mission_documents import FILLED
from tests.support.repositories import commit_files
from tests.support.supervised import EITHER, KEY, Site, on_store
from tests.support.waiting import eventually

INSPECT, PLAN, SESSION, MISSION = "harness_inspector", "harness_orchestrator", "harness_session", "harness_mission"


@pytest.fixture(params=EITHER)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A trusted project in a ledger on either store, whose gate waits for a file `go` beside the project."""
    with on_store(request, tmp_path) as made:
        waits = f"while [ ! -e '{tmp_path / 'go'}' ]; do sleep 0.05; done; grep -q good work.txt"
        gate = {"name": "works", "kind": "command", "shell": waits}
        made.workflow("true", gates=[gate, {"name": "changes", "kind": "diff"}])
        assert made.call("project", "trust", KEY).code == 0
        yield made


def client(site: Site, era: str, *words: str) -> McpClient:
    """A client whose host gives the server PATH, and says where the ledger is."""
    store = site.environ.get("HARNESS_STORE")
    env = minimal(site.home, **({"HARNESS_STORE": store} if store else {}), HOME=site.environ["HOME"])
    return McpClient(*words, env=env, era=era)


def until_judged(agent: McpClient, token: str) -> str:
    """Heartbeat as the answers say, until the verdict is there."""
    verdicts: list[Any] = []

    def asked() -> bool:
        verdicts.append(agent.good(SESSION, "heartbeat", session=token)["verdict"])
        return verdicts[-1] is not None

    eventually(asked, what="the verdict")
    return str(verdicts[-1])


def worked(folder: str, text: str) -> str:
    """Write and commit in a worktree, as the agent's own hands do; return the commit."""
    return commit_files(Path(folder), {"work.txt": f"{text}\n"})


@pytest.mark.parametrize("era", ERAS)
def test_a_working_day_through_mcp_alone(site: Site, tmp_path: Path, era: str) -> None:
    with client(site, era, "--wait", "0.5") as agent:
        known = agent.good(INSPECT, "capabilities")
        assert set(known["tools"]) == set(known["profiles"]["coding"])
        issues = [{"task": "first", "key": "a"}, {"task": "second", "key": "b", "depends_on_keys": ["a"]}]
        milestones = [{"milestone_key": "m1", "description": "today", "issues": issues}]
        planned = agent.call(PLAN, "plan_issues", project=KEY, plan_key="p", milestones=milestones)
        assert planned.document["created"] == [f"{KEY}-1", f"{KEY}-2"]
        again = agent.good(PLAN, "plan_issues", project=KEY, plan_key="p", milestones=milestones)
        assert (again["created_count"], again["unchanged_count"]) == (0, 2)

        first = agent.call(INSPECT, "next_action", project=KEY)
        assert (first.next["tool"], first.next["action"]) == (SESSION, "begin")
        begun = agent.call(SESSION, "begin", **first.next["arguments"], agent="worker", ttl_seconds=3600).document
        assert begun["issue"]["identifier"] == f"{KEY}-1"
        assert {"token", "run_id", "epoch", "expires_at"} <= set(begun["session"])
        assert begun["briefing"]
        token = begun["session"]["token"]
        agent.good(
            SESSION,
            "checkpoint",
            session=token,
            title="begun",
            summary="read it",
            next_step="write",
            files=["work.txt: x"],
        )
        assert agent.good(SESSION, "heartbeat", session=token)["phase"] == "claimed"

        worked(begun["worktree"], "bad")
        waiting = agent.call(SESSION, "close", session=token, outcome="finished")
        assert (waiting.document["verdict"], waiting.document["phase"]) == (None, "verifying")
        assert (waiting.next["tool"], waiting.next["action"]) == (SESSION, "heartbeat")
        assert agent.follow(waiting.document).document["phase"] == "verifying"
        (tmp_path / "go").touch()
        assert until_judged(agent, token) == "rejected"
        saved = agent.good("harness_artifacts", "save", session=token, path="work.txt", kind="data")
        assert saved["path"] == "work.txt"
        worked(begun["worktree"], "good")
        handed = agent.call(SESSION, "advance", session=token, outcome="finished", worktree=True)
        if handed.document["closed"]["verdict"] is None:  # the gate takes longer than half a second on a busy machine
            assert until_judged(agent, token) == "verified"
            second = agent.good(SESSION, "begin", project=KEY, worktree=True)
        else:
            assert handed.document["closed"]["verdict"] == "verified"
            second = handed.document
        assert second["issue"]["identifier"] == f"{KEY}-2"
        agent.good(SESSION, "close", session=second["session"]["token"], outcome="released", reason="the day is over")
        told = agent.good(INSPECT, "audit", id=f"{KEY}-1", limit=50)
        assert any("verified" in entry["text"] for entry in told["timeline"])
        assert agent.good("harness_artifacts", "list", project=KEY)["items"][0]["sha256"] == saved["sha256"]
        assert agent.good(INSPECT, "health_snapshot")["ok"] in (True, False)
    assert site.issue(f"{KEY}-1")["status"] == "done"


def _serves(child: psutil.Process) -> bool:
    """Return whether a process is a server; what another test left behind may be a zombie, which has no words."""
    return child.status() != psutil.STATUS_ZOMBIE and "mcp" in child.cmdline()[-3:]


def test_a_server_that_is_killed_while_it_verifies_loses_nothing(site: Site, tmp_path: Path) -> None:
    site.plan({"task": "work", "priority": "medium", "size": "S"})
    with client(site, "auto", "--wait", "0.5") as agent:
        begun = agent.good(SESSION, "begin", project=KEY, worktree=True)
        token = begun["session"]["token"]
        worked(begun["worktree"], "good")
        assert agent.good(SESSION, "close", session=token, outcome="finished")["phase"] == "verifying"
        (server,) = [child for child in psutil.Process().children(recursive=True) if _serves(child)]
        server.kill()
    (tmp_path / "go").touch()
    with client(site, "auto", "--wait", "30") as agent:
        assert agent.good(SESSION, "heartbeat", session=token)["verdict"] == "verified"
    assert site.issue(f"{KEY}-1")["status"] == "done"
    assert len(site.runs(f"{KEY}-1")) == 1


@pytest.mark.parametrize("era", ERAS)
def test_a_mission_from_boot_to_eval_through_mcp_alone(site: Site, tmp_path: Path, era: str) -> None:
    place = tmp_path / "mission"
    with client(site, era) as agent:
        made = agent.call(MISSION, "boot", workspace=str(place), init=True)
        assert not made.failed, made.document
        for name, text in FILLED.items():
            (place / name).write_text(text, encoding="utf-8")
        ready = agent.call(MISSION, "boot", workspace=str(place))
        assert (ready.next["tool"], ready.next["action"]) == (MISSION, "start")
        started = agent.follow(ready.document).document
        token = started["token"]
        agent.good(MISSION, "stream", workspace=str(place), session=token, step="4", event="wrote a line")
        agent.good(MISSION, "learn", workspace=str(place), session=token, topic="lines", insight="one is enough")
        (place / "output").mkdir(exist_ok=True)
        (place / "output" / "report.md").write_text("one line\n", encoding="utf-8")
        done = agent.call(MISSION, "done", workspace=str(place), session=token, step="4", summary="wrote it")
        assert (done.next["tool"], done.next["action"]) == (MISSION, "eval")
        judged = agent.follow(done.document).document
        assert judged["verdict"] == "passed"
        shown = agent.good(MISSION, "show", workspace=str(place))
        assert shown["mission"]["successes"] == 1
        assert agent.good(MISSION, "search", workspace=str(place), query="wrote")["items"]
        assert agent.refused(MISSION, "complete", workspace=str(place)) == "refused"
        assert agent.good(MISSION, "list")["items"][0]["identifier"] == "MSN-1"
