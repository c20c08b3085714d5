"""When schedules fire: rules, time zones, daylight saving, and what becomes of times that were missed."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.errors import BadContent
from harnessos.model import cron, schedule
from harnessos.model.cron import next_after, parse, zone
from harnessos.model.gate import parse_gate
from harnessos.model.plan import Plan, PlannedCampaign, PlannedIssue, PlannedMilestone
from harnessos.model.plan_document import as_document, from_document
from harnessos.model.policy import Policy
from harnessos.model.schedule import Decision, Schedule, due, due_at, upcoming

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BERLIN, NEW_YORK = zone("Europe/Berlin"), zone("America/New_York")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kolkata")
YEAR_2026 = 1_767_225_600_000


def at(text: str) -> int:
    """Return an instant given as ISO text with an offset."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def told(instant: int | None) -> str:
    """Return an instant as ISO text in UTC."""
    assert instant is not None
    return datetime.fromtimestamp(instant / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def times(rule: str, where: ZoneInfo, start: str, count: int) -> list[str]:
    """Return so many firings after an instant."""
    found: list[str] = []
    after: int | None = at(start)
    for _ in range(count):
        assert after is not None
        after = next_after(parse(rule), where, after)
        found.append(told(after))
    return found


# Rules


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("30 3 * * *", "2026-01-01T00:00+00:00", "2026-01-01T03:30:00Z"),
        ("30 3 * * *", "2026-01-01T03:30+00:00", "2026-01-02T03:30:00Z"),
        ("0 30 3 * * *", "2026-01-01T00:00+00:00", "2026-01-01T03:30:00Z"),
        ("15 30 3 * * *", "2026-01-01T03:30:14+00:00", "2026-01-01T03:30:15Z"),
        ("0 0 */2 * * *", "2026-01-01T00:30+00:00", "2026-01-01T02:00:00Z"),
        ("0 9 * * MON", "2026-01-01T00:00+00:00", "2026-01-05T09:00:00Z"),
        ("0 9 * * 7", "2026-01-01T00:00+00:00", "2026-01-04T09:00:00Z"),
        ("0 0 13 * 5", "2026-01-03T00:00+00:00", "2026-01-09T00:00:00Z"),
        ("0 0 L * *", "2026-02-01T00:00+00:00", "2026-02-28T00:00:00Z"),
        ("0 0 29 2 *", "2026-01-01T00:00+00:00", "2028-02-29T00:00:00Z"),
        ("@hourly", "2026-01-01T00:00+00:00", "2026-01-01T01:00:00Z"),
        ("@daily", "2026-01-01T00:00+00:00", "2026-01-02T00:00:00Z"),
        ("@midnight", "2026-01-01T00:00+00:00", "2026-01-02T00:00:00Z"),
        ("@weekly", "2026-01-01T00:00+00:00", "2026-01-04T00:00:00Z"),
        ("@monthly", "2026-01-01T00:00+00:00", "2026-02-01T00:00:00Z"),
        ("@yearly", "2026-01-01T00:00+00:00", "2027-01-01T00:00:00Z"),
        ("  30   3 * * *  ", "2026-01-01T00:00+00:00", "2026-01-01T03:30:00Z"),
    ],
)
def test_a_rule_fires_at(rule: str, start: str, expected: str) -> None:
    assert times(rule, zone("UTC"), start, 1) == [expected]


@pytest.mark.parametrize(("text", "ms"), [("every 2h", 2 * HOUR), ("every:7200", 2 * HOUR), ("every 90m", 90 * MINUTE),
                                          ("every 1d", DAY), ("Every 60s", MINUTE), ("every: 300", 300_000)])  # fmt: skip
def test_an_interval_is_counted_from_its_anchor(text: str, ms: int) -> None:
    rule = parse(text)
    anchor = YEAR_2026 + 123
    assert next_after(rule, BERLIN, anchor, anchor) == anchor + ms
    assert next_after(rule, BERLIN, anchor + ms, anchor) == anchor + 2 * ms
    assert next_after(rule, BERLIN, anchor + 10 * ms - 1, anchor) == anchor + 10 * ms
    assert next_after(rule, BERLIN, anchor - DAY, anchor) == anchor + ms


