"""`harness_mission agents`: one action with a verb, over the commands `mission agents VERB`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.commands import table
from harnessos.commands.call import Call
from harnessos.mcp.actions import command_of, fields_of
from harnessos.mcp.asking import Answer
from harnessos.mcp.filling import namespace

if TYPE_CHECKING:
    from harnessos.mcp.actions import Asked

_OWN = ("verb", "workspace", "session")
_NAMES = {"worker": "agent", "agent": "agent"}


def agents(asked: Asked) -> dict[str, Any]:
    """Call the verb's command with what it takes; BadUsage for what it does not take. Any: JSON."""
    verb = asked.given["verb"]
    command = command_of(f"mission agents {verb}")
    if ("worker" in asked.given and verb != "dispatch") or ("agent" in asked.given and verb != "run"):
        raise errors.BadUsage(
            f"agents {verb} takes no worker or agent", hint="`worker` goes with dispatch, `agent` with run"
        )
    missing = [one.name for one in fields_of(f"mission agents {verb}") if one.required and one.name not in asked.given]
    if missing:
        raise errors.BadUsage(
            f"agents {verb} needs {', '.join(missing)}", hint="`harness_inspector capabilities` has its fields"
        )
    values = {_NAMES.get(name, name): value for name, value in asked.given.items() if name != "verb"}
    known = namespace(command, values)
    beyond = [name for name in asked.given if name not in _OWN and _NAMES.get(name, name) not in vars(known)]
    if beyond:
        raise errors.BadUsage(
            f"agents {verb} takes no {', '.join(beyond)}", hint="`harness_inspector capabilities` has its fields"
        )
    out = Answer(asked.hooks)
    code = table.handler(command)(Call(known, asked.harness, out))
    document = out.document
    assert isinstance(document, dict)
    return {**document, "exit_code": code} if code else document
