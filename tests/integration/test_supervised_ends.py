"""How a turn may end: exit codes, a provider's wall, limits, a lost lease, a person who stops it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from harnessos import processes
from harnessos.dispatch import watching
from harnessos.kernel import operations
from harnessos.kernel.events import Cause
from harnessos.model.run import OPERATOR
from harnessos.runners import command
from harnessos.services.supervisor import Options, Supervisor
from tests.support.supervised import HARNESS, UNTIL_IDLE, WORK, Site, expire, issue, site
from tests.support.waiting import eventually

__all__ = ["site"]

BRIEFLY = UNTIL_IDLE._replace(max_wait_ms=1)
BY_PERSON = Cause(OPERATOR, "test")
OUTCOME = "$HARNESS_EVIDENCE_DIR/outcome.json"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and give nobody long to end."""
    monkeypatch.setattr(watching, "LOOK_S", 0.05)
    monkeypatch.setattr(watching, "LEDGER_S", 0.1)
    monkeypatch.setattr(watching, "CPU_S", 0.2)
    monkeypatch.setattr(watching, "GRACE_S", 0.5)


def test_any_other_exit_code_is_the_agents_fault_and_is_tried_again_later(site: Site) -> None:
    (one,) = site.plan(issue("fail"))
    site.workflow("exit 3")
    assert site.up(BRIEFLY).code == 75
    run = site.run(one)
    assert (run["outcome"], run["reason"]) == ("agent_fault", "the agent ended with exit code 3")
    row = site.issue(one)
    assert (row["status"], row["attempts"]) == ("ready", 1)
    assert row["not_before"] > run["ended_at"]


def test_an_agent_that_dies_of_a_signal_is_at_fault_by_its_name(site: Site) -> None:
    (one,) = site.plan(issue("crash"))
    site.workflow("kill -SEGV $$")
    site.up(BRIEFLY)
    assert site.run(one)["reason"] == "the agent ended with signal SIGSEGV"


