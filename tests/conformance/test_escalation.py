"""Deadlines and service levels that pass, and the inbox of things that need a person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harnessos import errors
from harnessos.kernel import attention, operations
from harnessos.model.outcome import Outcome
from harnessos.model.policy import Rule
from tests.support.ledger import BY_OPERATOR, DAY, HOUR, MINUTE, Ledger, draft, policy

RAISE = Rule("deadline_breached", "raise_priority", 0, "the client waits")


def _late(ledger: Ledger, name: str = "a", **fields: Any) -> None:
    ledger.plan(draft(name, deadline_at=ledger.clock.now() + HOUR, **fields), "other")
    ledger.clock.advance(HOUR)


def test_a_deadline_that_passes_is_an_event_and_an_attention_row_also_without_a_policy(ledger: Ledger) -> None:
    _late(ledger)
    ledger.claim("other")
    assert ledger.kinds("a") == ["issue.planned", "issue.escalated"]
    assert json.loads(ledger.events("a")[-1]["data_json"])["breaches"] == ["deadline_breached"]
    assert ledger.asked() == ["escalation"]
    assert (ledger["a"]["breaches"], ledger["a"]["unbreached"]) == ("deadline_breached", 0)


def test_a_deadline_is_not_breached_before_its_instant(ledger: Ledger) -> None:
    ledger.plan(draft("a", deadline_at=ledger.clock.now() + HOUR), "other")
    ledger.clock.advance(HOUR - 1)
    ledger.claim("other")
    assert ledger.asked() == []


def test_a_rule_raises_the_priority(ledger: Ledger) -> None:
    _late(ledger, priority="low", policy=policy(rules=(RAISE,)))
    assert ledger.taken() == "a"
    assert (ledger["a"]["priority"], ledger["a"]["effective_priority"]) == (3, 0)
    assert "the client waits" in ledger.attention()[0]["question"]


def test_an_escalation_is_told_once(ledger: Ledger) -> None:
    _late(ledger)
    ledger.plan(draft("b", milestone="n"), draft("c", milestone="n"), plan_key="more")
    for name in ("other", "b", "c"):
        ledger.claim(name)
        ledger.clock.advance(MINUTE)
    assert ledger.kinds("a").count("issue.escalated") == 1
    assert ledger.asked() == ["escalation"]


def test_what_was_overdue_when_it_was_planned_escalates_at_once(ledger: Ledger) -> None:
    ledger.plan(draft("a", deadline_at=ledger.clock.now() - 1), "b")
    ledger.claim("b")
    assert ledger.kinds("a")[-1] == "issue.escalated"


def test_a_finished_issue_is_never_late(ledger: Ledger) -> None:
    ledger.plan(draft("a", deadline_at=ledger.clock.now() + HOUR), "b", "c")
    ledger.do_all("a")
    before = ledger.kinds("a")
    ledger.clock.advance(2 * HOUR)
    ledger.claim("b")
    assert ledger.kinds("a") == before
    assert ledger.asked() == []
    assert ledger["a"]["due_at"] is None


def test_an_issue_opened_again_can_be_late_again(ledger: Ledger) -> None:
    ledger.plan(draft("a", deadline_at=ledger.clock.now() + HOUR), "b", "c")
    ledger.do_all("a")
    ledger.clock.advance(2 * HOUR)
    ledger.claim("b")
    ledger.reopen("a")
    ledger.claim("c")
    assert ledger.kinds("a")[-1] == "issue.escalated"
    assert ledger.asked() == ["escalation"]


def test_a_deadline_moved_into_the_future_is_a_deadline_again(ledger: Ledger) -> None:
    _late(ledger, policy=policy(rules=(RAISE,)))
    ledger.claim("other")
    later = ledger.clock.now() + HOUR
    ledger.do(operations.edit, ledger.identifier("a"), {"deadline_at": later}, "d", BY_OPERATOR)
    row = ledger["a"]
    assert (row["breaches"], row["unbreached"], row["effective_priority"], row["due_at"]) == ("", 1, 2, later)
    ledger.clock.advance(HOUR)
    assert ledger.taken() == "a"
    assert ledger.kinds("a").count("issue.escalated") == 2


def test_the_response_level_counts_from_ready_to_the_first_claim(ledger: Ledger) -> None:
    quick = policy(response_minutes=30)
    ledger.plan("a", draft("b", depends=["a"], policy=quick), "c", draft("d", policy=quick), "e")
    ledger.clock.advance(DAY)
    ledger.claim("d")
    ledger.do_all("a")
    ledger.clock.advance(30 * MINUTE - 1)
    ledger.claim("c")
    assert ledger["b"]["breaches"] == ""
    ledger.clock.advance(1)
    ledger.claim("e")
    assert ledger["b"]["breaches"] == "response_sla_breached"
    assert ledger["d"]["breaches"] == "response_sla_breached"


def test_the_response_level_is_answered_by_the_first_claim(ledger: Ledger) -> None:
    ledger.plan(draft("a", policy=policy(response_minutes=30)), "b", "c")
    ledger.end(ledger.claim("a"), Outcome.RELEASED)
    ledger.clock.advance(HOUR)
    ledger.claim("b")
    assert ledger["a"]["breaches"] == ""
    assert "issue.escalated" not in ledger.kinds("a")


def test_the_resolve_level_counts_from_planning_to_the_end(ledger: Ledger) -> None:
    ledger.plan(draft("a", policy=policy(resolve_minutes=60)), "b")
    ledger.claim("a")
    ledger.clock.advance(HOUR)
    ledger.claim("b")
    assert ledger["a"]["breaches"] == "resolve_sla_breached"


def test_a_campaign_s_service_level_counts_for_its_issues(ledger: Ledger) -> None:
    ledger.campaign("fast", {"serviceLevel": {"resolveWithinMinutes": 5}})
    ledger.plan("a", "b", into="fast")
    ledger.clock.advance(5 * MINUTE)
    ledger.claim("b")
    assert ledger["a"]["breaches"] == "resolve_sla_breached"


def test_at_most_64_issues_escalate_in_one_claim(ledger: Ledger) -> None:
    names = [f"n{number}" for number in range(100)]
    ledger.plan(*(draft(name, deadline_at=ledger.clock.now() + 1) for name in names))
    ledger.clock.advance(1)
    ledger.claim()
    assert len(ledger.attention()) == 64
    ledger.claim()
    assert len(ledger.attention()) == 100


def test_an_escalation_stays_in_the_inbox_until_the_issue_is_over(ledger: Ledger) -> None:
    _late(ledger)
    run = ledger.claim("a")
    ledger.end(run, Outcome.RELEASED)
    assert ledger.asked() == ["escalation"]
    ledger.do_all("a")
    assert ledger.asked() == []


# The inbox


def test_the_same_thing_is_asked_once(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.do(_ask, ledger)
    assert ledger.asked() == ["test"]
    (row,) = ledger.attention()
    ledger.do(attention.resolve, row["id"], BY_OPERATOR)
    assert ledger.attention() == []
    ledger.do(_ask, ledger)
    assert ledger.asked() == ["test"]


def _ask(tx: object, ledger: Ledger) -> None:
    attention.ask(
        tx,  # type: ignore[arg-type] # a transaction; the store passes it
        ledger.project["id"],
        None,
        kind="test",
        dedup="test/1",
        question="?",
        command="harness status",
    )


def test_an_entry_nobody_made_cannot_be_settled(ledger: Ledger) -> None:
    with pytest.raises(errors.UnknownIdentifier, match="att-none"):
        ledger.do(attention.resolve, "att-none", BY_OPERATOR)


def test_each_entry_is_notified_by_exactly_one_caller(ledger: Ledger) -> None:
    ledger.do(_ask, ledger)
    assert [row["kind"] for row in ledger.do(attention.take_unsent, ["DOCS", "OTHER"])] == ["test"]
    assert ledger.do(attention.take_unsent, ["DOCS", "OTHER"]) == []


def test_every_question_carries_the_command_that_answers_it(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.fail(ledger.claim("a"), final=True)
    ledger.finish(ledger.claim("b"), protected=["WORKFLOW.md"])
    commands = {row["identifier"]: row["command"] for row in ledger.attention()}
    assert commands == {"DOCS-1": "harness issue retry DOCS-1", "DOCS-2": "harness issue approve DOCS-2"}
