"""What views cannot see in rows: which live runs here have lost their supervisor, and whether a project has a runner."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harnessos.model.process import Identity

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.store.transaction import Row, Transaction

_RUNNER = re.compile(r"""(?:^|[\s{,])["']?runner["']?\s*:""")
_LONGEST = 1 << 16


def dead(harness: Harness) -> frozenset[str]:
    """Return the live supervised runs of this machine whose supervisor is known to be dead."""
    held, now = harness.read(_held, harness.machine())
    return frozenset(run["id"] for run in held if _is_dead(run, now))


def _held(tx: Transaction, machine_id: str) -> tuple[list[Row], int]:
    return tx.all("run_held_by_machine", machine_id=machine_id), tx.now


def _is_dead(run: Row, now: int) -> bool:
    """Judge as `up` does before it takes a run over: another boot alone proves nothing while the lease is renewed."""
    from harnessos.processes.identity import boot_id, is_alive

    if is_alive(Identity(run["machine_id"], run["boot_id"], run["pid"], run["pid_started"])) is not False:
        return False
    same_boot = str(run["boot_id"]).partition("+")[0] == boot_id().partition("+")[0]
    return same_boot or bool(run["expires_at"] <= now)


def has_runner(harness: Harness, project: Row) -> bool:
    """Return whether the project's WORKFLOW.md here names a runner, by a glance: loading it costs more than `next` may.

    Only what is proposed depends on it; `up` itself loads the file and says what is wrong with it.
    """
    root = harness.place(project)
    if root is None:
        return False
    try:
        with (root / "WORKFLOW.md").open("rb") as stream:
            text = stream.read(_LONGEST).decode("utf-8", "replace")
    except OSError:
        return False
    front = text.split("\n---", 1)[0] if text.startswith("---") else ""
    return any(_RUNNER.search(line.partition("#")[0]) for line in front.splitlines())
