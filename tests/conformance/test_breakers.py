"""The breaker of an issue: it opens after three runs in a row, and only a person closes it."""

from __future__ import annotations

import pytest

from harnessos import errors
from harnessos.kernel import budgets
from harnessos.kernel.ending import Closing
from harnessos.model.outcome import Outcome
from tests.support.ledger import BY_OPERATOR, DAY, HOUR, MINUTE, Ledger, agent


@pytest.mark.parametrize("outcome", [Outcome.HARNESS_FAULT, Outcome.LOST])
def test_breaker_open_is_sticky_until_operator_or_probe(ledger: Ledger, outcome: Outcome) -> None:
    """P16: three in a row block the issue; nothing but a person opens it again."""
    ledger.plan("a")
    for _ in range(3):
        ledger.clock.advance(HOUR)
        ledger.end(ledger.claim("a"), outcome)
    assert (ledger.status("a"), ledger.reason("a")) == ("blocked", "breaker:issue")
    assert ledger.asked() == ["breaker"]
    assert [row["identifier"] for row in ledger.all("breaker_list", most=9)] == [ledger.identifier("a")]
    ledger.clock.advance(30 * DAY)
    ledger.settle()
    assert ledger.refusal() == "nothing is ready for this caller"
    ledger.retry("a")
    assert (ledger.status("a"), ledger["a"]["breaks"]) == ("ready", 0)
    assert ledger.all("breaker_list", most=9) == []


def test_the_breaker_counts_runs_in_a_row(ledger: Ledger) -> None:
    ledger.plan("a")
    for outcome in (Outcome.LOST, Outcome.LOST, Outcome.RELEASED, Outcome.LOST, Outcome.LOST):
        ledger.clock.advance(HOUR)
        ledger.end(ledger.claim("a"), outcome)
    assert (ledger.status("a"), ledger["a"]["breaks"]) == ("ready", 2)


def test_lost_and_harness_fault_add_up(ledger: Ledger) -> None:
    ledger.plan("a")
    for outcome in (Outcome.LOST, Outcome.HARNESS_FAULT, Outcome.LOST):
        ledger.clock.advance(HOUR)
        ledger.end(ledger.claim("a"), outcome)
    assert ledger.reason("a") == "breaker:issue"


def test_three_gate_errors_in_a_row_block_for_the_gate_not_the_breaker(ledger: Ledger) -> None:
    ledger.plan("a")
    for _ in range(3):
        ledger.clock.advance(HOUR)
        ledger.end(ledger.claim("a"), Outcome.HARNESS_FAULT, gate_error=True)
    assert ledger.reason("a") == "operator:gate_error"
    assert ledger.asked() == ["gate"]
    assert ledger.all("breaker_list", most=9) == []


def test_a_cancelled_issue_closes_its_breaker(ledger: Ledger) -> None:
    ledger.plan("a")
    for _ in range(3):
        ledger.clock.advance(HOUR)
        ledger.end(ledger.claim("a"), Outcome.LOST)
    ledger.cancel("a")
    assert ledger.all("breaker_list", most=9) == []
    assert ledger.asked() == []


def test_a_provider_s_wall_is_never_made_shorter_by_a_later_report(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    runs = [ledger.claim(), ledger.claim()]
    far = ledger.clock.now() + 5 * HOUR
    ledger.end(runs[0], Outcome.PROVIDER_QUOTA, Closing(provider="claude"), reset_at=far)
    ledger.end(runs[1], Outcome.PROVIDER_DOWN, Closing(provider="claude"), reset_at=ledger.clock.now() + 10 * MINUTE)
    ledger.clock.advance(HOUR)
    assert "provider:claude" in ledger.refusal(provider="claude")


def test_a_person_lifts_the_hold_on_a_provider(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    far = ledger.clock.now() + 5 * HOUR
    ledger.end(ledger.claim("a"), Outcome.PROVIDER_QUOTA, Closing(provider="claude"), reset_at=far)
    with pytest.raises(errors.OperatorOnly):
        ledger.do(budgets.lift_provider, "claude", agent("worker"))
    ledger.do(budgets.lift_provider, "claude", BY_OPERATOR)
    assert ledger.taken(provider="claude") == "b"
