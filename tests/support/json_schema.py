"""A small judge of JSON Schema 2020-12 for tests: the keywords our published schemas use; any other fails the test."""

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
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match key:
        case "$ref":
            return conforms(value, root["$defs"][rule.removeprefix("#/$defs/")], root)
        case "type":
            return _TYPES[rule](value)
        case "const":
            return bool(value == rule) and type(value) is type(rule)
        case "enum":
            return value in rule
        case "anyOf":
            return any(conforms(value, part, root) for part in rule)
        case "oneOf":
            return sum(conforms(value, part, root) for part in rule) == 1
        case "pattern":
            return not isinstance(value, str) or re.search(rule, value) is not None
        case "minLength":
            return not isinstance(value, str) or len(value) >= rule
        case "maxLength":
            return not isinstance(value, str) or len(value) <= rule
        case "minimum":
            return not number or value >= rule
        case "maximum":
            return not number or value <= rule
        case "exclusiveMinimum":
            return not number or value > rule
        case "minItems":
            return not isinstance(value, list) or len(value) >= rule
        case "maxItems":
            return not isinstance(value, list) or len(value) <= rule
        case "items":
            return not isinstance(value, list) or all(conforms(item, rule, root) for item in value)
        case "minProperties":
            return not isinstance(value, dict) or len(value) >= rule
        case "required":
            return not isinstance(value, dict) or all(name in value for name in rule)
        case "properties":
            return not isinstance(value, dict) or all(
                conforms(item, rule[name], root) for name, item in value.items() if name in rule
            )
        case "propertyNames":
            return not isinstance(value, dict) or all(conforms(name, rule, root) for name in value)
        case "patternProperties":
            return not isinstance(value, dict) or all(
                conforms(item, part, root)
                for pattern, part in rule.items()
                for name, item in value.items()
                if re.search(pattern, name)
            )
        case "additionalProperties":
            return not isinstance(value, dict) or all(
                rule is True or (rule is not False and conforms(item, rule, root))
                for name, item in value.items()
                if name not in schema.get("properties", {})
                and not any(re.search(pattern, name) for pattern in schema.get("patternProperties", {}))
            )
    raise AssertionError(f"the judge does not know the keyword {key!r}")
