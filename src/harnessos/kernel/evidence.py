"""What the gates said, and what it adds up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.kernel import ending, events, runs
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import CAP_GRACE_MS
from harnessos.model.verdict import Decision, GateResult, Verdict, decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.kernel.ending import Closing
    from harnessos.kernel.events import Cause
    from harnessos.model.gate import Gate
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction


def judge(
    tx: Transaction,
    lease: Lease,
    gates: Sequence[Gate],
    results: Sequence[GateResult],
    protected_changed: Sequence[str],
    subject: str,
    cause: Cause,
) -> Decision:
    """Record a turn's evidence and the verdict it adds up to, under the fence.

    The verdict is computed here, from the gates and their results at this subject, and cannot be passed in. The issue
    does not move yet: `accept`, `reject` or an end as harness_fault follows.
    """
    decision = decide(gates, results, protected_changed=protected_changed, subject=subject)
    run = runs.heartbeat(tx, lease)
    for result in results:
        _record(tx, lease, run["turns"], result)
    tx.do(
        "verdict_insert",
        id=tx.new_id("ver"),
        run=lease.run_id,
        issue=lease.issue_id,
        turn=run["turns"],
        verdict=decision.verdict.value,
        subject=subject,
        reason=decision.reason,
        now=tx.now,
    )
    data = {
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "subject": subject,
        "failing": decision.failing,
    }
    events.note(tx, ("issue", lease.issue_id), "run.judged", cause, data)
    return decision


def _record(tx: Transaction, lease: Lease, turn: int, result: GateResult) -> None:
    tx.do(
        "evidence_insert",
        id=tx.new_id("evd"),
        run=lease.run_id,
        epoch=lease.epoch,
        turn=turn,
        gate=result.gate,
        kind=result.kind.value,
        required=int(result.required),
        passed=None if result.passed is None else int(result.passed),
        exit_code=result.exit_code,
        subject=result.subject,
        tree_state=result.tree_state,
        output_sha256=result.output_sha256,
        duration_ms=int(result.seconds * 1000),
        detail=result.detail,
        excerpt=result.excerpt,
        log=result.log,
        now=tx.now,
    )


def accept(tx: Transaction, lease: Lease, decision: Decision, cause: Cause, closing: Closing) -> Row:
    """End the run with the verdict that `judge` returned, if it is one that ends it (ENDING)."""
    recorded = tx.one("verdict_last", run=lease.run_id, one=1)
    if decision.verdict not in ENDING or recorded is None or recorded["verdict"] != decision.verdict.value:
        raise ValueError(f"the run has no recorded verdict {decision.verdict.value}")
    if closing.commit is not None and closing.commit != recorded["subject"]:
        raise ValueError(f"the verdict is about {recorded['subject']}, not about another commit ({closing.commit})")
    end = Ended(Outcome.SUCCESS, decision.reason, decision.verdict.value)
    return ending.finish(tx, lease, end, cause, closing._replace(commit=recorded["subject"]))


def reject(tx: Transaction, lease: Lease, cause: Cause) -> tuple[int, int]:
    """Send the run back: the same lease and epoch, its next turn. Return rejections so far and turns so far."""
    row = tx.one("run_reject", run=lease.run_id, epoch=lease.epoch, now=tx.now, grace=CAP_GRACE_MS)
    if row is None:
        runs.lost(lease)
    events.note(tx, ("issue", lease.issue_id), "run.rejected", cause, {"rejections": row["rejections"]})
    return row["rejections"], row["turns"]


ENDING = frozenset({Verdict.VERIFIED, Verdict.UNVERIFIED, Verdict.NEEDS_REVIEW})
