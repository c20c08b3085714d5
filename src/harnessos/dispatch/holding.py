"""Who answers for a live run, and whether that process is known to be dead: the one rule for recovery and for views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import processes
from harnessos.model.process import Identity

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction


def holder_of(run: Row) -> Identity:
    """Return the process that answers for a run."""
    return Identity(run["machine_id"], run["boot_id"], run["pid"], run["pid_started"])


def held(tx: Transaction, machine_id: str) -> tuple[list[Row], int]:
    """Return the live supervised runs of a machine, and the ledger's instant by which to judge them."""
    return tx.all("run_held_by_machine", machine_id=machine_id), tx.now


def is_dead(run: Row, now: int) -> bool:
    """Return whether the watcher of a live run is dead; `now` is the ledger's.

    Another boot alone proves nothing: cloned machines have one machine id. Whoever renews its lease is alive.
    """
    if processes.is_alive(holder_of(run)) is not False:
        return False
    same_boot = str(run["boot_id"]).partition("+")[0] == processes.boot_id().partition("+")[0]
    return same_boot or bool(run["expires_at"] <= now)
