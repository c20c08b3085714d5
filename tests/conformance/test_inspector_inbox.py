"""What waits for a person is asked in sentences, with what a gate asks and with what must be done first."""

from __future__ import annotations

from harnessos.inspector import inbox, issue_view, next_action, report, why
from harnessos.kernel import operations
from harnessos.kernel.ending import Closing
from harnessos.kernel.evidence import accept, judge
from harnessos.model.gate import Gate, GateKind
from harnessos.model.verdict import GateResult
from harnessos.store.transaction import Row, Transaction
from tests.support.ledger import BY_OPERATOR, COMMIT, Ledger

MERGE = "git merge refs/harness/accepted/DOCS-9"


def _questions(ledger: Ledger) -> list[str]:
    """Return every open question as the list of what waits shows it."""

    def read(tx: Transaction) -> list[str]:
        return [inbox.question(tx, row) for row in tx.all("attention_open", project=project, after="", most=9)]

    project = ledger.project["id"]
    return ledger.store.read(read)


def _everywhere(ledger: Ledger, name: str) -> list[str]:
    """Return the question as the inbox, the report, the issue and `next` show it."""
    identifier, project = ledger.identifier(name), ledger.project
    seen = ledger.store.read(issue_view.query, identifier)
    told: Row = ledger.store.read(report.query, project, 0)._asdict()
    return [
        *_questions(ledger),
        *(waiting.question for waiting in told["blocked"]),
        *(entry["question"] for entry in seen.attention),
        ledger.store.read(next_action.query, project).reason,
    ]


def test_a_conflict_says_what_must_be_merged_before_a_retry_helps(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.do(operations.block, ledger.identifier("a"), "merge_conflict:DOCS-9", BY_OPERATOR)
    asked = _everywhere(ledger, "a")
    assert len(asked) == 4
    for text in asked:
        assert text.startswith(f"{ledger.identifier('a')}: the accepted commit of DOCS-9 does not merge")
        assert f"`{MERGE}`" in text
        assert "merge_conflict" not in text
    found = ledger.store.read(why.query, ledger.identifier("a"))
    assert f"`{MERGE}`" in found.sentence
    assert found.command == ("harness", "issue", "retry", ledger.identifier("a"))


def test_a_gate_that_asks_is_asked_in_its_own_words(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    gates = [
        Gate("lead", GateKind.APPROVAL, question="is it right?"),
        Gate("law", GateKind.APPROVAL, question="may we?"),
    ]
    results = [
        GateResult(gate.name, gate.kind, True, None, COMMIT, open_approval=True, detail=gate.question or "")
        for gate in gates
    ]
    cause = ledger.cause(run)
    decision = ledger.store.write(judge, run.lease, gates, results, [], COMMIT, cause)
    ledger.store.write(accept, run.lease, decision, cause, Closing(commit=COMMIT))
    assert ledger.reason("a") == "approval:review"
    asked = _everywhere(ledger, "a")
    assert len(asked) == 4
    for text in asked:
        assert "gate lead asks: is it right?" in text
        assert "gate law asks: may we?" in text
        assert "an approval is open" not in text


def test_a_change_to_what_judges_is_named(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.finish(ledger.claim("a"), protected=["WORKFLOW.md"])
    assert all("the run changed what judges it: WORKFLOW.md" in text for text in _everywhere(ledger, "a"))


def test_every_other_question_stays_as_it_is(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.fail(ledger.claim("a"), final=True, reason="it cannot work")
    stored = [row["question"] for row in ledger.attention()]
    assert _questions(ledger) == stored
