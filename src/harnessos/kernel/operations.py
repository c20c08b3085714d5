"""What a person (and within limits an agent) does to an issue from outside: cancel, retry, reopen, edit, approve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.kernel import approvals, attention, dependencies, ending, escalation, events, issues, settling
from harnessos.kernel.approvals import Said
from harnessos.model.checkpoint import body
from harnessos.model.issue import Status, check_move, merge_first
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import Lease
from harnessos.store import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction


def only_operator(cause: Cause, what: str, command: str) -> None:
    """Raise OperatorOnly unless a person (or the supervisor on one's behalf) acts."""
    if cause.actor.kind == "agent":
        raise errors.OperatorOnly(f"only a person may {what}", hint=f"ask for: `{command}`")


def lock_ordinary(tx: Transaction, identifier: str, *, dispatched: bool = False) -> Row:
    """Return an issue, locked. Refused for a mission, which has words of its own, and unless `dispatched` for a task below one."""
    issue = issues.lock_named(tx, identifier)
    if issue["kind"] == "standing" or (issue["kind"] == "dispatched" and not dispatched):
        what = "is a mission" if issue["kind"] == "standing" else "is a task of a mission"
        raise errors.Refused(
            f"{issue['identifier']} {what}; that is not done to it as to an issue",
            hint="`harness mission resume WS`, `reset` and `pause` move a mission, `harness mission show WS` shows it",
        )
    return issue


def cancel(tx: Transaction, identifier: str, reason: str, cause: Cause) -> Row:
    """Cancel an issue that is not over; its live run is stopped and told nothing further counts.

    An agent cancels what it planned itself and nobody works at: a server's clients share a name, not their work.
    """
    issue = issues.lock_named(tx, identifier)
    if cause.actor.kind == "agent" and issue["planned_by"] != str(cause.actor):
        only_operator(cause, "cancel what it did not plan itself", f"harness issue cancel {identifier}")
    tx.do("breaker_close", scope_kind="issue", scope=issue["id"], now=tx.now, by=str(cause.actor))
    run = tx.one("run_live_of", issue=issue["id"])
    if run is not None:
        only_operator(cause, f"cancel {identifier} while a run holds it", f"harness issue cancel {identifier}")
        # The issue is locked, so the run that is live now still holds it: its own lease ends it.
        lease = Lease(run["id"], issue["id"], run["epoch"])
        return ending.finish(tx, lease, Ended(Outcome.CANCELLED, reason), cause)
    check_move(identifier, issue["status"], Status.CANCELLED)
    new = issues.change(tx, issue, "issue.cancelled", cause, {"status": Status.CANCELLED.value}, {"reason": reason})
    attention.moot(tx, issue["id"], cause)
    settling.after_issue(tx, new, cause)
    return new


def retry(tx: Transaction, identifier: str, cause: Cause) -> Row:
    """Give a failed or blocked issue a fresh allowance of attempts, and let a waiting one go at once."""
    only_operator(cause, "retry an issue", f"harness issue retry {identifier}")
    issue = lock_ordinary(tx, identifier, dispatched=True)
    if issue["status"] == Status.READY and issue["not_before"] is not None:
        return issues.change(tx, issue, "issue.retried", cause, {"parked": 0, "not_before": None})
    if issue["status"] == Status.BLOCKED and str(issue["blocked_reason"]).startswith("dependency_failed:"):
        raise errors.IllegalMove(
            f"{identifier} waits for an issue that failed or was cancelled ({issue['blocked_reason']})",
            hint="retry or reopen that one, or take the dependency away: `harness issue edit --drop-dependency`",
        )
    fresh = {
        "status": Status.PENDING.value,
        "forgiven": issue["attempts"],
        "breaks": 0,
        "gate_errors": 0,
        "wall_ms": 0,
        "verdict": None,
        **escalation.again(tx, issue),
    }
    if issue["status"] not in (Status.FAILED, Status.BLOCKED):
        raise errors.IllegalMove(
            f"{identifier} is {issue['status']}; only a failed or blocked issue is retried",
            hint=f"harness why {identifier}",
        )
    tx.do("breaker_close", scope_kind="issue", scope=issue["id"], now=tx.now, by=str(cause.actor))
    attention.moot(tx, issue["id"], cause)
    new = settling.settle_one(tx, issues.change(tx, issue, "issue.retried", cause, fresh), cause)
    settling.after_issue(tx, new, cause)
    return new


def reopen(tx: Transaction, identifier: str, reason: str, cause: Cause) -> Row:
    """Open a done or cancelled issue again; ready dependents wait again, running ones are flagged."""
    only_operator(cause, "reopen an issue", f"harness issue reopen {identifier}")
    issue = lock_ordinary(tx, identifier)
    if issue["status"] not in (Status.DONE, Status.CANCELLED):
        raise errors.IllegalMove(
            f"{identifier} is {issue['status']}; only a done or cancelled issue is reopened",
            hint=f"harness why {identifier}",
        )
    fresh = {
        "status": Status.PENDING.value,
        "forgiven": issue["attempts"],
        "verdict": None,
        "accepted_commit": None,
        "wall_ms": 0,
        **escalation.again(tx, {**issue, "breaches": ""}),
    }
    new = settling.settle_one(tx, issues.change(tx, issue, "issue.reopened", cause, fresh, {"reason": reason}), cause)
    settling.after_issue(tx, new, cause)
    return new


def rollback(tx: Transaction, identifier: str, reason: str, cause: Cause) -> Row:
    """Begin an issue anew: its live run is cancelled, and what was done or given up is open again."""
    only_operator(cause, "roll an issue back", f"harness issue rollback {identifier}")
    issue = lock_ordinary(tx, identifier)
    if issue["status"] not in (Status.DONE, Status.CANCELLED):
        cancel(tx, identifier, reason, cause)
    return reopen(tx, identifier, reason, cause)


def block(tx: Transaction, identifier: str, reason: str, cause: Cause) -> Row:
    """Block an issue that nobody works at, for a reason only a person can lift (`retry` does).

    `operator:<text>` is a person's own; `merge_conflict:<id>` is what the harness found, whoever asked it.
    """
    if reason.startswith("operator:"):
        only_operator(cause, "block an issue", f"harness issue block {identifier}")
    issue = lock_ordinary(tx, identifier)
    if issue["status"] == Status.IN_PROGRESS:
        raise errors.IllegalMove(
            f"{identifier} is held by a run; it can be blocked when that ends", hint=f"harness why {identifier}"
        )
    check_move(identifier, issue["status"], Status.BLOCKED)
    changes = {"status": Status.BLOCKED.value, "blocked_reason": reason}
    new = issues.change(tx, issue, "issue.blocked", cause, changes)
    attention.ask(
        tx,
        issue["project_id"],
        issue["id"],
        kind=reason.partition(":")[0],
        dedup=f"blocked/{issue['id']}/{reason}",
        question=f"{identifier}: {_told(reason)}",
        command=f"harness issue retry {identifier}",
    )
    return new


def _told(reason: str) -> str:
    """Return a reason as a sentence for whoever is woken by it."""
    kind, _, other = reason.partition(":")
    return merge_first(other) if kind == "merge_conflict" else reason


def approve(
    tx: Transaction,
    identifier: str,
    name: str | None,
    state: str,
    note: str,
    cause: Cause,
    who: Mapping[str, Sequence[str]] | None = None,
) -> Row:
    """Decide an approval: of a blocked issue the judged commit, or with `name` one open gate's; else a planned one.

    `state` is approved, rejected or waived. `who` says of each approval gate who may answer it. Accepting a judged
    commit makes the issue done without running anything; Refused while a gate of it waits for somebody else.
    """
    only_operator(cause, "approve", f"harness issue approve {identifier}")
    _known_state(state)
    issue = issues.lock_named(tx, identifier)
    if issue["blocked_reason"] not in ("approval:review", "approval:unverified"):
        return _decide_planned(tx, issue, name, state, note, cause)
    run = tx.one("run_last_of", issue=issue["id"], one=1)
    waiting = [] if run is None else approvals.waiting_gates(tx, issue, run, who)
    if name is not None and name not in waiting:
        return _decide_planned(tx, issue, name, state, note, cause)
    said = Said(state, str(cause.actor), note)
    issue = _answer(tx, issue, run, waiting if name is None else [name], who or {}, said, cause)
    if name is not None and state != "rejected":
        return issue
    return _accept(tx, issue, run, state, note, cause)


def _answer(
    tx: Transaction,
    issue: Row,
    run: Row | None,
    gates: list[str],
    who: Mapping[str, Sequence[str]],
    said: Said,
    cause: Cause,
) -> Row:
    """Write what a person says to open gates about the judged commit; return the issue's row."""
    if run is None or not gates:
        return issue
    still_open = issue["approvals_open"] + approvals.answer(tx, issue, run, gates, who, said)
    if said.state == "rejected":
        return issue  # a "no" is told with the retry that follows, and opens nothing
    data = {"approvals": gates, "state": said.state, "note": said.note, "commit": run["commit_id"]}
    return issues.change(tx, issue, f"approval.{said.state}", cause, {"approvals_open": still_open}, data)


def _decide_planned(tx: Transaction, issue: Row, name: str | None, state: str, note: str, cause: Cause) -> Row:
    identifier = issue["identifier"]
    wanted = [row for row in approvals.planned(tx, issue) if name in (None, row["name"])]
    if not wanted:
        raise errors.UnknownIdentifier(
            f"{identifier} has no approval {name or 'to decide'}", hint=f"harness why {identifier}"
        )
    still_open = issue["approvals_open"] + approvals.decide(tx, wanted, Said(state, str(cause.actor), note))
    data = {"approvals": [row["name"] for row in wanted], "state": state, "note": note}
    changes: dict[str, object] = {"approvals_open": still_open}
    if issue["status"] == Status.READY and still_open:
        changes["status"] = Status.PENDING.value
    new = issues.change(tx, issue, f"approval.{state}", cause, changes, data)
    return settling.settle_one(tx, new, cause)


def approve_milestone(
    tx: Transaction, milestone_id: str, name: str | None, state: str, note: str, cause: Cause
) -> None:
    """Decide an approval that a milestone asks for (all of them without a name); its issues move accordingly."""
    milestone = tx.one("milestone_lock", id=milestone_id)
    if milestone is None:
        raise errors.UnknownIdentifier(f"there is no milestone {milestone_id}", hint="`harness status` lists them")
    key = milestone["key"]
    only_operator(cause, "approve", "harness issue approve ISSUE --milestone")
    _known_state(state)
    wanted = [row for row in tx.all("approval_of_milestone", milestone=milestone_id) if name in (None, row["name"])]
    if not wanted:
        raise errors.UnknownIdentifier(
            f"milestone {key} has no approval {name or 'to decide'}", hint="`harness status`"
        )
    still_open = milestone["approvals_open"] + approvals.decide(tx, wanted, Said(state, str(cause.actor), note))
    settling.release(tx, milestone, milestone["unmet"], still_open)
    data = {"milestone": key, "approvals": [row["name"] for row in wanted], "state": state, "note": note}
    events.note(tx, ("campaign", milestone["campaign_id"]), f"approval.{state}", cause, data)
    settling.step(tx, milestone["project_id"], cause)


def _known_state(state: str) -> None:
    if state not in approvals.DECISIONS:
        raise errors.BadContent(f"an approval cannot be {state!r}, only {', '.join(approvals.DECISIONS)}")


def _accept(tx: Transaction, issue: Row, run: Row | None, state: str, note: str, cause: Cause) -> Row:
    if state == "rejected" or run is None:
        _tell_the_next(tx, issue, run, note, cause)
        return retry(tx, issue["identifier"], cause)
    verdict = "unverified" if issue["blocked_reason"] == "approval:unverified" else "verified"
    changes = {"status": Status.DONE.value, "verdict": verdict, "accepted_commit": run["commit_id"]}
    new = issues.change(tx, issue, "issue.approved", cause, changes, {"note": note, "commit": run["commit_id"]})
    attention.moot(tx, issue["id"], cause)
    settling.after_issue(tx, new, cause)
    return new


def _tell_the_next(tx: Transaction, issue: Row, run: Row | None, note: str, cause: Cause) -> None:
    """Keep why a person rejected the work: as an event, and for the next attempt's resume packet."""
    events.note(tx, ("issue", issue["id"]), "approval.rejected", cause, {"note": note})
    if run is None or not note:
        return
    number = len(tx.all("checkpoint_of_run", run=run["id"], most=10_000)) + 1
    tx.do(
        "checkpoint_insert",
        id=tx.new_id("chk"),
        run=run["id"],
        issue=issue["id"],
        number=number,
        derived=1,
        title="A person rejected this work",
        summary=note,
        next_step=note,
        body_json=body({"failed": [f"rejected in review: {note}"]}),
        now=tx.now,
    )


def edit(tx: Transaction, identifier: str, columns: Mapping[str, Any], definition: str, cause: Cause) -> Row:
    """Change an issue's texts, priority, deadline and the like (`columns` as planned_issues.texts names them).

    An issue that is running keeps the definition it runs under until the run ends; it cannot be edited meanwhile.
    """
    issue = lock_ordinary(tx, identifier)
    if issue["status"] == Status.IN_PROGRESS:
        raise errors.IllegalMove(
            f"{identifier} is held by a run; it can be edited when that ends", hint=f"harness why {identifier}"
        )
    if issue["status"] in (Status.DONE, Status.CANCELLED):
        raise errors.IllegalMove(
            f"{identifier} is {issue['status']}, there is nothing left to change",
            hint=f"`harness issue reopen {identifier}` first",
        )
    fresh = {**issue, **columns}
    kept = ("task", "description", "size", "priority", "lane_id", "deadline_at", "gates_json", "budget_json",
            "labels_json", "files_json", "policy_json", "metadata_json")  # fmt: skip
    tx.do("issue_rewrite", id=issue["id"], **{name: fresh[name] for name in kept})
    changes = {**escalation.again(tx, fresh), "definition": definition}
    return issues.change(tx, fresh, "issue.edited", cause, changes, {"changed": sorted(columns)})


def redepend(tx: Transaction, identifier: str, add: list[str], drop: list[str], cause: Cause) -> Row:
    """Add and drop dependencies by identifier; a cycle is refused and named."""
    issue = lock_ordinary(tx, identifier)
    added = {named.issue(tx, name)["id"]: name for name in add}
    dropped = {named.issue(tx, name)["id"] for name in drop}
    for on, name in added.items():
        if on == issue["id"] or dependencies.reaches(tx, on, issue["id"]):
            raise errors.Refused(f"{identifier} cannot depend on {name}, which already depends on {identifier}")
    new = dependencies.depend(tx, issue, add=set(added), drop=dropped, cause=cause)
    events.note(tx, ("issue", issue["id"]), "issue.redepended", cause, {"added": add, "dropped": drop})
    return new


def request_stop(tx: Transaction, run_id: str, reason: str, cause: Cause) -> bool:
    """Ask a live run to stop; whoever watches it acts at its next look."""
    run = named.run(tx, run_id)
    changed = tx.run("run_stop", run=run_id, reason=reason) == 1
    if changed:
        events.note(tx, ("issue", run["issue_id"]), "run.stop_requested", cause, {"reason": reason})
    return changed
