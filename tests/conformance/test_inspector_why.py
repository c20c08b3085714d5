"""G6: for every status and every reason, `why` names the row that decides and a command that changes it."""

from __future__ import annotations

import pytest

from harnessos import errors
from harnessos.inspector import why
from harnessos.inspector.views import ANY_HOST, Host
from harnessos.inspector.why import Why
from harnessos.kernel import campaigns, operations, projects
from harnessos.kernel.ending import Closing
from harnessos.model.outcome import Outcome
from harnessos.store.transaction import Row
from tests.support.ledger import BY_OPERATOR, HERE, HOUR, MINUTE, Ledger, approval, draft, policy


def _why(ledger: Ledger, name: str, host: Host = ANY_HOST) -> Why:
    return ledger.store.read(why.query, ledger.identifier(name), host)


def _command(found: Why) -> str:
    return " ".join(found.command)


def _of(ledger: Ledger, name: str, command: str) -> str:
    return f"harness {command} {ledger.identifier(name)}"


def test_a_done_issue_names_the_verdict_and_the_commit(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.do_all("a")
    found = _why(ledger, "a")
    assert found.status == "done"
    assert found.row.table == "verdicts"
    assert "verified at c0ffee" in found.sentence
    assert _command(found) == _of(ledger, "a", "issue reopen")


def test_a_cancelled_issue_says_who_and_why(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.cancel("a")
    ledger.claim("b")
    ledger.cancel("b")
    for name in ("a", "b"):
        found = _why(ledger, name)
        assert "cancelled by operator: not wanted" in found.sentence
        assert found.row.table == "events"
        assert _command(found) == _of(ledger, name, "issue reopen")


def test_a_failed_issue_says_how_its_last_attempt_ended(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.fail(run, final=True, reason="it cannot work")
    found = _why(ledger, "a")
    assert "failed after 1 attempt; the last ended agent_fault: it cannot work" in found.sentence
    assert (found.row.table, found.row.id) == ("runs", run.lease.run_id)
    assert _command(found) == _of(ledger, "a", "issue retry")


def test_an_issue_in_progress_says_who_holds_it_and_how_long(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a", by="worker")
    ledger.clock.advance(3 * MINUTE)
    found = _why(ledger, "a")
    assert "held by worker on machine-a for 3 min" in found.sentence
    assert "last progress 3 min ago" in found.sentence
    assert found.row == ("runs", run.lease.run_id, "live", 1)
    assert _command(found) == f"harness run stop {run.lease.run_id}"


def test_a_lease_that_ran_out_is_said_to_have(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a", ttl_ms=MINUTE)
    ledger.clock.advance(3 * MINUTE)
    found = _why(ledger, "a")
    assert "ran out 2 min ago" in found.sentence
    assert (found.row.id, found.row.column) == (run.lease.run_id, "expires_at")


def test_a_run_whose_supervisor_is_dead_says_so_before_all_else(ledger: Ledger) -> None:
    """Who asks knows which are dead; the view looks at rows only."""
    ledger.plan("a", "b")
    run = ledger.claim("a", supervised=True)
    dead = Host(dead=frozenset({run.lease.run_id}))
    for _ in range(2):
        found = _why(ledger, "a", dead)
        assert "its supervisor is dead" in found.sentence
        assert (found.row.id, found.row.column) == (run.lease.run_id, "pid")
        assert _command(found) == "harness up --project DOCS"
        assert "dead" not in _why(ledger, "a").sentence
        ledger.clock.advance(HOUR)


def test_where_a_project_has_a_runner_the_supervisor_is_named_beside_the_session(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    here = Host(runner=True)
    for name in ("a", "b", "DOCS"):
        found = _why(ledger, name, here)
        assert found.supervised == ("harness", "up", "--project", "DOCS")
        assert found.command[:3] == ("harness", "session", "begin")
        assert _why(ledger, name).supervised is None
    ledger.claim("a")
    assert _why(ledger, "a", here).supervised is None


def test_a_project_that_is_finished_is_changed_by_a_plan_and_not_by_a_session(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.claim("a")
    assert _command(_why(ledger, "DOCS")) == f"harness why {ledger.identifier('a')}"
    ledger.cancel("a")
    assert _command(_why(ledger, "DOCS")) == "harness plan apply FILE --project DOCS"


def test_a_run_that_was_asked_to_stop_says_so(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.do(operations.request_stop, run.lease.run_id, "lunch", BY_OPERATOR)
    found = _why(ledger, "a")
    assert "was asked to stop: lunch" in found.sentence
    assert found.row.column == "stop_request"


def test_a_ready_issue_says_how_long_it_has_waited(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.clock.advance(2 * HOUR)
    found = _why(ledger, "a")
    assert "is ready for 2 h and nobody has claimed it" in found.sentence
    assert _command(found) == f"harness session begin --project DOCS --issue {ledger.identifier('a')}"
    assert found.needs == "anyone"


def test_a_paused_campaign_decides(ledger: Ledger) -> None:
    ledger.plan("a", into="night")
    campaign = ledger.campaign("night")
    ledger.do(campaigns.set_status, campaign, "paused", BY_OPERATOR)
    found = _why(ledger, "a")
    assert found.blocked_reason == "campaign_paused:night"
    assert (found.row.table, found.row.id) == ("campaigns", campaign["id"])
    assert _command(found) == "harness campaign resume night --project DOCS"


def test_a_used_up_budget_decides_and_its_command_raises_it(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.cap("runs", "1")
    ledger.claim("a")
    ledger.ask()
    found = _why(ledger, "b")
    assert found.blocked_reason == "budget:project"
    assert found.row.table == "holds"
    assert _command(found) == "harness budget set DOCS runs 2"


def test_a_timer_says_when_and_after_what(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.fail(ledger.claim("a"), reason="a flaky test")
    found = _why(ledger, "a")
    assert "is tried again in 10 s after attempt 1 ended agent_fault (a flaky test)" in found.sentence
    assert found.row.column == "not_before"
    assert _command(found) == _of(ledger, "a", "issue retry")
    ledger.clock.advance(MINUTE)
    assert "nobody has claimed it" in _why(ledger, "a").sentence


@pytest.mark.parametrize("parked", [False, True])
def test_a_file_conflict_names_the_run_and_the_path(ledger: Ledger, parked: bool) -> None:
    ledger.plan(draft("a", files=("src/",)), draft("b", files=("src/x.py",)))
    run = ledger.claim("a")
    if parked:
        ledger.ask()
        assert ledger["b"]["parked"] == 2
    found = _why(ledger, "b")
    assert f"the live run of {ledger.identifier('a')} holds src/" in found.sentence
    assert (found.row.table, found.row.value) == ("run_files", run.lease.run_id)
    assert _command(found) == f"harness run stop {run.lease.run_id}"


def test_a_lane_nobody_serves_names_what_is_missing(ledger: Ledger) -> None:
    ledger.plan(draft("a", policy=policy(workload_class="gpu", capabilities=("cuda", "docker"))))
    found = _why(ledger, "a", Host(classes=("docs",), capabilities=("docker",)))
    assert "does not serve workload class gpu, capability cuda" in found.sentence
    assert found.row.table == "lanes"
    command = (
        "harness session begin --project DOCS --issue {} --workload-class gpu --capability cuda --capability docker"
    )
    assert _command(found) == command.format(ledger.identifier("a"))
    served = Host(classes=("gpu",), capabilities=("cuda", "docker"))
    assert "nobody has claimed it" in _why(ledger, "a", served).sentence


def test_a_project_that_nobody_trusts_here_is_said_to_be(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.do(projects.locate, ledger.project, "machine-a", "/there", BY_OPERATOR)
    here = Host("machine-a")
    for name in ("a", "DOCS"):
        found = _why(ledger, name, here)
        assert "not trusted on this machine" in found.sentence
        assert found.row.table == "locations"
        assert _command(found) == "harness project trust DOCS"
    ledger.do(projects.trust, ledger.project, "machine-a", "me", BY_OPERATOR)
    assert "nobody has claimed it" in _why(ledger, "a", here).sentence


def test_a_resting_provider_is_named(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.end(ledger.claim("a"), Outcome.PROVIDER_QUOTA, Closing(provider="acme"), reset_at=ledger.clock.now() + HOUR)
    found = _why(ledger, "b")
    assert found.blocked_reason == "breaker:provider:acme"
    assert "agents of acme rest" in found.sentence
    assert found.row.table == "holds"


def test_a_pending_issue_names_the_dependency_and_what_lies_behind_it(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]), draft("c", depends=["b"]))
    a, b = ledger.identifier("a"), ledger.identifier("b")
    found = _why(ledger, "c")
    assert found.blocked_reason == f"issue_dependency:{b}"
    assert f"waits for {b}, which comes after {a}, which is ready" in found.sentence
    assert _command(found) == f"harness session begin --project DOCS --issue {a}"
    ledger.claim("a")
    found = _why(ledger, "b")
    assert found.row == ("issue_dependencies", f"{ledger['b']['id']}/{ledger['a']['id']}", "state", 0)
    assert _command(found) == f"harness issue edit {b} --drop-dependency {a}"


def test_a_pending_issue_names_the_milestone(ledger: Ledger) -> None:
    ledger.plan(draft("a", milestone="one"), draft("b", milestone="two"), milestones={"one": (), "two": ("one",)})
    found = _why(ledger, "b")
    assert found.blocked_reason == "milestone_dependency:one"
    first = ledger.identifier("a")
    assert f"milestone one, which is ready with 1 issue open, first of them {first}, which is ready" in found.sentence
    assert found.row.table == "milestone_dependencies"
    assert _command(found) == f"harness session begin --project DOCS --issue {first}"
    ledger.claim("a")
    assert _command(_why(ledger, "b")) == f"harness why {first}"
    ledger.cancel("a")
    ledger.reopen("a")
    ledger.fail(ledger.claim("a"), final=True)
    assert _command(_why(ledger, "b")) == f"harness issue retry {first}"


def test_a_pending_issue_names_the_approval(ledger: Ledger) -> None:
    ledger.plan(draft("a", metadata=approval("legal")))
    found = _why(ledger, "a")
    assert found.blocked_reason == "approval:legal"
    assert found.row.table == "approvals"
    assert _command(found) == _of(ledger, "a", "issue approve") + " --name legal"


def test_an_issue_behind_a_failed_one_names_it_and_its_remedy(ledger: Ledger) -> None:
    ledger.plan("a", "x", draft("b", depends=["a"]), draft("y", depends=["x"]))
    ledger.fail(ledger.claim("a"), final=True)
    ledger.cancel("x")
    for name, root, command in (("b", "a", "issue retry"), ("y", "x", "issue reopen")):
        found = _why(ledger, name)
        assert found.blocked_reason == f"dependency_failed:{ledger.identifier(root)}"
        assert found.row.table == "issue_dependencies"
        assert _command(found) == _of(ledger, root, command)


def _review(ledger: Ledger) -> None:
    ledger.finish(ledger.claim("a"), protected=["WORKFLOW.md"])


def _unverified(ledger: Ledger) -> None:
    ledger.end(ledger.claim("a"), Outcome.SUCCESS, Closing(commit="c0ffee"), verdict="unverified")


def _breaker(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.end(ledger.claim("a"), Outcome.HARNESS_FAULT, reason="disk")
        ledger.clock.advance(HOUR)


def _gate(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.end(ledger.claim("a"), Outcome.HARNESS_FAULT, gate_error=True)
        ledger.clock.advance(HOUR)


def _budget(ledger: Ledger) -> None:
    run = ledger.claim("a", ttl_ms=24 * HOUR)
    ledger.clock.advance(7 * HOUR)
    ledger.fail(run)


def _block(reason: str) -> object:
    def block(ledger: Ledger) -> None:
        ledger.do(operations.block, ledger.identifier("a"), reason, BY_OPERATOR)

    return block


@pytest.mark.parametrize(
    ("arrange", "reason", "table", "command", "word"),
    [
        (_review, "approval:review", "issues", "issue approve", "c0ffee"),
        (_unverified, "approval:unverified", "issues", "issue approve", "c0ffee"),
        (_breaker, "breaker:issue", "breakers", "breaker reset", "disk"),
        (_gate, "operator:gate_error", "issues", "issue retry", "gates could not run"),
        (_budget, "budget:issue", "issues", "issue retry", "7 h of work"),
        (_block("operator:not now"), "operator:not now", "issues", "issue retry", "not now"),
        (_block("merge_conflict:DOCS-9"), "merge_conflict:DOCS-9", "issues", "issue retry", "does not merge"),
    ],
)
def test_every_reason_of_a_blocked_issue_is_explained(
    ledger: Ledger, arrange: object, reason: str, table: str, command: str, word: str
) -> None:
    ledger.plan("a")
    assert callable(arrange)
    arrange(ledger)
    found = _why(ledger, "a")
    assert (found.status, found.blocked_reason) == ("blocked", reason)
    assert word in found.sentence
    assert found.row.table == table
    assert _command(found) == _of(ledger, "a", command)


def test_a_run_is_explained_while_it_lives_and_after(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    assert _why(ledger, run.lease.run_id)[:3] == (run.lease.run_id, "run", "claimed")
    ledger.end(run, Outcome.RELEASED, reason="had to go")
    found = _why(ledger, run.lease.run_id)
    assert "attempt 1 at DOCS-1 and ended released 0 s ago: had to go; the issue is ready now" in found.sentence
    assert found.row == ("runs", run.lease.run_id, "outcome", "released")


def test_a_project_is_explained_by_its_hold_its_campaigns_or_what_comes_next(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    assert "is ready and first in the claim order" in _why(ledger, "DOCS").sentence
    ledger.do(campaigns.set_status, ledger.campaign("default"), "paused", BY_OPERATOR)
    assert _why(ledger, "docs").blocked_reason == "campaign_paused:default"
    ledger.do(campaigns.set_status, ledger.campaign("default"), "active", BY_OPERATOR)
    ledger.cap("runs", "1")
    ledger.claim("a")
    ledger.ask()
    found = _why(ledger, "DOCS")
    assert found.blocked_reason == "budget:project"
    assert _command(found) == "harness budget set DOCS runs 2"


def test_a_name_that_is_nothing_is_refused(ledger: Ledger) -> None:
    with pytest.raises(errors.UnknownIdentifier):
        _why(ledger, "DOCS-404")
    with pytest.raises(errors.UnknownIdentifier):
        _why(ledger, "run-nowhere")


def test_the_deciding_row_exists(ledger: Ledger) -> None:
    """What `why` names can be looked up: the ids are real ones."""
    ledger.plan("a")
    run = ledger.claim("a", here=HERE)
    row: Row | None = ledger.one("run_by_id", id=_why(ledger, "a").row.id)
    assert row is not None
    assert row["id"] == run.lease.run_id
