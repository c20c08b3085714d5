"""`up --until-idle` says what it waits for, once, and what it leaves paused; and why it cannot begin, with what helps."""

from __future__ import annotations

import json
from typing import Any

from tests.support.supervised import WORK, Site, issue, site

__all__ = ["site"]


def _begin(site: Site) -> str:
    return str(site.json("session", "begin")["session"]["token"])


def test_a_session_that_is_waited_for_is_named_once(site: Site) -> None:
    (one,) = site.plan(issue("by hand"))
    site.workflow(WORK)
    token = _begin(site)
    with site.start("--until-idle") as up:
        (told,) = up.saw("up.waiting")
        assert (told["issue"], told["run"]) == (one, site.run(one)["id"])
        assert f"`harness why {one}`" in told["reason"]
        site.json("session", "checkpoint", "--session", token, "--title", "t", "--summary", "s", "--next-step", "n")
        up.saw("run.checkpointed")
        site.json("session", "close", "--session", token, "--outcome", "released")
        assert up.end() == 0, "the supervisor took the issue itself"
        assert len([event for event in up.events() if event["event"] == "up.waiting"]) == 1
    assert site.standing(one) == [("done", None)]


def test_its_own_agents_are_nothing_to_wait_for(site: Site) -> None:
    site.plan(issue("a"), issue("b"))
    site.workflow(WORK)
    with site.start("--until-idle") as up:
        assert up.end() == 0
        assert [event for event in up.events() if event["event"] in ("up.waiting", "up.paused")] == []


def test_a_paused_campaign_with_ready_work_is_told_at_the_end(site: Site) -> None:
    site.plan(issue("a"))
    site.workflow(WORK)
    site.json("campaign", "pause", "default")
    done = site.call("up", "--until-idle", "--json")
    told = [json.loads(line) for line in done.out.splitlines()]
    (paused,) = [event for event in told if event["event"] == "up.paused"]
    assert paused["campaign"] == "default"
    assert f"`harness campaign resume default --project {site.key}`" in paused["reason"]


def _refused(site: Site) -> Any:
    """Return the error of an `up` that cannot begin. Any: JSON."""
    said = site.call("up", "--once", "--json")
    assert said.code == 65, said
    return json.loads(said.err.strip().splitlines()[-1])["error"]


def test_why_nothing_can_be_started_comes_with_what_helps_there(site: Site) -> None:
    site.plan(issue("a"))
    assert f"`harness init {site.root} --key {site.key} --workflow`" in _refused(site)["hint"]
    (site.root / "WORKFLOW.md").write_text("---\nharness:\n  gates: []\n---\nx\n", encoding="utf-8")
    hint = _refused(site)["hint"]
    assert "name an agent in" in hint
    assert "init --workflow" not in hint, "it would leave the file as it is"
    front = {"harness": {"runner": {"kind": "command", "command": ["true"]}, "env": {"KEY": "$NOT_SET_HERE"}}}
    (site.root / "WORKFLOW.md").write_text(f"---\n{json.dumps(front)}\n---\nx\n", encoding="utf-8")
    assert "environment of `harness up`" in _refused(site)["hint"]
    site.workflow(WORK)
    site.json("project", "distrust", site.key)
    assert f"`harness project trust {site.key}`" in _refused(site)["hint"]


def test_a_remark_for_people_says_a_number_once(site: Site) -> None:
    site.plan(issue("a"))
    site.workflow(WORK)
    (site.root / "new").touch()
    line = next(line for line in site.call("up", "--dry-run").out.splitlines() if "uncommitted" in line)
    assert "reason=1 uncommitted change in" in line
    assert "paths=" not in line
    (warning,) = site.json("up", "--dry-run")["warnings"]
    assert warning["paths"] == 1


def test_a_missing_program_and_a_full_disk_are_told_before_anything_starts(site: Site) -> None:
    site.plan(issue("a"))
    gate = {"name": "t", "kind": "command", "argv": ["no-such-gate"]}
    site.workflow(["no-such-agent", "-p"], gates=[gate, {"name": "s", "kind": "command", "argv": ["sh"]}])
    told = site.json("up", "--dry-run", environ={"HARNESS_DISK_FLOOR": str(1 << 60)})["warnings"]
    reasons = " | ".join(warning["reason"] for warning in told)
    assert "no-such-agent is not here" in reasons
    assert "no-such-gate of the gate t" in reasons
    assert "GB are free" in reasons
    assert len(told) == 3
