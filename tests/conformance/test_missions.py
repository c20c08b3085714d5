"""A mission on the ledger: its runs, its breaker, what an evaluation decides, and what only a person may lift."""

from __future__ import annotations

import pytest

from harnessos import errors
from harnessos.inspector import replay, why
from harnessos.kernel import campaigns, claims, mission_runs, missions, settling
from harnessos.kernel.mission_runs import Begin, Said
from harnessos.model import mission as model
from harnessos.model.outcome import Outcome
from harnessos.store.transaction import Transaction
from tests.support.ledger import BY_OPERATOR, HERE, HOUR, SECOND, Ledger
from tests.support.missions import BY_AGENT, STEPS, OnLedger


@pytest.fixture
def mission(ledger: Ledger) -> OnLedger:
    return OnLedger(ledger)


def test_a_mission_is_a_standing_issue_of_the_reserved_project(mission: OnLedger) -> None:
    assert mission.row["identifier"] == "MSN-1"
    assert (mission.issue["kind"], mission.issue["status"]) == ("standing", "pending")
    assert (mission.standing.status, mission.standing.step, mission.standing.breaker) == ("idle", "Step 0", "off")


def test_a_mission_of_a_project_is_one_of_its_issues(ledger: Ledger) -> None:
    project = ledger.one("project_by_key", key="DOCS")
    assert project is not None
    assert OnLedger(ledger, project_id=project["id"]).row["identifier"].startswith("DOCS-")


def test_a_start_takes_it_from_pending_over_ready_to_in_progress_in_one_transaction(mission: OnLedger) -> None:
    run = mission.start()
    assert mission.issue["status"] == "in_progress"
    assert (mission.standing.status, mission.standing.runs, run.number) == ("running", 1, 1)
    kinds = [
        row["kind"] for row in mission.ledger.all("event_of_subject", subject=mission.issue["id"], after=0, most=9)
    ]
    assert kinds == ["mission.created", "issue.promoted", "run.claimed", "mission.started"]


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.SUCCESS])
def test_a_run_ending_in_any_way_returns_the_issue_to_pending(mission: OnLedger, outcome: Outcome) -> None:
    mission.end(mission.start(), outcome)
    assert mission.issue["status"] == "pending"
    assert mission.standing.status in ("idle", "failed")


def test_a_standing_issue_is_never_promoted_and_never_claimed_from_a_queue(mission: OnLedger) -> None:
    mission.ledger.store.write(settling.promote, mission.row["project_id"], BY_OPERATOR)
    assert mission.issue["status"] == "pending"
    assert "nothing is ready" in mission.ledger.store.write(_claim_any, mission.row["project_id"])


def _claim_any(tx: Transaction, project_id: str) -> str:
    request = claims.ClaimRequest(project_id, HERE, "h", "a")
    found = claims.claim(tx, request, BY_OPERATOR)
    assert isinstance(found, claims.Nothing)
    return found.reason


def test_a_mission_does_not_start_while_its_campaign_is_paused_and_does_when_it_is_resumed(mission: OnLedger) -> None:
    project = mission.row["project_id"]
    mission.ledger.store.write(_campaign, project, "paused")
    with pytest.raises(errors.NothingReady, match="campaign_paused:default"):
        mission.start()
    assert (mission.issue["status"], mission.standing.runs) == ("pending", 0)
    mission.ledger.store.write(_campaign, project, "active")
    assert mission.start().number == 1


def _campaign(tx: Transaction, project_id: str, status: str) -> None:
    campaigns.set_status(tx, campaigns.find(tx, project_id, campaigns.DEFAULT), status, BY_OPERATOR)


def test_two_triggers_start_one_run_and_the_other_counts_as_no_failure(mission: OnLedger) -> None:
    mission.start()
    with pytest.raises(errors.AlreadyRunning) as refused:
        mission.start()
    assert refused.value.exit_code == 13
    assert (mission.standing.failures, mission.standing.runs) == (0, 1)


def test_a_done_claims_and_an_evaluation_decides(mission: OnLedger) -> None:
    run = mission.start()
    mission.say(run, "done", "Step 1", "made it")
    assert (mission.standing.status, mission.standing.step, mission.standing.failures) == ("completed", "Step 0", 0)
    assert mission.judge(run, "passed")
    assert (mission.standing.step, mission.standing.steps, mission.standing.artifact) == (
        "Step 2",
        ("Step 1",),
        "made it",
    )