@pytest.mark.parametrize("rule", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 31 2 *", "0 0 31 2 */2"])
def test_a_rule_that_never_fires_is_refused_with_a_way_out(rule: str) -> None:
    with pytest.raises(BadContent, match="never fires") as refused:
        parse(rule)
    assert "0 0 L * *" in refused.value.hint


@pytest.mark.parametrize("rule", ["* * * * * *", "*/5 * * * * *", "0,30 0 3 * * *", "every 59s", "every:1", "every 0h"])
def test_more_than_once_a_minute_is_too_often(rule: str) -> None:
    with pytest.raises(BadContent, match="too often") as refused:
        parse(rule)
    assert "every 60s" in refused.value.hint


@pytest.mark.parametrize("rule", ["", "every tuesday", "Interval 2h", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
                                  "* * * * 8", "1x * * * *", "* * * *", "* * * * * * *", "@reboot", "@every 2h", "5-1 * * * *",
                                  "*/0 * * * *", "every 2w", "every -5m", "every 400d", "70 0 3 * * *", "x" * 1000])  # fmt: skip
def test_b21_what_is_no_rule_is_refused_with_an_example(rule: str) -> None:
    with pytest.raises(BadContent) as refused:
        parse(rule)
    assert refused.value.hint


@given(st.text(alphabet="0123456789*/,-LW#@ everyshmdMONJAN:²\n", max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_rule_that_fires_or_refused(text: str) -> None:
    try:
        rule = parse(text)
    except BadContent:
        return
    found = next_after(rule, BERLIN, YEAR_2026)
    assert found is None or found > YEAR_2026


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Europe/Berln", "Europe/Berlin"), ("berlin", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ("New York", "America/New_York")],
)  # fmt: skip
def test_an_unknown_zone_is_refused_and_what_is_alike_is_named(name: str, meant: str) -> None:
    with pytest.raises(BadContent, match="no time zone") as refused:
        zone(name)
    assert meant in refused.value.hint


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "/etc/localtime", "Europe", "localtime", "Mars/Olympus", "a\0b"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadContent, match="no time zone"):
        zone(name)


# Daylight saving: 2026-03-29 and 2026-10-25 in Berlin, 2026-03-08 and 2026-11-01 in New York


@pytest.mark.parametrize(
    ("where", "start", "expected"),
    [
        (BERLIN, "2026-03-28T12:00+00:00", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        (NEW_YORK, "2026-03-07T12:00+00:00", ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]),
    ],
    ids=["Berlin", "New York"],
)
@pytest.mark.parametrize("rule", ["30 2 * * *", "0 30 2 * * *"], ids=["five", "six"])
def test_a_fixed_time_that_the_clock_jumps_over_fires_when_the_jump_is_over(
    rule: str, where: ZoneInfo, start: str, expected: list[str]
) -> None:
    assert times(rule, where, start, 2) == expected


@pytest.mark.parametrize(
    ("rule", "where", "start", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-10-24T12:00+00:00", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("0 30 2 * * *", BERLIN, "2026-10-24T12:00+00:00", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00+00:00", ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
    ],
)
def test_a_fixed_time_that_comes_twice_fires_the_first_time(
    rule: str, where: ZoneInfo, start: str, expected: list[str]
) -> None:
    assert times(rule, where, start, 2) == expected


def test_asked_within_the_hour_that_comes_again_a_fixed_time_is_the_next_day() -> None:
    """Restarted at 02:10 of the second time: 02:30 has fired already."""
    assert times("30 2 * * *", BERLIN, "2026-10-25T01:10+00:00", 1) == ["2026-10-26T01:30:00Z"]


@pytest.mark.parametrize(
    ("where", "start", "hours"),
    [(BERLIN, "2026-03-28T22:30+00:00", 23), (BERLIN, "2026-10-24T21:30+00:00", 25),
     (NEW_YORK, "2026-03-08T04:30+00:00", 23), (NEW_YORK, "2026-11-01T03:30+00:00", 25)],
)  # fmt: skip
def test_a_rule_for_every_hour_fires_in_every_hour_that_is_shown(where: ZoneInfo, start: str, hours: int) -> None:
    """23 hours of the one day, 25 of the other: none is left out and none is doubled in time."""
    found = [at(time.replace("Z", "+00:00")) for time in times("0 * * * *", where, start, hours + 2)]
    assert {later - earlier for earlier, later in pairwise(found)} == {HOUR}
    day = datetime.fromtimestamp(found[2] / 1000, where).date()
    assert sum(datetime.fromtimestamp(one / 1000, where).date() == day for one in found) == hours


def test_several_fixed_times_in_the_gap_fire_once_together() -> None:
    assert times("0,30 2,3 * * *", BERLIN, "2026-03-28T23:00+00:00", 3) == [
        "2026-03-29T01:00:00Z",
        "2026-03-29T01:30:00Z",
        "2026-03-30T00:00:00Z",
    ]


@pytest.mark.parametrize(
    "where", ["Asia/Beirut", "America/Havana", "Australia/Lord_Howe", "Europe/Berlin", "America/New_York"]
)
@pytest.mark.parametrize(
    "rule", ["*/15 * * * *", "*/20 1 * * *", "15 */3 * * *", "0 0 * * *", "30 1,2 * * 0", "45 23 28-31 * *"]
)
def test_the_changes_of_a_year_are_walked_as_vixie_walks_minute_by_minute(where: str, rule: str) -> None:
    """Against a model that looks at the clock each minute, as cron itself does, around every change of offset."""
    place, read = zone(where), parse(rule)
    for start in _changes(place):
        assert _between(read, place, start - DAY, start + DAY) == _walked(read, place, start - DAY, start + DAY)


def _changes(place: ZoneInfo) -> list[int]:
    hours = range(YEAR_2026, YEAR_2026 + 365 * DAY, HOUR)
    offsets = [datetime.fromtimestamp(hour / 1000, place).utcoffset() for hour in hours]
    return [hour for hour, was, now in zip(hours[1:], offsets, offsets[1:], strict=False) if was != now]


def _between(rule: cron.Rule, place: ZoneInfo, start: int, end: int) -> list[int]:
    found: list[int] = []
    after = next_after(rule, place, start)
    while after is not None and after <= end:
        found.append(after)
        after = next_after(rule, place, after)
    return found


def _walked(rule: cron.Rule, place: ZoneInfo, start: int, end: int) -> list[int]:
    from cronsim import CronSim

    sim = CronSim(rule.fields, datetime(2026, 1, 1))  # noqa: DTZ001 # a calendar without zone

    def named(shown: datetime) -> bool:
        return (
            shown.minute in sim.minutes
            and shown.hour in sim.hours
            and shown.month in sim.months
            and sim.match_day(shown.date())
        )

    found: list[int] = []
    passed: set[datetime] = set()
    for minute in range(start // MINUTE * MINUTE + MINUTE, end + 1, MINUTE):
        shown, before = (
            datetime.fromtimestamp(when / 1000, place).replace(tzinfo=None, fold=0)
            for when in (minute, minute - MINUTE)
        )
        if not rule.fixed:
            if named(shown):
                found.append(minute)
            continue
        fires = False
        step = before + timedelta(minutes=1)
        while step <= shown:
            fires = fires or (named(step) and step not in passed)
            passed.add(step)
            step += timedelta(minutes=1)
        if fires:
            found.append(minute)
    return found


_rules = st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 */5 * * *", "15 10 2 * * *", "@weekly", "every 95m", "0 0 29 2 *",
                          "*/30 1-3 * * 0", "5 0 L * *"])  # fmt: skip


