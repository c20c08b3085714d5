"""The supervisor as a service: idle, limits, reload, signals, options, exit codes, and two of them on one ledger."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors, processes
from harnessos.app import supervising
from harnessos.app.supervising import Serve
from harnessos.bridge import Bridge
from harnessos.dispatch import recovery, watching
from harnessos.kernel import projects
from harnessos.kernel.events import Cause
from harnessos.model.run import OPERATOR, SUPERVISOR
from harnessos.services.supervisor import Options, Supervisor
from harnessos.testing import FakeClock
from tests.support.supervised import HARNESS, UNTIL_IDLE, WORK, Site, issue, site
from tests.support.waiting import eventually

__all__ = ["site"]

BRIEFLY = UNTIL_IDLE._replace(max_wait_ms=1)
BY_PERSON = Cause(OPERATOR, "test")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(watching, "LOOK_S", 0.1)
    monkeypatch.setattr(watching, "LEDGER_S", 0.2)


WAIT = "while [ ! -e $HARNESS_HOME/go-$HARNESS_ISSUE ]; do sleep 0.02; done"


def go(site: Site, identifier: str) -> None:
    """Let the agent of an issue that waits go on."""
    (site.home / f"go-{identifier}").touch()


def test_idle_supervisor_launches_no_agent(tmp_path: Path, clock: FakeClock) -> None:
    """A thousand full ticks over hours, with issues that wait, are done or need a person (P01, G5)."""
    site = Site(tmp_path, clock=clock)
    try:
        one, _ = site.plan(issue("wait", key="a"), issue("for it", depends_on_keys=["a"], key="b"))
        mark = site.folder / "launched"
        site.workflow(f"touch {mark}; {WORK}")
        _cancel(site, one)
        assert _ticks(site, clock, 1000) == 0
        assert not mark.exists()
        assert site.ledger.read(lambda tx: tx.all("run_held_by_machine", machine_id=processes.machine_id())) == []
    finally:
        site.close()


def _cancel(site: Site, identifier: str) -> None:
    from harnessos.kernel import operations

    site.ledger.write(operations.cancel, identifier, "not now", BY_PERSON)


def _ticks(site: Site, clock: FakeClock, count: int) -> int:
    """Tick so often, half a minute apart; return how many agents' threads there ever were."""
    seen = 0

    async def tick() -> None:
        nonlocal seen
        bridge = Bridge()
        served = supervising.projects(site.ledger, Serve((site.key,)), lambda _: None)
        supervisor = Supervisor(site.ledger.ground._replace(actor=SUPERVISOR), served, Options(), lambda _: None)
        try:
            for _ in range(count):
                clock.advance(30_001)
                await supervisor.tick(bridge)
                seen += len(supervisor._runs)
        finally:
            bridge.close()

    asyncio.run(tick())
    return seen


def test_no_more_agents_than_allowed_work_at_once_even_under_two_supervisors(site: Site) -> None:
    site.plan(*(issue(f"{number}") for number in range(6)))
    log = site.folder / "log"
    site.workflow(f"echo + >> {log}; sleep 0.4; echo - >> {log}; {WORK}", front={"agent": {"max_concurrent_agents": 2}})
    with site.start("--until-idle") as one, site.start("--until-idle") as two:
        assert (one.end(), two.end()) == (0, 0)
    most = working = 0
    for sign in log.read_text(encoding="utf-8").split():
        working += 1 if sign == "+" else -1
        most = max(most, working)
    assert most == 2
    assert len(site.accepted()) == 6


def test_max_agents_on_the_command_line_counts(site: Site) -> None:
    site.plan(*(issue(f"{number}") for number in range(3)))
    log = site.folder / "log"
    site.workflow(f"echo + >> {log}; sleep 0.2; echo - >> {log}; {WORK}")
    assert site.up(UNTIL_IDLE._replace(max_agents=1)).code == 0
    assert log.read_text(encoding="utf-8").split() == ["+", "-"] * 3


def test_dry_run_says_what_would_start_and_changes_nothing(site: Site) -> None:
    a, b, c = site.plan(issue("a", files=["x/"]), issue("b", files=["x/y"]), issue("c", depends_on_indices=[0]))
    site.workflow(WORK)
    before = _dump(site)
    said = site.json("up", "--dry-run")
    assert _dump(site) == before
    choices = {one["identifier"]: (one["start"], one["reason"]) for one in said["projects"][site.key]}
    assert choices[a] == (True, "")
    assert choices[b] == (False, "its files are held by another run")
    assert c not in choices
    assert site.worktrees() == []


def _dump(site: Site) -> list[str]:
    with sqlite3.connect(site.home / "harness.sqlite") as connection:
        return list(connection.iterdump())


def test_once_starts_what_is_free_and_no_more(site: Site) -> None:
    site.plan(*(issue(f"{number}") for number in range(3)))
    site.workflow(WORK, front={"agent": {"max_concurrent_agents": 2}})
    assert site.up(Options(once=True)).code == 75
    assert len(site.accepted()) == 2
    assert site.up(Options(once=True)).code == 0


