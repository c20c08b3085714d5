"""Effects outside the ledger: an intent row (fenced), the act, the confirmation (fenced).

Names of worktrees, branches and refs carry the run id, so an act that comes late hits only its own things.
Recovery finishes or undoes every intent that nobody confirmed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos.kernel import runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

KINDS = ("worktree", "process", "accept", "salvage", "remove")


def plan(tx: Transaction, lease: Lease, kind: str, target: str, detail: Mapping[str, object] | None = None) -> str:
    """Write down what is about to be done; return the intent's id."""
    runs.heartbeat(tx, lease)
    intent = tx.new_id("int")
    tx.do(
        "intent_insert",
        id=intent,
        run=lease.run_id,
        epoch=lease.epoch,
        kind=kind,
        target=target,
        detail_json=json.dumps(detail or {}),
        now=tx.now,
    )
    return intent


def confirm(tx: Transaction, lease: Lease, intent: str, detail: Mapping[str, object] | None = None) -> None:
    """The act was done, and the run that planned it still holds its lease. Saying so twice is harmless."""
    runs.heartbeat(tx, lease)
    if not tx.run("intent_confirm", id=intent, run=lease.run_id, detail_json=json.dumps(detail or {}), now=tx.now):
        runs.lost(lease)


def settle(tx: Transaction, intent: str, state: str, detail: Mapping[str, object] | None = None) -> bool:
    """Close an intent of a run that is over (`confirmed` or `undone`); False when it was closed already."""
    return tx.run("intent_settle", id=intent, state=state, detail_json=json.dumps(detail or {}), now=tx.now) == 1


def open_here(tx: Transaction, machine_id: str, most: int = 100) -> list[Row]:
    """Return acts of ended runs of this machine whose end nobody knows."""
    return tx.all("intent_open_here", machine_id=machine_id, most=most)