@given(_rules, st.sampled_from(ZONES), st.integers(YEAR_2026, YEAR_2026 + 800 * DAY), st.integers(0, 40 * DAY))
@settings(max_examples=150, deadline=None)
def test_the_next_time_is_strictly_later_and_never_goes_back(rule: str, where: str, start: int, more: int) -> None:
    read, place = parse(rule), zone(where)
    first, second = next_after(read, place, start), next_after(read, place, start + more)
    assert first is not None
    assert second is not None
    assert first > start
    assert second >= first
    assert next_after(read, place, first - 1) == first, "and just before it, it is the next"


# Decisions


def make(rule: str = "0 * * * *", start: int = YEAR_2026, **fields: object) -> Schedule:
    """Return a schedule of UTC that begins at an instant."""
    made = Schedule("sch-1", parse(rule), zone("UTC"), None, anchor_at=start)._replace(**fields)  # type: ignore[arg-type]
    return made._replace(next_at=upcoming(made, start))


def hours(*numbers: int) -> tuple[int, ...]:
    """Return hours of the first of January 2026."""
    return tuple(YEAR_2026 + number * HOUR for number in numbers)


def test_before_its_time_nothing_is_decided() -> None:
    made = make()
    assert due(made, YEAR_2026 + HOUR - 1) == Decision((), (), YEAR_2026 + HOUR, YEAR_2026 + HOUR)


