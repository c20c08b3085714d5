"""Runs and their leases."""

from __future__ import annotations

from typing import NamedTuple

MINUTE = 60_000
HOUR = 60 * MINUTE

WATCHED_TTL_MS = 15 * MINUTE
"""A run that a harness process watches and renews."""
SESSION_TTL_MS = 60 * MINUTE
"""A session nobody watches; every call of it renews."""

CAP_GRACE_MS = 15 * MINUTE
"""How long after its wall-time cap a session can still be closed; no call of it makes its lease last longer."""

PHASES = ("claimed", "running", "verifying", "ended")


class Lease(NamedTuple):
    """The right to one attempt: every write after the claim carries it and changes nothing once the epoch moved."""

    run_id: str
    issue_id: str
    epoch: int


class Actor(NamedTuple):
    """Who acts (`operator`, `agent`, `supervisor`) and a name for people: a user, an agent, a session."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


OPERATOR = Actor("operator", "")
SUPERVISOR = Actor("supervisor", "")
