"""Demands of P01, P06 and P22 on a supervised run: it can be stopped, bounded, and never works in the main checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harnessos import processes
from harnessos.dispatch import watching
from harnessos.kernel import projects
from harnessos.kernel.events import Cause
from harnessos.model.run import OPERATOR
from tests.support.commands import Terminal, registered
from tests.support.supervised import HARNESS, UNTIL_IDLE, WORK, Site, issue, site

__all__ = ["site"]

BRIEFLY = UNTIL_IDLE._replace(max_wait_ms=1)
RUNS_A_DAY = 9


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and give nobody long to end."""
    monkeypatch.setattr(watching, "LOOK_S", 0.05)
    monkeypatch.setattr(watching, "LEDGER_S", 0.1)
    monkeypatch.setattr(watching, "GRACE_S", 0.5)


def test_stop_path_needs_no_agent_and_no_hook(site: Site) -> None:
    """The agent ignores signals and repeats one failing call for ever, every hook fails: the cap ends it all the same."""
    (one,) = site.plan(issue("go round in circles", budget={"wall_minutes": 0.02}))
    site.workflow(
        f"set +e; trap '' TERM INT; while true; do {HARNESS} session close --session wrong --outcome failed; sleep 0.05; done",
        front={"hooks": {"after_run": "exit 1", "before_remove": "exit 1"}},
    )
    site.up(BRIEFLY)
    run = site.run(one)
    assert (run["outcome"], run["reason"]) == ("agent_fault", "it reached the wall-time cap of a run")
    assert site.issue(one)["attempts"] == 1
    assert site.worktrees() == []


def test_fanout_ceiling_is_global(site: Site) -> None:
    """Every agent plans three more issues: the whole tree shares the project's runs a day, and four agents at once."""
    site.plan(issue("plan more"))
    child = {"milestones": [{"milestone_key": "NAME", "description": "d", "issues": [issue("more")] * 3}]}
    plan = site.folder / "child.json"
    plan.write_text(json.dumps(child), encoding="utf-8")
    assert site.call("budget", "set", site.key, "runs", str(RUNS_A_DAY)).code == 0
    site.workflow(
        f"sed s/NAME/m-$HARNESS_ISSUE/ {plan} > $HARNESS_EVIDENCE_DIR/child.json\n"
        f"{HARNESS} plan apply $HARNESS_EVIDENCE_DIR/child.json --project {site.key}\n{WORK}"
    )
    up = site.up(BRIEFLY)
    assert up.code == 75
    assert len(up.named("run.claimed")) == RUNS_A_DAY
    live, most = 0, 0
    for event in up.events:
        live += (event["event"] == "run.claimed") - (event["event"] == "run.ended")
        most = max(most, live)
    assert 2 <= most <= 4
    listed = site.json("issue", "list", "--limit", "100")["items"]
    assert len(listed) == 1 + 3 * RUNS_A_DAY
    assert {item["blocked_reason"] for item in listed if item["status"] == "ready"} == {"budget:project"}


@pytest.mark.parametrize("root", [".", "deep/inside", "LINK"])
def test_run_refused_when_cwd_is_main_checkout(site: Site, root: str) -> None:
    """A workflow that puts the worktrees into the repository starts no agent there, by a link neither."""
    (one,) = site.plan(issue("work where the user works"))
    link = site.folder / "link"
    link.symlink_to(site.root)
    started = site.folder / "started"
    before = (site.git("rev-parse", "HEAD"), site.git("status", "--porcelain"))
    place = link if root == "LINK" else site.root / root
    site.workflow(f"pwd > {started}; {WORK}", front={"workspace": {"root": str(place)}})
    assert site.up(BRIEFLY).code != 0
    assert not started.exists()
    assert site.issue(one)["status"] != "done"
    assert (site.git("rev-parse", "HEAD"), site.git("status", "--porcelain")) == before


def test_a_supervisor_whose_reader_has_gone_hands_its_runs_back_and_claims_no_success(site: Site) -> None:
    (one,) = site.plan(issue("be watched"))
    site.workflow(f"while true; do {HARNESS} session checkpoint --title t --summary s --next-step n; sleep 0.2; done")
    line = f"{{ {HARNESS} up --until-idle --json; echo $? > ../code; }} | grep --max-count=1 run.launched"
    done = processes.run(["sh", "-c", line], cwd=site.root, env=site.environ, timeout=60)
    assert b"run.launched" in done.output
    assert (site.folder / "code").read_text(encoding="utf-8") == "75\n", done.errors
    assert site.issue(one)["status"] == "ready"
    run = site.run(one)
    assert (run["live"], run["outcome"]) == (0, "released")
    assert processes.marked(run["id"]) == []
    assert site.worktrees() == []


def test_live_lease_or_live_process_blocks_removal(tmp_path: Path) -> None:
    """`worktree gc` never takes the worktree of a live run, however little room there may be (see also holders_of)."""
    terminal: Terminal = registered(tmp_path)
    begun = terminal.good("session", "begin", "--worktree")
    done = terminal.good("worktree", "gc", "--cap-gb", "0")
    assert [item["path"] for item in done["items"] if item["removed"]] == []
    assert Path(begun["worktree"]).is_dir()
    assert terminal.good("session", "heartbeat", "--session", begun["session"]["token"])["stop_request"] is None


def test_what_one_user_trusts_runs_for_nobody_else(site: Site) -> None:
    """And who one is, the uid says: $USER is a word (P02)."""
    (one,) = site.plan(issue("run"))
    site.workflow(WORK)
    row = site.ledger.project(site.key)
    site.ledger.write(projects.trust, row, processes.machine_id(), "somebody-else", Cause(OPERATOR, "test"))
    assert site.call("up", "--until-idle", environ={"USER": "somebody-else"}).code == 65
    assert site.runs(one) == []
    assert "not trusted on this machine" in site.call("why", one).out
    assert site.call("project", "trust", environ={"USER": "somebody-else"}).code == 0
    assert site.call("up", "--until-idle").code == 0


def test_a_supervisor_that_ends_while_a_session_is_at_work_says_there_is_more(site: Site) -> None:
    site.plan(issue("work by hand"))
    site.workflow(WORK)
    site.json("session", "begin")
    assert site.up(UNTIL_IDLE._replace(until_idle=False, once=True)).code == 75


def test_no_agents_at_all_is_no_limit_one_can_ask_for(site: Site) -> None:
    site.plan(issue("run"))
    site.workflow(WORK)
    for words in ((), ("--dry-run",)):
        assert site.call("up", "--until-idle", "--max-agents", "0", *words).code == 2
