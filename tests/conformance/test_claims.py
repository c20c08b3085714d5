"""Which issue a claim takes: the order, the lanes, what is parked, and what excludes what."""

from __future__ import annotations

import pytest

from harnessos import errors
from harnessos.kernel import campaigns
from harnessos.kernel.claims import overlap
from harnessos.model.claim_order import WEEK_MS
from harnessos.model.outcome import Outcome
from tests.support.ledger import BY_OPERATOR, DAY, ELSEWHERE, HERE, HOUR, SECOND, WEEK, Ledger, draft, policy


def test_critical_comes_first_then_priority(ledger: Ledger) -> None:
    ledger.plan(*(draft(name, priority=name) for name in ("low", "medium", "critical", "high")))
    assert ledger.order() == ["critical", "high", "medium", "low"]


def test_a_week_of_waiting_overtakes_one_priority(ledger: Ledger) -> None:
    ledger.plan(draft("old", priority="medium"))
    ledger.clock.advance(WEEK)
    ledger.plan(draft("new", priority="high", milestone="late"), plan_key="later")
    assert ledger.order() == ["old", "new"]


def test_less_than_a_week_of_waiting_overtakes_nothing(ledger: Ledger) -> None:
    ledger.clock.advance(WEEK_MS - ledger.clock.now() % WEEK_MS)
    ledger.plan(draft("old", priority="medium"))
    ledger.clock.advance(WEEK - 1)
    ledger.plan(draft("new", priority="high", milestone="late"), plan_key="later")
    assert ledger.order() == ["new", "old"]


def test_no_waiting_overtakes_critical(ledger: Ledger) -> None:
    ledger.plan(draft("old", priority="high"))
    ledger.clock.advance(50 * WEEK)
    ledger.plan(draft("new", priority="critical", milestone="late"), plan_key="later")
    assert ledger.order() == ["new", "old"]


def test_breached_comes_before_an_earlier_deadline(ledger: Ledger) -> None:
    now = ledger.clock.now()
    urgent = policy(resolve_minutes=1)
    ledger.plan(draft("deadline", deadline_at=now + DAY), draft("breached", policy=urgent))
    ledger.clock.advance(2 * 60 * SECOND)
    assert ledger.order() == ["breached", "deadline"]


def test_the_earliest_deadline_then_the_oldest_then_the_id(ledger: Ledger) -> None:
    now = ledger.clock.now()
    ledger.plan("first", "second", draft("soon", deadline_at=now + HOUR), draft("later", deadline_at=now + DAY))
    ledger.clock.advance(SECOND)
    ledger.plan(draft("third", milestone="late"), plan_key="later")
    assert ledger.order()[:2] == ["soon", "later"]
    assert sorted(ledger.statuses("first", "second", "third")) == ["in_progress"] * 3
    assert ledger[("third")]["created_at"] > ledger["first"]["created_at"]


def test_the_older_of_two_equal_issues_comes_first(ledger: Ledger) -> None:
    ledger.plan("old")
    ledger.clock.advance(SECOND)
    ledger.plan(draft("new", milestone="late"), plan_key="later")
    assert ledger.order() == ["old", "new"]


# Lanes


def _lanes(ledger: Ledger) -> None:
    ledger.plan(
        draft("plain", priority="low"),
        draft("gpu", priority="critical", policy=policy(capabilities=("cuda", "gpu"))),
        draft("docs", priority="high", policy=policy(workload_class="writing")),
    )


def test_a_caller_that_names_nothing_serves_every_class_and_no_capability(ledger: Ledger) -> None:
    _lanes(ledger)
    assert ledger.order() == ["docs", "plain"]


def test_a_caller_serves_the_classes_and_capabilities_it_names(ledger: Ledger) -> None:
    _lanes(ledger)
    assert ledger.order(capabilities=("gpu", "cuda", "tpu"), classes=("coding",)) == ["gpu", "plain"]
    assert ledger.order(classes=("coding", "writing")) == ["docs"]


def test_half_of_the_required_capabilities_is_not_enough(ledger: Ledger) -> None:
    _lanes(ledger)
    assert "gpu" not in ledger.order(capabilities=("gpu",))


@pytest.mark.parametrize("named", ["writ%", "WRITING", "_riting"])
def test_a_class_is_compared_as_it_is_written(ledger: Ledger, named: str) -> None:
    ledger.plan(draft("docs", policy=policy(workload_class="writing")))
    assert ledger.order(classes=(named,)) == []


