"""What one attempt leaves to the next: its work, its acknowledged words, and no process of its own."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors, processes
from harnessos.dispatch import verification, watching
from harnessos.services.supervisor import Supervisor
from tests.support.agents import agent
from tests.support.supervised import HARNESS, UNTIL_IDLE, WORK, Site, expire, issue, site
from tests.support.waiting import eventually

__all__ = ["site"]

ONCE = UNTIL_IDLE._replace(until_idle=False, once=True)
BRIEFLY = UNTIL_IDLE._replace(max_wait_ms=1)
ASKED = f"{WORK}; {HARNESS} session close --outcome finished > $HARNESS_EVIDENCE_DIR/told; "


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and give nobody long to end."""
    monkeypatch.setattr(watching, "LOOK_S", 0.05)
    monkeypatch.setattr(watching, "LEDGER_S", 0.1)
    monkeypatch.setattr(watching, "GRACE_S", 0.5)


@pytest.mark.parametrize("how", ["reaped", "cancelled"])
def test_the_work_of_a_run_that_somebody_else_ended_is_where_the_next_one_starts(site: Site, how: str) -> None:
    """The ledger moved on first: the sweep that would have kept the work has not come by yet."""
    (one,) = site.plan(issue("hours of work"))
    begun = site.json("session", "begin", "--worktree")
    worktree = Path(begun["worktree"])
    (worktree / "hours.txt").write_text("of work\n", encoding="utf-8")
    if how == "reaped":
        site.ledger.write(expire, begun["session"]["run_id"])
    else:
        assert site.call("issue", "cancel", one).code == 0
        assert site.call("issue", "reopen", one).code == 0
    site.workflow(f"cp hours.txt seen.txt; {WORK}")
    up = site.up(ONCE)
    assert up.code == 0, up.events
    assert site.git("show", f"{site.accepted()[one]}:seen.txt") == "of work"


def test_what_a_reaped_run_left_running_is_ended_before_the_issue_runs_again(site: Site) -> None:
    """Also where a session takes the issue: two agents must never be at work on one issue of a machine (P04)."""
    (one,) = site.plan(issue("work"))
    begun = site.json("session", "begin")
    run_id = begun["session"]["run_id"]
    left = agent(run_id, site.folder, "import os, time; os.setsid(); time.sleep(600)")
    eventually(lambda: processes.marked(run_id), what="the process of the first run")
    site.ledger.write(expire, run_id)
    again = site.json("session", "begin", "--issue", one)
    assert again["session"]["epoch"] == 2
    eventually(lambda: not processes.is_alive(left.identity), what="the end of what the first run left")


def test_sigterm_takes_no_close_back_that_was_acknowledged(site: Site) -> None:
    (one,) = site.plan(issue("finish, and linger"))
    site.workflow(f"{ASKED} sleep 600")
    with site.start() as up:
        run = up.saw("run.launched")[0]["run"]
        up.saw("run.asked")
        eventually((site.evidence_folder(run) / "told").exists, what="the acknowledgement")
        up.process.send_signal(signal.SIGTERM)
        up.end()
    assert (site.issue(one)["status"], site.run(one)["outcome"]) == ("done", "success")


def test_an_agent_that_lingers_after_its_close_is_judged_at_the_wall_time_cap(site: Site) -> None:
    (one,) = site.plan(issue("finish, and linger", budget={"wall_minutes": 0.05}))
    site.workflow(f"{ASKED} sleep 600")
    site.up(BRIEFLY)
    assert (site.issue(one)["status"], site.run(one)["outcome"]) == ("done", "success")


def test_the_commit_that_a_close_names_is_the_one_that_is_judged(site: Site) -> None:
    """What the agent did after it is no part of the result, and is kept."""
    (one,) = site.plan(issue("name a commit"))
    gate = {"name": "no-extra", "kind": "command", "argv": ["test", "!", "-e", "extra.txt"]}
    site.workflow(
        f"{WORK}; good=$(git rev-parse HEAD); echo extra > extra.txt; git add -A; git commit -qm extra; "
        f"{HARNESS} session close --outcome finished --commit $good; echo $good > $HARNESS_EVIDENCE_DIR/good",
        gates=[gate],
    )
    assert site.up(ONCE).code == 0
    run = site.run(one)
    assert site.accepted()[one] == run["commit_id"] == site.kept(run, "good").strip()
    assert site.git("show", f"refs/harness/salvage/{run['id']}:extra.txt") == "extra"


