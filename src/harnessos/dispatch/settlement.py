"""After the verdict: the run is accepted, sent back for its next turn, or ended as a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never

from harnessos import errors, worktrees
from harnessos.dispatch.working import repository
from harnessos.kernel import ending, evidence, intents, runs, settling
from harnessos.kernel.ending import PLAIN, Closing
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.verdict import Step, Verdict, after_verdict

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.verification import Judged
    from harnessos.kernel.events import Cause
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

LOCK_TTL_MS = 120_000


class Settled(NamedTuple):
    """What became of a judged run; `issue` is its row, None while the run goes on."""

    step: Step
    issue: Row | None


def settle(ground: Ground, judged: Judged, cause: Cause, closing: Closing) -> Settled:
    """Do what follows from the verdict, under the run's fence."""
    case = judged.case
    then = after_verdict(
        judged.decision.verdict,
        require_gates=case.rules.require_gates,
        on_review="reject" if case.rules.on_review == "reject" else "block",
        rejections=case.run["rejections"],
        max_rejections=case.rules.max_rejections,
    )
    closing = closing._replace(require_gates=case.rules.require_gates, commit=case.subject)
    match then.step:
        case Step.DONE | Step.BLOCKED:
            return Settled(then.step, _accept(ground, judged, cause, closing))
        case Step.NEXT_TURN:
            ground.store.write(evidence.reject, case.lease, cause)
            return Settled(then.step, None)
        case Step.AGENT_FAULT:
            reason = f"rejected {case.run['rejections'] + 1} times: {judged.decision.reason}"
            end = Ended(Outcome.AGENT_FAULT, reason, Verdict.REJECTED.value)
            return Settled(then.step, finish(ground, case.lease, end, cause, closing))
        case Step.HARNESS_FAULT:
            end = Ended(Outcome.HARNESS_FAULT, judged.decision.reason, Verdict.ERROR.value, gate_error=True)
            return Settled(then.step, finish(ground, case.lease, end, cause, closing))
    assert_never(then.step)


def finish(ground: Ground, lease: Lease, end: Ended, cause: Cause, closing: Closing = PLAIN) -> Row:
    """End a run, then go on telling its dependents as far as one call may."""
    issue = ground.store.write(ending.finish, lease, end, cause, closing)
    settling.drain(ground.store, issue["project_id"], cause)
    return issue


def _accept(ground: Ground, judged: Judged, cause: Cause, closing: Closing) -> Row:
    """Move the accepted ref under its named lock, then end the run; a stale winner puts the ref back."""
    case = judged.case
    if case.place.repo is None or judged.decision.verdict is Verdict.NEEDS_REVIEW:
        issue = ground.store.write(evidence.accept, case.lease, judged.decision, cause, closing)
    else:
        repo, name = repository(case.place), f"accept/{case.issue['id']}"
        before = worktrees.accepted(repo).get(case.issue["identifier"])
        ground.store.write(_begin_accept, case.lease, name, case.subject, before)
        if before != case.subject and not worktrees.accept(repo, case.issue["identifier"], case.subject, before):
            raise errors.GitFailed(f"the accepted ref of {case.issue['identifier']} was moved by someone else")
        try:
            issue = ground.store.write(_end_accept, judged, name, cause, closing)
        except errors.LeaseLost:
            worktrees.retract(repo, case.issue["identifier"], case.subject, before)
            raise
    settling.drain(ground.store, issue["project_id"], cause)
    return issue


def _begin_accept(tx: Transaction, lease: Lease, name: str, commit: str, before: str | None) -> None:
    runs.heartbeat(tx, lease)
    if not tx.run("lock_take", name=name, holder=lease.run_id, now=tx.now, ttl_ms=LOCK_TTL_MS):
        raise errors.Busy(f"another run is moving the accepted ref ({name})")
    if not any(row["kind"] == "accept" for row in tx.all("intent_open_of", run=lease.run_id, most=100)):
        intents.plan(tx, lease, "accept", commit, {"before": before})


def _end_accept(tx: Transaction, judged: Judged, name: str, cause: Cause, closing: Closing) -> Row:
    lease = judged.case.lease
    for row in tx.all("intent_open_of", run=lease.run_id, most=100):
        if row["kind"] == "accept":
            intents.confirm(tx, lease, row["id"])
    issue = evidence.accept(tx, lease, judged.decision, cause, closing)
    tx.run("lock_free", name=name, holder=lease.run_id)
    return issue
