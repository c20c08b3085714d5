"""What a child finds in its environment: built, never inherited (supervisor.md, Runners)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_MARKER = "HARNESS_RUN_ID"
"""Every process of a run carries it, so that the run's tree is found after setsid, double fork and a restart."""

CALL_MARKER = "HARNESS_CALL_ID"
"""Every process of one `run()` carries it: ending a gate must not end the agent whose run id it shares."""

_PASSED = frozenset({"PATH", "HOME", "USER", "SHELL", "LANG", "TERM", "TMPDIR"})


def built_environment(base: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """Return PATH HOME USER SHELL LANG LC_* TERM TMPDIR of `base`, then all of `extra`; no secret slips through."""
    kept = {name: value for name, value in base.items() if name in _PASSED or name.startswith("LC_")}
    return {**kept, **extra}