@pytest.mark.parametrize("misfire", schedule.MISFIRES)
def test_on_time_fires_under_every_policy(misfire: str) -> None:
    found = due(make(misfire=misfire, lateness_ms=0), YEAR_2026 + HOUR + 70_000)
    assert (found.fire, found.skips, found.next_at) == (hours(1), (), hours(2)[0])


def test_sleep_over_three_slots_once_fires_one() -> None:
    """P15: the latest of them; each of the others is a skip, though it were not too late either."""
    for lateness in (HOUR, DAY):
        found = due(make(lateness_ms=lateness), YEAR_2026 + 3 * HOUR + 30 * MINUTE)
        assert found.fire == hours(3)
        assert [told.nominal for told in found.skips] == list(hours(1, 2))
        assert found.next_at == hours(4)[0]
    assert found.skips[0].reason == "misfire: only the latest of those missed fires, 2026-01-01 03:00:00+00:00"


def test_late_beyond_window_is_recorded_as_skipped() -> None:
    """P15."""
    found = due(make("0 3 * * *"), YEAR_2026 + 9 * HOUR)
    assert found.fire == ()
    [skip] = found.skips
    assert (skip.nominal, skip.reason) == (hours(3)[0], "misfire: 21600 s late, and 3600 s is the most")


def test_all_fires_every_one_that_is_not_too_late() -> None:
    found = due(make(misfire="all", lateness_ms=3 * HOUR), YEAR_2026 + 5 * HOUR + MINUTE)
    assert found.fire == hours(3, 4, 5)
    assert [told.nominal for told in found.skips] == list(hours(1, 2))


def test_skip_fires_nothing_that_was_missed() -> None:
    found = due(make(misfire="skip"), YEAR_2026 + 2 * HOUR + 10 * MINUTE)
    assert found.fire == ()
    assert [told.reason for told in found.skips][1] == "misfire: missed, and the policy is skip"


def test_a_backlog_of_years_is_bounded_and_ends_with_the_latest() -> None:
    made, now, steps, rows = make("* * * * *"), YEAR_2026 + 3 * 365 * DAY, 0, 0
    fired: list[int] = []
    while True:
        found = due(made, now)
        steps, fired, rows = steps + 1, [*fired, *found.fire], rows + len(found.skips)
        made = made._replace(next_at=found.next_at)
        if not found.more:
            break
    assert fired == [now]
    assert steps < 5
    assert rows < 100


def test_a_long_run_of_misses_is_told_in_one_row_that_counts_it() -> None:
    found = due(make("*/5 * * * *", lateness_ms=DAY), YEAR_2026 + 10 * HOUR)
    assert found.fire == (YEAR_2026 + 10 * HOUR,)
    assert sum(told.times for told in found.skips) == 119
    assert len(found.skips) == schedule.TOLD
    assert f"; {found.skips[0].times} times up to 2026-01-01 08:20:00+00:00" in found.skips[0].reason


def test_all_of_a_backlog_fires_in_portions() -> None:
    made, now = make("*/5 * * * *", misfire="all", lateness_ms=DAY), YEAR_2026 + 10 * HOUR
    fired: list[int] = []
    for _ in range(6):
        found = due(made, now)
        assert found.skips == ()
        fired += found.fire
        made = made._replace(next_at=found.next_at)
        assert found.more == (len(fired) < 120)
    assert fired == [YEAR_2026 + step * 5 * MINUTE for step in range(1, 121)]


def test_after_the_end_date_nothing_fires() -> None:
    made = make(ends_at=hours(2)[0])
    assert due(made, hours(1)[0]).next_at == hours(2)[0]
    last = due(made._replace(next_at=hours(2)[0]), hours(2)[0])
    assert (last.fire, last.next_at, last.fires_at) == (hours(2), None, None)


def test_once_fires_the_first_time_only() -> None:
    found = due(make(once=True), hours(1)[0])
    assert (found.fire, found.next_at) == (hours(1), None)


def test_once_that_was_too_late_goes_on() -> None:
    found = due(make("0 3 * * *", once=True), YEAR_2026 + 12 * HOUR)
    assert (found.fire, found.next_at) == ((), YEAR_2026 + DAY + 3 * HOUR)


