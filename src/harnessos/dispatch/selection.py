"""Which ready issues a tick would start, and why not the others. Pure: `up --dry-run` prints it.

The ledger's claim makes the same choice under its lock, one issue at a time; this is the picture of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos.kernel.claims import overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.store.transaction import Row


class Serving(NamedTuple):
    """What this supervisor serves: free slots, workload classes (None: all), capabilities, holds, files held."""

    free: int
    classes: Sequence[str] | None
    capabilities: Sequence[str]
    holds: Sequence[str]
    held_files: Sequence[str]
    now: int


class Choice(NamedTuple):
    """One ready issue: started or not, and the reason when not."""

    identifier: str
    task: str
    start: bool
    reason: str


def select(ready: Sequence[Row], serving: Serving) -> list[Choice]:
    """Return a choice for each ready issue, in the claim order they are given in."""
    choices: list[Choice] = []
    held = list(serving.held_files)
    free = serving.free
    for issue in ready:
        files = json.loads(issue["files_json"])
        reason = _reason(issue, files, held, serving)
        if not reason and free <= 0:
            reason = "no agent slot is free"
        if not reason:
            free -= 1
            held += files
        choices.append(Choice(issue["identifier"], issue["task"], not reason, reason))
    return choices


def _reason(issue: Row, files: Sequence[str], held: Sequence[str], serving: Serving) -> str:
    if serving.holds:
        return serving.holds[0]
    if issue["campaign_status"] != "active":
        return f"campaign_paused:{issue['campaign']}"
    if issue["parked"] == 1 and issue["not_before"] > serving.now:
        return f"waits {(issue['not_before'] - serving.now) // 1000} s before its next attempt"
    if serving.classes is not None and issue["workload_class"] and issue["workload_class"] not in serving.classes:
        return f"workload class {issue['workload_class']} is not served here"
    missing = set(filter(None, issue["capabilities"].split(","))) - set(serving.capabilities)
    if missing:
        return f"missing capabilities: {', '.join(sorted(missing))}"
    if any(overlap(one, other) for one in files for other in held):
        return "its files are held by another run"
    return ""
