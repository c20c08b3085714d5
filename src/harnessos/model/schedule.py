"""What a schedule does at an instant: which of its nominal times fire now, which are skipped and why. Pure.

A nominal time is what the rule says; with jitter the firing comes a little later, by an amount that follows from the
schedule and the nominal time, so that every scheduler computes the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadContent
from harnessos.model import cron
from harnessos.model.digest import sha256_hex
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo
    from typing import Any

TARGETS = ("issue", "plan", "mission", "dream")
MISFIRES = ("skip", "once", "all")
OVERLAPS = ("forbid", "allow", "replace")

MISFIRE = "once"
LATENESS_MS = 3_600_000
OVERLAP = "forbid"

ON_TIME_MS = 120_000
"""Who evaluates from cron comes up to a minute late, and a tick takes its time: so much is no misfire."""
LOOK = 200
"""Nominal times decided about in one go; what is more is decided about in the next."""
TOLD = 20
"""Skipped times that get a row of their own in one go; a longer run of them gets one row that counts them."""
AT_ONCE = 20
"""Firings in one go."""
LONGEST_JITTER_MS = 86_400_000
CHECK_SECONDS = 30

_NAME = re.compile(r"[^\W_][\w.-]{0,79}")


class Schedule(NamedTuple):
    """A schedule as it decides. `next_at` is the first nominal time that nothing was decided about; None: no more."""

    id: str
    rule: cron.Rule
    zone: tzinfo
    next_at: int | None
    misfire: str = MISFIRE
    lateness_ms: int = LATENESS_MS
    jitter_ms: int = 0
    once: bool = False
    ends_at: int | None = None
    anchor_at: int = 0


class Skip(NamedTuple):
    """Nominal times that do not fire, told together: the first of them, and how many (0: nobody counted them)."""

    nominal: int
    reason: str
    times: int = 1


class Decision(NamedTuple):
    """What happens now. `next_at` is the nominal time after it, `fires_at` when that is due; `more`: some are due now."""

    fire: tuple[int, ...]
    skips: tuple[Skip, ...]
    next_at: int | None
    fires_at: int | None
    more: bool = False


class Checked(NamedTuple):
    """What a schedule's check said: its output (none: nothing to do), or what went wrong with it."""

    output: str = ""
    problem: str = ""


def read(row: Mapping[str, Any]) -> Schedule:
    """Return the schedule of a ledger's row. Any: its columns."""
    return Schedule(
        row["id"],
        cron.parse(row["rule"]),
        cron.zone(row["timezone"]),
        row["next_at"],
        row["misfire"],
        row["lateness_ms"],
        row["jitter_ms"],
        bool(row["once"]),
        row["ends_at"],
        row["anchor_at"],
    )


def check_name(name: str) -> str:
    """Return the name of a schedule, or say what names look like."""
    if not _NAME.fullmatch(name):
        hint = "1 to 80 letters, digits, `-`, `_` and `.`, a letter or digit first: nightly-build"
        raise BadContent(f"{name!r} is no name of a schedule", hint=hint)
    return name


def name_from(text: str) -> str:
    """Return a name made from a text, such as a task."""
    words = re.findall(r"\w+", text.lower().replace("_", " "))
    return "-".join(words)[:60].rstrip("-") or "schedule"


def upcoming(schedule: Schedule, after: int) -> int | None:
    """Return the first nominal time after an instant; None when the rule has none, or the end date comes first."""
    found = cron.next_after(schedule.rule, schedule.zone, after, schedule.anchor_at)
    return None if found is None or (schedule.ends_at is not None and found > schedule.ends_at) else found


def due_at(schedule: Schedule, nominal: int) -> int:
    """Return when a nominal time fires: never before it, and before the one after it whatever the jitter."""
    if schedule.jitter_ms == 0:
        return nominal
    following = cron.next_after(schedule.rule, schedule.zone, nominal, schedule.anchor_at)
    room = schedule.jitter_ms if following is None else min(schedule.jitter_ms, following - nominal - 1)
    return nominal + int(sha256_hex(f"{schedule.id}/{nominal}".encode())[:15], 16) % (room + 1)