def test_a_class_with_a_wildcard_in_its_name_serves_nothing_else(ledger: Ledger) -> None:
    ledger.plan(draft("odd", policy=policy(workload_class="w%g")), draft("plain", priority="low"))
    assert ledger.order(classes=("writing",)) == ["plain"]


def test_a_claim_takes_the_best_of_all_lanes(ledger: Ledger) -> None:
    ledger.plan(draft("a", priority="low"), into="one")
    ledger.plan(draft("b", priority="high"), into="two", plan_key="two")
    ledger.plan(draft("c", milestone="n", policy=policy(workload_class="x")), into="two", plan_key="three")
    assert ledger.order() == ["b", "c", "a"]


def test_campaign_policy_routes_its_issues(ledger: Ledger) -> None:
    ledger.campaign("heavy", {"dispatch": {"requiredHostCapabilities": ["gpu"]}})
    ledger.plan("a", into="heavy")
    assert ledger.refusal() == "nothing is ready for this caller"
    assert ledger.taken(capabilities=("gpu",)) == "a"


# Campaigns


def test_a_paused_campaign_gives_no_work_and_its_runs_may_finish(ledger: Ledger) -> None:
    ledger.plan("a", "b", into="quiet")
    run = ledger.claim("a")
    ledger.do(campaigns.set_status, ledger.campaign("quiet"), "paused", BY_OPERATOR)
    assert ledger.refusal() == "nothing is ready for this caller"
    assert ledger.refusal("b") == "campaign_paused:quiet"
    ledger.finish(run)
    assert ledger.statuses("a", "b") == ["done", "ready"]
    ledger.do(campaigns.set_status, ledger.campaign("quiet"), "active", BY_OPERATOR)
    assert ledger.taken() == "b"


def test_an_archived_campaign_stays_archived(ledger: Ledger) -> None:
    ledger.plan("a", into="old")
    ledger.do(campaigns.set_status, ledger.campaign("old"), "archived", BY_OPERATOR)
    with pytest.raises(errors.IllegalMove, match="archived"):
        ledger.do(campaigns.set_status, ledger.campaign("old"), "active", BY_OPERATOR)
    with pytest.raises(errors.Refused, match="archived"):
        ledger.plan(draft("b", milestone="n"), plan_key="again", into="old")


# Named claims


def test_a_held_issue_is_already_claimed(ledger: Ledger) -> None:
    """P02, I07: the loser gets a typed answer."""
    ledger.plan("a")
    ledger.claim("a")
    with pytest.raises(errors.AlreadyClaimed):
        ledger.ask("a", by="other")
    assert ledger["a"]["lease_epoch"] == 1


def test_the_same_agent_name_never_resumes(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.claim("a", by="ann")
    with pytest.raises(errors.AlreadyClaimed):
        ledger.ask("a", by="ann")


def test_i07_a_claim_is_one_compare_and_set(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.claim()
    assert ledger.refusal() == "nothing is ready for this caller"
    assert len(ledger.all("run_all_of", issue=ledger["a"]["id"], most=9)) == 1


def test_an_issue_of_another_project_cannot_be_claimed(ledger: Ledger) -> None:
    other = Ledger(ledger.store, ledger.clock, "OTHER")
    other.plan("a")
    with pytest.raises(errors.UnknownIdentifier, match="another project"):
        ledger.ask("OTHER-1")


# Files


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a.py", "a.py", True),
        ("src/", "src/a.py", True),
        ("src/a.py", "src/", True),
        ("src/", "src/sub/", True),
        ("src/a.py", "src/ab.py", False),
        ("src", "src/a.py", False),
        ("src/", "srcs/a.py", False),
    ],
)
def test_files_overlap_when_equal_or_inside(one: str, other: str, same: bool) -> None:
    assert overlap(one, other) is same


def test_two_live_runs_never_overlap_in_files(ledger: Ledger) -> None:
    ledger.plan(draft("a", files=("src/",)), draft("b", files=("src/x.py", "doc.md")), draft("c", files=("test/",)))
    first = ledger.claim("a")
    assert ledger.refusal("b") == f"{ledger.identifier('b')} declares files that a live run holds"
    assert ledger.order() == ["c"]
    assert (ledger.status("b"), ledger["b"]["parked"]) == ("ready", 2)
    ledger.finish(first)
    assert ledger["b"]["parked"] == 0
    assert ledger.taken() == "b"


