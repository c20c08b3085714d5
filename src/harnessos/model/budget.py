"""Budgets: finite by default, reserved before launch, settled once. "Unlimited" is written as that word (P01)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

UNLIMITED = "unlimited"
HOUR_MS = 3_600_000
DOLLAR = 1_000_000
"""Money is counted in millionths of a US dollar."""

DAY_DEFAULTS: Mapping[str, int] = {"runs": 500, "wall_ms": 48 * HOUR_MS, "usd": 50 * DOLLAR}
"""Caps of a project for one UTC day."""

DIMENSIONS = tuple(DAY_DEFAULTS)


class Limits(NamedTuple):
    """What one issue and its runs may use; None is unlimited. Times in ms, output in bytes, money in millionths."""

    run_wall_ms: int | None = 2 * HOUR_MS
    turns: int | None = 20
    output_bytes: int | None = 256 * 1024 * 1024
    attempts: int | None = 3
    issue_wall_ms: int | None = 6 * HOUR_MS
    run_usd: int | None = 5 * DOLLAR
    run_tokens: int | None = 100_000_000


_FIELDS = {
    "wall_minutes": ("run_wall_ms", 60_000),
    "issue_wall_minutes": ("issue_wall_ms", 60_000),
    "turns": ("turns", 1),
    "output_mb": ("output_bytes", 1024 * 1024),
    "attempts": ("attempts", 1),
    "usd": ("run_usd", DOLLAR),
    "tokens": ("run_tokens", 1),
}


class Spent(NamedTuple):
    """What a runner reported that a turn cost: millionths of a dollar, and tokens; None where it said nothing."""

    usd: int | None = None
    tokens: int | None = None


UNREPORTED = Spent()


def limits(*documents: Mapping[str, object]) -> Limits:
    """Return the limits of these budget documents, the first that names a field winning, else the default."""
    found: dict[str, int | None] = {}
    for document in documents:
        for name, value in document.items():
            if name in _FIELDS:
                field, unit = _FIELDS[name]
                found.setdefault(field, amount(value, name, unit))
    return Limits(**found)


def amount(value: object, name: str, unit: int) -> int | None:
    """Return a written cap in its unit; None for the word "unlimited"; anything not positive is refused."""
    if value == UNLIMITED:
        return None
    # Less than one of the smallest unit would be zero, which elsewhere means "no limit".
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value * unit < 1e18:
        raise errors.BadContent(f'{name} must be a positive number or "{UNLIMITED}", not {value!r}')
    return int(value * unit)


def utc_day(now: int) -> str:
    """Return the UTC day of an instant, `2026-11-20`."""
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%d")


def day_after(now: int) -> int:
    """Return the instant at which the next UTC day begins."""
    day = 24 * HOUR_MS
    return (now // day + 1) * day


class Share(NamedTuple):
    """What a balance gives: an amount, or why not: `reserved` by live runs, or `spent` for this period."""

    amount: int
    lacking: str = ""


class Balance(NamedTuple):
    """One budget row: what may be used, what is used, what is reserved for live runs."""

    dimension: str
    cap: int | None
    spent: int
    reserved: int
    set_by: str = "default"

    def share(self, want: int) -> Share:
        """Return what a run that wants so much may have now.

        Where only reservations of live runs are in the way, it waits for their end. Where nothing is reserved it gets
        what is left, unless that is less than a tenth of what it wants: then the period is used up.
        """
        if self.cap is None or self.spent + self.reserved + want <= self.cap:
            return Share(want)
        if self.reserved and self.spent < self.cap:
            return Share(0, "reserved")
        left = self.cap - self.spent
        return Share(left) if left > 0 and left * 10 >= want else Share(0, "spent")
