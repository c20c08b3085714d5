"""Schedules on both stores: each nominal time once, every skip a row and an event, and what a firing makes (P15)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors
from harnessos.inspector import audit, health
from harnessos.kernel import firing, projects, schedules
from harnessos.kernel.events import Cause
from harnessos.kernel.firing import Evaluated, Firing
from harnessos.kernel.schedules import Wanted
from harnessos.model import plan_document
from harnessos.model.plan import Plan, PlannedIssue, PlannedMilestone
from harnessos.model.run import SUPERVISOR
from harnessos.model.schedule import Checked
from harnessos.processes import user_name
from harnessos.services.scheduler import Scheduler
from harnessos.store.transaction import Row, Store
from harnessos.testing import FakeClock
from tests.support.ledger import BY_OPERATOR, DAY, HERE, HOUR, MINUTE, Ledger, agent, approval, draft

UP = Cause(SUPERVISOR, "up")
NINE = 1_767_603_600_000
"""What the fake clock shows first: 2026-01-05 09:00 UTC, a Monday."""


def template(campaign: str = "default", after: int | None = None, **fields: Any) -> dict[str, Any]:
    """Return what a schedule of issues keeps. Any: fields of PlannedIssue."""
    issue = PlannedIssue("tidy up", "all of it", 2, "M", None, 0)._replace(**fields)
    return {"campaign": campaign, "deadline_after_ms": after, "issue": plan_document.issue_document(issue)}


class Timetable:
    """A ledger's schedules as a test moves them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.project = ledger.project

    def add(
        self, name: str = "nightly", rule: str = "0 * * * *", by: Cause = BY_OPERATOR, **fields: Any
    ) -> schedules.Added:
        """Add a schedule; of issues unless said. Any: fields of Wanted."""
        fields.setdefault("document", template())
        wanted = Wanted(name, fields.pop("target", "issue"), rule, fields.pop("document"), **fields)
        added: schedules.Added = self.ledger.do(schedules.add, self.project, wanted, by)
        return added

    def __getitem__(self, name: str) -> Row:
        row: Row = self.ledger.store.read(schedules.find, self.project, name)
        return row

    def evaluate(self, name: str = "nightly", **words: Any) -> Evaluated:
        """Evaluate one schedule as it stands. Any: see firing.evaluate."""
        row = self[name]
        found: Evaluated = self.ledger.store.write(firing.evaluate, row["id"], row["next_at"], UP, **words)
        return found

    def at(self, ms: int, name: str = "nightly", **words: Any) -> list[Firing]:
        """Let the clock show an instant, and evaluate until nothing is due. Any: see firing.evaluate."""
        self.ledger.clock.jump(ms - self.ledger.clock.now())
        done: list[Firing] = []
        more = True
        while more and self[name]["next_at"] is not None:
            found = self.evaluate(name, **words)
            done, more = [*done, *found.firings], found.more
        return done

    def rows(self, name: str = "nightly") -> list[Row]:
        """Return a schedule's firings, oldest first."""
        found = self.ledger.all("schedule_firings", schedule=self[name]["id"], before=1 << 62, most=1000)
        return found[::-1]

    def outcomes(self, name: str = "nightly") -> list[str]:
        """Return fired or skipped for each of a schedule's firings, oldest first."""
        return [row["outcome"] for row in self.rows(name)]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the events about schedules of the project's chain. Any: what they carry."""
        rows = self.ledger.all("event_of_subject", subject=self.project["id"], after=0, most=10_000)
        return [(row["kind"], json.loads(row["data_json"])) for row in rows if row["kind"].startswith("schedule.")]

    def kinds(self) -> list[str]:
        """Return the kinds of those events."""
        return [kind.removeprefix("schedule.") for kind, _ in self.events()]

    def issues(self) -> list[Row]:
        """Return every issue of the project."""
        return self.ledger.all("inspect_issue_rows", project=self.project["id"], after=0, most=1000)


@pytest.fixture
def table(ledger: Ledger) -> Timetable:
    return Timetable(ledger)


# Firing


