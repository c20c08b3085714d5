"""How a run ended, and what that means for its issue. One pure function decides it (`after`)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, assert_never

from harnessos.model.issue import Status

SECOND = 1000
BACKOFF_FIRST_MS = 10 * SECOND
BACKOFF_MOST_MS = 300 * SECOND
PROVIDER_DOWN_MS = 600 * SECOND
BREAKER_AFTER = 3
"""Runs in a row that end `harness_fault` or `lost` before the issue's breaker opens."""


class Outcome(StrEnum):
    """The classes of a run's end. Only success, agent_fault and task_fault count as an attempt (P12, P16)."""

    SUCCESS = "success"
    AGENT_FAULT = "agent_fault"
    TASK_FAULT = "task_fault"
    PROVIDER_QUOTA = "provider_quota"
    PROVIDER_DOWN = "provider_down"
    HARNESS_FAULT = "harness_fault"
    CANCELLED = "cancelled"
    LOST = "lost"
    RELEASED = "released"


FINISHED = "finished"
"""What an agent says that asks for its verdict; the end of its run is then the verdict's."""

COUNTED = frozenset({Outcome.SUCCESS, Outcome.AGENT_FAULT, Outcome.TASK_FAULT})


class Ended(NamedTuple):
    """A run's end: its class, a sentence, and what decides beyond it.

    `verdict` with success; `reset_at` with a provider's wall, or before which a released issue is not started again; `final` faults are not tried again;
    `gate_error` marks a harness_fault whose cause is a gate that could not run.
    """

    outcome: Outcome
    reason: str = ""
    verdict: str | None = None
    reset_at: int | None = None
    final: bool = False
    gate_error: bool = False


class Standing(NamedTuple):
    """What an issue has behind it: attempts counted, forgiven by `retry`, breaks and gate errors in a row; its limits."""

    attempts: int
    forgiven: int
    breaks: int
    gate_errors: int
    max_attempts: int | None
    wall_left_ms: int | None
    require_gates: bool
    resting: Status
    most_backoff_ms: int = BACKOFF_MOST_MS


class After(NamedTuple):
    """What becomes of the issue. `status` READY means "where it rests": ready, or pending when it waits again."""

    status: Status
    blocked_reason: str | None
    attempts: int
    breaks: int
    gate_errors: int
    not_before: int | None


def backoff_ms(number: int, most: int = BACKOFF_MOST_MS) -> int:
    """Return the wait before retry `number` (from 1): 10 s doubled each time, at most `most` (SYM-8.4-03)."""
    return int(min(BACKOFF_FIRST_MS * 2 ** min(number - 1, 30), most))


def after(end: Ended, standing: Standing, now: int) -> After:
    """Return where the issue goes once its run has ended."""
    outcome = end.outcome
    attempts = standing.attempts + (outcome in COUNTED)
    breaks = standing.breaks + 1 if outcome in (Outcome.HARNESS_FAULT, Outcome.LOST) else 0
    gate_errors = standing.gate_errors + 1 if end.gate_error else 0

    def to(status: Status, reason: str | None = None, not_before: int | None = None) -> After:
        if status is Status.READY:
            # Whatever the run ended with, an issue whose own wall time is used up is not started again (P16).
            if standing.wall_left_ms is not None and standing.wall_left_ms <= 0:
                return After(Status.BLOCKED, "budget:issue", attempts, breaks, gate_errors, not_before)
            status = standing.resting
        return After(status, reason, attempts, breaks, gate_errors, not_before)

    if outcome is Outcome.SUCCESS:
        return to(*_accepted(end.verdict, require_gates=standing.require_gates))
    if outcome is Outcome.CANCELLED:
        return to(Status.CANCELLED)
    if outcome is Outcome.RELEASED:
        return to(Status.READY, not_before=end.reset_at)
    if outcome in (Outcome.AGENT_FAULT, Outcome.TASK_FAULT):
        faults = attempts - standing.forgiven
        if end.final or (standing.max_attempts is not None and faults >= standing.max_attempts):
            return to(Status.FAILED)
        return to(Status.READY, not_before=now + backoff_ms(faults, standing.most_backoff_ms))
    if outcome in (Outcome.PROVIDER_QUOTA, Outcome.PROVIDER_DOWN):
        return to(Status.READY, not_before=end.reset_at or now + PROVIDER_DOWN_MS)
    if outcome in (Outcome.HARNESS_FAULT, Outcome.LOST):
        if gate_errors >= BREAKER_AFTER:
            return to(Status.BLOCKED, "operator:gate_error")
        if breaks >= BREAKER_AFTER:
            return to(Status.BLOCKED, "breaker:issue")
        wait = backoff_ms(breaks, standing.most_backoff_ms) if outcome is Outcome.HARNESS_FAULT else 0
        return to(Status.READY, not_before=now + wait if wait else None)
    assert_never(outcome)


def _accepted(verdict: str | None, *, require_gates: bool) -> tuple[Status, str | None]:
    if verdict == "verified" or (verdict == "unverified" and not require_gates):
        return Status.DONE, None
    if verdict == "unverified":
        return Status.BLOCKED, "approval:unverified"
    if verdict == "needs_review":
        return Status.BLOCKED, "approval:review"
    raise ValueError(f"a run does not end in success with the verdict {verdict}")
