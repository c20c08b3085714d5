"""After the verdict: the run is accepted, sent back for its next turn, or ended as a fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, assert_never

from harnessos import errors, worktrees
from harnessos.kernel import ending, evidence, intents, runs, settling
from harnessos.kernel.ending import PLAIN, Closing
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.verdict import Step, Verdict, after_verdict
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.verification import Judged
    from harnessos.kernel.events import Cause
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction
    from harnessos.worktrees import Repository

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
    closing = closing._replace(
        require_gates=case.rules.require_gates, commit=case.subject, most_backoff_ms=case.place.most_backoff_ms
    )
    match then.step:
        case Step.DONE | Step.BLOCKED:
            return Settled(then.step, _accept(ground, judged, then.step, cause, closing))
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
    end = end._replace(reason=sayable(end.reason))
    issue = ground.store.write(ending.finish, lease, end, cause, closing)
    settling.drain(ground.store, issue["project_id"], cause)
    return issue


def was_rejected(ground: Ground, run: Row) -> bool:
    """Return whether the newest turn of a live run has been sent back already, and the next one has not begun."""
    last = ground.store.read(_newest_evidence, run["id"])
    return bool(
        run["phase"] == "running"
        and run["verdict"] == Verdict.REJECTED.value
        and last is not None
        and last == run["turns"]
    )


def _newest_evidence(tx: Transaction, run_id: str) -> int | None:
    rows = tx.all("evidence_of_run", run=run_id, most=1000)
    return int(rows[-1]["turn"]) if rows else None


def keep_accepted(repo: Repository, issue: Row) -> bool:
    """Have the accepted ref of a done issue name its accepted commit; False when the commit is not here."""
    commit, identifier = issue["accepted_commit"], issue["identifier"]
    before = worktrees.accepted(repo).get(identifier)
    if commit == before:
        return True
    return worktrees.has_commit(repo, commit) and worktrees.accept(repo, identifier, commit, before)


def _accept(ground: Ground, judged: Judged, step: Step, cause: Cause, closing: Closing) -> Row:
    """Move the accepted ref under its named lock, then end the run; a stale winner puts the ref back.

    What waits for a person moves no ref: `approve` does.
    """
    case = judged.case
    if not case.place.is_git or step is Step.BLOCKED:
        issue = ground.store.write(evidence.accept, case.lease, judged.decision, cause, closing)
    else:
        repo, name = case.place.repo, f"accept/{case.issue['id']}"
        now = worktrees.accepted_commit(repo, case.issue["identifier"])
        before = ground.store.write(_begin_accept, case.lease, name, case.subject, now)
        if now != case.subject and not worktrees.accept(repo, case.issue["identifier"], case.subject, now):
            raise errors.GitFailed(f"the accepted ref of {case.issue['identifier']} was moved by someone else")
        try:
            issue = ground.store.write(_end_accept, judged, name, cause, closing)
        except errors.LeaseLost:
            worktrees.retract(repo, case.issue["identifier"], case.subject, before)
            raise
    settling.drain(ground.store, issue["project_id"], cause)
    return issue


def _begin_accept(tx: Transaction, lease: Lease, name: str, commit: str, now: str | None) -> str | None:
    """Write down that the ref is about to move; return where it stood before this run touched it."""
    runs.heartbeat(tx, lease)
    if not tx.run("lock_take", name=name, holder=lease.run_id, now=tx.now, ttl_ms=LOCK_TTL_MS):
        raise errors.Busy(f"another run is moving the accepted ref ({name})")
    begun = [row for row in tx.all("intent_open_of", run=lease.run_id, most=100) if row["kind"] == "accept"]
    same = next((row for row in begun if row["target"] == commit), None)
    if same is not None:
        # A predecessor died with the act half done: the ref may have moved already.
        before: str | None = json.loads(same["detail_json"])["before"]
        return before
    intents.plan(tx, lease, "accept", commit, {"before": now})
    return now


def _end_accept(tx: Transaction, judged: Judged, name: str, cause: Cause, closing: Closing) -> Row:
    lease = judged.case.lease
    for row in tx.all("intent_open_of", run=lease.run_id, most=100):
        if row["kind"] == "accept":
            intents.confirm(tx, lease, row["id"])
    issue = evidence.accept(tx, lease, judged.decision, cause, closing)
    tx.do("lock_free", name=name, holder=lease.run_id)
    return issue
