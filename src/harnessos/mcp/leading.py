"""Where each action leads: the call to make after it, from what it was asked and what it answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.discovery import find_common_dir
from harnessos.mcp import following
from harnessos.mcp.following import Next, call, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harnessos.mcp.actions import Asked, Tool

Document = dict[str, Any]  # Any: JSON
_OF_SESSIONS = ("harness_session", "harness_artifacts")


def after(asked: Asked, document: Document, tools: Iterable[Tool]) -> Next:
    """Return what to do after a call that went well."""
    return _in_a_worktree(asked, _after(asked, document, tools))


def _after(asked: Asked, document: Document, tools: Iterable[Tool]) -> Next:
    name = asked.action.name
    if (asked.tool.name, name) == ("harness_inspector", "next_action"):
        return _inspected(asked, document, tools)
    if name == "why" and document.get("command") and document["command"][1:3] != ["issue", "reopen"]:
        return following.of_words(
            document["command"], tools, str(document["sentence"]), operator=asked.options.operator
        )
    lead = _LEADS.get((asked.tool.name, name))
    found = lead(asked, document) if lead else None
    if found is not None:
        return found
    if document.get("cursor"):
        return Next(asked.tool.name, name, {**asked.given, "cursor": document["cursor"]}, "the next page")
    return look(asked.given.get("project"))


def _inspected(asked: Asked, document: Document, tools: Iterable[Tool]) -> Next:
    """Return the call that was found to be next; where nothing is planned, how it would be."""
    reason, context = str(document.get("reason", "")), document.get("context") or {}
    idle = document.get("action") == "idle" and not context.get("issue")
    if idle and any(tool.name == "harness_orchestrator" for tool in tools):
        told = f"{reason}; plan_issues writes down what is to be done, and this says how"
        return call("harness_inspector", "capabilities", told, tool="harness_orchestrator", action_name="plan_issues")
    words = (document.get("payload") or {}).get("command", ["harness", "status"])
    return following.of_words(words, tools, reason, operator=asked.options.operator)


def _in_a_worktree(asked: Asked, then: Next) -> Next:
    """Propose a worktree of its own to who begins in a repository: beside others, nothing else is safe."""
    if then.action not in ("begin", "begin_recovery") or "worktree" in then.arguments:
        return then
    try:
        root = asked.harness.place(asked.harness.project(then.arguments.get("project")))
    except errors.HarnessError:
        return then  # whatever is wrong, the call itself will say
    if root is None or find_common_dir(root) is None:
        return then
    return then._replace(arguments={**then.arguments, "worktree": True})


def after_error(asked: Asked | None, problem: errors.HarnessError) -> Next:
    """Return what to do after a call that was refused."""
    project = asked.given.get("project") if asked else None
    if isinstance(problem, errors.BadUsage):
        tool = asked.tool.name if asked else None
        return call("harness_inspector", "capabilities", "it says how each action is called", tool=tool)
    if isinstance(problem, errors.StoreUnavailable):
        return Next(None, None, {}, f"the ledger cannot be used: {problem.message}", "harness where")
    if isinstance(problem, errors.LeaseLost):
        return look(project, "this work is somebody else's now, or over: see what else there is")
    session = asked.given.get("session") if asked and asked.tool.name in _OF_SESSIONS else None
    if session and not isinstance(problem, (errors.UnknownIdentifier, errors.OperatorOnly)):
        return call(
            "harness_session", "heartbeat", "the session is open: mend what was said, then go on", session=session
        )
    if isinstance(problem, errors.TryAgain):
        return look(project, "nothing is wrong with the call; see what can be done meanwhile")
    return look(project)


def _begun(asked: Asked, document: Document) -> Next:
    session = document.get("session")
    if session is None:
        return look(asked.given.get("project"), str(document.get("reason") or "nothing was taken"))
    reason = "do the work; record progress as you go, then close with the outcome"
    return Next("harness_session", "checkpoint", {"session": session["token"]} | _PROGRESS, reason)


_PROGRESS = {"title": "begun", "summary": "read the briefing", "next_step": "do the work"}


def _closed(asked: Asked, document: Document) -> Next:
    session = asked.given.get("session")
    closed: Mapping[str, Any] = document.get("closed") or document
    if closed.get("phase") == "verifying" and closed.get("verdict") is None:
        return call("harness_session", "heartbeat", "the gates still run: it carries the verdict", session=session)
    if closed.get("session_open") and closed.get("verdict") == "rejected":
        return call(
            "harness_session",
            "close",
            "mend what was rejected, commit it, and close again",
            session=session,
            outcome="finished",
        )
    if document.get("session"):
        return _begun(asked, document)
    return look(None, "this issue is closed; see what is next")


def _beating(asked: Asked, document: Document) -> Next:
    session = asked.given.get("session")
    state = document.get("session") if isinstance(document.get("session"), dict) else document
    assert isinstance(state, dict)
    if state.get("phase") == "verifying":
        return call("harness_session", "heartbeat", "the gates still run", session=session)
    if state.get("phase") == "ended" or state.get("live") is False:
        return look(None, "this session is over")
    reason = str(state.get("stop_request") or "go on; close it when the work is committed")
    return call("harness_session", "close", reason, session=session, outcome="finished")


def _checkpointed(asked: Asked, _: Document) -> Next:
    return call(
        "harness_session", "close", "when the work is committed, ask for the verdict",
        session=asked.given.get("session"), outcome="finished",
    )  # fmt: skip


def _planned(asked: Asked, _: Document) -> Next:
    return call("harness_session", "begin", "take the first issue that is ready", project=asked.given.get("project"))


def _booted(asked: Asked, document: Document) -> Next:
    workspace = asked.given.get("workspace")
    code = document.get("exit_code", 0)
    if code == 0 and not asked.given.get("init"):
        return call("harness_mission", "start", "the workspace is ready", workspace=workspace)
    if code in (0, errors.NotReady.exit_code):
        return call("harness_mission", "boot", "fill in what is missing, then look again", workspace=workspace)
    return call("harness_mission", "show", "it may not run now", workspace=workspace)


def _started(asked: Asked, document: Document) -> Next:
    reason = "work at the breakpoint, then say that its step is done"
    workspace = asked.given.get("workspace")
    return call("harness_mission", "done", reason, workspace=workspace, step=document.get("step"))


def _in(action: str, reason: str, **more: str) -> Callable[[Asked, Document], Next]:
    """Return what leads to an action in the same workspace."""
    return lambda asked, _: call("harness_mission", action, reason, workspace=asked.given.get("workspace"), **more)


def _judged(asked: Asked, document: Document) -> Next:
    workspace = asked.given.get("workspace")
    if document.get("verdict") == "passed":
        return call("harness_mission", "boot", "this step is judged as done: see what comes next", workspace=workspace)
    return call("harness_mission", "eval", "mend what failed, then have it judged again", workspace=workspace)


_LEADS: dict[tuple[str, str], Callable[[Asked, Document], Next | None]] = {
    ("harness_session", "begin"): _begun,
    ("harness_session", "begin_recovery"): _begun,
    ("harness_session", "checkpoint"): _checkpointed,
    ("harness_artifacts", "save"): _checkpointed,
    ("harness_session", "heartbeat"): _beating,
    ("harness_session", "show"): _beating,
    ("harness_session", "close"): _closed,
    ("harness_session", "advance"): _closed,
    ("harness_orchestrator", "plan_issues"): _planned,
    ("harness_mission", "new"): _in("show", "see the mission that was made"),
    ("harness_mission", "boot"): _booted,
    ("harness_mission", "start"): _started,
    ("harness_mission", "done"): _in("eval", "the checks decide whether it is"),
    ("harness_mission", "fail"): _in("boot", "see whether it may run again"),
    ("harness_mission", "blocked"): _in("show", "it waits for a person now"),
    ("harness_mission", "stream"): _in("show", "go on with the run"),
    ("harness_mission", "learn"): _in("check", "see that the memory is consistent"),
    ("harness_mission", "eval"): _judged,
    ("harness_mission", "dream"): _in("show", "see what became of the memory"),
}
