"""What everything that acts on the ledger and the machine together stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.kernel.events import Cause
from harnessos.model.process import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harnessos.model.run import Actor
    from harnessos.ports import Clock, Ids
    from harnessos.store.transaction import Store


class Ground(NamedTuple):
    """The ledger, the ports, this process, and who acts. `home` is the folder HARNESS_HOME names."""

    store: Store
    clock: Clock
    ids: Ids
    home: Path
    process: Identity
    actor: Actor
    environ: Mapping[str, str]

    @property
    def unwatched(self) -> Identity:
        """The holder of a session that no process watches: the machine, and no pid."""
        return Identity(self.process.machine_id, self.process.boot_id, 0, 0)

    def cause(self, command: str) -> Cause:
        """Return the cause of what this actor does by that command."""
        return Cause(self.actor, command)

    def run_folder(self, run_id: str) -> Path:
        """Return where a run's prompts, logs, evidence and manifest lie; they outlive its worktree."""
        return self.home / "runs" / run_id
