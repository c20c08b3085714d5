"""Schedules as units of systemd, a service and a timer each. A cron rule becomes OnCalendar lines that name the same times. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from harnessos.mission.timetable.calendar import (
    EVERY_DAY,
    EVERY_WEEKDAY,
    HOURS,
    MINUTES,
    MONTHS,
    calendar_of,
    cannot,
    groups,
)
from harnessos.model import cron

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harnessos.mission.timetable.calendar import Calendar
    from harnessos.mission.timetable.entries import Entry

FOLDER = "~/.config/systemd/user"
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_WORKDAYS = frozenset(range(1, 6))
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@+,-]+")
_NO_FAILURE = "10 13"
"""Exit codes of a mission that is complete, and of one that is running already."""


class _Days(NamedTuple):
    """Days that one OnCalendar line can name: on these weekdays, what stands between month and time."""

    weekdays: frozenset[int]
    days: str = "-*"


def units(name: str, entry: Entry, command: Sequence[str], now: int) -> Mapping[str, str]:
    """Return the files of a schedule by their names. `now` decides when one that fires once does."""
    what = "one run" if entry.target == "mission" else "the dream"
    described = f"harness mission {entry.name}: {what}"
    service = [
        "[Unit]",
        f"Description={described}",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={_line(command)}",
        f"SuccessExitStatus={_NO_FAILURE}",
        "",
    ]
    ends = [] if entry.expire is None else [f"# To be disabled after {entry.expire} {entry.timezone}."]
    timer = [
        *ends,
        "[Unit]",
        f"Description={described}, when it is due",
        "",
        "[Timer]",
        *_times(entry, now),
        "AccuracySec=1s",
        "",
        "[Install]",
        "WantedBy=timers.target",
        "",
    ]
    return {f"{name}.service": "\n".join(service), f"{name}.timer": "\n".join(timer)}


def _times(entry: Entry, now: int) -> list[str]:
    if entry.interval_s is not None:
        if not entry.repeat:
            return [f"OnActiveSec={entry.interval_s}s"]
        return [f"OnBootSec={entry.interval_s}s", f"OnUnitActiveSec={entry.interval_s}s"]
    if not entry.repeat:
        return [f"OnCalendar={_once(entry, now)}", "Persistent=true"]
    lines = on_calendar(calendar_of(entry.rule), entry.timezone)
    return [*(f"OnCalendar={line}" for line in lines), "Persistent=true"]


def _once(entry: Entry, now: int) -> str:
    from datetime import datetime

    zone = cron.zone(entry.timezone)
    at = cron.next_after(entry.rule, zone, now)
    if at is None:
        raise cannot("systemd", f"fire {entry.name}, which has no time left", "give it another rule")
    return f"{datetime.fromtimestamp(at / 1000, zone):%Y-%m-%d %H:%M:%S} {entry.timezone}"


def on_calendar(named: Calendar, zone: str) -> list[str]:
    """Return calendar events that together name exactly the times of a rule.

    Where either the day of the month or the weekday is enough, each has lines of its own.
    """
    months = _list(named.months, MONTHS)
    time = f"{_list(named.hours, HOURS)}:{_list(named.minutes, MINUTES)}:{named.second:02d}"
    lines = []
    for found in dict.fromkeys(_days(named)):
        week = "" if found.weekdays == EVERY_WEEKDAY else ",".join(_week(found.weekdays)) + " "
        lines.append(f"{week}*-{months}{found.days} {time} {zone}")
    return lines


def _days(named: Calendar) -> Iterator[_Days]:
    if not named.both:
        yield from _of_month(named, EVERY_WEEKDAY)
        yield from _of_week(named, EVERY_DAY)
    elif not named.nth:
        yield from _of_month(named, named.weekdays)
    elif named.last or named.last_workday:
        way_out = "`harness mission schedule WS --install`, with `harness up`, can"
        raise cannot("systemd", "name a day that is the last and also the n-th", way_out)
    else:
        yield from _of_week(named, named.days)


def _of_month(named: Calendar, weekdays: frozenset[int]) -> Iterator[_Days]:
    """Yield the days that match by the month and fall on these weekdays."""
    if named.days:
        yield _Days(weekdays, "-*" if named.any_day else f"-{_list(named.days)}")
    if named.last:
        yield _Days(weekdays, "~01")
    if named.last_workday:
        # The last day of the month, or the Friday before the weekend with which the month ends.
        for among, days in ((_WORKDAYS, "~01"), (frozenset({5}), "~02"), (frozenset({5}), "~03")):
            if among & weekdays:
                yield _Days(among & weekdays, days)


def _of_week(named: Calendar, days: frozenset[int]) -> Iterator[_Days]:
    """Yield the days that match by the week and have one of these numbers."""
    if named.weekdays:
        yield _Days(named.weekdays, "-*" if days == EVERY_DAY else f"-{_list(days)}")
    for weekday, n in sorted(named.nth):
        only = frozenset({weekday})
        week = frozenset(range(7 * n - 6, min(7 * n, 31) + 1)) & days
        if n and week:
            yield _Days(only, f"-{_list(week)}")
        elif not n and days == EVERY_DAY:
            yield _Days(only, "~07/1")
        elif not n:
            way_out = "`harness mission schedule WS --install`, with `harness up`, can"
            raise cannot("systemd", "name the last weekday of a month among chosen days", way_out)


def _week(weekdays: frozenset[int]) -> Iterator[str]:
    """Yield weekdays from Monday on, as systemd counts them."""
    for first, last in groups((day + 6) % 7 for day in weekdays):
        begin, end = _WEEKDAYS[(first + 1) % 7], _WEEKDAYS[(last + 1) % 7]
        yield begin if first == last else f"{begin}..{end}"


def _list(values: frozenset[int], limits: tuple[int, int] | None = None) -> str:
    """Return numbers as systemd reads them: `*` for all within limits, a step to their end, else numbers and ranges."""
    ordered = sorted(values)
    if limits is not None and len(ordered) == limits[1] - limits[0] + 1:
        return "*"
    step = ordered[1] - ordered[0] if len(ordered) > 2 else 0
    if limits is not None and step > 1 and ordered == list(range(ordered[0], limits[1] + 1, step)):
        return f"{ordered[0]:02d}/{step}"
    return ",".join(f"{a:02d}" if a == b else f"{a:02d}..{b:02d}" for a, b in groups(values))


def _line(command: Sequence[str]) -> str:
    """Return a command line. The colon keeps systemd from reading `$` in a path as a variable."""
    if re.search("[\"'\\\\]", command[0]):
        # As the name of a program systemd refuses these however they are quoted; as an argument it takes them.
        command = ["/bin/sh", "-c", 'exec "$@"', "harness", *command]
    return " ".join(map(_word, (":" + command[0], *command[1:])))


def _word(word: str) -> str:
    """Quote a word of a command line, in which systemd reads specifiers and escapes."""
    word = word.replace("%", "%%")
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
