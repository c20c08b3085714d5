"""Whatever renders a mission's schedules names the times that the model fires at, for random rules over a year."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from datetime import UTC, date, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harnessos.errors import BadContent, Refused
from harnessos.mission.timetable.calendar import calendar_of
from harnessos.mission.timetable.crontab import fields
from harnessos.mission.timetable.entries import Entry
from harnessos.mission.timetable.launchd import MOST, intervals
from harnessos.mission.timetable.systemd import on_calendar
from harnessos.model import cron
from tests.support.schedulers import DAY, by_cron, by_launchd, by_systemd, instant, jobs


def _number(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


def _range(low: int, high: int) -> st.SearchStrategy[str]:
    return st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda pair: f"{min(pair)}-{max(pair)}")


def _field(low: int, high: int, *special: str) -> st.SearchStrategy[str]:
    step = st.integers(1, high + 3)
    term = st.one_of(
        _number(low, high),
        _number(low, high),
        _range(low, high),
        st.builds("{}/{}".format, st.one_of(st.just("*"), _number(low, high), _range(low, high)), step),
        *([st.sampled_from(special)] if special else []),
    )
    return st.one_of(st.just("*"), term, st.lists(term, min_size=1, max_size=3).map(",".join))


PLAIN_DAYS = _field(1, 31)
ANY_DAYS = _field(1, 31, "L", "LW")
PLAIN_WEEK = _field(0, 7, "MON-FRI", "SAT", "sun", "tue-thu/2", "MON/3")
ANY_WEEK = _field(0, 7, "MON-FRI", "SUN", "5L", "0L", "MON#1", "7#5", "3#4")
MINUTES = st.one_of(_number(0, 59), _field(0, 59))
HOURS = st.one_of(_number(0, 23), _field(0, 23))
MONTHS = _field(1, 12, "JAN", "feb-apr", "JAN-DEC/5")


def rules(days: st.SearchStrategy[str], week: st.SearchStrategy[str]) -> st.SearchStrategy[cron.Rule]:
    texts = st.tuples(MINUTES, HOURS, days, MONTHS, week).map(" ".join)
    return texts.map(_rule).filter(lambda rule: rule is not None).map(lambda rule: rule or cron.parse("@daily"))


def _rule(text: str) -> cron.Rule | None:
    try:
        return cron.parse(text)
    except BadContent:
        return None


def days_of(rule: cron.Rule) -> list[date]:
    """The days looked at: a year, or less where a rule fires so often that a year would take long."""
    named = calendar_of(rule)
    count = min(366, 4_000 // (len(named.hours) * len(named.minutes)) + 2)
    begin = date(2027, 6, 15)  # up to the middle of a leap year
    return [begin + number * DAY for number in range(count)]


def fired(rule: cron.Rule) -> set[datetime]:
    """When the model fires in these days, in UTC."""
    days = days_of(rule)
    at: int | None = instant(days[0]) - 1
    end = instant(days[-1] + DAY)
    found: set[datetime] = set()
    while at is not None and (at := cron.next_after(rule, UTC, at)) is not None and at < end:
        found.add(datetime.fromtimestamp(at / 1000, UTC))
    return found


def entry(text: str) -> Entry:
    return jobs()[0].entry._replace(cron=text)


@example(cron.parse("0 9 13 * */8"))
@example(cron.parse("0 0/24 */40 * 0/8"))
@example(cron.parse("*/60 */24 1-31 */13 7,1-5/9"))
@given(rules(PLAIN_DAYS, PLAIN_WEEK))
@settings(max_examples=60, deadline=None)
def test_a_crontab_fires_at_the_times_of_the_rule(rule: cron.Rule) -> None:
    assert by_cron(fields(entry(f"0 {rule.fields}")), days_of(rule)) == fired(rule)


@example(cron.parse("0 9 LW * */2"), 0)
@example(cron.parse("0 9 L,15 2 7#5"), 7)
@example(cron.parse("0 9 */2 * MON#2"), 0)
@example(cron.parse("0 0/24 */40 * 0/8"), 59)
@given(rules(ANY_DAYS, ANY_WEEK), st.integers(0, 59))
@settings(max_examples=80, deadline=None)
def test_on_calendar_fires_at_the_times_of_the_rule(rule: cron.Rule, second: int) -> None:
    rule = rule._replace(second=second)
    named = calendar_of(rule)
    with suppress(Refused) if named.both and named.nth else nullcontext():
        assert by_systemd(on_calendar(named, "UTC"), days_of(rule)) == fired(rule)


@example(cron.parse("0 9 13 * */8"))
@example(cron.parse("0 0/24 */40 * 0/8"))
@example(cron.parse("*/60 */24 1-31 */13 7,1-5/9"))
@given(rules(PLAIN_DAYS, PLAIN_WEEK))
@settings(max_examples=60, deadline=None)
def test_launchd_fires_at_the_times_of_the_rule(rule: cron.Rule) -> None:
    with suppress(Refused):  # what it cannot say
        dicts = intervals(calendar_of(rule), rule.text)
        assert len(dicts) <= MOST
        assert by_launchd(dicts, days_of(rule)) == fired(rule)
