"""Which worktrees to remove so that a size cap is met. Pure: --dry-run prints it, gc applies it (P14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GIGABYTE = 1024**3


class Entry(NamedTuple):
    """One worktree. `size` in bytes; `ended_at` in ms since the epoch, None while unknown."""

    run: str
    path: Path
    size: int
    accepted: bool
    salvaged: bool
    live: bool
    ended_at: int | None


class Removal(NamedTuple):
    """A worktree that may go, and why, in words for a person."""

    entry: Entry
    reason: str


def plan_gc(entries: Sequence[Entry], cap: int) -> list[Removal]:
    """Return what to remove, in order, until the worktrees fit into `cap` bytes: accepted first, oldest first.

    Never a live one, never one that is neither accepted nor salvaged, even if the cap is then not met.
    """
    held = sum(entry.size for entry in entries)
    removable = [entry for entry in entries if not entry.live and (entry.accepted or entry.salvaged)]
    plan = []
    for entry in sorted(removable, key=_order):
        if held <= cap:
            break
        state = "accepted" if entry.accepted else "salvaged"
        plan.append(Removal(entry, f"{state}; {_size(held)} of worktrees are over the cap of {_size(cap)}"))
        held -= entry.size
    return plan


def _order(entry: Entry) -> tuple[bool, bool, int, str]:
    return (not entry.accepted, entry.ended_at is None, entry.ended_at or 0, entry.run)


def _size(count: int) -> str:
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE // 10 else f"{count / 1024**2:.1f} MB"
