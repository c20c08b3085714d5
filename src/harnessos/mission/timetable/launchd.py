"""Schedules as property lists of launchd. Its calendar has no steps, no seconds and no time zones. Pure."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from harnessos.mission.timetable.calendar import HOURS, MINUTES, MONTHS, calendar_of, cannot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.mission.timetable.calendar import Calendar
    from harnessos.mission.timetable.entries import Entry

FOLDER = "~/Library/LaunchAgents"
MOST = 400
_WAY_OUT = "`harness mission schedule WS --install`, with `harness up`, can"


def plist(label: str, entry: Entry, command: Sequence[str]) -> str:
    """Return the property list of a schedule; Refused names what launchd cannot do."""
    import plistlib

    if not entry.repeat:
        raise cannot("launchd", f"fire {entry.name} once: its agents repeat", _WAY_OUT)
    document: dict[str, object] = {"Label": label, "ProgramArguments": list(command), "RunAtLoad": False}
    if entry.interval_s is not None:
        document["StartInterval"] = entry.interval_s
    else:
        document["StartCalendarInterval"] = intervals(calendar_of(entry.rule), entry.cron)
    text = plistlib.dumps(document, sort_keys=False).decode()
    notes = [f"launchd fires by the clock of the Mac, which must be set to {entry.timezone}."]
    if entry.interval_s is not None:
        notes = []
    if entry.expire is not None:
        notes.append(f"To be unloaded after {entry.expire} {entry.timezone}.")
    head, _, rest = text.partition("<plist")
    return head + "".join(f"<!-- {note} -->\n" for note in notes) + "<plist" + rest


def intervals(named: Calendar, text: str) -> list[dict[str, int]]:
    """Return a dict for each combination of numbers. Day and weekday never stand together: launchd takes either then."""
    if named.second:
        raise cannot("launchd", f"fire at second {named.second}: `{text}` needs whole minutes", _WAY_OUT)
    if not named.plain:
        raise cannot("launchd", f"name the last or n-th day that `{text}` means", _WAY_OUT)
    if named.both and not named.any_day and not named.any_weekday:
        raise cannot("launchd", f"ask for a day of the month that is also a weekday, as `{text}` does", _WAY_OUT)
    by_month, by_week = _some("Day", named.days, (1, 31)), _some("Weekday", named.weekdays, (0, 6))
    if named.both:
        days = by_week if named.any_day else by_month
    elif named.any_day or named.any_weekday:
        days = [{}]  # one of them is enough, and one of them always holds
    else:
        days = [*by_month, *by_week]
    months = _some("Month", named.months, MONTHS)
    hours, minutes = _some("Hour", named.hours, HOURS), _some("Minute", named.minutes, MINUTES)
    count = len(months) * len(days) * len(hours) * len(minutes)
    if count > MOST:
        what = f"be told `{text}`: it needs {count} dictionaries of StartCalendarInterval, and {MOST} are the most"
        raise cannot("launchd", what, f"choose a rule with fewer different times, or an interval; {_WAY_OUT}")
    return [{**month, **day, **hour, **minute} for month, day, hour, minute in product(months, days, hours, minutes)]


def _some(key: str, values: frozenset[int], limits: tuple[int, int]) -> list[dict[str, int]]:
    """Return a dict for each number; one that is empty where every number is meant."""
    if len(values) == limits[1] - limits[0] + 1:
        return [{}]
    return [{key: value} for value in sorted(values)]
