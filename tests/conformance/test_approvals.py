"""Approval gates: a person answers for the commit that was judged, and only a person whom the gate names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harnessos import errors
from harnessos.dispatch import verification
from harnessos.gates import approval as approval_gate
from harnessos.gates.ground import Ground
from harnessos.kernel import evidence, operations
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.gate import Gate, GateKind
from harnessos.model.run import Actor
from harnessos.model.verdict import GateResult
from harnessos.store.transaction import Row
from tests.support.ledger import COMMIT, Ledger, approval, draft

LEAD = Gate("lead", GateKind.APPROVAL, question="right?", who=("alice",))
REVIEW = Gate("review", GateKind.APPROVAL, question="good?", who=("bob",))
ALICE, BOB, MALLORY = (Cause(Actor("operator", name), "test") for name in ("alice", "bob", "mallory"))


def _asked(ledger: Ledger, gate: Gate, commit: str = COMMIT) -> GateResult:
    """Ask the gate about a commit of the issue `a`, as a verification does."""
    given = ledger.store.read(verification._approvals, ledger["a"]["id"])
    return approval_gate.run(gate, Ground(Path(), {}, Path(), commit, "run"), given)


def _judged(ledger: Ledger, *gates: Gate) -> None:
    """Work at the issue `a` until its commit waits for a person."""
    run = ledger.claim("a")
    results = [_asked(ledger, gate) for gate in gates]
    decision = ledger.do(evidence.judge, run.lease, gates, results, [], COMMIT, ledger.cause(run))
    ledger.do(evidence.accept, run.lease, decision, ledger.cause(run), Closing(COMMIT))
    assert ledger.reason("a") == "approval:review"


def _say(
    ledger: Ledger, by: Cause, name: str | None = None, state: str = "approved", gates: tuple[Gate, ...] = (LEAD,)
) -> Row:
    """Approve the issue `a`, where these gates count."""
    who: Mapping[str, tuple[str, ...]] = {gate.name: gate.who for gate in gates}
    row: Row = ledger.do(operations.approve, ledger.identifier("a"), name, state, "seen", by, who)
    return row


def _row(ledger: Ledger, name: str = "lead") -> Row | None:
    rows = ledger.all("approval_of_issue", issue=ledger["a"]["id"])
    return next((row for row in rows if row["name"] == name), None)


def test_an_approval_given_before_the_work_does_not_pass_the_gate(ledger: Ledger) -> None:
    """The plan's approval of the same name holds the start, and nothing else."""
    ledger.plan(draft("a", metadata=approval("lead")))
    ledger.approve("a", "lead", by=ALICE)
    assert ledger.status("a") == "ready"
    assert _asked(ledger, LEAD).open_approval
    _judged(ledger, LEAD)


@pytest.mark.parametrize("metadata", [{}, approval("lead", "approved"), approval("lead", required=False)])
def test_the_answer_to_a_gate_is_about_the_judged_commit_only(ledger: Ledger, metadata: dict[str, object]) -> None:
    ledger.plan(draft("a", metadata=metadata))
    _judged(ledger, LEAD)
    assert _say(ledger, ALICE)["status"] == "done"
    row = _row(ledger)
    assert row is not None
    assert (row["subject"], row["state"], row["decided_by"]) == (COMMIT, "approved", "operator:alice")
    assert _asked(ledger, LEAD).passed is True
    assert _asked(ledger, LEAD, "another").open_approval
    assert ledger["a"]["approvals_open"] == 0


@pytest.mark.parametrize("name", [None, "lead"])
@pytest.mark.parametrize("state", ["approved", "waived", "rejected"])
def test_who_is_not_named_by_the_gate_cannot_answer_it(ledger: Ledger, name: str | None, state: str) -> None:
    ledger.plan("a")
    _judged(ledger, LEAD)
    before = ledger["a"]
    with pytest.raises(errors.Refused, match="for alice to answer, not for operator:mallory") as caught:
        _say(ledger, MALLORY, name, state)
    assert caught.value.hint == "ask for: `harness issue approve DOCS-1`"
    assert (ledger["a"], _row(ledger)) == (before, None)


def test_two_gates_are_answered_each_by_whom_it_names(ledger: Ledger) -> None:
    ledger.plan("a")
    both = (LEAD, REVIEW)
    _judged(ledger, *both)
    with pytest.raises(errors.Refused, match="the gate review of DOCS-1 is for bob") as caught:
        _say(ledger, ALICE, gates=both)
    assert caught.value.hint == "ask for: `harness issue approve DOCS-1 --name review`"
    assert _row(ledger) is None, "all or nothing"
    assert _say(ledger, ALICE, "lead", gates=both)["blocked_reason"] == "approval:review"
    with pytest.raises(errors.Refused, match="bob"):
        _say(ledger, MALLORY, gates=both)
    assert _say(ledger, BOB, gates=both)["accepted_commit"] == COMMIT
    assert [row["decided_by"] for row in (_row(ledger), _row(ledger, "review")) if row] == [
        "operator:alice",
        "operator:bob",
    ]


def test_an_answer_of_somebody_no_longer_named_counts_no_more(ledger: Ledger) -> None:
    ledger.plan("a")
    _judged(ledger, LEAD)
    _say(ledger, ALICE, "lead")
    with pytest.raises(errors.Refused, match="bob"):
        _say(ledger, MALLORY, gates=(LEAD._replace(who=("bob",)),))
    assert _say(ledger, MALLORY)["status"] == "done", "what alice answered needs nobody else"


def test_a_gate_that_names_nobody_is_answered_by_any_person(ledger: Ledger) -> None:
    ledger.plan("a")
    anybody = LEAD._replace(who=())
    _judged(ledger, anybody)
    assert _say(ledger, MALLORY, gates=(anybody,))["status"] == "done"


@pytest.mark.parametrize("name", [None, "lead"])
@pytest.mark.parametrize("metadata", [{}, approval("lead", "approved")])
def test_a_no_to_the_commit_gives_the_issue_back_and_leaves_its_start_approved(
    ledger: Ledger, name: str | None, metadata: dict[str, object]
) -> None:
    ledger.plan(draft("a", metadata=metadata))
    _judged(ledger, LEAD)
    assert _say(ledger, ALICE, name, "rejected")["status"] == "ready"
    assert _asked(ledger, LEAD).passed is (None if metadata else False)
    assert _asked(ledger, LEAD, "another").open_approval


def test_a_gate_answered_after_its_start_was_withdrawn_leaves_the_count_of_approvals_right(ledger: Ledger) -> None:
    ledger.plan(draft("a", metadata=approval("lead", "approved")))
    _judged(ledger, LEAD)
    assert _say(ledger, ALICE, "lead")["status"] == "blocked"
    _say(ledger, ALICE, "lead", "rejected")
    assert ledger["a"]["approvals_open"] == 1, "no gate waits, so this is about the start"
    _say(ledger, ALICE)
    assert (ledger.status("a"), ledger["a"]["approvals_open"]) == ("done", 0)


def test_a_commit_judged_while_a_person_typed_is_looked_at_first(ledger: Ledger) -> None:
    """Nobody looked up who may answer, for there was no gate to answer then."""
    ledger.plan("a")
    _judged(ledger, LEAD)
    with pytest.raises(errors.Refused, match="DOCS-1 was judged just now: it waits for lead"):
        ledger.approve("a", by=ALICE)