def test_a_firing_writes_its_row_the_issue_and_the_event_together(table: Timetable) -> None:
    table.add(document=template(after=2 * HOUR, labels=("night",)))
    [fired] = table.at(NINE + HOUR)
    [row] = table.rows()
    [issue] = table.issues()
    assert (row["outcome"], row["nominal_at"], row["issue_id"]) == ("fired", NINE + HOUR, issue["id"])
    assert (issue["task"], issue["status"], issue["deadline_at"]) == ("tidy up", "ready", NINE + 3 * HOUR)
    assert fired.outcome == firing.Outcome(True, "", issue["id"], None)
    assert table.kinds() == ["added", "fired"]
    assert table.events()[1][1]["nominal_at"] == NINE + HOUR
    assert table["nightly"]["last_at"] == NINE + HOUR
    assert table["nightly"]["next_at"] == NINE + 2 * HOUR


def test_before_its_time_an_evaluation_writes_nothing(table: Timetable) -> None:
    table.add()
    assert table.at(NINE + HOUR - 1) == []
    assert table.rows() == []
    assert table.kinds() == ["added"]


def test_all_firings_share_one_milestone(table: Timetable) -> None:
    table.add(overlap="allow")
    for hour in range(1, 4):
        table.at(NINE + hour * HOUR)
    milestone = table.ledger.milestone("schedule-nightly")
    assert {issue["milestone_id"] for issue in table.issues()} == {milestone["id"]}
    assert milestone["n_ready"] == 3


def test_a_firing_costs_the_same_however_many_came_before(table: Timetable) -> None:
    """It reads nothing of what its schedule planned earlier: no plan_key, by which a plan finds all of its issues."""
    table.add(overlap="allow")
    table.at(NINE + HOUR)
    assert table.issues()[0]["plan_key"] is None


def test_two_schedulers_same_slot_one_task(table: Timetable) -> None:
    """P15: both saw the schedule as due; the second finds it moved."""
    table.add()
    row = table["nightly"]
    table.ledger.clock.advance(HOUR)
    first = table.ledger.store.write(firing.evaluate, row["id"], row["next_at"], UP)
    second = table.ledger.store.write(firing.evaluate, row["id"], row["next_at"], UP)
    assert len(first.firings) == 1
    assert second == Evaluated()
    assert len(table.issues()) == 1


def test_a_nominal_time_that_was_decided_about_is_never_fired_again(table: Timetable) -> None:
    """However the schedule came to stand before it again: here somebody set it back by hand."""
    table.add()
    table.at(NINE + HOUR)
    row = table["nightly"]
    table.ledger.do(_set_back, row["id"], NINE + HOUR)
    assert table.at(NINE + HOUR + MINUTE) == []
    assert len(table.issues()) == 1
    assert table.outcomes() == ["fired"]


def _set_back(tx: Any, schedule_id: str, nominal: int) -> None:
    tx.do("schedule_pause", id=schedule_id, paused=0, next_at=nominal, fires_at=nominal)


def test_a_clock_that_is_set_back_fires_nothing_twice(table: Timetable) -> None:
    table.add(overlap="allow")
    table.at(NINE + 2 * HOUR)
    before = table.outcomes()
    for ms in (NINE, NINE + HOUR, NINE + 2 * HOUR):
        assert table.at(ms) == []
    assert table.outcomes() == before


@pytest.mark.parametrize(
    ("where", "rule", "start", "fires"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T20:00+00:00", "2026-03-29T01:00+00:00"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T20:00+00:00", "2026-10-25T00:30+00:00"),
        ("America/New_York", "0 30 2 * * *", "2026-03-08T02:00+00:00", "2026-03-08T07:00+00:00"),
        ("America/New_York", "0 30 1 * * *", "2026-11-01T02:00+00:00", "2026-11-01T05:30+00:00"),
    ],
    ids=["Berlin forward", "Berlin back", "New York forward", "New York back"],
)
def test_dst_forward_and_back(table: Timetable, where: str, rule: str, start: str, fires: str) -> None:
    """P15: looked at every ten minutes through the night of the change, a fixed time fires once."""
    began = int(datetime.fromisoformat(start).timestamp() * 1000)
    table.ledger.clock.jump(began - NINE)
    table.add(rule=rule, timezone=where, overlap="allow")
    for minute in range(0, 12 * 60, 10):
        table.at(began + minute * MINUTE)
    expected = int(datetime.fromisoformat(fires).timestamp() * 1000)
    assert [(row["nominal_at"], row["outcome"]) for row in table.rows()] == [(expected, "fired")]


