"""The verdict: what the results of the gates say about one commit, and what follows from it (ledger.md, P05)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple, assert_never

from harnessos.model.gate import GateKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harnessos.model.gate import Gate

VALID_TREES = frozenset({"clean", "ignored_files_present"})


class Verdict(Enum):
    """The harness's judgement of a piece of work at one subject."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    REJECTED = "rejected"
    NEEDS_REVIEW = "needs_review"
    ERROR = "error"


class GateResult(NamedTuple):
    """What one gate found at one subject.

    `passed` None: it could not run, or (`open_approval`) waits for a person. `subject` is a commit, or the manifest
    hash of a plain folder; `tree_state` is one of VALID_TREES, or says why this result cannot stand for the subject.
    `excerpt` is the telling end of the output, at most 4,000 characters without control bytes.
    """

    gate: str
    kind: GateKind
    required: bool
    passed: bool | None
    subject: str
    open_approval: bool = False
    exit_code: int | None = None
    output_sha256: str = ""
    seconds: float = 0.0
    detail: str = ""
    excerpt: str = ""
    log: str = ""
    tree_state: str = "clean"


class Decision(NamedTuple):
    """A verdict, one sentence why, and the names of what stands in the way (gates, or protected files)."""

    verdict: Verdict
    reason: str
    failing: tuple[str, ...] = ()


class _Standing(Enum):
    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"
    BROKEN = "broken"


def decide(
    gates: Iterable[Gate], results: Iterable[GateResult], *, protected_changed: Sequence[str], subject: str
) -> Decision:
    """Judge one subject. Optional gates inform only; a result for another subject or an unclean tree is void.

    First hit wins: error (a required gate could not run, or has no valid result), rejected (one failed),
    needs_review (a protected file changed, or an approval is open), unverified (none required, or scorecards only),
    verified.
    """
    required = [gate for gate in gates if gate.required]
    results = tuple(results)
    judged = [(gate.name, *_standing(gate, results, subject)) for gate in required]
    broken = [(name, why) for name, state, why in judged if state is _Standing.BROKEN]
    if broken:
        return Decision(Verdict.ERROR, _sentence("could not run", broken), _names(broken))
    failed = [(name, why) for name, state, why in judged if state is _Standing.FAILED]
    if failed:
        return Decision(Verdict.REJECTED, _sentence("failed", failed), _names(failed))
    if protected_changed:
        files = tuple(sorted(protected_changed))
        return Decision(Verdict.NEEDS_REVIEW, f"the run changed what judges it: {_listed(files)}", files)
    waiting = [(name, why) for name, state, why in judged if state is _Standing.OPEN]
    if waiting:
        return Decision(Verdict.NEEDS_REVIEW, _sentence("waits for a person", waiting), _names(waiting))
    if not required:
        return Decision(Verdict.UNVERIFIED, "no gate is required, so nothing was proved")
    if all(gate.kind is GateKind.SCORECARD for gate in required):
        return Decision(Verdict.UNVERIFIED, "a scorecard alone proves nothing: its marks are the agent's own")
    return Decision(Verdict.VERIFIED, f"{_gates(len(required))} passed at {subject[:12]}")


def _standing(gate: Gate, results: Sequence[GateResult], subject: str) -> tuple[_Standing, str]:
    own = [result for result in results if result.gate == gate.name]
    valid = [result for result in own if result.subject == subject and result.kind is gate.kind]
    if not valid:
        void = "its result is for another commit" if own else "it has no result"
        return _Standing.BROKEN, void
    unclean = next((result for result in valid if result.tree_state not in VALID_TREES), None)
    if unclean is not None:
        return _Standing.BROKEN, f"its tree was not clean: {unclean.tree_state}"
    # Two valid results of one gate: the worse one counts, so that nothing is proved by asking twice.
    if any(result.passed is None and not result.open_approval for result in valid):
        return _Standing.BROKEN, next(result.detail for result in valid if result.passed is None)
    if any(result.passed is False for result in valid):
        return _Standing.FAILED, next(result.detail for result in valid if result.passed is False)
    if any(result.open_approval for result in valid):
        return _Standing.OPEN, next(result.detail for result in valid if result.open_approval)
    return _Standing.PASSED, ""


def _names(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(name for name, _ in found)


def _sentence(what: str, found: Sequence[tuple[str, str]]) -> str:
    name, why = found[0]
    more = f" (and {_listed(_names(found[1:]))})" if len(found) > 1 else ""
    return f"gate {name} {what}{': ' + why if why else ''}{more}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _gates(count: int) -> str:
    return "1 required gate" if count == 1 else f"all {count} required gates"


class Step(Enum):
    """What happens to the run after its verdict."""

    DONE = "done"
    BLOCKED = "blocked"
    NEXT_TURN = "next_turn"
    AGENT_FAULT = "agent_fault"
    HARNESS_FAULT = "harness_fault"


class Next(NamedTuple):
    """A step; `blocked_reason` is set for BLOCKED only."""

    step: Step
    blocked_reason: str = ""


def after_verdict(
    verdict: Verdict,
    *,
    require_gates: bool,
    on_review: Literal["block", "reject"],
    rejections: int,
    max_rejections: int,
) -> Next:
    """Say what follows. `rejections` counts the ones before this verdict in the same run.

    The first `max_rejections` rejections are sent back as the next turn, one more is the agent's fault.
    """
    match verdict:
        case Verdict.VERIFIED:
            return Next(Step.DONE)
        case Verdict.UNVERIFIED:
            return Next(Step.BLOCKED, "approval:unverified") if require_gates else Next(Step.DONE)
        case Verdict.ERROR:
            return Next(Step.HARNESS_FAULT)
        case Verdict.NEEDS_REVIEW if on_review != "reject":
            return Next(Step.BLOCKED, "approval:review")
        case Verdict.REJECTED | Verdict.NEEDS_REVIEW:
            return Next(Step.NEXT_TURN if rejections < max_rejections else Step.AGENT_FAULT)
    assert_never(verdict)
