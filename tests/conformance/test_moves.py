"""The states of an issue: which moves there are, who may make them, and what follows for those that depend on it."""

from __future__ import annotations

import pytest

from harnessos import errors
from harnessos.kernel import evidence, issues, operations, runs, settling
from harnessos.kernel.ending import Closing
from harnessos.model.issue import MOVES, Status, check_move
from harnessos.model.outcome import Outcome
from harnessos.model.verdict import Verdict
from harnessos.store import named
from harnessos.store.transaction import Row, Store, Transaction
from harnessos.testing import FakeClock
from tests.support.ledger import BY_OPERATOR, COMMIT, HERE, Ledger, agent, approval, draft

LEGAL = {
    "pending": {"ready", "done", "blocked", "cancelled"},
    "ready": {"pending", "in_progress", "blocked", "cancelled"},
    "in_progress": {"done", "ready", "pending", "failed", "blocked", "cancelled"},
    "blocked": {"pending", "done", "cancelled"},
    "failed": {"pending", "cancelled"},
    "done": {"pending"},
    "cancelled": {"pending"},
}
"""The table of ledger.md; pending to done is for missions, once they are complete."""


def _force(ledger: Ledger, name: str, target: str) -> None:
    def move(tx: Transaction) -> Row:
        issue = issues.lock_named(tx, ledger.identifier(name))
        return issues.change(tx, issue, "issue.forced", BY_OPERATOR, {"status": target, "blocked_reason": "operator:x"})

    ledger.do(move)


def _in(ledger: Ledger, state: str) -> str:
    """Plan an issue, bring it to `state`, and return its key."""
    ledger.plan("first", draft("it", depends=["first"]) if state == "pending" else "it")
    if state in ("in_progress", "done", "failed"):
        run = ledger.claim("it")
        if state == "done":
            ledger.finish(run)
        if state == "failed":
            ledger.fail(run, final=True)
    if state == "blocked":
        ledger.do(operations.block, ledger.identifier("it"), "operator:wait", BY_OPERATOR)
    if state == "cancelled":
        ledger.cancel("it")
    assert ledger.status("it") == state
    return "it"


@pytest.mark.parametrize("source", [status.value for status in Status])
def test_every_illegal_move_is_refused_and_names_both_states(ledger: Ledger, source: str) -> None:
    name = _in(ledger, source)
    before = ledger[name]
    for target in set(LEGAL) - LEGAL[source] - {source}:
        with pytest.raises(errors.IllegalMove) as caught:
            _force(ledger, name, target)
        assert source in str(caught.value)
        assert target in str(caught.value)
    assert ledger[name] == before


def test_the_table_of_moves_is_the_one_of_the_specification() -> None:
    assert {source.value: {target.value for target in targets} for source, targets in MOVES.items()} == LEGAL


@pytest.mark.parametrize("state", [status.value for status in Status])
def test_staying_where_one_is_is_no_move(state: str) -> None:
    with pytest.raises(errors.IllegalMove):
        check_move("DOCS-1", state, state)


def test_an_issue_that_waits_for_nothing_is_ready_as_soon_as_planned(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    assert ledger.statuses("a", "b") == ["ready", "pending"]
    assert ledger["a"]["ready_at"] == ledger.clock.now()


def test_the_finish_of_the_last_dependency_promotes(ledger: Ledger) -> None:
    ledger.plan("a", "b", draft("c", depends=["a", "b"]))
    ledger.do_all("a")
    assert ledger.status("c") == "pending"
    ledger.do_all("b")
    assert ledger.status("c") == "ready"
    assert ledger.kinds("c") == ["issue.planned", "issue.promoted"]


def test_a_failed_dependency_blocks_and_its_retry_unblocks(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]), draft("c", depends=["b"]))
    ledger.fail(ledger.claim("a"), final=True)
    assert ledger.statuses("a", "b", "c") == ["failed", "blocked", "pending"]
    assert ledger.reason("b") == f"dependency_failed:{ledger.identifier('a')}"
    ledger.retry("a")
    assert ledger.statuses("a", "b", "c") == ["ready", "pending", "pending"]
    assert ledger.reason("b") is None