def test_nothing_to_serve_is_bad_content_that_names_the_remedy(site: Site) -> None:
    done = site.call("up", "--until-idle")
    assert done.code == 65
    assert "init" in done.err
    assert "--workflow" in done.err


def test_a_workflow_without_a_runner_is_nothing_to_serve(site: Site) -> None:
    (site.root / "WORKFLOW.md").write_text("Do it.\n", encoding="utf-8")
    done = site.call("up", "--until-idle")
    assert done.code == 65
    assert "runner" in done.err


def test_a_broken_workflow_is_told_at_start_with_its_line(site: Site) -> None:
    (site.root / "WORKFLOW.md").write_text("---\nharness:\n  runer: 1\n---\n", encoding="utf-8")
    done = site.call("up", "--until-idle")
    assert done.code == 65
    assert "runer" in done.err
    assert "3" in done.err


def test_in_a_project_nobody_trusts_nothing_runs(site: Site) -> None:
    (one,) = site.plan(issue("run"))
    site.workflow(WORK)
    site.ledger.write(projects.trust, site.ledger.project(site.key), processes.machine_id(), None, BY_PERSON)
    done = site.call("up", "--until-idle")
    assert done.code == 65
    assert "trust" in done.err
    assert site.runs(one) == []


def test_trust_taken_away_while_it_runs_stops_the_next_claim_and_the_supervisor_does_not_hang(site: Site) -> None:
    one, two = site.plan(issue("run"), issue("then this"))

    def during(_: Supervisor, events: list[dict[str, Any]]) -> None:
        if events[-1]["event"] == "run.launched":
            row = site.ledger.project(site.key)
            site.ledger.write(projects.trust, row, processes.machine_id(), None, BY_PERSON)
            go(site, events[-1]["issue"])

    site.workflow(f"{WAIT}; {WORK}", front={"agent": {"max_concurrent_agents": 1}})
    assert site.up(during=during).code == 75
    assert len(site.runs(one)) + len(site.runs(two)) == 1


def test_a_changed_workflow_counts_from_the_next_claim_and_a_broken_one_changes_nothing(site: Site) -> None:
    """Hot reload with the last known good version."""
    one, two, three = site.plan(issue("a"), issue("b"), issue("c"))
    front = {"agent": {"max_concurrent_agents": 1}}
    site.workflow(f"{WAIT}; echo first > how; {WORK}", front=front)

    def during(_: Supervisor, events: list[dict[str, Any]]) -> None:
        if events[-1]["event"] != "run.launched":
            return
        count = len([event for event in events if event["event"] == "run.launched"])
        if count == 1:
            site.workflow(["sh", *_second(site)], front=front)
        if count == 2:
            (site.root / "WORKFLOW.md").write_text("---\nharness: 7\n---\n", encoding="utf-8")
        go(site, events[-1]["issue"])

    up = site.up(during=during)
    assert up.code == 0
    how = [site.git("show", f"{site.run(name)['commit_id']}:how") for name in (one, two, three)]
    assert how == ["first", "second", "second"]
    assert len(up.named("workflow.reloaded")) == 1
    assert len(up.named("workflow.invalid")) == 1


def _second(site: Site) -> list[str]:
    return site.script(f"{WAIT}; echo second > how; {WORK}", "second.sh")[1:]


def test_one_broken_project_keeps_no_other_waiting(tmp_path: Path) -> None:
    """Without a name, everything on this machine that can be served is."""
    good, bad = Site(tmp_path / "good", key="GOOD"), None
    try:
        bad = Site(tmp_path / "bad", key="BAD", home=good.home)
        (one,) = good.plan(issue("work"))
        good.workflow(WORK)
        (bad.root / "WORKFLOW.md").write_text("---\nharness: 7\n---\n", encoding="utf-8")
        done = good.call("up", "--until-idle", "--json", cwd=tmp_path)
        assert done.code == 0, done
        assert good.issue(one)["status"] == "done"
        assert '"up.not_served"' in done.out
    finally:
        good.close()
        if bad is not None:
            bad.close()


ASKED = "trap 'echo asked > $HARNESS_EVIDENCE_DIR/asked; exit 1' TERM; touch $HARNESS_EVIDENCE_DIR/up; "


def test_sigterm_asks_the_agents_hands_their_issues_back_and_ends_with_75(site: Site) -> None:
    (one,) = site.plan(issue("work long"))
    # The signal may reach the `sleep` first, and `set -e` must not take that for the agent's own end.
    site.workflow(f"{ASKED} while true; do sleep 0.05 || :; done")
    with site.start() as up:
        run = up.saw("run.launched")[0]["run"]
        eventually((site.evidence_folder(run) / "up").exists, what="the agent at work")
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 75
        assert up.events()[-1]["event"] == "up.ended"
    ended = site.run(one)
    assert (ended["outcome"], ended["reason"]) == ("released", "the supervisor was asked to stop")
    assert site.kept(ended, "asked") == "asked\n"
    assert site.standing(one) == [("ready", None)]
    assert site.issue(one)["not_before"] is None
    assert site.worktrees() == []


