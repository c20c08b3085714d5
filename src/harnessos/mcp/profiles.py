"""Workload profiles, and the tools each one is shown: an agent that writes texts needs no worktrees."""

from __future__ import annotations

from harnessos.errors import BadUsage

_ALL = (
    "harness_inspector", "harness_orchestrator", "harness_session", "harness_symphony", "harness_artifacts",
    "harness_admin", "harness_mission",
)  # fmt: skip
_NO_WORKTREES = tuple(name for name in _ALL if name != "harness_symphony")
_WORK_ONLY = tuple(name for name in _NO_WORKTREES if name != "harness_admin")

PROFILES: dict[str, tuple[str, ...]] = {
    "coding": _ALL,
    "assistant": _ALL,
    "ops": _NO_WORKTREES,
    "research": _WORK_ONLY,
    "sales": _WORK_ONLY,
    "support": _WORK_ONLY,
}
DEFAULT = "coding"


def tools_of(profile: str) -> tuple[str, ...]:
    """Return the names of a profile's tools. BadUsage for a profile there is none of."""
    if profile not in PROFILES:
        raise BadUsage(f"there is no profile {profile!r}", hint=f"one of {', '.join(PROFILES)}")
    return PROFILES[profile]