def test_quota_does_not_count_as_attempt_and_schedules_at_reset_plus_jitter(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall holds the account: no other issue runs into it (P12)."""
    one, two = site.plan(issue("hit the wall"), issue("wait too"))
    reset = site.ledger.clock.now() + 3_600_000
    site.workflow(
        f"echo '{{\"reset_at\": {reset}}}' > {OUTCOME}; exit 75", front={"agent": {"max_concurrent_agents": 1}}
    )
    up = site.up(BRIEFLY)
    assert up.code == 75
    row = site.issue(one)
    assert (row["status"], row["attempts"]) == ("ready", 0)
    assert reset <= row["not_before"] <= reset + command.JITTER_MOST_MS
    assert site.run(one)["outcome"] == "provider_quota"
    assert site.runs(two) == []
    # A restarted supervisor knows of the wall: it is a row.
    assert site.up(BRIEFLY).code == 75
    assert len(site.runs(one)) + len(site.runs(two)) == 1


def test_work_goes_on_by_itself_once_the_quota_is_back(site: Site) -> None:
    one, two = site.plan(issue("hit the wall"), issue("wait too"))
    site.workflow(
        f"if [ ! -e $HARNESS_HOME/walled ]; then touch $HARNESS_HOME/walled; "
        f'echo "{{\\"reset_at\\": $(( $(date +%s%3N) + 1500 ))}}" > {OUTCOME}; exit 75; fi; {WORK}',
        front={"agent": {"max_concurrent_agents": 1}},
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2
    assert [run["outcome"] for run in site.runs(one)] == ["provider_quota", "success"]
    assert site.issue(one)["attempts"] == 1


def test_a_wall_without_a_time_is_a_provider_that_is_down(site: Site) -> None:
    (one,) = site.plan(issue("hit the wall"))
    site.workflow("exit 75")
    assert site.up(BRIEFLY).code == 75
    run = site.run(one)
    assert run["outcome"] == "provider_down"
    assert 600_000 <= site.issue(one)["not_before"] - run["started_at"] <= 700_000


def test_rate_limit_text_in_task_output_is_not_provider_quota(site: Site) -> None:
    (one,) = site.plan(issue("write about quotas"))
    site.workflow("echo '429 rate limit exceeded, quota reset_at tomorrow' | tee /dev/stderr; exit 1")
    site.up(BRIEFLY)
    assert site.run(one)["outcome"] == "agent_fault"


@pytest.mark.parametrize(
    ("made", "code", "outcome"),
    [
        ("echo '{' > {}", 0, "success"),
        ("echo '[1]' > {}", 75, "provider_down"),
        ("mkdir {}", 1, "agent_fault"),
        ("mkfifo {}", 75, "provider_down"),
        ("head -c 200000 /dev/zero > {}", 1, "agent_fault"),
        ("ln -s /nonexistent {}", 75, "provider_down"),
        ('echo \'{"reset_at": 1, "tokens": 1e99, "usd": "much"}\' > {}', 75, "provider_quota"),
    ],
)
def test_where_outcome_json_is_bad_the_exit_code_decides_alone(site: Site, made: str, code: int, outcome: str) -> None:
    (one,) = site.plan(issue("report badly"))
    site.workflow(
        f"{WORK}; {made.format(OUTCOME) if '{}' in made and made.count('{') == 1 else made.replace('{}', OUTCOME)}; exit {code}"
    )
    site.up(BRIEFLY)
    assert site.run(one)["outcome"] == outcome
    waits = site.issue(one)["not_before"]
    assert waits is None or waits > site.ledger.clock.now() or code == 1


def test_what_the_agent_spent_is_recorded_over_all_its_turns(site: Site) -> None:
    (one,) = site.plan(issue("spend"))
    site.workflow(
        f'touch t$HARNESS_TURN; echo \'{{"usd": 0.25, "tokens": 100}}\' > {OUTCOME}',
        gates=[{"name": "two", "kind": "command", "shell": "test -f t2"}],
    )
    site.up()
    run = site.run(one)
    assert (run["spent_usd"], run["spent_tokens"]) == (500_000, 200)


def test_an_agent_that_cannot_be_started_is_the_harness_fault_and_the_third_opens_the_breaker(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harnessos.model.outcome.BACKOFF_FIRST_MS", 1)
    (one,) = site.plan(issue("never"))
    program = site.folder / "agent.txt"
    program.write_text("no program", encoding="utf-8")
    site.workflow([str(program)])
    assert site.up().code == 0
    assert [run["outcome"] for run in site.runs(one)] == ["harness_fault"] * 3
    assert site.standing(one) == [("blocked", "breaker:issue")]
    assert site.issue(one)["attempts"] == 0
    (asked,) = site.attention()
    assert asked["command"] == f"harness breaker reset {one}"


def test_a_run_ends_at_its_turn_cap(site: Site) -> None:
    (one,) = site.plan(issue("go round"))
    site.workflow(
        WORK,
        gates=[{"name": "no", "kind": "command", "argv": ["false"]}],
        max_rejections=10,
        budget={"turns": 2},
    )
    site.up(BRIEFLY)
    run = site.run(one)
    assert (run["turns"], run["outcome"], run["reason"]) == (2, "agent_fault", "not finished after 2 turns")


def test_absolute_cap_ends_chatty_run(site: Site) -> None:
    (one,) = site.plan(issue("chatter", budget={"wall_minutes": 0.02}))
    site.workflow("while true; do echo still here; sleep 0.1; done")
    site.up(BRIEFLY)
    assert site.run(one)["reason"] == "it reached the wall-time cap of a run"
    assert site.issue(one)["attempts"] == 1


def test_a_run_that_writes_too_much_is_ended(site: Site) -> None:
    (one,) = site.plan(issue("write"))
    site.workflow("yes", budget={"output_mb": 0.1})
    site.up(BRIEFLY)
    assert site.run(one)["reason"] == "it wrote more output than a run may"


def test_heartbeat_only_stream_becomes_stalled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output is not progress (P11)."""
    monkeypatch.setattr(command, "STALL_S", 1.5)
    monkeypatch.setattr(watching, "CPU_PER_MINUTE", 60.0)
    (one,) = site.plan(issue("pretend"))
    site.workflow("while true; do echo working; sleep 0.2; done")
    site.up(BRIEFLY)
    run = site.run(one)
    assert run["outcome"] == "agent_fault"
    assert run["reason"].startswith("stalled")


def test_a_checkpoint_is_progress(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STALL_S", 2.5)
    monkeypatch.setattr(watching, "CPU_PER_MINUTE", 600.0)
    (one,) = site.plan(issue("work slowly"))
    note = f"{HARNESS} session checkpoint --title t --summary s --next-step n --json"
    site.workflow(f"for i in 1 2 3; do sleep 1.2; {note}; done; {WORK}")
    assert site.up().code == 0
    assert site.run(one)["checkpoints"] == 3


SETSID = (
    "setsid sh -c 'echo $$ > $HARNESS_EVIDENCE_DIR/pid; trap \"\" TERM; while true; do sleep 1; done' & "
    "while [ ! -s $HARNESS_EVIDENCE_DIR/pid ]; do sleep 0.05; done; "
)


def gone(site: Site, run: dict[str, Any]) -> bool:
    """Whether the process whose pid the agent noted, and everything else of the run, has ended."""
    who = processes.identity_of(int(site.kept(run, "pid")))
    return (who is None or not processes.is_alive(who)) and processes.marked(run["id"]) == []


def test_run_end_kills_whole_tree_including_setsid_grandchild_with_cwd_in_worktree(site: Site) -> None:
    (one,) = site.plan(issue("leave a server"))
    site.workflow(f"{SETSID} {WORK}")
    assert site.up().code == 0
    assert gone(site, site.run(one))
    assert site.worktrees() == []


def when(event: str, act: Any) -> Any:
    """Return a listener that acts once, in a thread of its own, at the first such event."""
    begun: list[threading.Thread] = []

    def during(supervisor: Supervisor, events: list[dict[str, Any]]) -> None:
        if not begun and events[-1]["event"] == event:
            begun.append(threading.Thread(target=act, args=(supervisor, events[-1])))
            begun[0].start()

    return during


def test_cancelling_a_running_issue_stops_its_agent_and_removes_everything(site: Site) -> None:
    (one,) = site.plan(issue("be cancelled"))
    site.workflow(f"echo begun > begun.txt; {SETSID} sleep 60")

    def cancel(_: Supervisor, event: dict[str, Any]) -> None:
        eventually((site.evidence_folder(event["run"]) / "pid").exists, what="the agent at work")
        site.ledger.write(operations.cancel, one, "not wanted", BY_PERSON)

    assert site.up(during=when("run.launched", cancel)).code == 0
    run = site.run(one)
    assert site.standing(one) == [("cancelled", None)]
    assert run["outcome"] == "cancelled"
    assert gone(site, run)
    assert site.worktrees() == []
    assert site.manifest(run)["cleanup"] == "removed"
    assert site.git("show", f"{site.run(one)['salvage_ref']}^{{commit}}") is not None


def test_a_run_that_a_person_stops_is_released_and_not_started_again_at_once(site: Site) -> None:
    (one,) = site.plan(issue("be stopped"))
    site.workflow(f"{SETSID} sleep 60")

    def stop(_: Supervisor, event: dict[str, Any]) -> None:
        eventually((site.evidence_folder(event["run"]) / "pid").exists, what="the agent at work")
        assert site.call("run", "stop", event["run"], "--reason", "enough").code == 0

    assert site.up(BRIEFLY, during=when("run.launched", stop)).code == 75
    run = site.run(one)
    assert (run["outcome"], run["reason"]) == ("released", "stopped: enough")
    assert site.issue(one)["attempts"] == 0
    assert gone(site, run)


@pytest.mark.parametrize("phase", ["run.launched", "run.verifying"])
def test_a_run_that_lost_its_lease_is_killed_and_writes_nothing(site: Site, phase: str) -> None:
    """Somebody else holds the issue now: the tree dies, the work is salvaged, no row and no ref moves (G2)."""
    (one,) = site.plan(issue("lose the lease"))
    slow = f"echo $$ > {site.home}/gate; while true; do sleep 0.1; done"
    site.workflow(
        f"echo mine > mine.txt; {SETSID} {'sleep 60' if phase == 'run.launched' else ':'}",
        gates=[{"name": "slow", "kind": "command", "shell": slow}],
    )

    def steal(_: Supervisor, event: dict[str, Any]) -> None:
        mark = site.home / ("gate" if phase == "run.verifying" else f"runs/{event['run']}/evidence/pid")
        eventually(lambda: mark.exists() and mark.read_text(), what="the run at work")
        site.ledger.write(expire, event["run"])

    site.up(Options(once=True), during=when(phase, steal))
    run = site.runs(one)[0]
    assert run["outcome"] == "lost"
    assert site.evidence(run) == []
    assert site.accepted() == {}
    assert gone(site, run)
    assert site.worktrees() == []
    assert site.git("show", f"refs/harness/salvage/{run['id']}:mine.txt") == "mine"


def test_the_environment_of_an_agent_is_built_and_complete(site: Site) -> None:
    (one,) = site.plan(issue("look around"))
    site.workflow("env -0 > $HARNESS_EVIDENCE_DIR/environment; touch x", env={"GIVEN": "$SECRET_NAMED"})
    site.up(
        BRIEFLY, environ={"SECRET_NAMED": "named", "SECRET_OTHER": "hidden", "LC_ALL": "C.UTF-8", "PGPASSWORD": "x"}
    )
    run = site.runs(one)[0]
    lines = site.kept(run, "environment").split("\0")
    found = dict(line.split("=", 1) for line in lines if line)
    ours = {name.removeprefix("HARNESS_"): found.pop(name) for name in sorted(found) if name.startswith("HARNESS_")}
    assert set(found) - {"PWD", "OLDPWD", "SHLVL", "_"} == {
        "PATH", "HOME", "USER", "LANG", "LC_ALL", "GIVEN",
        "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
    }  # fmt: skip
    assert found["GIVEN"] == "named"
    assert set(ours) == {
        "RUN_ID", "PROJECT", "ISSUE", "ATTEMPT", "TURN", "WORKTREE", "PROMPT_FILE", "EVIDENCE_DIR", "SESSION_TOKEN",
        "PORT_BASE", "HOME", "STORE",
    }  # fmt: skip
    assert (ours["ISSUE"], ours["ATTEMPT"], ours["TURN"], ours["PROJECT"]) == (one, "1", "1", "WORK")
    assert Path(ours["PROMPT_FILE"]).read_text(encoding="utf-8").strip() == f"Do {one}: look around"
    assert json.dumps(ours).count("hs_") == 1


def test_an_agent_finds_harness_where_a_scheduler_gives_no_path(site: Site) -> None:
    (one,) = site.plan(issue("ask"))
    site.workflow("command -v harness > $HARNESS_EVIDENCE_DIR/found; touch x")
    site.up(BRIEFLY, environ={"PATH": "/usr/bin:/bin"})
    assert site.kept(site.runs(one)[0], "found").strip() == str(Path(sys.executable).parent / "harness")


def test_concurrent_runs_have_ports_of_their_own(site: Site) -> None:
    site.plan(issue("a"), issue("b"))
    site.workflow(
        f"echo $HARNESS_PORT_BASE > $HARNESS_HOME/port-$HARNESS_ISSUE; "
        f"while [ $(ls $HARNESS_HOME/port-* | wc -l) -lt 2 ]; do sleep 0.05; done; {WORK}"
    )
    assert site.up().code == 0
    ports = {path.read_text(encoding="utf-8").strip() for path in site.home.glob("port-*")}
    assert ports == {"20000", "20100"}


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"usd": 3}, "it reached the money cap of a run: 4.00 of 3.00 USD"),
        ({"tokens": 1001}, "it reached the token cap of a run: 2,000 of 1,001"),
    ],
)
def test_turns_that_together_reach_a_cap_are_the_last(site: Site, budget: dict[str, object], reason: str) -> None:
    """What a turn costs is known when it ends: the one that crosses the cap is judged, and none follows."""
    (one,) = site.plan(issue("spend"))
    site.workflow(
        f'echo \'{{"usd": 2, "tokens": 1000}}\' > {OUTCOME}',
        gates=[{"name": "no", "kind": "command", "argv": ["false"]}],
        max_rejections=10,
        budget=budget,
    )
    site.up(BRIEFLY)
    run = site.run(one)
    assert (run["turns"], run["outcome"], run["spent_usd"], run["spent_tokens"]) == (2, "agent_fault", 4_000_000, 2000)
    assert run["reason"] == reason


