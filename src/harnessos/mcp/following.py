"""What to do after a call: `next`, as a call that can be sent as it is, with its reason.

The inspector and the errors name commands, as words that a person can type. Here the same words become the call of the
action that fills the same command; what only a person may do keeps its words, and no tool.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.commands import quick, table
from harnessos.mcp.actions import SERVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harnessos.mcp.actions import Action, Tool

_COMMAND = re.compile(r"`(harness [^`]+)`")


class Next(NamedTuple):
    """A call and why. Without a tool it is a person's to do: then `command` is what to ask for."""

    tool: str | None
    action: str | None
    arguments: Mapping[str, Any]  # JSON
    reason: str
    command: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it as it is sent. Any: JSON."""
        shown = {"tool": self.tool, "action": self.action, "arguments": dict(self.arguments), "reason": self.reason}
        return shown if self.command is None else {**shown, "command": self.command}


def call(tool_: str, action_: str, reason_: str, /, **arguments: object) -> Next:
    """Return a call; arguments that are None are left out."""
    return Next(tool_, action_, {name: value for name, value in arguments.items() if value is not None}, reason_)


def look(project: str | None, reason: str = "it says what is worth doing now") -> Next:
    """Return the call that always leads on."""
    return call("harness_inspector", "next_action", reason, project=project)


def of_words(words: Sequence[str], tools: Iterable[Tool], reason: str, *, operator: bool) -> Next:
    """Return the call that does what a command (`harness ...`) does; a person's where no tool may or can."""
    command, rest = table.find(list(words[1:]))
    asked = Next(None, None, {}, reason, shlex.join(words))
    if list(words[1:]) == ["project", "list"]:
        return call("harness_inspector", "get_context", reason)
    if command is None:
        return asked
    args = quick.read(command, rest)
    for tool in tools:
        for action in tool.actions:
            if args is not None and action.command == command.words and not (action.persons and not operator):
                given = _given(action, vars(args))
                if given is not None:
                    return Next(tool.name, action.name, given, reason)
    return asked


def of_hint(hint: str, tools: Iterable[Tool], *, operator: bool, person: bool = False) -> Next | None:
    """Return the call for the first command that a hint names in full; None where it names none, or has a gap in it.

    With `person` it stays a person's to give, gaps and all: an agent was just refused it.
    """
    for found in _COMMAND.finditer(hint):
        try:
            words = shlex.split(found[1])
        except ValueError:
            continue
        if person:
            return Next(None, None, {}, hint, shlex.join(words))
        if not _gaps() & {*words}:
            return of_words(words, tools, hint, operator=operator)
    return None


def completed(then: Next, given: Mapping[str, Any], tools: Iterable[Tool]) -> Next:
    """Return a call with what goes without saying between two of them: session, project and workspace."""
    action = next((a for tool in tools if tool.name == then.tool for a in tool.actions if a.name == then.action), None)
    if action is None:
        return then
    names = {one.name for one in action.fields} - then.arguments.keys()
    said = ("session", "project", "workspace")
    shared: dict[str, Any] = {name: given[name] for name in said if name in given and name in names}
    return then._replace(arguments={**then.arguments, **shared})


@cache
def _gaps() -> frozenset[str]:
    """Return the words that stand for what is to be filled in: KEY, WS, ISSUE, as the table writes them."""
    metavars = (str(one.options.get("metavar", "")) for command in table.everything() for one in command.arguments)
    return frozenset(word for text in metavars for word in re.split(r"[^A-Z]+", text) if word) | {"...", "COMMAND"}


def _given(action: Action, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an action's arguments for the values a command line stood for; None when it cannot say one of them."""
    if any(values.get(name) != value for name, value in action.fixed.items()):
        return None
    given: dict[str, Any] = {}
    for one in action.fields:
        value = values.get(one.dest)
        if value not in (None, [], "", False) and not (one.name == "limit" and value == 50):
            given[one.name] = value
        elif one.required:
            return None
    classes, capabilities = (values.get(name) or [] for name in SERVES)
    if classes or capabilities:
        lists = {"workloadClasses": classes, "capabilities": capabilities}
        given["host_capabilities"] = {name: found for name, found in lists.items() if found}
    return given