def test_a_cancelled_dependency_blocks_and_its_reopening_unblocks(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.cancel("a")
    assert (ledger.status("b"), ledger.reason("b")) == ("blocked", f"dependency_failed:{ledger.identifier('a')}")
    ledger.reopen("a")
    assert ledger.statuses("a", "b") == ["ready", "pending"]
    ledger.do_all("a", "b")
    assert ledger.statuses("a", "b") == ["done", "done"]


def test_a_blocked_issue_names_the_dependency_that_is_still_broken(ledger: Ledger) -> None:
    ledger.plan("a", "b", draft("c", depends=["a", "b"]))
    ledger.cancel("a")
    ledger.cancel("b")
    ledger.reopen("a")
    assert ledger.reason("c") == f"dependency_failed:{ledger.identifier('b')}"
    ledger.cancel("a")
    ledger.reopen("b")
    assert ledger.reason("c") == f"dependency_failed:{ledger.identifier('a')}"


def test_dropping_the_broken_dependency_frees_the_issue(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.cancel("a")
    ledger.redepend("b", drop=["a"])
    assert ledger.status("b") == "ready"


def test_retry_of_an_issue_that_a_dependency_blocks_is_refused_with_the_reason(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.cancel("a")
    with pytest.raises(errors.IllegalMove, match=ledger.identifier("a")):
        ledger.retry("b")


def test_reopening_demotes_ready_dependents(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.do_all("a")
    ledger.reopen("a")
    assert ledger.statuses("a", "b") == ["ready", "pending"]
    assert ledger.kinds("b")[-1] == "issue.demoted"


def test_reopening_flags_running_dependents_and_stops_nothing(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.do_all("a")
    run = ledger.claim("b")
    ledger.reopen("a")
    assert ledger.status("b") == "in_progress"
    assert ledger.run(run)["live"] == 1
    assert ledger.kinds("b")[-1] == "issue.flagged"
    assert ledger.asked() == ["flagged"]


def test_a_run_whose_dependency_was_reopened_meanwhile_goes_back_to_pending(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.do_all("a")
    run = ledger.claim("b")
    ledger.reopen("a")
    ledger.end(run, Outcome.RELEASED)
    assert (ledger.status("b"), ledger["b"]["unmet"]) == ("pending", 1)
    ledger.do_all("a")
    assert ledger.status("b") == "ready"


def test_a_dependency_added_to_a_ready_issue_sends_it_back(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.redepend("b", add=["a"])
    assert ledger.status("b") == "pending"
    ledger.do_all("a")
    assert ledger.status("b") == "ready"


def test_adding_a_dependency_that_is_there_already_changes_nothing(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.redepend("b", add=["a"])
    assert ledger["b"]["unmet"] == 1


def test_a_cycle_of_dependencies_is_refused_and_named(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]), draft("c", depends=["b"]))
    with pytest.raises(errors.Refused) as caught:
        ledger.redepend("a", add=["c"])
    assert ledger.identifier("a") in str(caught.value)
    assert ledger.identifier("c") in str(caught.value)
    with pytest.raises(errors.Refused):
        ledger.redepend("a", add=["a"])
    assert ledger.status("a") == "ready"


def test_cancelling_a_running_issue_ends_its_run(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.cancel("a")
    assert ledger.status("a") == "cancelled"
    ended = ledger.run(run)
    assert (ended["live"], ended["outcome"]) == (0, "cancelled")
    with pytest.raises(errors.LeaseLost):
        ledger.finish(run)
    assert ledger.status("a") == "cancelled"


def test_restart_refuses_closed_task(ledger: Ledger) -> None:
    """P03, I10: a worker that comes back to a closed issue gets nothing and changes nothing."""
    ledger.plan("a")
    ledger.do_all("a")
    before = ledger["a"]
    with pytest.raises(errors.IllegalMove, match="done"):
        ledger.ask("a")
    assert ledger["a"] == before


def test_i10_a_closed_issue_is_never_started_again(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    run = ledger.claim("a")
    ledger.finish(run)
    ledger.cancel("b")
    with pytest.raises(errors.LeaseLost):
        ledger.do(runs.launch, run.lease, HERE, ledger.cause(run))
    assert ledger.order() == []


def test_agent_cannot_set_done(ledger: Ledger) -> None:
    """P05: done needs a verdict that the ledger itself computed from recorded results."""
    ledger.plan("a")
    run = ledger.claim("a")
    wished = ledger.judge(run, passed=False)._replace(verdict=Verdict.VERIFIED)
    with pytest.raises(ValueError, match="no recorded verdict"):
        ledger.do(evidence.accept, run.lease, wished, ledger.cause(run), Closing(commit=COMMIT))
    assert ledger.status("a") == "in_progress"


def test_evidence_for_other_commit_or_dirty_tree_is_refused(ledger: Ledger) -> None:
    """P05: the commit that is accepted is the one that was judged."""
    ledger.plan("a")
    run = ledger.claim("a")
    with pytest.raises(ValueError, match="another commit"):
        ledger.finish(run, Closing(commit="bad1dea"))
    assert ledger.status("a") == "in_progress"
    ledger.finish(run)
    assert ledger["a"]["accepted_commit"] == COMMIT


def test_the_database_itself_refuses_impossible_rows(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))

    def corrupt(tx: Transaction, /, **columns: object) -> None:
        row = {**named.issue(tx, ledger.identifier("b")), **columns}
        names = issues._COLUMNS
        tx.run("issue_change", **{name: row[name] for name in names}, id=row["id"], seen=row["event_seq"])

    for columns in ({"status": "ready"}, {"status": "done"}, {"status": "blocked"}, {"status": "lost"}):
        with pytest.raises(Exception, match=r"(?i)constraint"):
            ledger.store.write(corrupt, **columns)


def test_promote_queue_normally_changes_nothing_and_says_what_it_changed(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    assert ledger.do(settling.promote, ledger.project["id"], BY_OPERATOR) == []


# Approvals


def test_an_open_required_approval_keeps_an_issue_pending(ledger: Ledger) -> None:
    ledger.plan(draft("a", metadata=approval("legal")), draft("b", metadata=approval("nice", required=False)))
    assert ledger.statuses("a", "b") == ["pending", "ready"]
    ledger.approve("a", "legal")
    assert ledger.status("a") == "ready"


def test_an_approval_withdrawn_sends_a_ready_issue_back(ledger: Ledger) -> None:
    ledger.plan(draft("a", metadata=approval("legal", "approved")))
    assert ledger.status("a") == "ready"
    ledger.approve("a", "legal", "rejected")
    assert (ledger.status("a"), ledger["a"]["approvals_open"]) == ("pending", 1)
    ledger.approve("a", "legal", "waived")
    assert (ledger.status("a"), ledger["a"]["approvals_open"]) == ("ready", 0)


def test_an_approval_nobody_asked_for_cannot_be_given(ledger: Ledger) -> None:
    ledger.plan("a")
    with pytest.raises(errors.UnknownIdentifier, match="legal"):
        ledger.approve("a", "legal")


def test_an_approval_has_only_the_states_there_are(ledger: Ledger) -> None:
    ledger.plan(draft("a", metadata=approval("legal")))
    with pytest.raises(errors.BadContent, match="maybe"):
        ledger.approve("a", "legal", "maybe")


def test_a_milestone_waits_for_its_own_approvals(ledger: Ledger) -> None:
    ledger.plan("a", metadata={"m": approval("budget")})
    assert ledger.status("a") == "pending"
    ledger.do(operations.approve_milestone, ledger.milestone()["id"], "budget", "approved", "seen", BY_OPERATOR)
    assert ledger.status("a") == "ready"
    ledger.do(operations.approve_milestone, ledger.milestone()["id"], "budget", "rejected", "no", BY_OPERATOR)
    assert ledger.status("a") == "pending"


def test_gate_files_changed_by_the_run_are_flagged(ledger: Ledger) -> None:
    """P05: what judges the work was changed by the work, so a person decides; nothing runs again."""
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.finish(ledger.claim("a"), protected=["WORKFLOW.md"])
    assert (ledger.status("a"), ledger.reason("a")) == ("blocked", "approval:review")
    assert ledger.asked() == ["review"]
    ledger.approve("a")
    assert (ledger.status("a"), ledger["a"]["accepted_commit"], ledger["a"]["verdict"]) == ("done", COMMIT, "verified")
    assert ledger.status("b") == "ready"
    assert ledger["a"]["lease_epoch"] == 1
    assert ledger.asked() == []


def test_a_rejected_review_gives_the_issue_back_to_be_worked_on(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.finish(ledger.claim("a"), protected=["WORKFLOW.md"])
    ledger.approve("a", state="rejected")
    assert ledger.status("a") == "ready"


@pytest.mark.parametrize(("required", "status"), [(True, "blocked"), (False, "done")])
def test_unverified_work_is_done_only_where_the_project_permits_it(ledger: Ledger, required: bool, status: str) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.end(run, Outcome.SUCCESS, Closing(COMMIT, require_gates=required), verdict="unverified")
    assert ledger.status("a") == status
    if required:
        assert ledger.reason("a") == "approval:unverified"
        ledger.approve("a")
    assert (ledger.status("a"), ledger["a"]["verdict"]) == ("done", "unverified")


# Rights


def test_an_agent_cancels_only_what_it_planned_itself(ledger: Ledger) -> None:
    ledger.plan("theirs")
    ledger.plan(draft("mine", milestone="own"), plan_key="agent", by=agent("ann"))
    with pytest.raises(errors.OperatorOnly):
        ledger.cancel("theirs", by=agent("ann"))
    with pytest.raises(errors.OperatorOnly):
        ledger.cancel("mine", by=agent("bob"))
    ledger.cancel("mine", by=agent("ann"))
    assert ledger.statuses("theirs", "mine") == ["ready", "cancelled"]


def test_an_agent_ends_nobody_s_run_by_cancelling(ledger: Ledger) -> None:
    ledger.plan(draft("mine", milestone="own"), plan_key="agent", by=agent("ann"))
    ledger.claim("mine")
    with pytest.raises(errors.OperatorOnly):
        ledger.cancel("mine", by=agent("ann"))
    assert ledger.status("mine") == "in_progress"
    ledger.cancel("mine")
    assert ledger.status("mine") == "cancelled"


@pytest.mark.parametrize("verb", ["approve", "reopen", "retry", "block", "approve_milestone"])
def test_what_only_a_person_may_do_is_refused_to_an_agent_with_the_command(ledger: Ledger, verb: str) -> None:
    ledger.plan("a", metadata={"m": approval("x")})
    subject = ledger.milestone()["id"] if verb == "approve_milestone" else ledger.identifier("a")
    values: dict[str, list[str | None]] = {
        "approve": [None, "approved", ""],
        "reopen": ["x"],
        "retry": [],
        "block": ["operator:x"],
        "approve_milestone": ["x", "approved", ""],
    }
    with pytest.raises(errors.OperatorOnly) as caught:
        ledger.do(getattr(operations, verb), subject, *values[verb], agent("ann"))
    assert "harness " in caught.value.hint


def test_a_stop_is_asked_for_once_and_only_of_a_live_run(ledger: Ledger, clock: FakeClock, store: Store) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    assert ledger.do(operations.request_stop, run.lease.run_id, "enough", BY_OPERATOR) is True
    assert ledger.do(operations.request_stop, run.lease.run_id, "again", BY_OPERATOR) is False
    assert ledger.run(run)["stop_request"] == "enough"
    ledger.end(run, Outcome.RELEASED)
    assert ledger.do(operations.request_stop, run.lease.run_id, "late", BY_OPERATOR) is False
    with pytest.raises(errors.UnknownIdentifier):
        ledger.do(operations.request_stop, "run-none", "what", BY_OPERATOR)
