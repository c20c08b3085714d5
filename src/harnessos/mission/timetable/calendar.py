"""What a cron rule names, as sets: the ground on which it is said again in another scheduler's words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harnessos.model.cron import Rule

MINUTES, HOURS, DAYS, MONTHS = (0, 59), (0, 23), (1, 31), (1, 12)
EVERY_WEEKDAY = frozenset(range(7))
EVERY_DAY = frozenset(range(1, 32))


class Nth(NamedTuple):
    """The n-th of a weekday (0 is Sunday) in a month; `n` 0 is the last one."""

    weekday: int
    n: int


class Calendar(NamedTuple):
    """The times of a rule with fields. A day matches by its number, `last` (of the month) or `last_workday`.

    With `both` a day must match by the month and by the week, else by one of them.
    """

    second: int
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    days: frozenset[int]
    last: bool
    last_workday: bool
    weekdays: frozenset[int]
    nth: frozenset[Nth]
    both: bool

    @property
    def any_day(self) -> bool:
        """Whether every day matches by the month."""
        return self.days == EVERY_DAY

    @property
    def any_weekday(self) -> bool:
        """Whether every day matches by the week."""
        return self.weekdays == EVERY_WEEKDAY

    @property
    def plain(self) -> bool:
        """Whether days are told by numbers alone, as every cron knows them."""
        return not (self.last or self.last_workday or self.nth)


def calendar_of(rule: Rule) -> Calendar:
    """Return what the fields of a rule name."""
    from datetime import datetime

    from cronsim import CronSim

    read = CronSim(rule.fields, datetime(2026, 1, 1))  # noqa: DTZ001 # a calendar without zone
    numbers = {day for day in read.weekdays if isinstance(day, int)}
    pairs = [day for day in read.weekdays if not isinstance(day, int)]
    return Calendar(
        rule.second,
        frozenset(read.minutes),
        frozenset(read.hours),
        frozenset(read.months),
        frozenset(day for day in read.days if day > 0),
        CronSim.LAST in read.days,
        CronSim.LAST_WEEKDAY in read.days,
        frozenset(day % 7 for day in numbers),
        frozenset(Nth(day % 7, max(0, n)) for day, n in pairs),
        read.day_and,
    )


def groups(values: Iterable[int]) -> list[tuple[int, int]]:
    """Return the values as ranges, first and last, in order."""
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def cannot(scheduler: str, what: str, way_out: str) -> Refused:
    """Return the refusal of what a scheduler cannot do; never a rule that is nearly right."""
    return Refused(f"{scheduler} cannot {what}", hint=way_out)
