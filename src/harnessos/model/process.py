"""Who a process is, for all time and on every machine."""

from __future__ import annotations

from typing import NamedTuple


class Identity(NamedTuple):
    """One process: its machine, the machine's boot, the number and when that number started.

    `started` counts clock ticks since boot (Linux) or milliseconds since the epoch (macOS). The process that answers
    for a run is recorded so; pid 0 is nobody's, for a session that no process watches.
    """

    machine_id: str
    boot_id: str
    pid: int
    started: int
