"""What an agent or a person is told when a session begins, to be read: the briefing with a heading for each part."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from harnessos.commands.output import instant
from harnessos.inspector.views import counted, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTH = 10


def text(document: Mapping[str, Any]) -> str:
    """Return a session's beginning as lines. Any: the document of app.sessions.begin."""
    session, told = document["session"], document["briefing"]
    lines = [
        f"{document['issue']['identifier']}: {document['issue']['task']}",
        _part("token", session["token"]),
        _part("lease", f"until {instant(session['expires_at'])}; every call renews it"),
        *([_part("worktree", document["worktree"])] if document["worktree"] else []),
        _part("attempt", told["attempt"]),
    ]
    for part in (_task, _dependencies, _gates, _held, _left, _resume):
        lines += part(told)
    return "\n".join([*lines, *_next(session["token"])])


def _part(name: str, value: object) -> str:
    return f"{name.ljust(_WIDTH)}{value}"


def _task(told: Mapping[str, Any]) -> Iterator[str]:
    if told["description"]:
        yield "task"
        yield from (f"  {line}" for line in str(told["description"]).splitlines())


def _dependencies(told: Mapping[str, Any]) -> Iterator[str]:
    for one in told["dependencies"]:
        commit = f" at {one['commit'][:12]}" if one["commit"] else ""
        summary = f": {one['summary']}" if one["summary"] else ""
        yield _part("builds on", f"{one['identifier']}{commit}, {one['task']}{summary}")


def _gates(told: Mapping[str, Any]) -> Iterator[str]:
    for gate in told["gates"]:
        what = shlex.join(gate["argv"]) if gate.get("argv") else gate.get("shell") or gate.get("path") or ""
        optional = "" if gate.get("required", True) else " (for information)"
        yield _part("gate", f"{gate['name']}, {gate['kind']}{optional}{': ' if what else ''}{what}")


def _held(told: Mapping[str, Any]) -> Iterator[str]:
    for one in told["held"]:
        yield _part("hands off", f"{one['path']}: {one['issue']} works there")


def _left(told: Mapping[str, Any]) -> Iterator[str]:
    left = told["left"]
    shown = [
        f"{span(left[name])} {words}"
        for name, words in (("run_ms", "for this run"), ("issue_ms", "for the issue"))
        if left.get(name) is not None
    ]
    if left.get("attempts") is not None:
        shown.append(counted(left["attempts"], "more attempt"))
    if shown:
        yield _part("left", ", ".join(shown))


def _resume(told: Mapping[str, Any]) -> Iterator[str]:
    """Lay out what earlier attempts left, whatever it holds."""
    if told["resume"]:
        yield "from the last attempt"
        yield from _lines(told["resume"], "  ")


def _lines(value: object, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                if inner:
                    yield f"{indent}{str(name).replace('_', ' ')}"
                    yield from _lines(inner, f"{indent}  ")
            elif inner not in (None, ""):
                yield f"{indent}{str(name).replace('_', ' ')}: {inner}"
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict):
                yield from _lines(inner, indent)
            else:
                yield f"{indent}- {inner}"
    else:
        yield f"{indent}{value}"


def _next(token: str) -> list[str]:
    return [
        "then",
        f"  export HARNESS_SESSION_TOKEN={token}",
        "  harness session checkpoint --title TEXT --summary TEXT --next-step TEXT     after each step",
        "  git commit ...                                                              then, when it is done:",
        "  harness session close --outcome finished",
    ]