def test_a_failed_evaluation_counts_as_a_failure_and_keeps_the_pointer(mission: OnLedger) -> None:
    mission.once("passed", "1")
    mission.once("failed", "2")
    assert (mission.standing.step, mission.standing.failures, mission.standing.status) == ("Step 2", 1, "failed")


def test_what_cannot_be_verified_fails(mission: OnLedger) -> None:
    mission.once("not_verifiable")
    assert mission.standing.failures == 1


def test_each_evaluation_replaces_the_last_and_a_claim_counts_at_most_one_failure(mission: OnLedger) -> None:
    run = mission.start()
    mission.say(run, "done", "Step 1")
    for word, failures, step in (
        ("failed", 1, "Step 0"),
        ("failed", 1, "Step 0"),
        ("passed", 0, "Step 2"),
        ("failed", 1, "Step 0"),
    ):
        mission.judge(run, word)
        assert (mission.standing.failures, mission.standing.step) == (failures, step), word


def test_an_evaluation_without_an_open_claim_changes_nothing_but_is_remembered(mission: OnLedger) -> None:
    before = mission.standing
    assert not mission.judge(None, "passed")
    assert mission.standing == before
    assert '"passed"' in mission.row["judged_json"]


def test_an_evaluation_of_an_older_claim_decides_nothing(mission: OnLedger) -> None:
    first = mission.start()
    mission.say(first, "done", "1")
    mission.judge(first, "passed")
    second = mission.start()
    mission.say(second, "done", "2")
    before = mission.standing
    assert not mission.judge(first, "failed")
    assert mission.standing == before


def test_an_unjudged_claim_is_not_overtaken_by_the_next_start(mission: OnLedger) -> None:
    mission.say(mission.start(), "done", "1")
    with pytest.raises(errors.Busy):
        mission.start()
    assert mission.issue["status"] == "pending"


def test_fail_right_after_an_unjudged_done_replaces_the_claim(mission: OnLedger) -> None:
    run = mission.start()
    mission.say(run, "done", "4", "all good")
    mission.ledger.store.write(mission_runs.take_back, mission.id, Said("fail", "3", "was not"), BY_AGENT)
    assert (mission.standing.failures, mission.standing.status, mission.standing.claim) == (1, "failed", None)
    assert not mission.judge(run, "passed")
    with pytest.raises(errors.IllegalMove):
        mission.ledger.store.write(mission_runs.take_back, mission.id, Said("fail"), BY_AGENT)


def test_rule_7_the_breaker_trips_with_the_nth_failure_in_that_transaction(mission: OnLedger) -> None:
    for _ in range(3):
        assert mission.standing.breaker == "off"
        mission.say(mission.start(), "fail", "1", "no luck")
    assert (mission.standing.breaker, mission.standing.status) == ("tripped", "blocked")
    assert (mission.issue["status"], mission.issue["blocked_reason"]) == ("blocked", "breaker:mission")
    assert "mission resume" in mission.asked()[-1]["command"]


def test_component_8_a_tripped_breaker_refuses_every_verb(mission: OnLedger) -> None:
    mission.fail_until_blocked()
    with pytest.raises(errors.MissionBlocked) as refused:
        mission.start()
    assert refused.value.exit_code == 11
    with pytest.raises(errors.MissionBlocked):
        mission.ledger.store.write(mission_runs.block, mission.id, "x", BY_AGENT)
    with pytest.raises(errors.MissionBlocked):
        mission.ledger.store.write(mission_runs.complete, mission.id, {}, BY_AGENT)


def test_no_evaluation_lifts_a_tripped_breaker(mission: OnLedger) -> None:
    mission.once("failed")
    mission.once("failed")
    run = mission.start()
    mission.say(run, "done", "1")
    mission.judge(run, "failed")
    assert mission.standing.breaker == "tripped"
    mission.judge(run, "passed")
    assert (mission.standing.breaker, mission.standing.status) == ("tripped", "blocked")


def test_b11_the_threshold_is_stored_and_a_stuck_run_counts_like_any_failure(ledger: Ledger) -> None:
    mission = OnLedger(ledger, max_failures=2)
    for _ in range(2):
        mission.start()
        ledger.clock.advance(3 * HOUR)
        ledger.reap()
    assert (mission.standing.failures, mission.standing.breaker) == (2, "tripped")
    with pytest.raises(errors.BadUsage):
        OnLedger(ledger, max_failures=0)


