"""When a schedule fires: a rule as text, and the instants that follow from it in a time zone.

Daylight saving follows Vixie cron. A rule with a fixed hour and minute fires once for every time it names: one that the
clock jumps over fires when the jump is over, one that comes twice fires the first time. A rule whose minute or hour
begins with `*` follows the clock as it is shown, so it leaves a skipped hour out and goes through a repeated one twice.
cronsim finds the next match on a calendar without time zones; what the zone makes of it is decided here, because its own
walk loses hours where a change lies at midnight (Asia/Beirut) and knows no such rule for six fields.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadContent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, tzinfo
    from zoneinfo import ZoneInfo

SHORTEST_MS = 60_000
LONGEST_MS = 366 * 86_400_000
LATEST_MS = 32_503_680_000_000
"""The year 3000: nothing is looked for beyond it."""
LONGEST_TEXT = 200

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_EVERY = re.compile(r"every[:\s]\s*([0-9]{1,9})\s*([smhd]?)")
_EXAMPLES = "`30 3 * * *` (03:30 each day), `0 9 * * MON`, `@daily`, `every 2h`"
_FIELDS = "minute hour day month weekday, or with the second in front"


class Rule(NamedTuple):
    """A rule that was read. Of an interval `every_ms` is set; else `fields` are five cron fields and `second` the second.

    `fixed` says that neither minute nor hour begins with `*`.
    """

    text: str
    fields: str = ""
    second: int = 0
    fixed: bool = False
    every_ms: int = 0


def parse(text: str) -> Rule:
    """Read a rule: five or six cron fields (second first), an alias such as @daily, `every 2h` or `every:7200` seconds.

    BadContent for what is no rule, never fires, or fires more than once a minute.
    """
    plain = " ".join(text.split())
    if len(plain) > LONGEST_TEXT:
        raise BadContent(f"a rule has at most {LONGEST_TEXT} characters", hint=_EXAMPLES)
    if re.match(r"every[:\s]", plain.lower()):
        return _interval(plain)
    fields = ALIASES.get(plain.lower(), plain)
    if fields.startswith("@"):
        raise BadContent(f"{plain} is no rule", hint=f"one of {', '.join(ALIASES)}, or {_EXAMPLES}")
    words = fields.split()
    if len(words) not in (5, 6):
        raise BadContent(f"{plain!r} is no rule: five or six fields are needed ({_FIELDS})", hint=_EXAMPLES)
    second = _second(words[0], plain) if len(words) == 6 else 0
    five = words[-5:]
    rule = Rule(plain, " ".join(five), second, not (five[0].startswith("*") or five[1].startswith("*")))
    _require_fires(rule)
    return rule


def _interval(plain: str) -> Rule:
    found = _EVERY.fullmatch(plain.lower())
    if found is None:
        hint = "a number with s, m, h or d (`every 90m`), or seconds (`every:7200`); weekdays are cron: `0 9 * * TUE`"
        raise BadContent(f"{plain!r} is no interval", hint=hint)
    length = int(found[1]) * UNITS[found[2] or "s"]
    if length < SHORTEST_MS:
        raise _too_often(plain)
    if length > LONGEST_MS:
        raise BadContent(f"{plain!r} is longer than a year", hint="use cron fields, such as `0 0 1 1 *`")
    return Rule(plain, every_ms=length)


def _second(word: str, plain: str) -> int:
    """Return the second of six fields: exactly one, since two would be less than a minute apart."""
    from datetime import datetime

    from cronsim import CronSim, CronSimError

    try:
        seconds = CronSim(f"{word} * * * * *", datetime(2026, 1, 1)).seconds  # noqa: DTZ001 # a calendar without zone
    except CronSimError as problem:
        raise BadContent(f"{plain!r} is no rule: the second {word!r} is wrong", hint=_EXAMPLES) from problem
    if len(seconds) != 1:
        raise _too_often(plain)
    return int(min(seconds))


def _too_often(plain: str) -> BadContent:
    return BadContent(
        f"{plain!r} fires more than once a minute, which is too often",
        hint="with six fields the second comes first and is one number: `0 */5 * * * *`; the shortest interval is "
        "`every 60s`. What must look more often than that is a program of its own, not a schedule",
    )


def _require_fires(rule: Rule) -> None:
    """Refuse fields that are wrong and dates that no calendar has, such as `0 0 31 2 *`."""
    from datetime import datetime

    from cronsim import CronSimError

    try:
        found = next(_matches(rule, datetime(2026, 1, 1)), None)  # noqa: DTZ001 # a calendar without zone
    except CronSimError as problem:
        said = str(problem)
        if said == "Bad day-of-month" and _is_read(rule):
            found = None
        else:
            raise BadContent(f"{rule.text!r} is no rule: {said.lower()}", hint=f"{_FIELDS}; {_EXAMPLES}") from problem
    if found is None:
        raise BadContent(
            f"{rule.text!r} never fires: no month has such a day",
            hint="`0 0 L * *` is the last day of each month, `0 0 28 2 *` one that every February has",
        )


def _is_read(rule: Rule) -> bool:
    """Return whether each field by itself is right, so that only the date is impossible."""
    from datetime import datetime

    from cronsim import CronSim, CronSimError

    try:
        CronSim(f"* * {rule.fields.split()[2]} * *", datetime(2026, 1, 1))  # noqa: DTZ001 # a calendar without zone
    except CronSimError:
        return False
    return True


def zone(name: str) -> ZoneInfo:
    """Return the IANA time zone of that name; BadContent names those that are spelled alike."""
    from zoneinfo import ZoneInfo

    reserved = name.startswith(("posix/", "right/")) or name in ("localtime", "posixrules", "Factory")
    try:
        if name and not reserved:
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        pass
    raise BadContent(f"there is no time zone {name!r}", hint=_alike(name))


def _alike(name: str) -> str:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    plain = name.strip().lower().replace(" ", "_")
    known = {full.lower(): full for full in sorted(available_timezones())}
    cities = [full for low, full in known.items() if plain and low.rpartition("/")[2] == plain]
    close = cities or [known[low] for low in get_close_matches(plain, known, 3, 0.7)]
    close = [full for full in close if full != name]
    meant = f"did you mean {', '.join(close)}? " if close else ""
    return f"{meant}IANA names are like Europe/Berlin, America/New_York, UTC"


def next_after(rule: Rule, where: tzinfo, after_ms: int, anchor_ms: int = 0) -> int | None:
    """Return the first instant after `after_ms` at which the rule fires; None when there is none before the year 3000.

    Intervals are counted from `anchor_ms`, which is no firing itself.
    """
    if after_ms >= LATEST_MS:
        return None
    if rule.every_ms:
        steps = max(0, (after_ms - anchor_ms) // rule.every_ms) + 1
        return anchor_ms + steps * rule.every_ms
    after = after_ms // 1000 - rule.second
    found = _fixed(rule, where, after) if rule.fixed else _shown(rule, where, after)
    return None if found is None else (found + rule.second) * 1000


def _matches(rule: Rule, after: datetime) -> Iterator[datetime]:
    """Yield the times that five fields name after a time, on a calendar without zones."""
    from cronsim import CronSim

    return iter(CronSim(rule.fields, after))


def _fixed(rule: Rule, where: tzinfo, after: int) -> int | None:
    """Each time that is named fires once: see the module."""
    for match in _matches(rule, _local(where, after)):
        at = _instant(where, match)
        if at > after:
            return at
        # Named again in the hour that comes twice: it fired the first time.
    return None


def _shown(rule: Rule, where: tzinfo, after: int) -> int | None:
    """The clock as it is shown: matches are instants as long as the zone's offset stays, then one looks again."""
    while True:
        offset = _offset(where, after)
        match = next(_matches(rule, _local(where, after)), None)
        if match is None:
            return None
        at = _seconds(match) - offset
        if at * 1000 >= LATEST_MS:
            return None
        change = _change(where, after, at)
        if change is None:
            return at
        # A change lies before it. Nothing fires until then; its own first second may.
        after = change - 1
        if _offset(where, after) == offset:
            first = _first_after_change(rule, where, change)
            if first is not None:
                return first
            after = change