# Misfires


def test_sleep_over_three_slots_once_fires_one(table: Timetable) -> None:
    table.add(lateness_ms=DAY, overlap="allow")
    table.at(NINE + 3 * HOUR + 30 * MINUTE)
    assert table.outcomes() == ["skipped", "skipped", "fired"]
    assert len(table.issues()) == 1
    assert table.kinds() == ["added", "skipped", "skipped", "fired"]
    assert all(data["reason"] for kind, data in table.events() if kind == "schedule.skipped")


def test_late_beyond_window_is_recorded_as_skipped(table: Timetable) -> None:
    table.add(rule="0 10 * * *")
    table.at(NINE + 5 * HOUR)
    [row] = table.rows()
    assert (row["outcome"], row["nominal_at"]) == ("skipped", NINE + HOUR)
    assert row["reason"] == "misfire: 14400 s late, and 3600 s is the most"
    assert table.issues() == []


def test_all_fires_what_was_missed_and_skip_does_not(table: Timetable) -> None:
    table.add("every", misfire="all", lateness_ms=DAY, overlap="allow")
    table.add("none", misfire="skip")
    table.at(NINE + 3 * HOUR + 10 * MINUTE, "every")
    table.at(NINE + 3 * HOUR + 10 * MINUTE, "none")
    assert table.outcomes("every") == ["fired"] * 3
    assert table.outcomes("none") == ["skipped"] * 3


def test_a_year_of_misses_is_a_few_rows(table: Timetable) -> None:
    table.add(rule="* * * * *")
    table.at(NINE + 365 * DAY)
    rows = table.rows()
    assert [row["outcome"] for row in rows].count("fired") == 1
    assert len(rows) < 100
    assert rows[-1]["nominal_at"] == NINE + 365 * DAY


# Overlap


def test_overlap_policy_forbid(table: Timetable) -> None:
    """P15: the work of the firing before is not over; when it is, the next firing comes."""
    table.add()
    table.at(NINE + HOUR)
    table.at(NINE + 2 * HOUR)
    identifier = table.issues()[0]["identifier"]
    assert table.rows()[1]["reason"] == f"overlap: {identifier} of its last firing is ready"
    run = table.ledger.claim(identifier)
    table.at(NINE + 3 * HOUR)
    assert table.rows()[2]["reason"] == f"overlap: {identifier} of its last firing is in_progress"
    table.ledger.finish(run)
    table.at(NINE + 4 * HOUR)
    assert table.outcomes() == ["fired", "skipped", "skipped", "fired"]


def test_a_failed_issue_keeps_no_firing_back(table: Timetable) -> None:
    table.add(document=template(budget={"attempts": 1}))
    table.at(NINE + HOUR)
    table.ledger.fail(table.ledger.claim(table.issues()[0]["identifier"]))
    table.at(NINE + 2 * HOUR)
    assert table.outcomes() == ["fired", "fired"]


def test_replace_cancels_what_is_not_over(table: Timetable) -> None:
    table.add(overlap="replace")
    table.at(NINE + HOUR)
    run = table.ledger.claim(table.issues()[0]["identifier"])
    table.at(NINE + 2 * HOUR)
    assert [issue["status"] for issue in table.issues()] == ["cancelled", "ready"]
    assert table.ledger.run(run)["outcome"] == "cancelled"


# The end, pauses, edits, removal


def test_after_the_end_date_nothing_fires_and_nothing_is_due(table: Timetable) -> None:
    table.add(ends_at=NINE + 2 * HOUR, overlap="allow")
    table.at(NINE + HOUR)
    table.at(NINE + 2 * HOUR)
    table.ledger.clock.advance(DAY)
    assert (table["nightly"]["next_at"], table["nightly"]["fires_at"]) == (None, None)
    assert table.outcomes() == ["fired", "fired"]
    assert schedules.state_of(table["nightly"]) == "ended"