def test_b05_a_healthy_run_is_never_called_stuck_and_an_expired_one_is_ended_by_the_next_start(
    mission: OnLedger,
) -> None:
    run = mission.start()
    mission.ledger.clock.advance(HOUR)
    with pytest.raises(errors.AlreadyRunning):
        mission.start()
    mission.ledger.clock.advance(HOUR + SECOND)
    mission.start()
    assert (mission.standing.failures, mission.standing.runs) == (1, 2)
    with pytest.raises(errors.LeaseLost):
        mission.say(run, "done", "1")


@pytest.mark.parametrize(
    "outcome", [Outcome.PROVIDER_QUOTA, Outcome.PROVIDER_DOWN, Outcome.RELEASED, Outcome.CANCELLED]
)
def test_waits_for_a_provider_and_releases_are_no_failures(mission: OnLedger, outcome: Outcome) -> None:
    mission.end(mission.start(), outcome)
    assert (mission.standing.failures, mission.standing.status) == (0, "idle")


def test_b04_what_says_that_it_is_blocked_is_blocked_until_a_person_resumes(mission: OnLedger) -> None:
    mission.say(mission.start(), "blocked", note="needs a password")
    assert mission.issue["blocked_reason"] == "agent:needs a password"
    with pytest.raises(errors.MissionBlocked):
        mission.start()
    with pytest.raises(errors.OperatorOnly):
        mission.resume(by=BY_AGENT)
    mission.resume()
    assert (mission.standing.status, mission.standing.blocking_reason, mission.issue["status"]) == (
        "idle",
        "",
        "pending",
    )
    mission.start()


def test_resume_keeps_the_pointer_and_reset_begins_at_step_0(mission: OnLedger) -> None:
    mission.once("passed", "2")
    mission.fail_until_blocked()
    mission.resume()
    assert (mission.standing.step, mission.standing.breaker, mission.standing.failures) == ("Step 3", "off", 0)
    mission.resume(anew=True)
    assert (mission.standing.step, mission.standing.steps) == ("Step 0", ())


def test_a_paused_mission_starts_no_run_until_it_is_resumed(mission: OnLedger) -> None:
    mission.ledger.store.write(missions.pause, mission.id, BY_OPERATOR)
    with pytest.raises(errors.MissionBlocked, match="paused"):
        mission.start()
    with pytest.raises(errors.OperatorOnly):
        mission.ledger.store.write(missions.pause, mission.id, BY_AGENT)
    mission.resume()
    mission.start()


def test_rule_3_only_a_passed_evaluation_of_these_very_files_completes(mission: OnLedger) -> None:
    def complete(files: dict[str, str]) -> None:
        mission.ledger.store.write(mission_runs.complete, mission.id, files, BY_AGENT)

    with pytest.raises(errors.Refused):
        complete({"mission.md": "1"})
    mission.once("failed")
    with pytest.raises(errors.Refused):
        complete({"mission.md": "1"})
    mission.once("passed")
    with pytest.raises(errors.Refused):
        complete({"mission.md": "2"})
    complete({"mission.md": "1"})
    assert (mission.standing.status, mission.issue["status"], mission.issue["verdict"]) == (
        "mission_complete",
        "done",
        "verified",
    )


def test_b12_a_complete_mission_does_not_start_again(mission: OnLedger) -> None:
    mission.once()
    mission.ledger.store.write(mission_runs.complete, mission.id, {"mission.md": "1"}, BY_AGENT)
    with pytest.raises(errors.MissionComplete) as refused:
        mission.start()
    assert refused.value.exit_code == 10
    mission.resume(anew=True)
    assert mission.issue["status"] == "pending"


def test_the_pointer_goes_round_and_a_new_cycle_forgets_the_last(mission: OnLedger) -> None:
    for step in STEPS:
        mission.once("passed", step)
    assert mission.standing.step == "Step 1"
    mission.once("passed", "1")
    assert (mission.standing.step, mission.standing.steps) == ("Step 2", ("Step 1",))


def test_a_step_that_the_playbook_does_not_have_is_remembered_as_it_is(mission: OnLedger) -> None:
    mission.once("passed", "Step 2.3")
    assert mission.standing.step == "Step 2.3"