def test_a_second_sigterm_cuts(site: Site) -> None:
    """An agent that does not listen is given its time, unless somebody is in a hurry."""
    (one,) = site.plan(issue("be stubborn"))
    site.workflow("trap '' TERM; touch $HARNESS_EVIDENCE_DIR/up; while true; do sleep 0.05; done")
    with site.start() as up:
        run = up.saw("run.launched")[0]["run"]
        eventually((site.evidence_folder(run) / "up").exists, what="the agent at work")
        up.process.send_signal(signal.SIGTERM)
        up.saw("up.stopping")
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 75
    assert site.run(one)["outcome"] == "released"
    assert processes.marked(site.run(one)["id"]) == []


def test_the_second_sigterm_stops_gates_too(site: Site) -> None:
    (one,) = site.plan(issue("be judged slowly"))
    begun = site.folder / "begun"
    site.workflow(WORK, gates=[{"name": "slow", "kind": "command", "shell": f"touch {begun}; sleep 60"}])
    with site.start() as up:
        eventually(begun.exists, within=30, what="the gate at work")
        up.process.send_signal(signal.SIGTERM)
        up.saw("up.stopping")
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 75
    run = site.run(one)
    assert (run["outcome"], site.evidence(run)) == ("released", [])
    assert site.worktrees() == []


def test_a_drained_supervisor_leaves_ready_work_alone(site: Site) -> None:
    site.plan(issue("a"), issue("b"))
    site.workflow(f"sleep 0.5; {WORK}", front={"agent": {"max_concurrent_agents": 1}})
    with site.start() as up:
        up.saw("run.launched")
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 75
        assert len([event for event in up.events() if event["event"] == "run.launched"]) == 1


def test_every_event_is_told_as_one_json_line(site: Site) -> None:
    (one,) = site.plan(issue("work"))
    site.workflow(WORK)
    with site.start("--until-idle") as up:
        assert up.end() == 0
        kinds = [event["event"] for event in up.events()]
    assert kinds == ["run.claimed", "run.launched", "run.verifying", "run.judged", "run.ended", "up.ended"]
    assert {event["issue"] for event in up.events()[:-1]} == {one}


def test_work_that_another_process_adds_wakes_a_resting_supervisor(site: Site) -> None:
    site.workflow(WORK)
    with site.start() as up:
        eventually(lambda: up.events() or up.process.poll() is None, what="the supervisor")
        (one,) = site.plan(issue("late"))
        up.saw("run.ended")
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 75
    assert site.issue(one)["status"] == "done"


def test_a_run_whose_thread_died_of_a_bug_is_taken_over_and_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else would: its holder, this process, is alive and renews its lease."""
    (one,) = site.plan(issue("meet a bug"))
    site.workflow(WORK)
    from harnessos.dispatch.attempt import Attempt

    real = Attempt._finish
    broken: list[int] = []

    def finish(self: Attempt, end: Any) -> None:
        if not broken:
            broken.append(1)
            raise RuntimeError("a bug in the end")
        real(self, end)

    def turns(self: Attempt, rejection: str | None) -> None:
        if not broken:
            raise RuntimeError("a bug")
        real_turns(self, rejection)

    real_turns = Attempt._turns
    monkeypatch.setattr(Attempt, "_finish", finish)
    monkeypatch.setattr(Attempt, "_turns", turns)
    up = site.up()
    assert len(up.named("up.bug")) == 1
    assert [run["outcome"] for run in site.runs(one)] == ["lost", "success"]
    assert site.worktrees() == []


def test_a_ledger_that_is_away_for_a_moment_stops_nothing_and_each_outage_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = site.plan(issue("carry on"))
    site.workflow(WORK)
    from harnessos.services import supervisor as module

    real, times = recovery.orphans, []

    def orphans(*given: Any) -> Any:
        times.append(1)
        if len(times) in (1, 2, 4, 5):
            raise errors.StoreUnavailable("away")
        return real(*given)

    monkeypatch.setattr(recovery, "orphans", orphans)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    up = site.up()
    assert up.code == 0
    assert len(up.named("up.ledger_unavailable")) == 2
    assert site.issue(one)["status"] == "done"


def test_an_agent_sees_no_secret_of_the_supervisor(site: Site) -> None:
    (one,) = site.plan(issue("look"))
    site.workflow(f"env > $HARNESS_EVIDENCE_DIR/env; {HARNESS} where --json > $HARNESS_EVIDENCE_DIR/where; {WORK}")
    assert site.up(environ={"OPENAI_API_KEY": "sk-hidden"}).code == 0
    assert "sk-hidden" not in site.kept(site.run(one), "env")
    assert str(site.home / "harness.sqlite") in site.kept(site.run(one), "where")
