"""Instants as people read them: `2026-01-01 12:00:00+00:00`, always UTC, always with the zone.

Written out by arithmetic: a hot command that stamps a line must not pay for `datetime`.
"""

from __future__ import annotations

DAY_MS = 86_400_000
_LENGTH = len("2026-01-01 12:00:00+00:00")


def stamp(instant: int) -> str:
    """Return an instant (ms since the epoch) as UTC text to the second."""
    days, rest = divmod(instant, DAY_MS)
    year, month, day = _civil(days)
    seconds = rest // 1000
    return f"{year:04d}-{month:02d}-{day:02d} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}+00:00"


def parse_stamp(text: str) -> int | None:
    """Return the instant a stamp stands for; None for what is no stamp. Another offset than `+00:00` is understood."""
    if len(text) != _LENGTH or text[4] != "-" or text[10] not in " T" or text[19] not in "+-":
        return None
    from datetime import datetime

    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _civil(days: int) -> tuple[int, int, int]:
    """Return the Gregorian year, month and day of a day counted from 1970-01-01."""
    shifted = days + 719_468  # from 0000-03-01: a leap day is then the last of its year
    era, of_era = divmod(shifted, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, day