def test_a_parked_issue_does_not_hide_the_next(ledger: Ledger) -> None:
    ledger.plan(draft("a", files=("x",)), draft("b", files=("x",), priority="critical"), draft("c", priority="low"))
    ledger.claim("a")
    assert ledger.refusal("b")
    assert ledger.order() == ["c"]


def test_files_that_overlap_within_one_issue_are_its_own_affair(ledger: Ledger) -> None:
    ledger.plan(draft("a", files=("src/", "src/a.py")))
    assert ledger.taken() == "a"


def test_released_files_are_free_again(ledger: Ledger) -> None:
    ledger.plan(draft("a", files=("x",)), draft("b", files=("x",)))
    for outcome in (Outcome.RELEASED, Outcome.LOST):
        run = ledger.claim("a")
        ledger.end(run, outcome)
        assert ledger.all("run_files_held", project=ledger.project["id"]) == []


# Timers


def test_a_timer_takes_an_issue_out_of_the_lane_until_it_is_due(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.fail(ledger.claim("a"))
    assert (ledger.status("a"), ledger["a"]["parked"]) == ("ready", 1)
    assert ledger["a"]["not_before"] == ledger.clock.now() + 10 * SECOND
    ledger.clock.advance(10 * SECOND - 1)
    assert ledger.refusal() == "nothing is ready for this caller"
    ledger.clock.advance(1)
    assert ledger.taken() == "a"


def test_an_operator_lets_a_waiting_issue_go_at_once(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.fail(ledger.claim("a"))
    ledger.retry("a")
    assert ledger.taken() == "a"


def test_more_timers_than_one_claim_looks_at_all_come_back(ledger: Ledger) -> None:
    names = [f"n{number}" for number in range(70)]
    ledger.plan(*names)
    ledger.cap("wall_ms", "unlimited")
    for name in names:
        ledger.end(ledger.claim(name), Outcome.PROVIDER_DOWN)
    ledger.clock.advance(HOUR)
    assert len(ledger.order()) == len(names)


# Slots and folders


def test_four_agents_and_no_more(ledger: Ledger) -> None:
    ledger.plan(*(f"n{number}" for number in range(6)))
    runs = [ledger.claim(supervised=True, max_live=4) for _ in range(4)]
    assert [run.slot for run in runs] == [0, 1, 2, 3]
    assert ledger.refusal(supervised=True, max_live=4) == "all 4 agent slots of the project are taken"
    ledger.end(runs[1], Outcome.RELEASED)
    assert ledger.claim(supervised=True, max_live=4).slot == 1


def test_the_limit_of_agents_counts_every_machine(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c")
    ledger.claim(supervised=True, max_live=2)
    other = ledger.claim(here=ELSEWHERE, supervised=True, max_live=2)
    assert other.slot == 0
    assert ledger.refusal(here=ELSEWHERE, supervised=True, max_live=2).startswith("all 2 agent slots")


def test_slot_numbers_of_one_machine_are_its_own_across_projects(ledger: Ledger) -> None:
    """The number gives a run its ports, so two projects on one machine never share one."""
    other = Ledger(ledger.store, ledger.clock, "OTHER")
    ledger.plan("a")
    other.plan("b")
    assert ledger.claim(supervised=True, max_live=4).slot == 0
    assert other.claim(supervised=True, max_live=4).slot == 1


def test_sessions_take_no_slot(ledger: Ledger) -> None:
    ledger.plan(*(f"n{number}" for number in range(6)))
    for _ in range(5):
        assert ledger.claim().slot is None
    assert ledger.claim(supervised=True, max_live=1).slot == 0


def test_one_live_run_in_a_folder_without_git(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    run = ledger.claim(path="/work", folder=True)
    assert "folder" in ledger.refusal(path="/work", folder=True)
    assert ledger.taken(here=ELSEWHERE, path="/work", folder=True)
    ledger.end(run, Outcome.RELEASED)
    assert ledger.claim(here=HERE, path="/work", folder=True)


def test_a_named_issue_is_refused_to_a_caller_that_does_not_serve_its_lane(ledger: Ledger) -> None:
    ledger.plan(draft("gpu", policy=policy(capabilities=("gpu",))))
    assert "needs gpu" in ledger.refusal("gpu")
    assert ledger.claim("gpu", capabilities=("gpu",)).issue["status"] == "in_progress"


def test_a_named_issue_keeps_its_backoff(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.fail(ledger.claim())
    assert "before its next attempt" in ledger.refusal("a")
    ledger.clock.advance(11 * SECOND)
    ledger.claim("a")
