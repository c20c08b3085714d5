"""Where a mission's work is done: the ledger and this process, the workspace folder, the mission, and who acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, NamedTuple

from harnessos.kernel import missions
from harnessos.memory import stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import P, Row, T, Transaction


class Site(NamedTuple):
    """See the module. `place` is the workspace, without links."""

    ground: Ground
    place: Path
    mission_id: str
    cause: Cause

    def write(self, command: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a kernel command in a write transaction."""
        return self.ground.store.write(command, *args, **kwargs)

    def read(self, query: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on one snapshot."""
        return self.ground.store.read(query, *args, **kwargs)

    def row(self) -> Row:
        """Return the mission as it stands."""
        return self.read(missions.find, self.mission_id)

    def now(self) -> int:
        """Return the ledger's instant."""
        return self.read(_now)

    def note(self, level: str, step: str, text: str) -> None:
        """Write a line of the harness's own into the workspace's stream (rule 8)."""
        stream.append(self.place, stream.line(self.now(), level, step, text))


def _now(tx: Transaction) -> int:
    return tx.now