def due(schedule: Schedule, now: int) -> Decision:
    """Decide about the nominal times that are due, at most LOOK of them.

    On time (ON_TIME_MS) always fires. Later than the schedule's lateness never does. In between: `skip` lets it be,
    `once` fires the latest, `all` every one of them, AT_ONCE in one go.
    """
    late: dict[int, int] = {}
    at = schedule.next_at
    fires_at = None if at is None else due_at(schedule, at)
    while at is not None and fires_at is not None and fires_at <= now and len(late) < LOOK:
        late[at] = now - fires_at
        at = None if schedule.once and late[at] <= _most(schedule) else upcoming(schedule, at)
        fires_at = None if at is None else due_at(schedule, at)
    more = fires_at is not None and fires_at <= now
    fire = [time for time, by in late.items() if by <= _most(schedule)]
    if schedule.misfire == "once":
        fire = [] if more else fire[-1:]
    elif len(fire) > AT_ONCE:
        at, more = fire[AT_ONCE], True
        fires_at = now - late[at]
        fire = fire[:AT_ONCE]
        late = {time: by for time, by in late.items() if time < at}
    skips = _together(schedule, {time: by for time, by in late.items() if time not in set(fire)}, fire)
    if more and not fire and at is not None and fires_at is not None and now - fires_at > _most(schedule):
        return _leap(schedule, skips, at, now)
    return Decision(tuple(fire), tuple(skips), at, fires_at, more)


def _most(schedule: Schedule) -> int:
    """Return by how much a nominal time may be late and still fire."""
    return ON_TIME_MS if schedule.misfire == "skip" else max(ON_TIME_MS, schedule.lateness_ms)


def _reason(schedule: Schedule, late: int, fire: list[int]) -> str:
    if late > max(ON_TIME_MS, schedule.lateness_ms):
        return f"misfire: {late // 1000} s late, and {schedule.lateness_ms // 1000} s is the most"
    if schedule.misfire == "skip":
        return "misfire: missed, and the policy is skip"
    return "misfire: only the latest of those missed fires" + (f", {stamp(fire[-1])}" if fire else "")


def _together(schedule: Schedule, late: Mapping[int, int], fire: list[int]) -> list[Skip]:
    """Return a skip for each, or of a long run one that counts it and those at its end."""
    missed = [Skip(time, _reason(schedule, by, fire)) for time, by in late.items()]
    if len(missed) <= TOLD:
        return missed
    count = len(missed) - TOLD + 1
    told = f"{missed[0].reason}; {count} times up to {stamp(missed[count - 1].nominal)}"
    return [Skip(missed[0].nominal, told, count), *missed[count:]]


def _leap(schedule: Schedule, skips: list[Skip], at: int, now: int) -> Decision:
    """Leap over a stretch so long ago that nothing in it can fire: it gets one row, and is not counted out."""
    start = now - _most(schedule) - schedule.jitter_ms - 1
    if at > start:
        return Decision((), tuple(skips), at, due_at(schedule, at), more=True)
    beyond = upcoming(schedule, start)
    upto = stamp(start if beyond is not None or schedule.ends_at is None else schedule.ends_at)
    told = Skip(at, f"misfire: nobody evaluated the schedule for too long; all its times up to {upto} are skipped", 0)
    fires_at = None if beyond is None else due_at(schedule, beyond)
    return Decision((), (*skips, told), beyond, fires_at, fires_at is not None and fires_at <= now)


def overlap(policy: str, live: str) -> str:
    """Return what happens to a firing while the work of the one before (`live`, in words) is not over.

    `fire`, `skip` or `replace`; `fire` when there is no such work.
    """
    if not live or policy == "allow":
        return "fire"
    return "skip" if policy == "forbid" else "replace"


def duration(text: str) -> int:
    """Return a length of time such as 90s, 15m, 12h, 2d or plain seconds, in ms. ValueError with a sentence."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no length of time: 90s, 15m, 12h, 2d")
    return int(found[1]) * cron.UNITS[found[2] or "s"]