def test_a_dream_holds_the_mission_and_changes_no_count(mission: OnLedger) -> None:
    before = mission.standing
    dream = mission.start(Begin("dream", kind="dream"))
    with pytest.raises(errors.AlreadyRunning):
        mission.start()
    mission.end(dream, Outcome.RELEASED)
    assert mission.standing == before
    mission.start()
    with pytest.raises(errors.AlreadyRunning):
        mission.start(Begin("dream", kind="dream"))


def test_rule_5_a_constitution_that_changed_during_a_run_stops_the_mission_until_a_person_looked(
    mission: OnLedger,
) -> None:
    run = mission.start()
    mission.say(run, "done", "1", changed="mission.md")
    assert (mission.standing.status, mission.runs()[0]["changed"]) == ("blocked", "mission.md")
    assert "mission.md changed during run #1" in mission.asked()[-1]["question"]
    mission.judge(run, "passed")
    assert (mission.standing.status, mission.standing.step) == ("blocked", "Step 2")
    with pytest.raises(errors.MissionBlocked):
        mission.ledger.store.write(mission_runs.complete, mission.id, {"mission.md": "1"}, BY_AGENT)
    mission.resume()
    assert (mission.standing.status, mission.standing.step) == ("idle", "Step 2")


def test_a_hand_edit_moves_the_step_and_nothing_else(mission: OnLedger) -> None:
    mission.say(mission.start(), "fail", "1")
    mission.ledger.store.write(missions.import_step, mission.id, "Step 3", BY_AGENT)
    assert (mission.standing.step, mission.standing.failures) == ("Step 3", 1)


def test_a_mission_has_a_budget_of_its_own(mission: OnLedger) -> None:
    run = mission.start()
    mine = mission.ledger.all("budget_balances", scope_kind="mission", scope=mission.issue["id"], period="2026-01-01")
    mine = mine or mission.ledger.all(
        "budget_balances", scope_kind="mission", scope=mission.issue["id"], period=run.claimed.run["budget_day"]
    )
    assert {row["dimension"]: row["spent"] for row in mine}["runs"] == 1


def test_the_events_of_a_mission_reproduce_its_standing(mission: OnLedger) -> None:
    mission.once("passed", "1")
    mission.once("failed", "2")
    mission.fail_until_blocked()
    mission.resume()
    assert mission.ledger.store.read(replay.differences, mission.issue) == ""
    mission.ledger.store.write(_tamper, mission.id)
    assert "failures" in mission.ledger.store.read(replay.differences, mission.issue)


def _tamper(tx: Transaction, mission_id: str) -> None:
    row = missions.find(tx, mission_id)
    tx.do("mission_change", id=mission_id, **{**model.stored(model.read(row)), "failures": 7})


def test_the_ledger_keeps_the_hashes_of_the_last_two_renderings(mission: OnLedger) -> None:
    for value in ("a", "b", "b", "c"):
        mission.ledger.store.write(missions.rendering, mission.id, {"heartbeat.md": value})
    assert mission.row["rendered_json"] == '{"heartbeat.md": ["c", "b"]}'


def _why(mission: OnLedger) -> why.Why:
    return mission.ledger.store.read(why.query, mission.row["identifier"])


def test_why_says_for_every_state_of_a_mission_what_changes_it(mission: OnLedger) -> None:
    assert _why(mission).command == ("harness", "mission", "start", "/w")
    run = mission.start()
    assert "is running" in _why(mission).sentence
    assert _why(mission).command == ("harness", "run", "stop", run.claimed.lease.run_id)
    mission.say(run, "blocked", note="which colour?")
    assert "which colour?" in _why(mission).sentence
    assert _why(mission).command == ("harness", "mission", "resume", "/w")
    mission.resume()
    mission.ledger.store.write(missions.pause, mission.id, BY_OPERATOR)
    assert "paused by a person" in _why(mission).sentence
    mission.resume()
    mission.fail_until_blocked()
    assert "circuit breaker tripped after 3 failures" in _why(mission).sentence
    mission.resume()
    mission.once()
    mission.ledger.store.write(mission_runs.complete, mission.id, {"mission.md": "1"}, BY_AGENT)
    assert _why(mission).command == ("harness", "mission", "reset", "/w")


def test_a_mission_that_is_renamed_is_found_by_its_new_name(mission: OnLedger) -> None:
    mission.ledger.store.write(missions.configure, mission.id, BY_OPERATOR, name="other")
    assert (mission.row["name"], mission.issue["task"]) == ("other", "other")
