"""Schedulers that read a rendered schedule as their manuals say, and nothing else: anything doubtful is an error here."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from harnessos import processes
from harnessos.mission.documents.cron_config import CronConfig
from harnessos.mission.timetable.entries import entries
from harnessos.mission.timetable.formats import Job

WS, SKILL = "/srv/missions/collect", "/opt/skills/harness-24h"
HOSTILE = '/srv/it\'s 100% "odd" \\%n $HOME;\u00e9'
DAY = timedelta(days=1)
_WEEK = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def config(**given: object) -> CronConfig:
    """A cron_config.md that says the usual things, and these."""
    return CronConfig()._replace(**given)  # type: ignore[arg-type] # a test names the fields it changes


def jobs(*command: str, workspace: str = WS, **given: object) -> list[Job]:
    """Both schedules with their commands."""
    words = command or ("/usr/bin/harness",)
    main, dream = entries(config(**given), "Collect lines", workspace, SKILL)
    return [Job(main, (*words, "mission", "run", workspace)), Job(dream, (*words, "mission", "dream", workspace))]


def instant(day: date) -> int:
    """The first instant of a day in UTC, in milliseconds."""
    return calendar.timegm(day.timetuple()) * 1000


def _times(days: list[date], hours: set[int], minutes: set[int], second: int = 0) -> Iterator[datetime]:
    for day in days:
        for hour in hours:
            for minute in minutes:
                yield datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)


def by_cron(line: str, days: list[date]) -> set[datetime]:
    """Read five fields as Vixie cron does; anything that some cron reads otherwise is an error here."""

    def values(field: str, low: int, high: int) -> set[int]:
        found: set[int] = set()
        for term in field.split(","):
            match = re.fullmatch(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?", term)
            assert match, term
            star, first, last, step = match.groups()
            assert not step or star or last, f"a step after one number: {term}"
            begin, end = (low, high) if star else (int(first), int(last or first))
            assert low <= begin <= end <= high, term
            assert 0 < int(step or 1) <= high, term
            found |= set(range(begin, end + 1, int(step or 1)))
        return found

    minute, hour, month_day, month, week_day = line.split()
    month_days = values(month_day, 1, 31)
    months, week_days = values(month, 1, 12), {day % 7 for day in values(week_day, 0, 7)}
    star = month_day.startswith("*") or week_day.startswith("*")

    def matches(day: date) -> bool:
        either = (day.day in month_days, (day.weekday() + 1) % 7 in week_days)
        return day.month in months and (all(either) if star else any(either))

    return set(_times([day for day in days if matches(day)], values(hour, 0, 23), values(minute, 0, 59)))


def by_systemd(lines: list[str], days: list[date]) -> set[datetime]:
    """Read calendar events as systemd.time(7) describes them."""

    def values(field: str, low: int, high: int) -> set[int]:
        found: set[int] = set()
        for term in field.split(","):
            match = re.fullmatch(r"(?:(\*)|(\d+)(?:\.\.(\d+))?)(?:/(\d+))?", term)
            assert match, term
            star, first, last, step = match.groups()
            begin = low if star else int(first)
            end = high if star or (step and not last) else int(last or first)
            found |= set(range(begin, end + 1, int(step or 1)))
        return found

    found: set[datetime] = set()
    for line in lines:
        match = re.fullmatch(r"(?:([A-Z][A-Za-z.,]+) )?\*-([^-~ ]+)([-~])(\S+) (\S+):(\S+):(\d\d) UTC", line)
        assert match, line
        week, months, sign, month_days, hours, minutes, second = match.groups()
        weekdays = set(range(7))
        if week:
            weekdays = set()
            for part in week.split(","):
                first, _, last = part.partition("..")
                order = [*_WEEK[1:], _WEEK[0]]
                begin, end = order.index(first), order.index(last or first)
                assert begin <= end
                weekdays |= set(range(begin, end + 1))

        def named(day: date, sign: str = sign, among: str = month_days) -> bool:
            last = calendar.monthrange(day.year, day.month)[1]
            if sign == "-":
                return day.day in values(among, 1, 31)
            from_end, _, step = among.partition("/")
            return last - day.day + 1 <= int(from_end) if step else last - day.day + 1 == int(from_end)

        chosen = [
            day for day in days if day.month in values(months, 1, 12) and day.weekday() in weekdays and named(day)
        ]
        found |= set(_times(chosen, values(hours, 0, 23), values(minutes, 0, 59), int(second)))
    return found


def by_launchd(dicts: list[dict[str, int]], days: list[date]) -> set[datetime]:
    """Read StartCalendarInterval as launchd.plist(5) describes it: what is missing is any."""
    found: set[datetime] = set()
    for each in dicts:
        assert not {"Day", "Weekday"} <= set(each), "launchd would take either"
        chosen = [
            day
            for day in days
            if each.get("Month", day.month) == day.month
            and each.get("Day", day.day) == day.day
            and each.get("Weekday", (day.weekday() + 1) % 7) == (day.weekday() + 1) % 7
        ]
        hours = {each["Hour"]} if "Hour" in each else set(range(24))
        found |= set(_times(chosen, hours, {each["Minute"]} if "Minute" in each else set(range(60))))
    return found


def cron_passes(command: str) -> list[str]:
    """What arrives when cron, and then its shell, have read a line."""
    passed, escaped, at = "", False, 0
    for at, sign in enumerate(command):  # noqa: B007 # where it ended is asked for below
        if escaped:
            escaped = False
            passed = passed[:-1] + sign if sign == "%" else passed + sign
            continue
        escaped = sign == "\\"
        if sign == "%":
            break
        passed += sign
    assert at == len(command) - 1, f"cron ends the command at {at}: {command}"
    line = f"printf '%s\\n' {passed}"
    done = processes.run(["/bin/sh", "-c", line], cwd=Path("/"), env={}, timeout=20)
    return done.output.decode().splitlines()
