"""Schedules as lines of a crontab (cronie's, with CRON_TZ). What cron cannot do is refused, never rounded. Pure."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from harnessos.mission.timetable.calendar import calendar_of, cannot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.mission.timetable.entries import Entry
    from harnessos.model.cron import Rule

_NAMES = {
    **{name: str(at) for at, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))},
    **{
        name: str(at)
        for at, name in enumerate(
            ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
        )
    },
}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_SYSTEMD = "`--format systemd` can; so can `harness mission schedule WS --install`, with `harness up`"


def crontab(jobs: Sequence[tuple[Entry, Sequence[str]]]) -> str:
    """Return the lines for schedules and their commands, all of one time zone. Refused names what cron cannot do."""
    zone = jobs[0][0].timezone
    lines = [
        "# Add these lines to the end of what `crontab -e` shows.",
        f"# CRON_TZ is read by cronie. A cron that does not know it (Debian's) must run on a machine set to {zone}.",
        f"CRON_TZ={zone}",
    ]
    for entry, command in jobs:
        if not entry.repeat:
            raise cannot("cron", f"fire {entry.name} once: its lines repeat", _SYSTEMD)
        lines.append(f"# {entry.name}" + (f", to be taken out after {entry.expire}" if entry.expire else ""))
        lines.append(f"{fields(entry)} {' '.join(_word(word) for word in command)}")
    return "\n".join(lines) + "\n"


def fields(entry: Entry) -> str:
    """Return the five fields of a schedule."""
    if entry.interval_s is not None:
        return _interval(entry.interval_s)
    rule = entry.rule
    if rule.second:
        raise cannot("cron", f"fire at second {rule.second}: `{entry.cron}` needs whole minutes", _SYSTEMD)
    if not calendar_of(rule).plain:
        raise cannot("cron", f"name the last or n-th day that `{entry.cron}` means", _SYSTEMD)
    return _spelled(rule)


def _interval(seconds: int) -> str:
    """Return fields for an interval that divides an hour or a day; others would drift from the clock that cron follows."""
    minutes, rest = divmod(seconds, 60)
    if not rest and minutes and 60 % minutes == 0:
        return {1: "* * * * *", 60: "0 * * * *"}.get(minutes, f"*/{minutes} * * * *")
    hours, rest = divmod(seconds, 3600)
    if not rest and hours and 24 % hours == 0:
        return "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"
    raise cannot("cron", f"fire every {seconds} seconds, which divide neither an hour nor a day", _SYSTEMD)


def _spelled(rule: Rule) -> str:
    """Return the fields with numbers for names and whole ranges for open ones; a `*` in front stays where it decides."""
    return " ".join(
        ",".join(_term(term, *limits) for term in field.upper().split(","))
        for field, limits in zip(rule.fields.split(), _RANGES, strict=True)
    )


def _term(term: str, lowest: int, highest: int) -> str:
    """Return a term as every cron reads it: one starts a step only at `*` or a range, and reads no names in ranges."""
    span, _, step = term.partition("/")
    by = int(step or 1)
    if span == "*":
        if by <= highest:
            return f"*/{by}" if step else "*"
        # A step beyond the range leaves its first value. Of days it must keep its `*`: that decides between and and or.
        return f"*/{highest}" if highest in (7, 31) else str(lowest)
    first, _, end = span.partition("-")
    begin = int(_NAMES.get(first, first))
    last = int(_NAMES.get(end, end)) if end else begin
    if not step:
        return f"{begin}-{last}" if end else str(begin)
    if last == begin:
        last = highest  # as model.cron reads a step from one value on
    return f"{begin}-{last}/{by}" if by <= last - begin else str(begin)


def _word(word: str) -> str:
    """Quote a word for the shell behind cron, to which a bare `%` would be the end of the line."""
    if "%" not in word:
        return quote(word)
    # A backslash before `%` is cron's own, and must stand outside of quotes that hold backslashes of the word.
    return r"\%".join("'" + part.replace("'", "'\"'\"'") + "'" for part in word.split("%"))
