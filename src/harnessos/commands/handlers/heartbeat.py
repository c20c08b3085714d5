"""`harness session heartbeat` and `checkpoint`: called hundreds of times a day, so nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.kernel import runs

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def heartbeat(call: Call) -> None:
    """Renew the lease."""
    run = call.harness.run_of(call.harness.token(call.args.session))
    row = call.harness.write(runs.heartbeat, runs.lease_of(run))
    document = {name: row[name] for name in ("expires_at", "phase", "stop_request", "verdict")}
    asked = f"; asked to stop: {row['stop_request']}" if row["stop_request"] else ""
    call.out.show(document, f"lease renewed for {row['ttl_ms'] // 1000} s, {row['phase']}{asked}")


def checkpoint(call: Call) -> None:
    """Record progress, and renew the lease."""
    from harnessos.model.checkpoint import Progress, body

    args = call.args
    lists = {
        "plan": args.plan,
        "files": args.file,
        "failed": args.failed,
        "commands": args.command,
        "decisions": args.decision,
        "artifacts": args.artifact,
    }
    token = call.harness.token(args.session)
    if args.scorecard:
        from harnessos.app import sessions

        sessions.score(call.harness, token, sessions.cards_in(args.scorecard))
    run = call.harness.run_of(token)
    made = Progress(args.title, args.summary, args.next_step, body(lists))
    row = call.harness.write(runs.checkpoint, runs.lease_of(run), made, runs.cause_of(run, "session.checkpoint"))
    call.out.show(row, f"checkpoint {row['number']} recorded; lease renewed")
