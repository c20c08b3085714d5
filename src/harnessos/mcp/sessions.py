"""Sessions over MCP: begun in the client's name, kept alive while it is connected, and closed without outwaiting a host."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.app import sessions
from harnessos.app.sessions import Wish
from harnessos.commands import table
from harnessos.commands.call import Call
from harnessos.discovery import find_common_dir
from harnessos.mcp.actions import command_of
from harnessos.mcp.asking import Answer
from harnessos.mcp.filling import namespace, values_of
from harnessos.model.outcome import Outcome
from harnessos.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.mcp.actions import Asked
    from harnessos.store.transaction import Row

Document = dict[str, Any]  # Any: JSON
_LOOK_S = 0.1


def begin(asked: Asked) -> Document:
    """Take an issue; its lease is renewed from here on."""
    wish = _wish(asked)._replace(recovery=asked.action.name == "begin_recovery")
    return _kept(asked, sessions.begin(asked.harness, wish))


def _kept(asked: Asked, document: Document) -> Document:
    session = document["session"]
    if session is None:
        return document
    if asked.hooks.gone.is_set():
        # The call was cancelled while it waited: nobody will ever hear of this token.
        sessions.close(
            asked.harness, session["token"], "released", commit=None, reason="the call was cancelled", task_fault=False,
            cwd=None,
        )  # fmt: skip
        return {"session": None, "reason": "the call was cancelled, and what it took was given back"}
    asked.renew(session["token"])
    # The briefing has the description; twice in one answer it would be cut in both.
    issue = {name: value for name, value in document["issue"].items() if name != "description"}
    return {**document, "issue": issue}


def _wish(asked: Asked) -> Wish:
    given = asked.given
    serves = given.get("host_capabilities", {})
    return Wish(
        given.get("project"),
        given.get("issue"),
        given.get("agent") or asked.client or None,
        given.get("ttl_seconds"),
        bool(given.get("worktree")),
        asked.client,
        tuple(serves.get("workloadClasses", ())),
        tuple(serves.get("capabilities", ())),
    )


def checkpoint(asked: Asked) -> Document:
    """Record progress, and the scorecards that come with it."""
    token = asked.harness.token(asked.given.get("session"))
    cards = sessions.score(asked.harness, token, asked.given.get("scorecards", []))
    document = _typed(asked)
    return {**document, "scorecards": cards} if cards else document


def heartbeat(asked: Asked) -> Document:
    """Renew the lease; where the gates run and whoever ran them is dead, they are run again from here.

    Of a session that is over by its verdict this is told, and is no lost lease.
    """
    token = asked.harness.token(asked.given.get("session"))
    run = asked.harness.run_of(token)
    if run["live"] and run["phase"] == "verifying":
        show(asked)
        run = asked.harness.run_of(token)
    if run["live"] or run["verdict"] is None or run["outcome"] == Outcome.LOST:
        return _with_failing(asked, run, _typed(asked))
    over = {name: run[name] for name in ("expires_at", "phase", "stop_request", "verdict", "outcome", "reason")}
    return _with_failing(asked, run, over)


def _with_failing(asked: Asked, run: Row, document: Document) -> Document:
    """Say why work was sent back, to who asks after its verdict."""
    if run["verdict"] != Verdict.REJECTED.value or run["phase"] == "verifying":
        return document
    return {**document, "rejections": run["rejections"], "failed": sessions.failing(asked.harness, run)}


def show(asked: Asked) -> Document:
    """Show the session; a dead verifier is replaced, for as long as a host waits and beyond."""
    token = asked.harness.token(asked.given.get("session"))

    def work() -> Document:
        return sessions.show(asked.harness, token, wait=False)

    return _within(asked, work) or _still_verifying(asked, token)


def _typed(asked: Asked) -> Document:
    """Return what the action's command answers."""
    out = Answer(asked.hooks)
    command = command_of(asked.action.command)
    table.handler(command)(Call(namespace(command, values_of(asked.action, asked.given)), asked.harness, out))
    assert isinstance(out.document, dict)
    return out.document


def close(asked: Asked) -> Document:
    """End the session. A verdict that takes longer than a host waits is carried by the heartbeats after it."""
    token = asked.harness.token(asked.given.get("session"))
    outcome = asked.given["outcome"]
    _require_checkout(asked)
    sessions.score(asked.harness, token, asked.given.get("scorecards", []))

    def work() -> Document:
        return sessions.close(
            asked.harness,
            token,
            outcome,
            commit=asked.given.get("commit"),
            reason=asked.given.get("reason", ""),
            task_fault=bool(asked.given.get("task_fault")),
            cwd=asked.harness.settings.cwd if "checkout" in asked.given else None,
        )

    if outcome != "finished":
        return work()
    return _within(asked, work) or _still_verifying(asked, token)


def _require_checkout(asked: Asked) -> None:
    """Refuse a checkout that is none: the project's own place would be judged in its stead."""
    named = asked.given.get("checkout")
    if named is not None and find_common_dir(asked.harness.settings.cwd) is None:
        raise errors.BadUsage(
            f"{named} lies in no git checkout", hint="leave it out where the harness made the worktree"
        )


def advance(asked: Asked) -> Document:
    """Close, then take the next issue of the same project; a session that stays open takes nothing."""
    token = asked.harness.token(asked.given.get("session"))
    project = sessions.project_of(asked.harness, token)
    closed = close(asked)
    if closed["session_open"]:
        return {"closed": closed, "session": None, "reason": "the session is still open"}
    begun = sessions.begin(asked.harness, _wish(asked)._replace(project=project, issue=None))
    return {"closed": closed, **_kept(asked, begun)}


def _still_verifying(asked: Asked, token: str) -> Document:
    """Say that the gates go on, from the row alone: whoever would look closer might have to run them."""
    run = asked.harness.run_of(token)
    over = run["phase"] == "ended"
    return {
        "verdict": run["verdict"] if over else None,
        "phase": run["phase"] if over else "verifying",
        "reason": "the gates take longer than a host waits; they go on",
        "commit": run["commit_id"],
        "run_id": run["id"],
        "session_open": bool(run["live"]),
    }


def _within(asked: Asked, work: Callable[[], Document]) -> Document | None:
    """Return what the work comes to within the time a host waits; it goes on beyond it, and beyond a client that left."""
    ended = threading.Event()
    found: list[Document] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as problem:  # noqa: BLE001 # it is raised where somebody waits for it
            failed.append(problem)
        ended.set()

    threading.Thread(target=run, name="harness-verify", daemon=True).start()
    left = asked.wait_s
    while left > 0 and not ended.wait(_LOOK_S) and not asked.hooks.gone.is_set():
        left -= _LOOK_S
    if failed:
        raise failed[0]
    return found[0] if found else None
