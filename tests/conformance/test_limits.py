"""Budgets, attempts, waits, holds and breakers: every limit is finite, and counts once."""

from __future__ import annotations

from typing import Any

import pytest

from harnessos import errors
from harnessos.kernel import budgets, runs
from harnessos.kernel.claims import Claimed
from harnessos.kernel.ending import Closing
from harnessos.model.budget import DAY_DEFAULTS, Spent, day_after, limits, utc_day
from harnessos.model.outcome import Outcome, backoff_ms
from harnessos.store.opening import open_store
from harnessos.store.transaction import Row, Transaction
from harnessos.testing import FakeClock
from tests.support.ledger import BY_OPERATOR, COMMIT, DAY, HOUR, MINUTE, SECOND, Ledger, draft

RUN_WALL = 2 * HOUR


def _balance(ledger: Ledger, dimension: str, day: str | None = None) -> Row:
    def rows(tx: Transaction) -> list[Row]:
        scope = {"scope_kind": "project", "scope": ledger.project["id"], "period": day or utc_day(tx.now)}
        tx.run("budget_open", **scope)
        return tx.all("budget_balances", **scope)

    return next(row for row in ledger.store.write(rows) if row["dimension"] == dimension)


def _tally(ledger: Ledger, dimension: str) -> tuple[int, int]:
    row = _balance(ledger, dimension)
    return row["spent"], row["reserved"]


# The budgets of a day


def test_budget_is_reserved_before_launch(ledger: Ledger) -> None:
    """P01: the claim itself sets the run's wall time aside."""
    ledger.plan("a")
    run = ledger.claim("a")
    assert _tally(ledger, "runs") == (1, 0)
    assert _tally(ledger, "wall_ms") == (0, RUN_WALL)
    assert ledger.run(run)["cap_at"] == ledger.clock.now() + RUN_WALL


@pytest.mark.parametrize("how", ["finish", "release", "fail", "reap", "cancel"])
def test_a_reservation_is_settled_exactly_once(ledger: Ledger, how: str) -> None:
    ledger.plan("a")
    run = ledger.claim("a", ttl_ms=10 * MINUTE)
    ledger.clock.advance(10 * MINUTE)
    if how == "finish":
        ledger.finish(run)
    elif how == "release":
        ledger.end(run, Outcome.RELEASED)
    elif how == "fail":
        ledger.fail(run)
    elif how == "reap":
        ledger.reap()
    else:
        ledger.cancel("a")
    assert _tally(ledger, "wall_ms") == (10 * MINUTE, 0)
    ledger.reap()
    with pytest.raises(errors.LeaseLost):
        ledger.end(run, Outcome.RELEASED)
    assert _tally(ledger, "wall_ms") == (10 * MINUTE, 0)
    assert _tally(ledger, "runs") == (1, 0)
    assert ledger["a"]["wall_ms"] == 10 * MINUTE


def test_a_run_over_midnight_settles_the_day_it_was_reserved_on(ledger: Ledger) -> None:
    ledger.plan("a")
    today = utc_day(ledger.clock.now())
    ledger.clock.advance(day_after(ledger.clock.now()) - ledger.clock.now() - MINUTE)
    run = ledger.claim("a")
    ledger.clock.advance(HOUR)
    ledger.finish(run)
    old = _balance(ledger, "wall_ms", today)
    assert (old["spent"], old["reserved"]) == (HOUR, 0)
    assert _tally(ledger, "wall_ms") == (0, 0)


