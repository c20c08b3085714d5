"""Schemas: the small flat one that hosts are shown for a whole tool, and the precise one of one action, on request.

Portable: no `$ref`, no `oneOf`, no union at the top (P10). The published one only names fields and their types; the
action's own model decides.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from harnessos.mcp.actions import Action, Tool

_SHOWN = ("type", "enum")


def description(tool: Tool) -> str:
    """Return what a host shows of a tool: what it is about, and each action with its fields in a line."""
    return "\n".join([tool.about, *(action.signature for action in tool.actions)])


def published(tool: Tool) -> dict[str, Any]:
    """Return the input schema of a tool. Any: a JSON Schema."""
    properties: dict[str, Any] = {"action": {"type": "string", "enum": [action.name for action in tool.actions]}}
    for action in tool.actions:
        for name, schema in precise(action)["properties"].items():
            shown = {key: schema[key] for key in _SHOWN if key in schema}
            known = properties.setdefault(name, shown)
            assert known.get("type") == shown.get("type"), f"{tool.name} has two types of {name}"
            if known != shown:  # two actions name different words: any of them may be sent
                properties[name] = {"type": known["type"]}
    return {"type": "object", "properties": properties, "required": ["action"], "additionalProperties": False}


def precise(action: Action) -> dict[str, Any]:
    """Return the schema of an action's fields, with every word about them. Any: a JSON Schema."""
    schema = model(action).model_json_schema()
    flat: dict[str, Any] = _inlined(schema, schema.get("$defs", {}))
    flat.pop("title", None)
    return flat


@cache
def model(action: Action) -> type[BaseModel]:
    """Return the model that an action's arguments are read with: strict, and nothing beside its fields."""
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {}
    for field in action.fields:
        # None means not given, and is told apart from it nowhere: hosts send both.
        kind = field.kind if field.required else field.kind | None
        fields[field.name] = (
            kind,
            Field(description=field.help) if field.required else Field(None, description=field.help),
        )
    return create_model(action.name, __config__=ConfigDict(extra="forbid", strict=True), **fields)


def _inlined(part: Any, known: dict[str, Any]) -> Any:
    """Return a schema without references, and with `T or null` as T: a host that sends null means nothing."""
    if isinstance(part, list):
        return [_inlined(item, known) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(
            {**known[part["$ref"].rpartition("/")[2]], **{k: v for k, v in part.items() if k != "$ref"}}, known
        )
    kinds = [kind for kind in part.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        rest = {key: value for key, value in part.items() if key not in ("anyOf", "default")}
        return _inlined({**kinds[0], **rest}, known)
    return {
        key: _inlined(value, known)
        for key, value in part.items()
        if key != "$defs" and not (key == "title" and isinstance(value, str))
    }


def size(tools: list[dict[str, Any]]) -> int:
    """Return the bytes that a list of tools has on the wire. Any: as hosts get them."""
    return len(json.dumps(tools, ensure_ascii=False, separators=(",", ":")).encode())