def test_the_output_cap_is_one_for_all_turns(site: Site) -> None:
    (one,) = site.plan(issue("write"))
    site.workflow(
        "head -c 60000 /dev/zero",
        gates=[{"name": "no", "kind": "command", "argv": ["false"]}],
        max_rejections=10,
        budget={"output_mb": 0.1},
    )
    site.up(BRIEFLY)
    run = site.run(one)
    assert (run["turns"], run["reason"]) == (2, "it wrote more output than a run may")


def test_no_turn_begins_after_the_wall_time_cap(site: Site) -> None:
    (one,) = site.plan(issue("be judged slowly", budget={"wall_minutes": 0.02}))
    site.workflow(
        "touch x$HARNESS_TURN",
        gates=[{"name": "slow", "kind": "command", "shell": "sleep 1.5; false"}],
        max_rejections=10,
    )
    site.up(BRIEFLY)
    run = site.run(one)
    assert (run["turns"], run["reason"]) == (1, "it reached the wall-time cap of a run")


def test_the_workflow_caps_the_wait_before_a_retry(site: Site) -> None:
    (one,) = site.plan(issue("fail"))
    site.workflow("exit 3", front={"agent": {"max_retry_backoff_ms": 1_500}})
    site.up(BRIEFLY)
    assert site.issue(one)["not_before"] - site.runs(one)[0]["ended_at"] == 1_500