def test_an_end_in_the_past_or_before_the_first_firing_is_refused(table: Timetable) -> None:
    for ends_at in (NINE - DAY, NINE + HOUR - 1):
        with pytest.raises(errors.BadContent, match="would never fire"):
            table.add(ends_at=ends_at)
    assert table.kinds() == []


def test_once_fires_once(table: Timetable) -> None:
    table.add(once=True)
    table.at(NINE + HOUR)
    assert table["nightly"]["next_at"] is None


def test_once_that_could_not_fire_tries_again(table: Timetable) -> None:
    table.add(once=True, document=template("later"))
    table.at(NINE + HOUR)
    table.ledger.campaign("later")
    table.at(NINE + 2 * HOUR)
    assert table.outcomes() == ["skipped", "fired"]
    assert table["nightly"]["next_at"] is None


def test_what_falls_due_in_a_pause_is_one_skip_and_the_next_time_fires(table: Timetable) -> None:
    table.add()
    table.ledger.do(schedules.pause, table.project, "nightly", BY_OPERATOR)
    assert table.at(NINE + 3 * HOUR) == []
    row = table.ledger.do(schedules.resume, table.project, "nightly", BY_OPERATOR)
    assert row["next_at"] == NINE + 4 * HOUR
    table.at(NINE + 4 * HOUR)
    assert table.outcomes() == ["skipped", "fired"]
    assert table.rows()[0]["reason"].startswith("paused; its times up to 2026-01-05 12:00:00")
    assert table.kinds() == ["added", "paused", "skipped", "resumed", "fired"]


def test_a_pause_with_nothing_due_leaves_no_skip(table: Timetable) -> None:
    table.add()
    for command in (schedules.pause, schedules.pause, schedules.resume, schedules.resume):
        table.ledger.do(command, table.project, "nightly", BY_OPERATOR)
    assert table.kinds() == ["added", "paused", "resumed"]
    assert table["nightly"]["next_at"] == NINE + HOUR


def test_added_again_it_is_unchanged_or_changed_and_keeps_its_firings(table: Timetable) -> None:
    table.add()
    table.at(NINE + HOUR)
    assert table.add().done == "unchanged"
    changed = table.add(overlap="allow", document=template(task="tidy up well"))
    assert (changed.done, changed.row["next_at"]) == ("changed", NINE + 2 * HOUR)
    assert table.events()[-1][1]["changed"] == ["target_json", "overlap"]
    table.at(NINE + 2 * HOUR)
    assert [issue["task"] for issue in table.issues()] == ["tidy up", "tidy up well"]
    assert table.outcomes() == ["fired", "fired"]


def test_an_edit_of_the_rule_never_fires_a_time_twice(table: Timetable) -> None:
    """At 10:00 it fired; edited at once, `*/30` has 10:00 as well, and 10:30 is the next."""
    table.add(overlap="allow")
    table.at(NINE + HOUR)
    changed = table.add(rule="*/30 * * * *", overlap="allow")
    assert changed.row["next_at"] == NINE + HOUR + 30 * MINUTE
    table.at(NINE + 2 * HOUR)
    assert [row["nominal_at"] for row in table.rows() if row["outcome"] == "fired"] == [NINE + HOUR, NINE + 2 * HOUR]


def test_what_was_due_when_the_rule_was_edited_is_a_skip(table: Timetable) -> None:
    table.add()
    table.ledger.clock.advance(HOUR + MINUTE)
    table.add(rule="0 12 * * *")
    [row] = table.rows()
    assert (row["nominal_at"], row["outcome"]) == (NINE + HOUR, "skipped")
    assert row["reason"].startswith("the schedule was changed before it fired")


def test_a_removed_schedule_is_silent_readable_and_its_name_is_free(table: Timetable) -> None:
    table.add()
    table.at(NINE + HOUR)
    old = table["nightly"]["id"]
    table.ledger.do(schedules.remove, table.project, "nightly", BY_OPERATOR)
    with pytest.raises(errors.UnknownIdentifier, match="no schedule nightly"):
        _ = table["nightly"]
    assert schedules.name_of(table[old]) == "nightly"
    assert table.outcomes(old) == ["fired"]
    assert table.at(NINE + 5 * HOUR, old) == []
    for command in (schedules.pause, schedules.resume, schedules.remove):
        with pytest.raises(errors.IllegalMove, match="was removed"):
            table.ledger.do(command, table.project, old, BY_OPERATOR)
    assert table.add().done == "added"
    assert table["nightly"]["id"] != old


