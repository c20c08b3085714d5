"""A command's arguments filled from values, as if they had been typed; and the words that would have done it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harnessos.commands import quick
from harnessos.commands.arguments import EVERYWHERE
from harnessos.mcp.actions import SERVES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.commands.arguments import Command
    from harnessos.mcp.actions import Action

Values = dict[str, Any]  # Any: by argument


def values_of(action: Action, given: Mapping[str, Any]) -> Values:
    """Return the values of a command's arguments, by its own names, for those of an action."""
    values = dict(action.fixed)
    for one in action.fields:
        if one.name in given:
            values[one.dest] = given[one.name]
    serves = given.get("host_capabilities", {})
    names = zip(SERVES, ("workloadClasses", "capabilities"), strict=True)
    return values | {name: serves[key] for name, key in names if key in serves}


def namespace(command: Command, values: Mapping[str, Any]) -> SimpleNamespace:
    """Return what the command's handler reads; what is not given is as if it had not been typed."""
    known = {quick.dest(one): quick.default(one) for one in (*command.arguments, *EVERYWHERE)}
    return SimpleNamespace(**{**known, **{name: value for name, value in values.items() if name in known}})


def typed(command: Command, values: Mapping[str, Any]) -> list[str]:
    """Return the words by which a person gives the command with these values."""
    plain, options = [], []
    for one in command.arguments:
        value = values.get(quick.dest(one))
        if value is None or value is False:
            continue
        if not one.names[0].startswith("-"):
            plain.append(str(value))
        elif value is True:
            options.append(one.names[0])
        else:
            each = value if isinstance(value, list) else [value]
            options += [word for item in each for word in (one.names[0], str(item))]
    return ["harness", *command.words.split(), *plain, *options]
