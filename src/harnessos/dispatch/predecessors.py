"""Before an issue runs again on a machine: its earlier runs there are over in fact, not in the ledger alone (P04).

Somebody else may have reaped or cancelled them, and their supervisor may be dead. The sweep comes by later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import processes

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.store.transaction import Row, Transaction

MOST = 10
_GRACE_S = 2.0


def end_here(ground: Ground, issue: Row) -> list[Row]:
    """End what is left of the issue's runs of this machine that were cut off; return those with work to be kept, oldest first."""
    left = ground.store.read(_left, issue["id"], ground.process.machine_id)
    for run in left:
        processes.kill_run(run["id"], grace=_GRACE_S)
    return [run for run in left if run["worktree"] is not None]


def _left(tx: Transaction, issue_id: str, machine_id: str) -> list[Row]:
    return tx.all("run_cut_off", issue=issue_id, machine_id=machine_id, most=MOST)[::-1]