# Targets


@pytest.mark.parametrize("archived", [False, True])
def test_a_campaign_that_is_not_there_skips_with_the_reason(table: Timetable, archived: bool) -> None:
    table.add(document=template("night"))
    if archived:
        from harnessos.kernel import campaigns

        table.ledger.do(campaigns.set_status, table.ledger.campaign("night"), "archived", BY_OPERATOR)
    table.at(NINE + HOUR)
    [row] = table.rows()
    reason = "the campaign night is archived" if archived else "there is no campaign night"
    assert (row["outcome"], row["reason"]) == ("skipped", f"cannot fire: {reason}")
    assert table.issues() == []


def test_a_schedule_that_is_broken_four_times_in_a_row_asks_a_person_once(table: Timetable) -> None:
    table.add(document=template("night"))
    for hour in range(1, 8):
        table.at(NINE + hour * HOUR)
        assert len(table.ledger.attention()) == (1 if hour >= 4 else 0)
    [entry] = table.ledger.attention()
    assert entry["command"] == "harness schedule show nightly --project DOCS"
    assert "there is no campaign night" in entry["question"]
    table.ledger.campaign("night")
    table.at(NINE + 8 * HOUR)
    assert table.outcomes()[-1] == "fired"
    assert table.ledger.attention() == []


def test_an_issue_keeps_its_approvals_and_waits_for_them(table: Timetable) -> None:
    table.add(document=template(metadata=approval("boss")))
    table.at(NINE + HOUR)
    [issue] = table.issues()
    assert (issue["status"], issue["approvals_open"]) == ("pending", 1)


def _plan(**fields: Any) -> dict[str, Any]:
    issues = (
        PlannedIssue("collect", "", 2, "M", None, 0),
        PlannedIssue("report", "", 2, "M", "r", 1, depends_on=(0,)),
    )
    milestones = (PlannedMilestone("first", "f"), PlannedMilestone("second", "s", (0,)))
    return {
        "plan": plan_document.as_document(Plan("weekly", None, milestones, issues)._replace(**fields)),
        "campaign": None,
    }


def test_a_plan_is_applied_anew_at_each_firing(table: Timetable) -> None:
    table.add(target="plan", document=_plan(), overlap="allow")
    table.at(NINE + HOUR)
    table.at(NINE + 2 * HOUR)
    assert [issue["task"] for issue in table.issues()] == ["collect", "report"] * 2
    assert [issue["status"] for issue in table.issues()] == ["ready", "pending"] * 2
    assert table.ledger.milestone("second@2026-01-05T10:00:00")["n_pending"] == 1
    assert len({issue["plan_key"] for issue in table.issues()}) == 2


def test_a_plan_overlaps_while_any_issue_of_it_is_not_over(table: Timetable) -> None:
    table.add(target="plan", document=_plan())
    table.at(NINE + HOUR)
    first, second = (issue["identifier"] for issue in table.issues())
    table.at(NINE + 2 * HOUR)
    assert table.rows()[1]["reason"] == f"overlap: {first} of its last firing is ready and 1 more"
    table.ledger.finish(table.ledger.claim(first))
    table.ledger.settle()
    table.at(NINE + 3 * HOUR)
    assert second in table.rows()[2]["reason"]
    table.ledger.finish(table.ledger.claim(second))
    table.at(NINE + 4 * HOUR)
    assert table.outcomes() == ["fired", "skipped", "skipped", "fired"]


def test_replace_cancels_all_of_a_plan(table: Timetable) -> None:
    table.add(target="plan", document=_plan(), overlap="replace")
    table.at(NINE + HOUR)
    table.at(NINE + 2 * HOUR)
    assert [issue["status"] for issue in table.issues()] == ["cancelled", "cancelled", "ready", "pending"]


