"""The reference page of the tools, generated from them: `python -m harnessos.mcp.reference > docs/mcp-tools.md`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from harnessos.mcp import schemas
from harnessos.mcp.profiles import PROFILES
from harnessos.mcp.tools import TOOLS

if TYPE_CHECKING:
    from harnessos.mcp.actions import Action, Tool

_HEAD = """# The MCP tools

This page is generated from the tools (`python -m harnessos.mcp.reference > docs/mcp-tools.md`).

`harness mcp` serves them; [how to connect an agent](how-to/connect-an-agent.md) says how. A call is a tool with
`{"action": ..., ...}`. Every answer is one JSON object that ends with `next`: `{"tool", "action", "arguments", "reason"}`,
the call to make after it. Where `tool` is `null` it is a person's to do, and `command` says what to type. A refused call is
a tool error with `code`, `message`, `hint` and `next`; the codes are those of [the command line](cli-reference.md).

An ordinary answer has at most 2 kB: lists come in pages with a `cursor`, and what was cut says `shortened`. A call that
gives `limit` gets what it asks for. Instants, the names ending in `_at`, are milliseconds since the epoch (UTC).

*Person* marks what an agent is refused with `operator_only` unless the server runs with `--operator`; fields in the column
*operator* likewise. `session` is left out where HARNESS_SESSION_TOKEN names one.
"""


def page() -> str:
    """Return the page."""
    rows = [f"| {name} | {', '.join(f'`{tool}`' for tool in tools)} |" for name, tools in PROFILES.items()]
    profiles = "\n".join(
        ["## Profiles", "", "`harness mcp --profile NAME` shows:", "", "| profile | tools |", "|---|---|", *rows, ""]
    )
    return "\n".join([_HEAD, *(_of_tool(tool) for tool in TOOLS), profiles])


def _of_tool(tool: Tool) -> str:
    return "\n".join([f"## {tool.name}", "", tool.about, "", *(_of_action(action) for action in tool.actions)])


def _of_action(action: Action) -> str:
    about = action.purpose[0].upper() + action.purpose[1:] + "."
    lines = [f"### {action.name}", ""]
    if action.needs:
        return "\n".join([*lines, f"Not available: {action.needs}.", ""])
    lines += [about + (" *Person.*" if action.persons else "") + ("" if action.writes else " Writes nothing."), ""]
    fields = [_row(name, part, action) for name, part in schemas.precise(action)["properties"].items()]
    if fields:
        lines += ["| field | type | |", "|---|---|---|", *fields, ""]
    example = json.dumps({"action": action.name, **action.example}, ensure_ascii=False)
    return "\n".join([*lines, "```json", example, "```", ""])


def _row(name: str, part: dict[str, Any], action: Action) -> str:  # Any: a JSON Schema
    required = any(field.name == name and field.required for field in action.fields)
    notes = [
        part["description"],
        *(["required"] if required else []),
        *(["*operator*"] if name in action.operator else []),
    ]
    kinds = " ".join(f"`{word}`" for word in part.get("enum", ())) or str(part.get("type", "object"))
    return f"| `{name}` | {kinds} | {'; '.join(notes).replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    sys.stdout.write(page())
