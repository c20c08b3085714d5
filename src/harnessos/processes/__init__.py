"""The only place that starts, watches and kills processes (P04, I28, I29).

`run` is for commands that end, `spawn` for agents, `kill_run` ends everything a run ever started. Everything is
synchronous: callers bring threads. Linux is complete; macOS has process groups and the marker, without parent-death signal.
"""

from __future__ import annotations

from harnessos.processes.adoption import become_subreaper, is_alone, reap_orphans
from harnessos.processes.child import Child, spawn
from harnessos.processes.environment import CALL_MARKER, RUN_MARKER, built_environment
from harnessos.processes.identity import Identity, boot_id, identity_of, is_alive, machine_id, this_process
from harnessos.processes.quick import EndedBy, Finished, run
from harnessos.processes.tree import cpu_seconds, kill_run, marked, marked_runs

__all__ = [
    "CALL_MARKER",
    "RUN_MARKER",
    "Child",
    "EndedBy",
    "Finished",
    "Identity",
    "become_subreaper",
    "boot_id",
    "built_environment",
    "cpu_seconds",
    "identity_of",
    "is_alive",
    "is_alone",
    "kill_run",
    "machine_id",
    "marked",
    "marked_runs",
    "reap_orphans",
    "run",
    "spawn",
    "this_process",
]