def test_a_salvage_that_no_longer_fits_is_set_aside_and_the_agent_told(site: Site) -> None:
    (one,) = site.plan(issue("write what the operator writes too"))
    site.workflow(
        f"if [ $HARNESS_ATTEMPT = 1 ]; then echo agent > README; git commit -qam agent; exit 1; fi; {WORK}",
        prompt="{{ resume }}",
        budget={"attempts": 2},
    )
    site.up(ONCE)
    (site.root / "README").write_text("operator\n", encoding="utf-8")
    site.git("commit", "-qam", "operator")
    assert site.call("issue", "retry", one).code == 0
    assert site.up(ONCE).code == 0
    first, second = site.runs(one)
    assert second["outcome"] == "success"
    assert site.git("show", f"{site.accepted()[one]}:README") == "operator"
    assert "does not fit the present base: README" in site.kept(second, "prompt-1.md")
    assert first["salvage_ref"] in site.kept(second, "prompt-1.md")


def test_a_ledger_that_is_away_for_a_moment_makes_no_fault_of_finished_work(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = site.plan(issue("work"))
    site.workflow(WORK)
    judge = verification.judge

    def away(*given: Any) -> Any:
        monkeypatch.setattr(verification, "judge", judge)
        raise errors.StoreUnavailable("the server is restarting")

    monkeypatch.setattr(verification, "judge", away)
    assert site.up(BRIEFLY).code == 0
    assert [run["outcome"] for run in site.runs(one)] == ["success"]


def test_the_sweep_leaves_the_hooks_of_runs_alone_that_are_still_being_cleaned_up(site: Site) -> None:
    (one,) = site.plan(issue("work"))
    done = site.folder / "hook-done"
    site.workflow(WORK, front={"hooks": {"after_run": f"sleep 1; touch {done}"}})

    swept: list[Any] = []

    def sweeping(supervisor: Supervisor, events: list[dict[str, Any]]) -> None:
        if events[-1]["event"] == "run.ended" and not swept:
            swept.append(eventually(lambda: processes.marked(site.run(one)["id"]), what="the hook at work"))
            supervisor._swept_at = None
            supervisor._sweep(0)

    assert site.up(BRIEFLY, during=sweeping).code == 0
    assert swept
    assert done.exists()


def test_a_commit_is_judged_as_what_its_name_says(site: Site) -> None:
    """`git replace` shows another commit's tree under a name, to every worktree of the repository."""
    (one,) = site.plan(issue("pass off a bad commit as a good one"))
    site.workflow(
        "echo good > result; git add -A; git commit -qm good; good=$(git rev-parse HEAD); git reset -q --hard HEAD~1; "
        "echo bad > result; git add -A; git commit -qm bad; git replace HEAD $good; git reset -q --hard",
        gates=[{"name": "good", "kind": "command", "argv": ["grep", "good", "result"]}],
    )
    assert site.up(ONCE).code == 0
    assert site.git("--no-replace-objects", "show", f"{site.accepted()[one]}:result") == "good"


def test_what_an_agent_puts_under_the_harness_s_names_neither_holds_it_up_nor_leads_it_away(site: Site) -> None:
    """A pipe where a log is opened, a link where the prompt is written, folders where files belong."""
    (one,) = site.plan(issue("play tricks"))
    victim = site.folder / "victim"
    victim.write_text("mine", encoding="utf-8")
    site.workflow(
        "cd $HARNESS_WORKTREE; if [ $HARNESS_TURN = 2 ]; then echo 2 > two; exit; fi; touch one; own=$HARNESS_EVIDENCE_DIR/..; "
        f"mkfifo $own/turn-2.out.log; ln -s {victim} $own/prompt-2.md; mkdir -p $own/turn-2.exit.json/deep; "
        "rm $own/manifest.json; mkdir $own/manifest.json; rm -r $HARNESS_EVIDENCE_DIR; ln -s / $HARNESS_EVIDENCE_DIR",
        gates=[{"name": "two", "kind": "file", "path": "two"}],
    )
    assert site.up(BRIEFLY).code == 0
    run = site.run(one)
    assert (run["outcome"], run["turns"]) == ("success", 2)
    assert victim.read_text(encoding="utf-8") == "mine"
    assert site.manifest(run)["cleanup"] == "removed"
    assert site.worktrees() == []


def test_a_log_of_a_gate_that_is_no_file_is_an_error_of_the_gate_and_not_of_the_harness(site: Site) -> None:
    (one,) = site.plan(issue("play tricks", budget={"attempts": 1}))
    gate = {"name": "ok", "kind": "command", "argv": ["true"]}
    site.workflow(
        f"{WORK}; mkdir -p $HARNESS_EVIDENCE_DIR/../gates/1; mkfifo $HARNESS_EVIDENCE_DIR/../gates/1/ok.log; "
        "chmod 500 $HARNESS_EVIDENCE_DIR/../gates/1",
        gates=[gate],
    )
    up = site.up(ONCE)
    assert up.named("up.bug") == []
    assert site.run(one)["outcome"] in ("success", "harness_fault")
