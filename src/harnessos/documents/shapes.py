"""What pydantic found, as sentences a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from harnessos.documents.tree import Problem, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Line = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$")]
"""Text of one line, without blanks at its ends."""

Name = Annotated[
    str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$", max_length=200)
]
"""A Line of at most 200 characters, for what other places refer to."""

Prose = Annotated[str, StringConstraints(pattern=r"\S")]
"""Any text that says something."""

_TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of fields",
    "finite_number": "must be a finite number",
}
_ALONE = {"missing": "is missing", "too_short": "must not be empty", "string_too_short": "must not be empty"}
_SHOWN = 60


def shape_problems(error: ValidationError, where: str, known: Mapping[str, Iterable[str]]) -> list[Problem]:
    """Return every finding below the path `where`; `known` lists the fields of a mapping by its path without indices."""
    return [_problem(detail, where, known) for detail in error.errors(include_url=False, include_context=True)]


def _problem(detail: ErrorDetails, where: str, known: Mapping[str, Iterable[str]]) -> Problem:
    path = where
    owner = ""
    for step in detail["loc"]:
        if step == "[key]":
            return Problem(path, "is not a name that may stand here")
        owner = path
        path = join(path, step)
    return Problem(path, _sentence(detail, known.get(_bare(owner))))


def _bare(path: str) -> str:
    """Return a path without indices: `milestones[2].issues[0]` is `milestones.issues`."""
    return ".".join(part.split("[", 1)[0] for part in path.split("."))


def _sentence(detail: ErrorDetails, fields: Iterable[str] | None) -> str:
    kind = detail["type"]
    context = detail.get("ctx", {})
    got = show(detail["input"])
    if kind == "extra_forbidden":
        said = "unknown field" + (f"; known are {', '.join(sorted(fields))}" if fields else "")
    elif kind in _ALONE:
        said = _ALONE[kind]
    elif kind in _TYPES:
        said = f"{_TYPES[kind]}, not {got}"
    elif kind == "literal_error":
        said = f"must be {context['expected']}, not {got}"
    elif kind in ("greater_than_equal", "greater_than"):
        said = (
            f"must be {'at least ' if 'ge' in context else 'above '}{context.get('ge', context.get('gt'))}, not {got}"
        )
    elif kind == "string_pattern_mismatch":
        blank = not str(detail["input"]).strip()
        said = "must not be empty" if blank else "must be one line of text without blanks at its ends"
    elif kind == "value_error":
        said = detail["msg"].removeprefix("Value error, ")
    else:
        said = "must be " + detail["msg"].removeprefix("Input should ").removeprefix("be ")
    return said


def show(value: object) -> str:
    """Return a short picture of a foreign value for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
