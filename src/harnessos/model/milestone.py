"""Milestones: a status derived from the milestone's own issues and the milestones it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES = ("pending", "ready", "in_progress", "done", "failed", "blocked")


def status_of(counts: Mapping[str, int], unmet: int) -> str:
    """Return the status for the number of issues in each status and of dependency milestones not done.

    done = every issue done or cancelled and at least one done; failed = one failed; then in_progress, ready,
    blocked, pending in that order. A milestone that waits for others is blocked rather than pending.
    """
    active = sum(counts[status] for status in ("pending", "ready", "in_progress", "failed", "blocked"))
    if counts["done"] and not active:
        return "done"
    for status in ("failed", "in_progress", "ready", "blocked"):
        if counts[status]:
            return status
    return "blocked" if unmet else "pending"