def _first_after_change(rule: Rule, where: tzinfo, change: int) -> int | None:
    """Return the instant of a change of offset when the time that is shown from then on matches the rule."""
    from datetime import timedelta

    shown = _local(where, change)
    match = next(_matches(rule, shown - timedelta(seconds=1)), None)
    return change if match == shown else None


def _change(where: tzinfo, low: int, high: int) -> int | None:
    """Return the first instant in (low, high] from which the offset differs from that at `low`; None without one.

    Looked for by days, since two changes may lie between two firings, then by halves to the second.
    """
    offset, step = _offset(where, low), 86_400
    while low < high:
        probe = min(low + step, high)
        if _offset(where, probe) != offset:
            while probe - low > 1:
                middle = (low + probe) // 2
                low, probe = (middle, probe) if _offset(where, middle) == offset else (low, middle)
            return probe
        low = probe
    return None


def _local(where: tzinfo, at: int) -> datetime:
    """Return what clocks of the zone show at an instant (seconds), without a zone."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).astimezone(where).replace(tzinfo=None, fold=0)


def _offset(where: tzinfo, at: int) -> int:
    from datetime import UTC, datetime

    return _seconds(_local(where, at)) - _seconds(datetime.fromtimestamp(at, UTC).replace(tzinfo=None))


def _seconds(shown: datetime) -> int:
    """Return the seconds from 1970 to a time without zone."""
    from datetime import datetime, timedelta

    return (shown - datetime(1970, 1, 1)) // timedelta(seconds=1)  # noqa: DTZ001 # a calendar without zone


def _instant(where: tzinfo, shown: datetime) -> int:
    """Return when clocks show that time first; for one they jump over, when the jump is over."""
    at = int(shown.replace(tzinfo=where, fold=0).timestamp())
    if _local(where, at) == shown:
        return at
    # PEP 495: a time in a gap is read with the offset from before it, which puts it after the gap by as much as it lies in it.
    change = _change(where, at - 86_400, at)
    return at if change is None else change
