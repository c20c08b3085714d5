"""What a run may write while it holds its lease. Every function is fenced: once the epoch moved it raises LeaseLost.

A heartbeat is called hundreds of times a day and appends nothing: what appends is imported where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from harnessos import errors
from harnessos.model.run import CAP_GRACE_MS, Actor, Lease

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.model.budget import Spent
    from harnessos.model.checkpoint import Progress
    from harnessos.model.process import Identity
    from harnessos.store.transaction import Row, Transaction


def by_token(tx: Transaction, token_hash: str) -> Row:
    """Return the run a session token stands for; a token this ledger does not know is no session of it."""
    run = tx.one("run_by_token", token_hash=token_hash)
    if run is None:
        raise errors.UnknownIdentifier(
            "this ledger knows no session with that token", hint="`harness where` shows which ledger is used and why"
        )
    return run


def lease_of(run: Row) -> Lease:
    """Return the lease under which a run was claimed."""
    return Lease(run["id"], run["issue_id"], run["epoch"])


def cause_of(run: Row, command: str) -> Cause:
    """Return the cause that a run's own writes carry."""
    from harnessos.kernel.events import Cause

    return Cause(Actor("agent", run["agent"]), command, run["id"], run["epoch"])


def lost(lease: Lease) -> NoReturn:
    """Raise LeaseLost for this lease."""
    raise errors.LeaseLost(
        f"run {lease.run_id} no longer holds its issue (epoch {lease.epoch} is over), nothing was written",
        run=lease.run_id,
        epoch=lease.epoch,
    )


def heartbeat(tx: Transaction, lease: Lease) -> Row:
    """Extend the lease; return expires_at, phase, stop_request and verdict. Writes no event."""
    row = tx.one("run_renew", run=lease.run_id, epoch=lease.epoch, now=tx.now, grace=CAP_GRACE_MS)
    return row if row is not None else lost(lease)


def note_line(tx: Transaction, token_hash: str) -> Row:
    """Extend the lease of a mission's run and count a stream line of its own; return its clocks. LeaseLost when stale."""
    row = tx.one("run_renew_by_token", token_hash=token_hash, now=tx.now, grace=CAP_GRACE_MS)
    if row is None:
        lost(lease_of(by_token(tx, token_hash)))
    tx.do("run_line", run=row["id"])
    return row


def progress(tx: Transaction, lease: Lease, output_bytes: int) -> None:
    """Note that the run got somewhere: the progress clock starts again."""
    if not tx.run("run_progress", run=lease.run_id, epoch=lease.epoch, now=tx.now, output_bytes=output_bytes):
        lost(lease)


def checkpoint(tx: Transaction, lease: Lease, made: Progress, cause: Cause) -> Row:
    """Record progress; return its `number`, and the lease's new `expires_at`."""
    from harnessos.kernel import events

    tail = tx.one("event_tail_issue", id=lease.issue_id)
    row = tx.one("run_checkpoint", run=lease.run_id, epoch=lease.epoch, now=tx.now, grace=CAP_GRACE_MS)
    if row is None or tail is None:
        lost(lease)
    tx.do(
        "checkpoint_insert",
        id=tx.new_id("chk"),
        run=lease.run_id,
        issue=lease.issue_id,
        number=row["checkpoints"],
        derived=int(made.derived),
        title=made.title,
        summary=made.summary,
        next_step=made.next_step,
        body_json=made.body_json,
        now=tx.now,
    )
    head = events.Head(tail["event_seq"], tail["event_head"])
    new = events.append(
        tx,
        ("issue", lease.issue_id),
        head,
        "run.checkpointed",
        cause,
        {"number": row["checkpoints"], "title": made.title},
    )
    tx.do("event_head_issue", id=lease.issue_id, seq=new.seq, head=new.hash, seen=head.seq)
    return {"number": row["checkpoints"], "expires_at": row["expires_at"]}


def settle_worktree(tx: Transaction, lease: Lease, worktree: str, branch: str, base_commit: str) -> None:
    """Record where the run works and from which commit it started."""
    changed = tx.run(
        "run_worktree",
        run=lease.run_id,
        epoch=lease.epoch,
        worktree=worktree,
        branch=branch,
        base_commit=base_commit,
        now=tx.now,
    )
    if not changed:
        lost(lease)


def launch(tx: Transaction, lease: Lease, agent: Identity, cause: Cause) -> int:
    """A turn begins with this process; return the turn's number, from 1."""
    from harnessos.kernel import events

    row = tx.one(
        "run_launch",
        run=lease.run_id,
        epoch=lease.epoch,
        machine_id=agent.machine_id,
        boot_id=agent.boot_id,
        pid=agent.pid,
        pid_started=agent.started,
        now=tx.now,
    )
    if row is None:
        lost(lease)
    events.note(tx, ("issue", lease.issue_id), "run.launched", cause, {"turn": row["turns"], "pid": agent.pid})
    return int(row["turns"])


def ask(tx: Transaction, lease: Lease, request: str, commit_id: str | None, cause: Cause) -> None:
    """The agent of a supervised run asks for its end; the supervisor acts on it after the process has ended."""
    from harnessos.kernel import events

    if not tx.run("run_ask", run=lease.run_id, epoch=lease.epoch, request=request, commit_id=commit_id, now=tx.now):
        lost(lease)
    events.note(tx, ("issue", lease.issue_id), "run.asked", cause, {"request": request, "commit": commit_id})


def start_verifying(
    tx: Transaction,
    lease: Lease,
    commit_id: str | None,
    verifier: str,
    seen: str | None,
    cause: Cause,
    spent: Spent | None = None,
) -> bool:
    """Take the place of the run's one verifier (compare and set on its identity); False when another holds it.

    `spent` is what the turn that led here cost; it counts once.
    """
    from harnessos.kernel import events

    changed = tx.run(
        "run_verify",
        run=lease.run_id,
        epoch=lease.epoch,
        commit_id=commit_id,
        verifier=verifier,
        seen=seen,
        usd=spent.usd if spent else None,
        tokens=spent.tokens if spent else None,
        now=tx.now,
    )
    if not changed:
        heartbeat(tx, lease)
        return False
    events.note(tx, ("issue", lease.issue_id), "run.verifying", cause, {"commit": commit_id})
    return True


def save_artifact(tx: Transaction, /, lease: Lease, cause: Cause, **file: Any) -> str:
    """Record a file the run produced (kind, path, sha256, size); return its id. Any: the schema checks them."""
    from harnessos.kernel import events

    heartbeat(tx, lease)
    artifact = tx.new_id("art")
    tx.do("artifact_insert", id=artifact, run=lease.run_id, issue=lease.issue_id, now=tx.now, **file)
    events.note(tx, ("issue", lease.issue_id), "artifact.saved", cause, file)
    return artifact