@given(st.integers(0, 3 * HOUR), st.text("abc", min_size=1, max_size=5), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_jitter_is_the_same_for_everybody_never_early_and_never_after_the_next_time(
    jitter: int, name: str, number: int
) -> None:
    made = make(jitter_ms=jitter)._replace(id=name)
    nominal = YEAR_2026 + number * HOUR
    found = due_at(made, nominal)
    assert found == due_at(make(jitter_ms=jitter)._replace(id=name), nominal)
    assert nominal <= found <= nominal + min(jitter, HOUR - 1)


def test_jitter_spreads_what_is_scheduled_for_the_same_time() -> None:
    found = {due_at(make(jitter_ms=10 * MINUTE)._replace(id=f"sch-{n}"), hours(1)[0]) for n in range(50)}
    assert len(found) > 40


@pytest.mark.parametrize(("policy", "live", "does"), [("forbid", "", "fire"), ("forbid", "x", "skip"), ("allow", "x", "fire"),
                                                      ("replace", "x", "replace"), ("replace", "", "fire")])  # fmt: skip
def test_overlap_is_decided_by_what_is_still_at_work(policy: str, live: str, does: str) -> None:
    assert schedule.overlap(policy, live) == does


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_with_random_restarts_each_nominal_time_is_decided_about_exactly_once(data: st.DataObject) -> None:
    """Two schedulers that forget everything at random: what is kept is `next_at`, moved by compare-and-set."""
    rule = data.draw(st.sampled_from(["*/20 * * * *", "every 35m", "30 2 * * *", "0 */2 * * *"]))
    misfire = data.draw(st.sampled_from(schedule.MISFIRES))
    jitter = data.draw(st.sampled_from([0, 5 * MINUTE, 3 * HOUR]))
    place = zone(data.draw(st.sampled_from(["Europe/Berlin", "America/New_York"])))
    start = at(
        data.draw(st.sampled_from(["2026-03-28T20:00+00:00", "2026-10-24T20:00+00:00", "2026-10-31T20:00+00:00"]))
    )
    made = make(rule, start, misfire=misfire, jitter_ms=jitter, zone=place)
    stored, now, fired, skipped = made.next_at, start, Counter[int](), 0
    seen = {0: stored, 1: stored}
    for _ in range(40):
        now += data.draw(st.integers(0, 4 * HOUR))
        who = data.draw(st.integers(0, 1))
        if data.draw(st.booleans()):
            seen[who] = stored
        found = due(made._replace(next_at=seen[who]), now)
        if seen[who] == stored:
            stored = found.next_at
            fired.update(found.fire)
            skipped += sum(told.times for told in found.skips)
        seen[who] = stored
    assert all(count == 1 for count in fired.values())
    assert stored is not None
    expected = _between(made.rule, place, start, stored - 1) if not made.rule.every_ms else list(
        range(start + made.rule.every_ms, stored, made.rule.every_ms)
    )  # fmt: skip
    assert len(fired) + skipped == len(expected)
    assert set(fired) <= set(expected)


# Names, lengths, plans that wait


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a/b", "a#b", "x" * 81, "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadContent):
        schedule.check_name(name)


@given(st.text(max_size=100))
@settings(max_examples=100, deadline=None)
def test_any_task_gives_a_name_that_is_one(task: str) -> None:
    assert schedule.check_name(schedule.name_from(task))


def test_a_plan_comes_back_as_it_was_kept() -> None:
    gate = parse_gate({"name": "g", "kind": "command", "argv": ["true"], "timeout_s": 5}, "g", [])
    assert gate is not None
    policy = Policy(owner="me", response_minutes=5, workload_class="c", capabilities=("a", "b"), gates=(gate,))
    issues = (
        PlannedIssue("one", "d", 0, "S", "k", 0, gates=(gate,), budget={"turns": 2}, labels=("l",), files=("a/",)),
        PlannedIssue("two", "", 3, "XL", None, 0, depends_on=(0,), depends_on_ids=("DOCS-1",), policy=policy,
                     deadline_at=5, metadata={"recipients": [{"id": "r", "kind": "k"}]}),
    )  # fmt: skip
    milestones = (PlannedMilestone("m", "d", deadline_at=9), PlannedMilestone("n", "e", (0,), ("mil-1",)))
    plan = Plan("p", PlannedCampaign("c", "o", policy), milestones, issues)
    assert from_document(json.loads(json.dumps(as_document(plan)))) == plan
