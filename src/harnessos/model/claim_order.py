"""The one claim order, as numbers stored with each issue so that waiting counts without any update.

Critical first; then rank + week(ready_at), so that an issue overtakes a fresher one of the next higher priority
after a week; then breached before not breached, the earliest deadline, the oldest, the id.
"""

from __future__ import annotations

WEEK_MS = 7 * 24 * 3600 * 1000
NO_DEADLINE = 2**63 - 1
CRITICAL = 0


def claim_rank(priority: int, ready_at: int) -> int:
    """Return the first sort key: -1 for critical (0), else (priority - 1) + whole weeks from the epoch to `ready_at`."""
    if priority == CRITICAL:
        return -1
    return priority - 1 + ready_at // WEEK_MS


def deadline_key(deadline_at: int | None) -> int:
    """Return the third sort key: issues without a deadline come last."""
    return NO_DEADLINE if deadline_at is None else deadline_at
