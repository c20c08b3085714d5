"""`harness session`, but for the two calls that agents make all the time: those are in `heartbeat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app import sessions
from harnessos.app.sessions import Wish
from harnessos.commands.output import instant
from harnessos.errors import NothingReady

if TYPE_CHECKING:
    from harnessos.commands.call import Call

_GOOD = ("verified", "unverified", None)
_LINES = 20
"""Lines of a failing gate's output that a person is shown; its log has all of them."""


def begin(call: Call) -> int:
    """Take an issue."""
    return _began(call, sessions.begin(call.harness, _wish(call.args)))


def begin_recovery(call: Call) -> int:
    """Take an issue whose last run was lost."""
    return _began(call, sessions.begin(call.harness, _wish(call.args)._replace(recovery=True)))


def close(call: Call) -> int:
    """End the session; exit 1 when the work was not accepted."""
    done = _close(call)
    call.out.show(done, _sentence(done))
    return 0 if done["verdict"] in _GOOD else 1


def advance(call: Call) -> int:
    """Close, then take the next issue of the same project; after `rejected` the session stays open, and nothing is taken."""
    project = sessions.project_of(call.harness, call.harness.token(call.args.session))
    done = _close(call)
    if done["session_open"]:
        call.out.show({"closed": done, "session": None, "reason": "the session is still open"}, _sentence(done))
        return 0 if done["verdict"] in _GOOD else 1
    if not call.out.json:
        call.out.note(_sentence(done))
    return _began(call, {"closed": done, **sessions.begin(call.harness, _wish(call.args)._replace(project=project))})


def show(call: Call) -> None:
    """Show the session."""
    document = sessions.show(call.harness, call.harness.token(call.args.session), wait=call.args.wait)
    session = document["session"]
    until = f", lease until {instant(session['expires_at'])}" if session["live"] else f", {session['outcome']}"
    told = f", verdict {session['verdict']}" if session["verdict"] else ""
    call.out.show(document, f"{document['issue']['identifier']}: {session['phase']}{until}{told}")


def _close(call: Call) -> dict[str, Any]:
    args = call.args
    token = call.harness.token(args.session)
    sessions.score(call.harness, token, sessions.cards_in(args.scorecard))
    return sessions.close(
        call.harness,
        token,
        args.outcome,
        commit=args.commit,
        reason=args.reason,
        task_fault=args.task_fault,
        cwd=call.harness.settings.cwd,
    )


def _wish(args: Any) -> Wish:
    """Return what the arguments ask for. Any: a namespace."""
    return Wish(
        getattr(args, "project", None),
        getattr(args, "issue", None),
        args.agent,
        args.ttl,
        args.worktree,
        args.host,
        tuple(args.workload_class),
        tuple(args.capability),
    )


def _began(call: Call, document: dict[str, Any]) -> int:
    session = document["session"]
    if session is None:
        call.out.show(document, f"nothing to do: {document['reason']}")
        return NothingReady.exit_code if call.args.fail_if_empty else 0
    if call.out.json:
        call.out.show(document, "")
        return 0
    from harnessos.commands import briefed

    call.out.show(document, briefed.text(document))
    return 0


def _sentence(done: dict[str, Any]) -> str:
    issue = done["issue"]
    verdict = done["verdict"] or ("recorded" if done["session_open"] else "closed")
    why = f": {done['reason']}" if done["reason"] else ""
    further = "; the session is still open" if done["session_open"] else ""
    gates = "".join(f"\n  {one['gate']}: {one['detail']}{_excerpt(one['excerpt'])}" for one in done.get("failed", ()))
    return f"{issue['identifier']} {verdict}, the issue is {issue['status']}{further}{why}{gates}"


def _excerpt(text: str) -> str:
    """Lay out the end of what a gate printed, below its name."""
    return "".join(f"\n    {line}" for line in text.splitlines()[-_LINES:])
