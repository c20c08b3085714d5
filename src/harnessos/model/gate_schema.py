"""The JSON Schema of a gate, for the schemas that plans and WORKFLOW.md publish."""

from __future__ import annotations

from harnessos.model.gate import LONGEST_TIMEOUT_S, GateKind, Place, ReportFormat
from harnessos.model.scorecard import LEAST

_TEXTS: dict[str, object] = {"type": "array", "items": {"type": "string"}}
_PATHS: dict[str, object] = {"type": "array", "items": {"type": "string", "minLength": 1}}
_COUNT: dict[str, object] = {"type": "integer", "minimum": 0}
_EVERY: dict[str, object] = {
    "name": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "required": {"type": "boolean", "default": True},
    "protect": _PATHS,
}
_IN: dict[str, object] = {"in": {"enum": [place.value for place in Place], "default": Place.CHECKOUT.value}}
_RUN: dict[str, object] = {
    **_IN,
    "argv": {**_TEXTS, "minItems": 1},
    "shell": {"type": "string", "minLength": 1},
    "timeout_s": {"type": "integer", "minimum": 1, "maximum": LONGEST_TIMEOUT_S, "default": 600},
    "expected_exit": {"type": "integer", "minimum": 0, "maximum": 255, "default": 0},
}
_TESTS: dict[str, object] = {
    "report": {"type": "string", "minLength": 1},
    "format": {"enum": [form.value for form in ReportFormat]},
    "min_tests": {"type": "integer", "minimum": 1, "default": 1},
}
_PATTERN: dict[str, object] = {
    "type": "object",
    "properties": {"regex": {"type": "string", "minLength": 1}, "min_count": _COUNT, "max_count": _COUNT},
    "required": ["regex"],
    "additionalProperties": False,
}
_FILE: dict[str, object] = {
    **_IN,
    "path": {"type": "string", "minLength": 1},
    "min_size": _COUNT,
    "max_size": _COUNT,
    "schema": {"type": "object"},
    "patterns": {"type": "array", "items": _PATTERN},
}
FIELDS: dict[GateKind, dict[str, object]] = {
    GateKind.COMMAND: {**_EVERY, **_RUN},
    GateKind.TESTS: {**_EVERY, **_RUN, **_TESTS},
    GateKind.FILE: {**_EVERY, **_FILE},
    GateKind.DIFF: {**_EVERY, "allowed": _PATHS, "non_empty": {"type": "boolean", "default": True}},
    GateKind.APPROVAL: {**_EVERY, "question": {"type": "string", "minLength": 1}, "who": _TEXTS},
    GateKind.SCORECARD: {**_EVERY, "target": {"type": "integer", "minimum": 1, "maximum": 10, "default": LEAST}},
}
_NEEDED = {GateKind.FILE: ["path"], GateKind.APPROVAL: ["question"]}


def gate_schema() -> dict[str, object]:
    """Return the schema of one gate: a shell command as text, or an object of one of the kinds."""
    kinds = [_object_schema(kind) for kind in FIELDS]
    return {"anyOf": [{"type": "string", "pattern": "\\S"}, *kinds], "title": "Gate"}


def gates_schema() -> dict[str, object]:
    """Return the schema of a list of gates."""
    return {"type": "array", "items": gate_schema()}


def _object_schema(kind: GateKind) -> dict[str, object]:
    optional = kind is GateKind.COMMAND
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"kind": {"const": kind.value}, **FIELDS[kind]},
        "required": ["name", *([] if optional else ["kind"]), *_NEEDED.get(kind, [])],
        "additionalProperties": False,
    }
    if kind in (GateKind.COMMAND, GateKind.TESTS):
        schema["oneOf"] = [{"required": ["argv"]}, {"required": ["shell"]}]
    return schema
