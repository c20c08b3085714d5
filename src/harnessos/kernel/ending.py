"""The end of a run: the one place where an issue leaves in_progress, and everything a run held is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.kernel import attention, budgets, issues, runs, settling
from harnessos.model.budget import UNREPORTED, Spent
from harnessos.model.issue import Status, resting
from harnessos.model.outcome import BACKOFF_MOST_MS, COUNTED, PROVIDER_DOWN_MS, Ended, Outcome, Standing, after

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction


class Closing(NamedTuple):
    """What is recorded with a run's end beside its outcome.

    `commit` is the judged commit or manifest; `require_gates` the project's rule; `spent` what the
    runner reported of a turn that was not verified (`runs.start_verifying` counts the others); `provider` the account
    a quota holds; `most_backoff_ms` the longest wait before a retry.
    """

    commit: str | None = None
    require_gates: bool = True
    spent: Spent = UNREPORTED
    provider: str = ""
    salvage_ref: str | None = None
    most_backoff_ms: int = BACKOFF_MOST_MS


PLAIN = Closing()
"""A closing that records nothing beyond the outcome."""


def finish(tx: Transaction, lease: Lease, end: Ended, cause: Cause, closing: Closing = PLAIN) -> Row:
    """End the run and move its issue as model.outcome.after decides; return the issue's row. LeaseLost when stale."""
    issue = issues.lock(tx, lease.issue_id)
    run = tx.one(
        "run_end",
        run=lease.run_id,
        epoch=lease.epoch,
        outcome=end.outcome.value,
        reason=end.reason,
        verdict=end.verdict,
        commit_id=closing.commit,
        usd=closing.spent.usd,
        tokens=closing.spent.tokens,
        salvage_ref=closing.salvage_ref,
        now=tx.now,
    )
    if run is None:
        runs.lost(lease)
    return conclude(tx, issue, run, end, cause, closing)


def conclude(tx: Transaction, issue: Row, run: Row, end: Ended, cause: Cause, closing: Closing = PLAIN) -> Row:
    """Move the issue of a run that was just ended under its fence, and give back what the run held."""
    if run["supervised"]:
        tx.do("slot_free", run=run["id"])
    if issue["files_json"] != "[]":
        # As every claim that looks at files does: else one could park an issue behind this run as it goes.
        tx.one("claim_lock", project=issue["project_id"])
        tx.do("run_files_free", run=run["id"])
        tx.do("issue_unpark", run=run["id"])
    move = _standing if issue["kind"] == "standing" else _task
    new = move(tx, issue, run, end, cause, closing)
    settling.after_issue(tx, new, cause)
    budgets.settle(tx, budgets.scope_of(issue), run)
    return new


def _standing(tx: Transaction, issue: Row, run: Row, end: Ended, cause: Cause, closing: Closing) -> Row:
    from harnessos.kernel import missions

    if end.outcome in (Outcome.PROVIDER_QUOTA, Outcome.PROVIDER_DOWN) and closing.provider:
        _hold_provider(tx, closing.provider, end, end.reset_at or tx.now + PROVIDER_DOWN_MS)
    return missions.concluded(tx, issue, run, end, cause)


def _task(tx: Transaction, issue: Row, run: Row, end: Ended, cause: Cause, closing: Closing) -> Row:
    limits = budgets.limits_of(issue, run["budget_json"])
    wall = issue["wall_ms"] + budgets.wall_used(run)
    standing = Standing(
        issue["attempts"],
        issue["forgiven"],
        issue["breaks"],
        issue["gate_errors"],
        limits.attempts,
        None if limits.issue_wall_ms is None else limits.issue_wall_ms - wall,
        closing.require_gates,
        _rest(tx, issue, end),
        closing.most_backoff_ms,
    )
    then = after(end, standing, tx.now)
    _, reason = issues.rest(tx, issue) if then.status is Status.BLOCKED and not then.blocked_reason else (None, None)
    changes: dict[str, object] = {
        "status": then.status.value,
        "blocked_reason": then.blocked_reason or reason,
        "attempts": then.attempts,
        "breaks": then.breaks,
        "gate_errors": then.gate_errors,
        "not_before": then.not_before,
        "wall_ms": wall,
        "verdict": end.verdict or issue["verdict"],
    }
    if then.status is Status.DONE:
        changes["accepted_commit"] = run["commit_id"]
    data = {"outcome": end.outcome.value, "reason": end.reason, "turns": run["turns"], "commit": run["commit_id"]}
    if end.outcome not in COUNTED:
        data["counted"] = False
    new = issues.change(tx, issue, "run.ended", cause, changes, data)
    if end.outcome in (Outcome.PROVIDER_QUOTA, Outcome.PROVIDER_DOWN) and closing.provider:
        _hold_provider(tx, closing.provider, end, then.not_before)
    attention.moot(tx, issue["id"], cause)
    _ask(tx, new, run, end)
    return new


def _rest(tx: Transaction, issue: Row, end: Ended) -> Status:
    """Return where an issue goes that goes back; only then it is asked. A dispatched task never lies in the queue."""
    if issue["kind"] == "dispatched":
        return Status.PENDING
    return Status.READY if end.outcome is Outcome.SUCCESS else resting(issues.waiting(tx, issue))


def _hold_provider(tx: Transaction, provider: str, end: Ended, until: int | None) -> None:
    reason = f"provider:{provider} {end.outcome.value}"
    tx.do("hold_set", scope_kind="provider", scope=provider, kind="breaker", reason=reason, until=until, now=tx.now)


_QUESTIONS = {
    "approval:review": (
        "review",
        "a protected file changed or an approval is open: look at the commit",
        "issue approve",
    ),
    "approval:unverified": ("review", "no gate is declared: accept the commit as it is", "issue approve"),
    "breaker:issue": ("breaker", "three runs in a row ended in harness faults", "breaker reset"),
    "budget:issue": ("budget", "the issue's own budget is used up", "issue retry"),
    "operator:gate_error": ("gate", "its gates could not run three times in a row", "issue retry"),
}


def _ask(tx: Transaction, issue: Row, run: Row, end: Ended) -> None:
    """Put what now needs a person into the inbox; open the issue's breaker row when it is the breaker."""
    identifier, reason = issue["identifier"], issue["blocked_reason"]
    if issue["status"] == Status.FAILED:
        kind, question, command = "failed", f"failed at attempt {issue['attempts']}: {end.reason}", "issue retry"
    elif issue["status"] == Status.BLOCKED and reason in _QUESTIONS:
        kind, question, command = _QUESTIONS[reason]
    else:
        return
    if reason == "breaker:issue":
        tx.do("breaker_open", scope_kind="issue", scope=issue["id"], reason=end.reason, now=tx.now)
    attention.ask(
        tx,
        issue["project_id"],
        issue["id"],
        kind=kind,
        dedup=f"{kind}/{issue['id']}/{run['id']}",
        question=f"{identifier}: {question}",
        command=f"harness {command} {identifier}",
    )
