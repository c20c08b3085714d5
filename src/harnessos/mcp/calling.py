"""One call from its raw arguments to its answer: found, allowed, checked, done, and told what comes next."""

from __future__ import annotations

import json
import shlex
import sys
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.app.missions.opening import located
from harnessos.commands import table
from harnessos.commands.call import Call
from harnessos.mcp import fitting, following, leading
from harnessos.mcp.actions import Asked, command_of
from harnessos.mcp.asking import Answer, Hooks
from harnessos.mcp.filling import namespace, typed, values_of
from harnessos.mcp.schemas import model
from harnessos.model.words import is_sayable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.mcp.actions import Action, Tool
    from harnessos.mcp.desk import Desk
    from harnessos.mcp.following import Next


class Told(NamedTuple):
    """What a call comes to. Any: a JSON object."""

    document: dict[str, Any]
    failed: bool


def perform(desk: Desk, tool_name: str, raw: object, hooks: Hooks, client: str = "") -> Told:
    """Do one call. Whatever is wrong with it is told in the answer, never raised."""
    asked: Asked | None = None
    try:
        asked = _asked(desk, tool_name, raw, hooks, client)
        return Told(_done(desk, asked), failed=False)
    except errors.HarnessError as problem:
        return Told(_refused(desk, asked, problem), failed=True)
    except Exception:  # noqa: BLE001 # a bug of ours must not end the server for everybody; its trace goes to the log
        traceback.print_exc(file=sys.stderr)
        bug = errors.HarnessError("this is a bug of harness", hint="its trace is in the server's log: report it")
        return Told(_refused(desk, asked, bug), failed=True)


def _asked(desk: Desk, tool_name: str, raw: object, hooks: Hooks, client: str) -> Asked:
    tool = next((one for one in desk.tools if one.name == tool_name), None)
    if tool is None:
        names = ", ".join(one.name for one in desk.tools)
        raise errors.UnknownIdentifier(f"there is no tool {tool_name!r} here", hint=f"one of {names}")
    if not isinstance(raw, dict):
        raise errors.BadUsage("the arguments must be an object", hint='send {"action": ...}')
    name = raw.get("action")
    action = tool.action(name) if isinstance(name, str) else None
    if action is None:
        known = ", ".join(one.name for one in tool.actions)
        raise errors.BadUsage(f"{tool.name} has no action {name!r}", hint=f"one of {known}")
    given = _read(tool, action, {key: value for key, value in raw.items() if key != "action"})
    _allow(desk, tool, action, given)
    harness = desk.harness(tool, action, given, client)
    if "workspace" in given:
        given["workspace"] = located(harness, given["workspace"])
    return Asked(tool, action, given, harness, desk.tools, desk.options, desk.renewing.add, desk.wait_s, hooks, client)


def _read(tool: Tool, action: Action, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that were given, of the right types. BadUsage lists everything that is wrong with them."""
    from pydantic import ValidationError

    try:
        read = model(action).model_validate(raw)
    except ValidationError as problem:
        causes = [_cause(found) for found in problem.errors(include_url=False, include_context=False)]
        raise errors.BadUsage(
            f"{tool.name} {action.name}: {'; '.join(causes[:5])}",
            hint=f"it is called as {action.signature}",
            causes=causes[:100],
        ) from problem
    given = {name: value for name, value in read.model_dump().items() if value is not None}
    unsayable = [name for name, value in given.items() if not _sayable(value)]
    if unsayable:
        raise errors.BadUsage(f"{', '.join(unsayable)}: no text in UTF-8", hint="leave NUL and lone surrogates out")
    return given


def _cause(found: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in found["loc"]) or "arguments"
    words = {"extra_forbidden": "is no field of this action", "missing": "is missing"}
    return f"{where}: {words.get(found['type'], found['msg'])}"


def _sayable(value: object) -> bool:
    if isinstance(value, str):
        return is_sayable(value)
    if isinstance(value, dict):
        return all(_sayable(key) and _sayable(one) for key, one in value.items())
    return all(map(_sayable, value)) if isinstance(value, list) else True


def _allow(desk: Desk, tool: Tool, action: Action, given: Mapping[str, Any]) -> None:
    if action.needs:
        raise errors.Refused(
            f"{tool.name} {action.name} is not available: {action.needs}",
            hint="harness_inspector capabilities lists what is",
            available=False,
        )
    if desk.options.read_only and action.writes:
        raise errors.Refused(
            f"this server only reads, and {tool.name} {action.name} writes",
            hint="a person starts it without --read-only",
        )
    if action.persons and not desk.options.operator and not given.get("dry_run"):
        words = shlex.join(typed(command_of(action.command), values_of(action, given)))
        raise errors.OperatorOnly(f"only a person may {action.purpose}", hint=f"ask for: `{words}`")
    beyond = [name for name in action.operator if name in given]
    if beyond and not desk.options.operator:
        raise errors.OperatorOnly(
            f"only a person may give {', '.join(beyond)} to {action.command or action.name}",
            hint=f"leave it out, or ask for: `harness {action.command} ... --{beyond[0]} ...`",
        )
    if given.get("session") == "-":
        raise errors.BadUsage("`-` is no session here", hint="send the token itself")
    place = given.get("workspace")
    if place is not None and not _absolute(place):
        raise errors.BadUsage(
            f"{place!r} says no place: the server's folder is not yours",
            hint="an absolute path, or the mission's identifier such as MSN-1",
        )


def _absolute(place: str) -> bool:
    return place.startswith(("/", "~")) or (place.upper() == place and place.partition("-")[2].isdigit())


def _done(desk: Desk, asked: Asked) -> dict[str, Any]:
    """Do the call; an answer that would be too long is asked for again in smaller pages, and shortened at last."""
    document = fitting.fitted(asked, lambda limit: _once(asked, limit))
    then = leading.after(asked, document, desk.tools)
    return {**document, "next": then.document()}


def _once(asked: Asked, limit: int | None) -> dict[str, Any]:
    action = asked.action
    if action.run is not None:
        return _object(action.run(asked._replace(page=limit)))
    out = Answer(asked.hooks)
    command = command_of(action.command)
    values = values_of(action, asked.given)
    if limit is not None and "limit" not in asked.given:
        values["limit"] = limit
    code = table.handler(command)(Call(namespace(command, values), asked.harness, out))
    document = _object(out.document)
    if out.notes and not asked.action.own_limit:
        document = {**document, "notes": out.notes}
    return {**document, "exit_code": code} if code else document


def _object(document: object) -> dict[str, Any]:
    plain = json.loads(json.dumps(document, default=str))
    return plain if isinstance(plain, dict) else {"items": plain}


def _refused(desk: Desk, asked: Asked | None, problem: errors.HarnessError) -> dict[str, Any]:
    document = json.loads(json.dumps(problem.as_dict(), default=str))
    person = isinstance(problem, errors.OperatorOnly)
    then: Next | None = following.of_hint(problem.hint, desk.tools, operator=desk.options.operator, person=person)
    if then is None:
        then = leading.after_error(asked, problem)
    elif asked is not None:
        then = following.completed(then, asked.given, desk.tools)
    return {**fitting.shortened(document, fitting.MOST), "next": then.document()}
