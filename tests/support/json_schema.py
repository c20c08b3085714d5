"""A small judge of JSON Schema 2020-12 for tests: the keywords our published schemas use; any other is a KeyError."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any  # schemas are plain JSON

_TYPES: dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_SILENT = {"$schema", "$defs", "title", "description", "default", "format"}


def conforms(value: object, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> bool:
    """Whether `value` is valid under `schema`."""
    root = schema if root is None else root
    return all(_holds(key, rule, value, schema, root) for key, rule in schema.items() if key not in _SILENT)


def _holds(key: str, rule: Any, value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    if key in _LOGIC:
        return _LOGIC[key](value, rule, root)
    if key in _OBJECTS:
        return not isinstance(value, dict) or _OBJECTS[key](value, rule, schema, root)
    kind, check = _PLAIN[key]
    return not isinstance(value, kind) or isinstance(value, bool) or check(value, rule)


def _others(value: dict[str, Any], schema: Mapping[str, Any]) -> list[Any]:
    patterns = schema.get("patternProperties", {})
    return [
        item
        for name, item in value.items()
        if name not in schema.get("properties", {}) and not any(re.search(pattern, name) for pattern in patterns)
    ]


_LOGIC: dict[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "$ref": lambda value, rule, root: conforms(value, root["$defs"][rule.removeprefix("#/$defs/")], root),
    "type": lambda value, rule, _: _TYPES[rule](value),
    "const": lambda value, rule, _: bool(value == rule) and type(value) is type(rule),
    "enum": lambda value, rule, _: value in rule,
    "anyOf": lambda value, rule, root: any(conforms(value, part, root) for part in rule),
    "oneOf": lambda value, rule, root: sum(conforms(value, part, root) for part in rule) == 1,
    "items": lambda value, rule, root: not isinstance(value, list) or all(conforms(x, rule, root) for x in value),
}
_OBJECTS: dict[str, Callable[[dict[str, Any], Any, Mapping[str, Any], Mapping[str, Any]], bool]] = {
    "required": lambda value, rule, _, __: all(name in value for name in rule),
    "minProperties": lambda value, rule, _, __: len(value) >= rule,
    "propertyNames": lambda value, rule, _, root: all(conforms(name, rule, root) for name in value),
    "properties": lambda value, rule, _, root: all(
        conforms(item, rule[name], root) for name, item in value.items() if name in rule
    ),
    "patternProperties": lambda value, rule, _, root: all(
        conforms(item, part, root)
        for pattern, part in rule.items()
        for name, item in value.items()
        if re.search(pattern, name)
    ),
    "additionalProperties": lambda value, rule, schema, root: all(
        rule is True or (rule is not False and conforms(item, rule, root)) for item in _others(value, schema)
    ),
}
_PLAIN: dict[str, tuple[Any, Callable[[Any, Any], bool]]] = {
    "pattern": (str, lambda value, rule: re.search(rule, value) is not None),
    "minLength": (str, lambda value, rule: len(value) >= rule),
    "maxLength": (str, lambda value, rule: len(value) <= rule),
    "minimum": (int | float, lambda value, rule: value >= rule),
    "maximum": (int | float, lambda value, rule: value <= rule),
    "exclusiveMinimum": (int | float, lambda value, rule: value > rule),
    "minItems": (list, lambda value, rule: len(value) >= rule),
    "maxItems": (list, lambda value, rule: len(value) <= rule),
}
