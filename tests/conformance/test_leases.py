"""Leases: who holds an issue, for how long, and that whoever lost one changes nothing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

import harnessos.kernel
from harnessos import errors
from harnessos.kernel import evidence, intents, reaping, runs
from harnessos.kernel.claims import Claimed
from harnessos.kernel.ending import Closing
from harnessos.kernel.mission_runs import Said
from harnessos.model.budget import Spent
from harnessos.model.checkpoint import Progress
from harnessos.model.gate import parse_gate
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.process import Identity
from harnessos.model.run import CAP_GRACE_MS, SESSION_TTL_MS, WATCHED_TTL_MS, Lease
from harnessos.model.verdict import Decision, GateResult, Verdict
from harnessos.store.transaction import Row, Transaction
from tests.support.ledger import BY_OPERATOR, COMMIT, ELSEWHERE, HERE, HOUR, MINUTE, SECOND, Ledger

# The whole kernel, by inspection


def _fenced() -> dict[str, Callable[..., object]]:
    """Every public function of the kernel that acts under a lease."""
    found: dict[str, Callable[..., object]] = {}
    for module in pkgutil.iter_modules(harnessos.kernel.__path__):
        room = importlib.import_module(f"harnessos.kernel.{module.name}")
        for name, function in inspect.getmembers(room, inspect.isfunction):
            if function.__module__ == room.__name__ and not name.startswith("_"):
                parameters = inspect.signature(function).parameters
                if "lease" in parameters and "tx" in parameters:
                    found[f"{module.name}.{name}"] = function
    return found


def _arguments(ledger: Ledger, run: Claimed, intent: str) -> dict[str, object]:
    """A value for every parameter a fenced function may have; a new one needs its line here."""
    gate = parse_gate("true", "g", [])
    assert gate is not None
    return {
        "lease": run.lease,
        "cause": ledger.cause(run),
        "made": Progress("t", "s", "n", "{}"),
        "agent": HERE,
        "holder": HERE,
        "seen": None,
        "request": "finished",
        "commit_id": COMMIT,
        "verifier": "v",
        "output_bytes": 1,
        "worktree": "/w",
        "branch": "b",
        "base_commit": "c",
        "kind": "worktree",
        "target": "/w",
        "intent": intent,
        "end": Ended(Outcome.RELEASED, "x"),
        "said": Said("done", "Step 1", "x"),
        "closing": Closing(commit=COMMIT),
        "decision": Decision(Verdict.VERIFIED, "it passed"),
        "gates": [gate],
        "results": [GateResult(gate.name, gate.kind, True, True, COMMIT)],
        "protected_changed": [],
        "subject": COMMIT,
        "file": {"kind": "log", "path": "x", "sha256": "0", "size": 1},
        "fields": {},
    }


def _call(tx: Transaction, function: Callable[..., object], values: dict[str, Any]) -> None:
    positional: list[object] = []
    named: dict[str, object] = {}
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        if name in values:
            if parameter.kind is parameter.VAR_KEYWORD:
                named.update(values[name])
            elif parameter.kind is parameter.KEYWORD_ONLY:
                named[name] = values[name]
            else:
                positional.append(values[name])
        elif parameter.default is parameter.empty:
            pytest.fail(f"{function.__module__}.{function.__name__}: add a value for {name!r} to _arguments")
    function(tx, *positional, **named)


def _everything(ledger: Ledger) -> list[list[Row]]:
    issue = ledger["a"]["id"]
    of_runs = ledger.all("run_all_of", issue=issue, most=9)
    return [
        [ledger["a"]],
        of_runs,
        ledger.all("event_after", after=0, most=10_000),
        ledger.all("checkpoint_of_issue", issue=issue, most=99),
        ledger.attention(),
        *(ledger.all(name, run=run["id"], most=99)
          for run in of_runs
          for name in ("evidence_of_run", "verdict_of_run", "artifact_of_run", "intent_open_of")),
    ]  # fmt: skip


def test_the_walk_over_the_kernel_finds_its_mutators() -> None:
    assert {"runs.heartbeat", "runs.checkpoint", "ending.finish", "evidence.accept", "intents.confirm"} <= set(
        _fenced()
    )
    assert len(_fenced()) >= 14


@pytest.mark.parametrize("name", sorted(_fenced()))
@pytest.mark.parametrize("how", ["reaped", "reaped and claimed again", "finished", "epoch guessed"])
def test_stale_epoch_rejected_on_every_mutator(ledger: Ledger, name: str, how: str) -> None:
    """P03, G2: walks over the whole API; a new mutator without the fence turns this red."""
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.judge(run)
    intent = ledger.do(intents.plan, run.lease, "worktree", "/w")
    if how == "finished":
        ledger.end(run, Outcome.RELEASED)
    elif how == "epoch guessed":
        run = run._replace(lease=Lease(run.lease.run_id, run.lease.issue_id, run.lease.epoch + 1))
    else:
        ledger.clock.advance(SESSION_TTL_MS)
        ledger.reap()
    if how == "reaped and claimed again":
        ledger.claim("a", by="successor")
    before = _everything(ledger)
    with pytest.raises(errors.LeaseLost):
        ledger.do(_call, _fenced()[name], _arguments(ledger, run, intent))
    assert _everything(ledger) == before


@pytest.mark.parametrize("name", sorted(_fenced()))
def test_every_mutator_works_under_a_live_lease(ledger: Ledger, name: str) -> None:
    """Otherwise the test above could pass for the wrong reason."""
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.judge(run)
    intent = ledger.do(intents.plan, run.lease, "worktree", "/w")
    ledger.do(_call, _fenced()[name], _arguments(ledger, run, intent))


# Renewal and expiry


def test_new_claim_resets_heartbeat_and_progress(ledger: Ledger) -> None:
    """P03, I08: a fresh claim inherits nothing from the run before it."""
    ledger.plan("a")
    first = ledger.claim("a")
    ledger.clock.advance(SESSION_TTL_MS)
    ledger.reap()
    ledger.clock.advance(HOUR)
    second = ledger.claim("a")
    now = ledger.clock.now()
    row = ledger.run(second)
    assert (row["heartbeat_at"], row["progress_at"], row["started_at"]) == (now, now, now)
    assert row["expires_at"] == now + SESSION_TTL_MS
    assert (row["epoch"], row["phase"], row["turns"], row["agent_pid"]) == (2, "claimed", 0, None)
    assert ledger.run(first)["outcome"] == "lost"


def test_i08_a_fresh_claim_is_not_reaped_for_the_silence_of_the_last(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.claim("a")
    ledger.clock.advance(3 * SESSION_TTL_MS)
    ledger.claim("a", by="second") if ledger.reap() else None
    assert ledger.reap() == []
    assert ledger.status("a") == "in_progress"


def test_heartbeat_runs_while_model_is_in_a_40_minute_tool_call(ledger: Ledger) -> None:
    """P03, I09: the process that watches renews, whatever the model does."""
    ledger.plan("a")
    run = ledger.claim("a", supervised=True, ttl_ms=WATCHED_TTL_MS)
    for _ in range(8):
        ledger.clock.advance(5 * MINUTE)
        assert ledger.do(_renew_held, HERE) == 1
        assert ledger.reap() == []
    assert ledger.run(run)["live"] == 1
    assert ledger.run(run)["progress_at"] == run.run["started_at"]


def _renew_held(tx: Transaction, holder: Identity) -> int:
    return tx.run("run_renew_held", now=tx.now, machine_id=holder.machine_id, boot_id=holder.boot_id,
                  pid=holder.pid, pid_started=holder.started)  # fmt: skip


def test_renewing_by_holder_touches_no_other_process(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c", "d")
    ledger.claim("a", here=ELSEWHERE, supervised=True)
    ledger.claim("b", here=HERE._replace(started=2), supervised=True)
    ledger.claim("c", here=HERE)
    ledger.claim("d", here=HERE, supervised=True)
    ledger.clock.advance(SECOND)
    assert ledger.do(_renew_held, HERE) == 1


def test_an_expired_lease_is_reaped_at_its_instant_and_not_before(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.clock.advance(SESSION_TTL_MS - 1)
    assert ledger.reap() == []
    ledger.clock.advance(1)
    assert [issue["identifier"] for issue in ledger.reap()] == [ledger.identifier("a")]
    assert (ledger.status("a"), ledger.run(run)["outcome"]) == ("ready", "lost")


def test_one_expired_lease_never_affects_another_issue(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.claim("a", ttl_ms=MINUTE)
    other = ledger.claim("b")
    before = (ledger["b"], ledger.run(other))
    ledger.clock.advance(MINUTE)
    ledger.reap()
    assert (ledger["b"], ledger.run(other)) == before


def test_lease_loss_does_not_count_as_failure(ledger: Ledger) -> None:
    """P16."""
    ledger.plan("a")
    ledger.claim("a")
    ledger.clock.advance(SESSION_TTL_MS)
    ledger.reap()
    assert (ledger["a"]["attempts"], ledger["a"]["breaks"], ledger["a"]["not_before"]) == (0, 1, None)


def test_i14_any_claim_reaps_before_it_chooses(ledger: Ledger) -> None:
    """I14: recovery is part of the claim and holds no lease of its own."""
    ledger.plan("a")
    ledger.claim("a")
    ledger.clock.advance(SESSION_TTL_MS)
    again = ledger.claim(by="other")
    assert again.lease.epoch == 2


def test_a_claim_reaps_at_most_32(ledger: Ledger) -> None:
    names = [f"n{number}" for number in range(40)]
    ledger.plan(*names)
    ledger.cap("wall_ms", "unlimited")
    for name in names:
        ledger.claim(name)
    ledger.clock.advance(SESSION_TTL_MS)
    ledger.claim()
    assert sorted(ledger.statuses(*names)).count("ready") == 31


def test_a_supervised_holder_of_this_boot_gets_one_more_ttl(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c")
    ledger.claim("a", supervised=True, ttl_ms=MINUTE)
    ledger.claim("b", supervised=True, ttl_ms=MINUTE, here=HERE._replace(boot_id="boot-0"))
    ledger.claim("c", supervised=True, ttl_ms=MINUTE, here=ELSEWHERE)
    ledger.clock.advance(MINUTE)
    assert sorted(issue["identifier"] for issue in ledger.reap(HERE)) == ["DOCS-2", "DOCS-3"]
    ledger.clock.advance(MINUTE - 1)
    assert ledger.reap(HERE) == []
    ledger.clock.advance(1)
    assert [issue["identifier"] for issue in ledger.reap(HERE)] == ["DOCS-1"]


def test_suspend_gap_is_not_a_stall(ledger: Ledger) -> None:
    """P03: the wall clock jumps 8 h; the holder that wakes first renews, and nothing is counted."""
    ledger.plan("a")
    run = ledger.claim("a", supervised=True, ttl_ms=WATCHED_TTL_MS)
    ledger.clock.jump(8 * HOUR)
    assert ledger.do(_renew_held, HERE) == 1
    assert ledger.reap() == []
    ledger.do(runs.checkpoint, run.lease, Progress("t", "s", "n", "{}"), ledger.cause(run))
    assert (ledger.status("a"), ledger["a"]["attempts"], ledger["a"]["breaks"]) == ("in_progress", 0, 0)


def test_time_that_the_machine_slept_is_not_charged_to_a_lost_run(ledger: Ledger) -> None:
    """Else one night in a bag would use up the issue's six hours."""
    ledger.plan("a")
    ledger.claim("a", supervised=True, ttl_ms=WATCHED_TTL_MS)
    ledger.clock.jump(8 * HOUR)
    ledger.reap()
    assert (ledger.status("a"), ledger["a"]["wall_ms"]) == ("ready", WATCHED_TTL_MS)


