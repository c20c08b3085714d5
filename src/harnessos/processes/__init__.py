"""The only place that starts, watches and kills processes (P04, I28, I29).

`run` is for commands that end, `spawn` for agents, `kill_run` ends everything a run ever started. Everything is
synchronous: callers bring threads. Linux is complete; macOS has process groups and the marker, without parent-death signal.
"""

from __future__ import annotations

__all__ = [
    "CALL_MARKER",
    "RUN_MARKER",
    "Child",
    "Conversation",
    "EndedBy",
    "Finished",
    "ask_all_to_end",
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
    "user_name",
]

TYPE_CHECKING = False  # `session begin` asks for an identity only, and must not load what starts processes
if TYPE_CHECKING:
    from harnessos.processes.adoption import become_subreaper, is_alone, reap_orphans
    from harnessos.processes.child import Child, spawn
    from harnessos.processes.conversation import Conversation
    from harnessos.processes.environment import CALL_MARKER, RUN_MARKER, built_environment
    from harnessos.processes.identity import (
        boot_id,
        identity_of,
        is_alive,
        machine_id,
        this_process,
        user_name,
    )
    from harnessos.processes.quick import EndedBy, Finished, run
    from harnessos.processes.start import ask_all_to_end
    from harnessos.processes.tree import cpu_seconds, kill_run, marked, marked_runs

_HOMES = {
    "CALL_MARKER": "environment",
    "Child": "child",
    "Conversation": "conversation",
    "EndedBy": "quick",
    "Finished": "quick",
    "RUN_MARKER": "environment",
    "ask_all_to_end": "start",
    "become_subreaper": "adoption",
    "boot_id": "identity",
    "built_environment": "environment",
    "cpu_seconds": "tree",
    "identity_of": "identity",
    "is_alive": "identity",
    "is_alone": "adoption",
    "kill_run": "tree",
    "machine_id": "identity",
    "marked": "tree",
    "marked_runs": "tree",
    "reap_orphans": "adoption",
    "run": "quick",
    "spawn": "child",
    "this_process": "identity",
    "user_name": "identity",
}


def __getattr__(name: str) -> object:
    """Load the part that a name lives in when it is first asked for."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
