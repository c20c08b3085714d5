"""The edges between issues: `issue` waits for `on`. Each carries what it was last told: waiting, met or broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.kernel import issues, settling
from harnessos.model.issue import EDGE

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction


def depend(tx: Transaction, issue: Row, *, add: set[str], drop: set[str], cause: Cause) -> Row:
    """Add and drop dependencies (ids) of an issue, and move it to where it then rests. What is there already stays."""
    unmet, broken = issue["unmet"], issue["broken"]
    known = {edge["depends_on_id"]: edge["state"] for edge in tx.all("issue_dependencies", issue=issue["id"])}
    for on in sorted(drop & known.keys()):
        tx.do("issue_undepend", issue=issue["id"], on=on)
        unmet -= known[on] == 0
        broken -= known[on] == 2
    for on in sorted(add - known.keys()):
        # Locked, so that its end cannot slip between this look and the new edge.
        state = EDGE.get(issues.lock(tx, on)["status"], 0)
        tx.do("issue_depend", issue=issue["id"], on=on, state=state)
        unmet += state == 0
        broken += state == 2
    return settling.waits(tx, issue, unmet, broken, cause)


def reaches(tx: Transaction, start: str, goal: str) -> bool:
    """Return whether the issue `start` waits, directly or through others, for `goal` (ids)."""
    seen, open_ids = {start}, [start]
    while open_ids:
        for edge in tx.all("issue_dependencies", issue=open_ids.pop()):
            other = edge["depends_on_id"]
            if other == goal:
                return True
            if other not in seen:
                seen.add(other)
                open_ids.append(other)
    return False