def test_a_clock_that_jumps_back_breaks_nothing(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.clock.jump(-HOUR)
    assert ledger.do(runs.heartbeat, run.lease)["expires_at"] == ledger.clock.now() + SESSION_TTL_MS
    ledger.finish(run)
    assert (ledger.status("a"), ledger["a"]["wall_ms"]) == ("done", 0)


def test_rescue_is_compare_and_set(ledger: Ledger) -> None:
    """P03, I13: completion commits between scan and rescue; the rescue changes nothing."""
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.clock.advance(SESSION_TTL_MS)
    seen = ledger.all("run_expired", now=ledger.clock.now(), machine_id="", boot_id="", most=9)
    assert [row["id"] for row in seen] == [run.lease.run_id]
    ledger.finish(run)
    before = _everything(ledger)
    assert ledger.do(reaping.reap_one, seen[0], BY_OPERATOR) is None
    assert _everything(ledger) == before
    assert ledger.status("a") == "done"


def test_i13_a_rescue_that_loses_to_a_renewal_changes_nothing(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.clock.advance(SESSION_TTL_MS)
    (seen,) = ledger.all("run_expired", now=ledger.clock.now(), machine_id="", boot_id="", most=9)
    ledger.do(runs.heartbeat, run.lease)
    assert ledger.do(reaping.reap_one, seen, BY_OPERATOR) is None
    assert ledger.run(run)["live"] == 1


def test_a_rescue_happens_once(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.claim("a")
    ledger.clock.advance(SESSION_TTL_MS)
    (seen,) = ledger.all("run_expired", now=ledger.clock.now(), machine_id="", boot_id="", most=9)
    assert ledger.do(reaping.reap_one, seen, BY_OPERATOR) is not None
    assert ledger.do(reaping.reap_one, seen, BY_OPERATOR) is None
    assert ledger["a"]["breaks"] == 1


def test_a_holder_that_nobody_replaced_may_still_finish_after_its_expiry(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.clock.advance(2 * SESSION_TTL_MS)
    ledger.finish(run)
    assert ledger.status("a") == "done"


# A run's own writes


def test_a_session_is_found_by_its_token_only(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    found = ledger.do(runs.by_token, ledger.run(run)["token_hash"])
    assert runs.lease_of(found) == run.lease
    with pytest.raises(errors.UnknownIdentifier):
        ledger.do(runs.by_token, "worker")


def test_one_verifier_at_a_time_and_a_dead_one_is_replaced(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    cause = ledger.cause(run)
    assert ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-1", None, cause) is True
    assert ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-2", None, cause) is False
    assert ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-2", "pid-0", cause) is False
    assert ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-2", "pid-1", cause) is True
    assert (ledger.run(run)["verifier"], ledger.run(run)["phase"]) == ("pid-2", "verifying")


@pytest.mark.parametrize("ttl_ms", [HOUR, 7 * 24 * HOUR])
def test_no_call_of_a_session_makes_its_lease_outlast_the_wall_time_cap_by_more_than_a_grace(
    ledger: Ledger, ttl_ms: int
) -> None:
    ledger.plan("a")
    run = ledger.claim("a", ttl_ms=ttl_ms, budget='{"wall_minutes": 30}')
    end = ledger.clock.now() + 30 * MINUTE + CAP_GRACE_MS
    assert ledger.run(run)["expires_at"] == end
    for _ in range(5):
        ledger.clock.advance(8 * MINUTE)
        ledger.do(runs.heartbeat, run.lease)
        ledger.do(runs.checkpoint, run.lease, Progress("t", "s", "n", "{}"), ledger.cause(run))
        assert ledger.run(run)["expires_at"] == end
    ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-1", None, ledger.cause(run))
    ledger.do(evidence.reject, run.lease, ledger.cause(run))
    assert ledger.run(run)["expires_at"] == end
    ledger.clock.advance(5 * MINUTE)
    assert [issue["identifier"] for issue in ledger.reap()] == [ledger.identifier("a")]


def test_what_a_turn_cost_counts_once_however_often_its_verification_begins(ledger: Ledger) -> None:
    """A supervisor that takes over from a dead one reads the same report again."""
    ledger.plan("a")
    run = ledger.claim("a")
    cause = ledger.cause(run)
    ledger.do(runs.launch, run.lease, HERE, cause)
    ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-1", None, cause, Spent(2, 20))
    ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-2", "pid-1", cause, Spent(2, 20))
    assert (ledger.run(run)["spent_usd"], ledger.run(run)["spent_tokens"]) == (2, 20)
    ledger.do(evidence.reject, run.lease, cause)
    ledger.do(runs.start_verifying, run.lease, COMMIT, "pid-2", None, cause)
    assert (ledger.run(run)["spent_usd"], ledger.run(run)["spent_tokens"]) == (2, 20)
    ledger.do(evidence.reject, run.lease, cause)
    ledger.end(run, Outcome.AGENT_FAULT, Closing(spent=Spent(usd=3)))
    assert (ledger.run(run)["spent_usd"], ledger.run(run)["spent_tokens"]) == (5, 20)


def test_a_rejected_run_goes_on_under_the_same_lease(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.do(runs.launch, run.lease, HERE, ledger.cause(run))
    assert ledger.judge(run, passed=False).verdict is Verdict.REJECTED
    assert ledger.do(evidence.reject, run.lease, ledger.cause(run)) == (1, 1)
    assert (ledger.run(run)["phase"], ledger.status("a")) == ("running", "in_progress")
    assert ledger.do(runs.launch, run.lease, HERE, ledger.cause(run)) == 2
    ledger.finish(run)
    assert (ledger.status("a"), ledger["a"]["attempts"]) == ("done", 1)


def test_an_act_is_confirmed_by_the_run_that_planned_it(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    mine, other = ledger.claim("a"), ledger.claim("b")
    intent = ledger.do(intents.plan, mine.lease, "worktree", "/w", {"x": 1})
    with pytest.raises(errors.LeaseLost):
        ledger.do(intents.confirm, other.lease, intent)
    ledger.do(intents.confirm, mine.lease, intent)
    assert ledger.all("intent_open_of", run=mine.lease.run_id, most=9) == []


def test_unconfirmed_acts_of_ended_runs_are_found_by_their_machine(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    intent = ledger.do(intents.plan, run.lease, "worktree", "/w")
    assert ledger.do(intents.open_here, HERE.machine_id) == []
    ledger.end(run, Outcome.LOST)
    assert [row["id"] for row in ledger.do(intents.open_here, HERE.machine_id)] == [intent]
    assert ledger.do(intents.open_here, ELSEWHERE.machine_id) == []
    assert ledger.do(intents.settle, intent, "undone") is True
    assert ledger.do(intents.settle, intent, "confirmed") is False
