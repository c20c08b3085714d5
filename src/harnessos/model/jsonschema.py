"""The part of JSON Schema that a `file` gate understands, whole or not at all: any other keyword is refused.

Keywords: type, enum, const, required, properties, additionalProperties, minProperties, maxProperties, items, minItems,
maxItems, minLength, maxLength, minimum, maximum, exclusiveMinimum, exclusiveMaximum; title, description and $schema
say nothing about a value. Semantics are those of draft 2020-12: a keyword binds only values of its own type, `1.0`
is an integer, `true` is no number and never equals 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

DEEPEST = 64
MOST_PROBLEMS = 20
_TYPES = ("null", "boolean", "object", "array", "number", "integer", "string")
_SILENT = frozenset({"title", "description", "$schema"})
_COUNTS = frozenset({"minProperties", "maxProperties", "minItems", "maxItems", "minLength", "maxLength"})
_LIMITS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_KEYWORDS = _SILENT | _COUNTS | _LIMITS
_KEYWORDS |= {"type", "enum", "const", "required", "properties", "additionalProperties", "items"}


def schema_problems(schema: object, where: str, depth: int = 0) -> list[str]:
    """Return what is wrong or unknown in a schema, each as `path: sentence`; empty means `value_problems` is sound."""
    if isinstance(schema, bool):
        return [] if depth else [f"{where}: must be an object"]
    if not isinstance(schema, Mapping) or not all(isinstance(key, str) for key in schema):
        return [f"{where}: must be an object"]
    if depth > DEEPEST:
        return [f"{where}: is nested deeper than {DEEPEST} levels"]
    found: list[str] = []
    for key, value in schema.items():
        found.extend(_keyword_problems(key, value, f"{where}.{key}", depth))
    return found


def _keyword_problems(key: str, value: object, where: str, depth: int) -> list[str]:
    if key not in _KEYWORDS:
        return [f"{where}: this keyword of JSON Schema is not understood; known are {', '.join(sorted(_KEYWORDS))}"]
    if key in ("items", "additionalProperties"):
        return schema_problems(value, where, depth + 1)
    if key == "properties":
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            return [f"{where}: must be an object"]
        return [line for name, part in value.items() for line in schema_problems(part, f"{where}.{name}", depth + 1)]
    complaint = _plain_problem(key, value)
    return [f"{where}: {complaint}"] if complaint else []


def _plain_problem(key: str, value: object) -> str:
    good, wanted = True, ""
    if key in _SILENT:
        good, wanted = isinstance(value, str), "text"
    elif key in _COUNTS:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        wanted = "a whole number of at least 0"
    elif key in _LIMITS:
        good, wanted = _is_type(value, "number"), "a finite number"
    elif key == "type":
        names = value if isinstance(value, list | tuple) else [value]
        good = bool(names) and all(isinstance(name, str) and name in _TYPES for name in names)
        wanted = f"one or a list of {', '.join(_TYPES)}"
    elif key == "enum":
        good, wanted = isinstance(value, list | tuple) and bool(value), "a list with at least one value"
    elif key == "required":
        good = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        wanted = "a list of names"
    return "" if good else f"must be {wanted}"


def value_problems(value: object, schema: Mapping[str, object] | bool, where: str = "$") -> list[str]:
    """Return where a JSON value breaks a schema that has no problems itself, at most 20 lines `path: sentence`."""
    found: list[str] = []
    for line in _breaches(value, schema, where):
        found.append(line)
        if len(found) == MOST_PROBLEMS:
            break
    return found


def _breaches(value: object, schema: object, where: str) -> Iterator[str]:
    if isinstance(schema, bool) or not isinstance(schema, Mapping):
        if schema is False:
            yield f"{where}: is not allowed"
        return
    for key, expected in schema.items():
        if key in _CHECKS and (complaint := _CHECKS[key](value, expected)):
            yield f"{where}: {complaint}"
    if isinstance(value, Mapping):
        yield from _object_breaches(value, schema, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _breaches(item, schema.get("items", True), f"{where}[{index}]")


def _object_breaches(value: Mapping[str, object], schema: Mapping[str, object], where: str) -> Iterator[str]:
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    assert isinstance(required, list | tuple)
    assert isinstance(properties, Mapping)
    for name in required:
        if name not in value:
            yield f"{where}.{name}: is missing"
    for name, item in value.items():
        part = properties[name] if name in properties else schema.get("additionalProperties", True)
        yield from _breaches(item, part, f"{where}.{name}")


_CLASSES: dict[str, type | tuple[type, ...]] = {
    "null": type(None),
    "boolean": bool,
    "object": Mapping,
    "array": (list, tuple),
    "string": str,
}


def _is_type(value: object, name: str) -> bool:
    if name in _CLASSES:
        return isinstance(value, _CLASSES[name])
    if isinstance(value, float):
        return math.isfinite(value) and (name == "number" or value.is_integer())
    return isinstance(value, int) and not isinstance(value, bool)


def _same(left: object, right: object) -> bool:
    """Equality of JSON values: true is not 1, but 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(item, right[key]) for key, item in left.items())
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right


def _check_type(value: object, expected: object) -> str:
    names = expected if isinstance(expected, list | tuple) else [expected]
    return "" if any(_is_type(value, str(name)) for name in names) else f"is not of type {' or '.join(map(str, names))}"


def _check_enum(value: object, expected: object) -> str:
    assert isinstance(expected, list | tuple)
    return "" if any(_same(value, item) for item in expected) else f"is none of the {len(expected)} permitted values"


def _check_const(value: object, expected: object) -> str:
    return "" if _same(value, expected) else "is not the one permitted value"


def _bound(kind: type | tuple[type, ...], noun: str, *, least: bool) -> Callable[[object, object], str]:
    def check(value: object, expected: object) -> str:
        if not isinstance(value, kind):
            return ""
        assert isinstance(value, str | list | Mapping)
        assert isinstance(expected, int)
        good = len(value) >= expected if least else len(value) <= expected
        return "" if good else f"has {len(value)} {noun}, {'at least' if least else 'at most'} {expected} wanted"

    return check


def _limit(words: str, good: Callable[[float, float], bool]) -> Callable[[object, object], str]:
    def check(value: object, expected: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        assert isinstance(expected, int | float)
        return "" if good(value, expected) else f"must be {words} {expected}"

    return check


_CHECKS: dict[str, Callable[[object, object], str]] = {
    "type": _check_type,
    "enum": _check_enum,
    "const": _check_const,
    "minLength": _bound(str, "characters", least=True),
    "maxLength": _bound(str, "characters", least=False),
    "minItems": _bound(list, "items", least=True),
    "maxItems": _bound(list, "items", least=False),
    "minProperties": _bound(Mapping, "properties", least=True),
    "maxProperties": _bound(Mapping, "properties", least=False),
    "minimum": _limit("at least", lambda value, bound: value >= bound),
    "maximum": _limit("at most", lambda value, bound: value <= bound),
    "exclusiveMinimum": _limit("more than", lambda value, bound: value > bound),
    "exclusiveMaximum": _limit("less than", lambda value, bound: value < bound),
}
