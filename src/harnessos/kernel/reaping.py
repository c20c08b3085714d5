"""Reaping: an expired lease is ended as it was seen, and never touches another issue.

A rescue that loses the race against the holder's renewal or finish changes nothing (P03). It runs inside every claim
and every tick and holds no lease of its own (I14).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.kernel import ending, issues
from harnessos.model.outcome import Ended, Outcome

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.model.process import Identity
    from harnessos.store.transaction import Row, Transaction

REASON = "its lease ran out without a sign of life"


def reap(tx: Transaction, here: Identity, cause: Cause, most: int) -> list[Row]:
    """End at most `most` runs whose lease ran out; return their issues' rows."""
    expired = tx.all("run_expired", now=tx.now, machine_id=here.machine_id, boot_id=here.boot_id, most=most)
    return [issue for seen in expired if (issue := reap_one(tx, seen, cause)) is not None]


def reap_one(tx: Transaction, seen: Row, cause: Cause) -> Row | None:
    """End one run as it was seen (id, issue_id, epoch, expires_at); None when its holder was faster."""
    issue = issues.lock(tx, seen["issue_id"])
    run = tx.one("run_reap", run=seen["id"], epoch=seen["epoch"], seen=seen["expires_at"], reason=REASON, now=tx.now)
    if run is None:
        return None
    return ending.conclude(
        tx, issue, run, Ended(Outcome.LOST, REASON), cause._replace(run_id=run["id"], epoch=run["epoch"])
    )