def test_a_firing_that_is_refused_leaves_nothing_but_the_skip(table: Timetable, store: Store, clock: FakeClock) -> None:
    """A plan that depends on an issue nobody knows: rolled back whole, then written down."""
    issues = (PlannedIssue("a", "", 2, "M", None, 0, depends_on_ids=("DOCS-99",)),)
    milestone = (PlannedMilestone("first", "f"),)
    table.add(target="plan", document=_plan(issues=issues, milestones=milestone))
    clock.advance(HOUR)
    looked = scheduler(table).evaluate()
    [row] = table.rows()
    assert row["outcome"] == "skipped"
    assert "cannot fire: " in row["reason"]
    assert "DOCS-99" in row["reason"]
    assert [one.outcome.fired for one in looked.firings] == [False]
    assert table.ledger.one("milestone_by_key", campaign=table.ledger.campaign("default")["id"],
                            key="first@2026-01-05T10:00:00") is None  # fmt: skip


# By hand


def test_run_fires_now_beside_the_rule_and_even_while_paused(table: Timetable) -> None:
    table.add(rule="0 3 * * *")
    table.ledger.do(schedules.pause, table.project, "nightly", BY_OPERATOR)
    made = table.ledger.do(firing.fire_now, table.project, "nightly", BY_OPERATOR)
    assert made.outcome.fired
    assert table.rows()[0]["nominal_at"] == NINE
    with pytest.raises(errors.TryAgain):
        table.ledger.do(firing.fire_now, table.project, "nightly", BY_OPERATOR)
    table.ledger.clock.advance(MINUTE)
    assert not table.ledger.do(firing.fire_now, table.project, "nightly", BY_OPERATOR).outcome.fired
    assert table["nightly"]["next_at"] == NINE + 18 * HOUR


# Rights


def test_an_agent_schedules_work_but_no_command_mission_or_dream(table: Timetable) -> None:
    me = agent("me")
    assert table.add(by=me).done == "added"
    with pytest.raises(errors.OperatorOnly):
        table.add("checked", by=me, check="ls")
    with pytest.raises(errors.OperatorOnly):
        table.add("dreamt", by=me, target="dream", mission_id="msn-1", document={})


def test_an_agent_moves_only_what_it_added_itself(table: Timetable) -> None:
    table.add("theirs")
    table.add("mine", by=agent("me"))
    for command in (schedules.pause, schedules.resume, schedules.remove, firing.fire_now):
        with pytest.raises(errors.OperatorOnly) as refused:
            table.ledger.do(command, table.project, "theirs", agent("me"))
        assert "theirs --project DOCS" in refused.value.hint
    with pytest.raises(errors.OperatorOnly):
        table.add("theirs", rule="@daily", by=agent("me"))
    assert table.ledger.do(schedules.pause, table.project, "mine", agent("me"))["paused"] == 1


def test_what_an_agents_schedule_plans_is_planned_by_that_agent(table: Timetable) -> None:
    """Else a supervisor's firing would do for it what it may not do itself."""
    table.add(by=agent("me"))
    table.at(NINE + HOUR)
    assert table.issues()[0]["planned_by"] == "agent:me"
    assert table.ledger.all("event_latest", subject=table.project["id"], most=1)[0]["actor"] == "supervisor"


def test_an_agents_scheduled_plan_does_not_change_the_policy_of_a_campaign_that_is_there(
    table: Timetable, clock: FakeClock
) -> None:
    from harnessos.model.plan import PlannedCampaign
    from harnessos.model.policy import Policy

    campaign = PlannedCampaign("default", "", Policy(owner="me"))
    table.add(by=agent("me"), target="plan", document=_plan(campaign=campaign))
    clock.advance(HOUR)
    scheduler(table).evaluate()
    assert table.outcomes() == ["skipped"]
    assert json.loads(table.ledger.campaign("default")["policy_json"]) == {}