def test_a_day_that_is_used_up_holds_the_project_until_the_next(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c")
    ledger.cap("runs", "2")
    ledger.claim("a")
    ledger.claim("b")
    assert ledger.refusal() == "budget:project runs of the day"
    assert ledger.status("c") == "ready"
    assert ledger.asked() == ["budget"]
    ledger.clock.advance(day_after(ledger.clock.now()) - ledger.clock.now() - 1)
    assert ledger.refusal() == "budget:project runs of the day"
    ledger.clock.advance(1)
    assert ledger.claim()


def test_what_lacks_budget_takes_nothing(ledger: Ledger) -> None:
    ledger.plan(draft("a", files=("x",)))
    ledger.cap("wall_ms", "0.1")
    before = ledger["a"]
    assert ledger.refusal("a", supervised=True, max_live=4) == "budget:project wall_ms of the day"
    assert ledger["a"] == before
    assert ledger.all("run_all_of", issue=before["id"], most=9) == []
    assert ledger.all("run_files_held", project=ledger.project["id"]) == []
    assert _tally(ledger, "runs") == (0, 0)
    assert _tally(ledger, "wall_ms") == (0, 0)


def test_what_is_only_reserved_holds_nobody_longer_than_the_runs_that_reserved_it(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c")
    ledger.cap("usd", "10")
    live = [ledger.claim(), ledger.claim()]
    assert ledger.refusal() == "budget:project usd of the day is reserved by live runs"
    for run in live:
        ledger.finish(run, Closing(spent=Spent(100_000)))
    assert ledger.taken() == "c"


def test_the_last_of_a_day_s_budget_goes_to_one_run_that_gets_less(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.cap("wall_ms", "1")
    assert ledger.run(ledger.claim())["cap_at"] == ledger.clock.now() + HOUR


def test_a_session_s_lease_is_not_renewed_past_its_wall_cap(ledger: Ledger) -> None:
    ledger.plan(draft("a", budget={"wall_minutes": 30}))
    run = ledger.claim()
    ledger.clock.advance(31 * MINUTE)
    row = ledger.do(runs.heartbeat, run.lease)
    assert row["stop_request"] == "the wall-time cap of a run is reached"
    assert row["expires_at"] == run.run["expires_at"]


def test_the_workflow_s_limits_count_whoever_ends_the_run(ledger: Ledger) -> None:
    """The claim keeps the workflow's budget with the run; a session's end and a reaping know no workflow."""
    ledger.plan("a")
    ledger.fail(ledger.claim(budget='{"attempts": 1}'))
    assert ledger.status("a") == "failed"


def test_a_hold_is_asked_about_once_a_day(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.cap("runs", "1")
    ledger.claim()
    for _ in range(5):
        ledger.refusal()
    assert ledger.asked() == ["budget"]


def test_a_raised_cap_lifts_the_hold_and_its_question(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.cap("runs", "1")
    ledger.claim()
    ledger.refusal()
    ledger.cap("runs", "2")
    assert ledger.asked() == []
    assert ledger.claim()


def test_a_cap_counts_for_the_days_that_follow(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.cap("runs", "1")
    ledger.clock.advance(DAY)
    ledger.claim()
    assert ledger.refusal() == "budget:project runs of the day"


def test_unlimited_is_written_as_that_word(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.cap("runs", "1")
    ledger.cap("runs", "unlimited")
    assert _balance(ledger, "runs")["cap"] is None
    ledger.claim()
    ledger.claim()


@pytest.mark.parametrize("amount", ["0", "-1", "", "none", "null", "nan", "inf", "Unlimited", "0.2"])
def test_no_unbounded_default(ledger: Ledger, amount: str) -> None:
    """P01, I05: nothing but the word itself means no limit."""
    with pytest.raises(errors.BadContent, match="unlimited"):
        ledger.cap("runs", amount)
    assert _balance(ledger, "runs")["cap"] == DAY_DEFAULTS["runs"]


def test_i05_zero_is_not_infinity(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.cap("runs", "1")
    with pytest.raises(errors.BadContent):
        ledger.cap("runs", "0")
    ledger.claim()
    assert ledger.refusal() == "budget:project runs of the day"


@pytest.mark.parametrize("value", [0, -1, None, "", "0", True, "infinite", float("nan"), float("inf")])
def test_an_issue_s_own_limit_is_a_positive_number_or_the_word(value: object) -> None:
    with pytest.raises(errors.BadContent, match="unlimited"):
        limits({"wall_minutes": value})


def test_every_default_is_finite() -> None:
    assert None not in limits()
    assert None not in DAY_DEFAULTS.values()


def test_an_unknown_dimension_is_refused(ledger: Ledger) -> None:
    with pytest.raises(errors.BadContent, match="tokens"):
        ledger.cap("tokens", "5")


def test_money_is_reserved_only_where_an_operator_set_a_cap(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.claim("a")
    assert _tally(ledger, "usd") == (0, 0)
    ledger.cap("usd", "12")
    run = ledger.claim("b")
    assert _tally(ledger, "usd") == (0, 5_000_000)
    ledger.end(run, Outcome.RELEASED, Closing(spent=Spent(1_250_000)))
    assert _tally(ledger, "usd") == (1_250_000, 0)


def test_spend_that_nobody_reported_is_charged_in_full_under_a_money_cap(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c")
    ledger.cap("usd", "10")
    for name in ("a", "b"):
        ledger.end(ledger.claim(name), Outcome.RELEASED)
    assert _tally(ledger, "usd") == (10_000_000, 0)
    assert ledger.refusal() == "budget:project usd of the day"


@pytest.mark.postgres
def test_the_last_of_a_day_s_budget_goes_to_one_of_two_claims_that_both_saw_it(
    emptied_postgres: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Balances are read without a lock: a claim whose share went to another meanwhile rolls back and looks again."""
    store = open_store(emptied_postgres, clock=clock)
    ledger = Ledger(store, clock)
    ledger.plan("first", "a", "b")
    ledger.cap("runs", "2")
    ledger.claim("first")
    wanted = budgets.wanted
    faster: list[Claimed] = []

    def late(*given: Any) -> Any:
        want = wanted(*given)
        monkeypatch.setattr(budgets, "wanted", wanted)
        faster.append(ledger.claim("b"))
        return want

    monkeypatch.setattr(budgets, "wanted", late)
    assert ledger.refusal("a") == "budget:project runs of the day"
    assert ledger.run(faster[0])["live"] == 1
    assert _tally(ledger, "runs") == (2, 0)
    store.close()


def test_a_lost_run_is_charged_what_it_reserved_although_its_first_turns_cost_less(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.cap("usd", "10")
    run = ledger.claim("a")
    ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-1", None, ledger.cause(run), Spent(1_000_000))
    ledger.clock.advance(2 * HOUR)
    ledger.reap()
    assert ledger.run(run)["outcome"] == "lost"
    assert _tally(ledger, "usd") == (5_000_000, 0)


def test_the_limits_of_an_issue_win_over_the_workflow_s(ledger: Ledger) -> None:
    ledger.plan(draft("a", budget={"wall_minutes": 5}), "b")
    now = ledger.clock.now()
    assert ledger.run(ledger.claim("a", budget='{"wall_minutes": 7}'))["cap_at"] == now + 5 * MINUTE
    assert ledger.run(ledger.claim("b", budget='{"wall_minutes": 7}'))["cap_at"] == now + 7 * MINUTE


def test_a_run_without_any_wall_limit_reserves_none(ledger: Ledger) -> None:
    ledger.plan(draft("a", budget={"wall_minutes": "unlimited", "issue_wall_minutes": "unlimited"}))
    assert ledger.run(ledger.claim("a"))["cap_at"] is None
    assert _tally(ledger, "wall_ms") == (0, 0)


def test_lifetime_cap_survives_restart_and_redispatch(ledger: Ledger) -> None:
    """P16: wall time adds up on the issue, whatever its runs ended with."""
    ledger.plan(draft("a", budget={"issue_wall_minutes": 60, "wall_minutes": 40}))
    run = ledger.claim("a", ttl_ms=DAY)
    ledger.clock.advance(40 * MINUTE)
    ledger.end(run, Outcome.RELEASED)
    run = ledger.claim("a", ttl_ms=DAY)
    assert ledger.run(run)["cap_at"] == ledger.clock.now() + 20 * MINUTE
    ledger.clock.advance(20 * MINUTE)
    ledger.end(run, Outcome.RELEASED)
    assert (ledger.status("a"), ledger.reason("a")) == ("blocked", "budget:issue")
    assert ledger.asked() == ["budget"]
    ledger.retry("a")
    assert (ledger.status("a"), ledger["a"]["wall_ms"]) == ("ready", 0)


# Attempts and waits


def test_three_attempts_and_then_failed(ledger: Ledger) -> None:
    ledger.plan("a")
    waits = []
    for _ in range(3):
        ledger.clock.advance(HOUR)
        issue = ledger.fail(ledger.claim("a"))
        waits.append(None if issue["not_before"] is None else issue["not_before"] - ledger.clock.now())
    assert waits == [10 * SECOND, 20 * SECOND, None]
    assert (ledger.status("a"), ledger["a"]["attempts"]) == ("failed", 3)
    assert ledger.asked() == ["failed"]


def test_retry_gives_a_fresh_allowance(ledger: Ledger) -> None:
    ledger.plan(draft("a", budget={"attempts": 1}))
    ledger.fail(ledger.claim("a"))
    assert ledger.status("a") == "failed"
    ledger.retry("a")
    assert (ledger.status("a"), ledger.asked()) == ("ready", [])
    ledger.fail(ledger.claim("a"))
    assert (ledger.status("a"), ledger["a"]["attempts"]) == ("failed", 2)


def test_a_final_fault_is_not_tried_again(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.end(ledger.claim("a"), Outcome.TASK_FAULT, final=True)
    assert ledger.status("a") == "failed"


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Outcome.AGENT_FAULT, 1),
        (Outcome.TASK_FAULT, 1),
        (Outcome.PROVIDER_QUOTA, 0),
        (Outcome.PROVIDER_DOWN, 0),
        (Outcome.HARNESS_FAULT, 0),
        (Outcome.LOST, 0),
        (Outcome.RELEASED, 0),
    ],
)
def test_only_agent_and_task_faults_count_as_attempts(ledger: Ledger, outcome: Outcome, counted: int) -> None:
    ledger.plan("a")
    ledger.end(ledger.claim("a"), outcome)
    assert (ledger["a"]["attempts"], ledger.status("a")) == (counted, "ready")


def test_the_wait_doubles_up_to_five_minutes() -> None:
    assert [backoff_ms(number) // SECOND for number in range(1, 8)] == [10, 20, 40, 80, 160, 300, 300]
    assert backoff_ms(10_000) == 300 * SECOND


# Providers


def test_quota_does_not_count_as_attempt_and_schedules_at_reset_plus_jitter(ledger: Ledger) -> None:
    """P12. The jitter is added by whoever reads the provider's answer: here it is part of reset_at."""
    ledger.plan("a")
    reset = ledger.clock.now() + 3 * HOUR
    ledger.end(ledger.claim("a"), Outcome.PROVIDER_QUOTA, reset_at=reset)
    assert (ledger["a"]["attempts"], ledger["a"]["not_before"]) == (0, reset)
    ledger.clock.advance(3 * HOUR - 1)
    assert ledger.refusal()
    ledger.clock.advance(1)
    assert ledger.taken() == "a"


def test_quota_breaker_is_per_provider_account_not_per_task(ledger: Ledger) -> None:
    """P12: another issue would meet the same wall; another account would not."""
    ledger.plan("a", "b", "c")
    reset = ledger.clock.now() + HOUR
    ledger.end(ledger.claim("a", provider="acme"), Outcome.PROVIDER_QUOTA, Closing(provider="acme"), reset_at=reset)
    assert ledger.refusal(provider="acme") == "provider:acme provider_quota"
    assert ledger.taken(provider="other") == "b"
    assert ledger.taken() == "c"
    ledger.clock.advance(HOUR)
    assert ledger.taken(provider="acme") == "a"


def test_a_provider_that_is_down_is_waited_for(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.end(ledger.claim("a", provider="acme"), Outcome.PROVIDER_DOWN, Closing(provider="acme"))
    assert ledger.refusal(provider="acme") == "provider:acme provider_down"
    ledger.clock.advance(10 * MINUTE)
    assert ledger.claim(provider="acme")


def test_the_hold_of_one_issue_survives_a_dependency_that_was_reopened(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]), "c")
    ledger.do_all("a")
    run = ledger.claim("b", provider="acme")
    ledger.reopen("a")
    reset = ledger.clock.now() + HOUR
    ledger.end(run, Outcome.PROVIDER_QUOTA, Closing(provider="acme"), reset_at=reset)
    assert ledger.status("b") == "pending"
    ledger.clock.advance(HOUR - 1)
    assert ledger.refusal(provider="acme") == "provider:acme provider_quota"
    ledger.clock.advance(1)
    assert ledger.claim(provider="acme")


def test_a_provider_s_hold_ends_also_when_its_issue_may_not_run_again(ledger: Ledger) -> None:
    ledger.plan(draft("a", budget={"issue_wall_minutes": 1}), "b")
    run = ledger.claim("a", provider="acme")
    ledger.clock.advance(2 * MINUTE)
    ledger.end(run, Outcome.PROVIDER_DOWN, Closing(provider="acme"))
    assert ledger.reason("a") == "budget:issue"
    ledger.clock.advance(10 * MINUTE)
    assert ledger.taken(provider="acme") == "b"


def test_resume_after_restart_of_supervisor(ledger: Ledger) -> None:
    """P12: the timer is a row, so a new process finds it."""
    from harnessos.store.opening import open_store

    ledger.plan("a")
    ledger.fail(ledger.claim("a"))
    again = open_store(ledger.store.url, clock=ledger.clock)
    try:
        ledger.clock.advance(10 * SECOND)
        ledger.store = again
        assert ledger.taken() == "a"
    finally:
        again.close()


def test_a_cap_is_changed_with_an_event(ledger: Ledger) -> None:
    ledger.cap("runs", "7")
    events = ledger.all("event_of_subject", subject=ledger.project["id"], after=0, most=99)
    assert events[-1]["kind"] == "budget.changed"
    assert events[-1]["actor"] == str(BY_OPERATOR.actor)