# Bad input


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rule": "0 0 31 2 *"}, "never fires"),
        ({"rule": "* * * * * *"}, "too often"),
        ({"timezone": "Europe/Berln"}, "no time zone"),
        ({"misfire": "later"}, "misfire policy"),
        ({"overlap": "maybe"}, "overlap policy"),
        ({"target": "party"}, "target"),
        ({"target": "mission"}, "mission"),
        ({"mission_id": "msn-1"}, "mission"),
        ({"lateness_ms": -1}, "lateness"),
        ({"jitter_ms": 400 * DAY}, "jitter"),
        ({"name": "a b"}, "no name"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(
    table: Timetable, fields: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(errors.BadContent, match=said):
        table.add(**fields)
    assert table.ledger.all("schedule_list", project=table.project["id"], after="", most=10) == []


# The scheduler


class Ears:
    """Hears what a scheduler tells."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, **facts: object) -> None:
        self.heard.append((event, facts))


def scheduler(table: Timetable, ears: Ears | None = None, home: Path | None = None) -> Scheduler:
    """Return a scheduler of the project on this machine."""
    from harnessos.dispatch.ground import Ground
    from harnessos.ports import SystemIds

    environ = {"PATH": "/usr/bin:/bin", "SECRET": "s"}
    ground = Ground(table.ledger.store, table.ledger.clock, SystemIds(), home or Path("/"), HERE, SUPERVISOR, environ)
    return Scheduler(ground, [table.project], UP, ears or Ears())


def test_the_scheduler_says_when_to_look_again(table: Timetable) -> None:
    assert scheduler(table).evaluate().rest_s is None
    table.add()
    table.add("soon", rule="every 5m")
    assert scheduler(table).evaluate().rest_s == 300.0
    table.ledger.clock.advance(HOUR)
    looked = scheduler(table).evaluate()
    assert sorted(one.schedule["name"] for one in looked.firings if one.outcome.fired) == ["nightly", "soon"]
    assert looked.rest_s == 300.0


def test_a_schedule_of_another_project_is_left_to_others(table: Timetable) -> None:
    other = table.ledger.do(projects.create, "OTHER", "other", "git", None, None, BY_OPERATOR)
    wanted = Wanted("theirs", "issue", "0 * * * *", template())
    row = table.ledger.do(schedules.add, other, wanted, BY_OPERATOR).row
    table.ledger.clock.advance(HOUR)
    assert scheduler(table).evaluate().firings == ()
    assert table.ledger.one("schedule_by_id", id=row["id"])["next_at"] == NINE + HOUR  # type: ignore[index]


def test_what_is_wrong_with_one_schedule_keeps_no_other_waiting(table: Timetable) -> None:
    table.add("broken")
    table.add("works")
    table.ledger.do(_damage, table["broken"])
    table.ledger.clock.advance(HOUR)
    ears = Ears()
    looked = scheduler(table, ears).evaluate()
    assert [one.schedule["name"] for one in looked.firings] == ["works"]
    assert [event for event, _ in ears.heard] == ["up.cannot_schedule"]
    assert looked.rest_s == 30.0


def _damage(tx: Any, row: Row) -> None:
    names = ("target", "target_json", "rule", "misfire", "lateness_ms", "overlap", "jitter_ms", "check_json", "once",
             "ends_at", "anchor_at", "next_at", "fires_at", "id")  # fmt: skip
    tx.do("schedule_rewrite", **{name: row[name] for name in names}, mission=None, timezone="Gone/Away")


@pytest.fixture
def placed(table: Timetable, tmp_path: Path) -> Timetable:
    """The project lies on this machine and is trusted."""
    folder = tmp_path / "here"
    folder.mkdir()
    table.ledger.do(projects.locate, table.project, HERE.machine_id, str(folder), BY_OPERATOR)
    table.ledger.do(projects.trust, table.project, HERE.machine_id, user_name(), BY_OPERATOR)
    return table


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("echo something", None),
        ("true", "check: nothing to do"),
        ("echo '  '", "check: nothing to do"),
        ("grep nothing /dev/null", "check: nothing to do"),
        ("echo old; false", None),
        ("echo gone >&2; exit 3", "check failed: exit code 3: gone"),
        ("test -z \"$SECRET\" && test \"$HARNESS_SCHEDULE\" = nightly && echo yes", None),
    ],
)  # fmt: skip
def test_a_check_that_prints_nothing_means_no_run(placed: Timetable, check: str, reason: str | None) -> None:
    """F12: code looks, a model works; looking costs no token."""
    placed.add(check=check)
    placed.ledger.clock.advance(HOUR)
    scheduler(placed).evaluate()
    [row] = placed.rows()
    assert (row["outcome"], row["reason"]) == ("skipped" if reason else "fired", reason or "")
    assert len(placed.issues()) == (0 if reason else 1)


def test_a_check_that_takes_too_long_is_a_failure(placed: Timetable, monkeypatch: pytest.MonkeyPatch) -> None:
    from harnessos.services import scheduler as room

    monkeypatch.setattr(room, "CHECK_SECONDS", 0.2)
    placed.add(check="sleep 60")
    placed.ledger.clock.advance(HOUR)
    scheduler(placed).evaluate()
    assert placed.rows()[0]["reason"].startswith("check failed: it ran longer than")


def test_a_check_runs_only_when_something_would_fire(placed: Timetable, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    placed.add(rule="0 10 * * *", check=f"touch {mark}; echo yes")
    placed.ledger.clock.advance(DAY - HOUR)
    scheduler(placed).evaluate()
    assert placed.outcomes() == ["skipped"], "too late"
    assert not mark.exists()


def test_where_the_project_is_not_trusted_no_check_runs_and_nothing_is_lost(placed: Timetable, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    placed.ledger.do(projects.trust, placed.project, HERE.machine_id, None, BY_OPERATOR)
    placed.add(check=f"touch {mark}; echo yes")
    placed.ledger.clock.advance(HOUR)
    ears = Ears()
    looked = scheduler(placed, ears).evaluate()
    assert not mark.exists()
    assert (placed.rows(), looked.firings) == ([], ())
    assert "not trusted here" in str(ears.heard)
    placed.ledger.do(projects.trust, placed.project, HERE.machine_id, user_name(), BY_OPERATOR)
    scheduler(placed).evaluate()
    assert placed.outcomes() == ["fired"]


def test_no_evaluation_fires_a_checked_schedule_without_the_answer_of_its_check(table: Timetable) -> None:
    table.add(check="true")
    table.ledger.clock.advance(HOUR)
    assert table.evaluate() == Evaluated(unchecked=True)
    assert table.rows() == []
    assert [one.outcome.fired for one in table.evaluate(checked=Checked("yes")).firings] == [True]


def test_a_mission_is_not_touched_by_who_cannot_drive_it(table: Timetable) -> None:
    from harnessos.kernel import missions

    mission = table.ledger.do(missions.create, missions.Wanted("watch", HERE.machine_id, "/w"), BY_OPERATOR)
    project = table.ledger.one("project_by_id", id=mission["project_id"])
    wanted = Wanted("main", "mission", "0 * * * *", {}, mission_id=mission["id"])
    row = table.ledger.do(schedules.add, project, wanted, BY_OPERATOR).row
    table.ledger.clock.advance(HOUR)
    table.project = project  # type: ignore[assignment] # it is there
    assert scheduler(table).evaluate() == ((), None)
    assert table.ledger.one("schedule_by_id", id=row["id"])["next_at"] == NINE + HOUR  # type: ignore[index]


# The whole


def test_the_history_of_schedules_verifies_and_replays(table: Timetable, store: Store) -> None:
    table.ledger.plan(draft("other"))
    table.add(overlap="replace")
    table.add("plan", target="plan", document=_plan(), rule="every 2h")
    for hour in range(1, 9):
        table.at(NINE + hour * HOUR)
        table.at(NINE + hour * HOUR, "plan")
    table.ledger.do(schedules.pause, table.project, "plan", BY_OPERATOR)
    table.ledger.do(schedules.remove, table.project, "nightly", BY_OPERATOR)
    assert list(audit.verify_all(store)) == []
    assert [check.name for check in health.check(store, replay=True) if not check.ok] == []


def test_every_nominal_time_of_a_day_ends_in_a_row_whatever_stops_the_scheduler(table: Timetable) -> None:
    """Issue 3, 10: every firing ends in work or in a row and an event saying why not."""
    table.add(rule="*/5 * * * *", overlap="allow")
    now = NINE
    for pause in (5, 5, 70, 5, 1, 4, 300, 5, 10, 12, 5):
        now += pause * MINUTE
        table.at(now)
    told = {data["nominal_at"]: data.get("times", 1) for kind, data in table.events()
            if kind in ("schedule.fired", "schedule.skipped")}  # fmt: skip
    assert sum(told.values()) == (now - NINE) // (5 * MINUTE)
    assert sorted(told) == [row["nominal_at"] for row in table.rows()]
