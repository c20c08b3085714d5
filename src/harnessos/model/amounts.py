"""Amounts and places that both plans and WORKFLOW.md write: budgets, files, instants. Pure readers, problems as text."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNLIMITED = "unlimited"
BUDGET_FIELDS = ("wall_minutes", "issue_wall_minutes", "turns", "attempts", "output_mb", "usd", "tokens")
WHOLE_BUDGET_FIELDS = ("turns", "attempts", "tokens")
LARGEST = 2**53 - 1

Budget = Mapping[str, int | float | str]

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse_budget(value: object, where: str, problems: list[str]) -> Budget:
    """Read a budget: positive numbers, or the word "unlimited"; nothing else means without limit (P01)."""
    if not isinstance(value, Mapping):
        problems.append(f"{where}: must be a mapping of {', '.join(BUDGET_FIELDS)}")
        return {}
    for name, amount in value.items():
        if name not in BUDGET_FIELDS:
            problems.append(f"{where}.{name}: unknown field; known are {', '.join(BUDGET_FIELDS)}")
        elif complaint := amount_problem(amount, whole=name in WHOLE_BUDGET_FIELDS):
            problems.append(f"{where}.{name}: {complaint}")
    return dict(value)


def amount_problem(amount: object, *, whole: bool) -> str:
    """Return why `amount` is no limit, or nothing."""
    if amount == UNLIMITED:
        return ""
    kind = "whole number" if whole else "number"
    number = isinstance(amount, int if whole else int | float) and not isinstance(amount, bool)
    if number and isinstance(amount, int | float) and 0 < amount <= LARGEST:
        return ""
    return f'must be a {kind} above 0, or the word "unlimited"'


def budget_schema() -> dict[str, object]:
    """Return the JSON Schema of a budget."""
    fields = {name: _amount_schema("integer" if name in WHOLE_BUDGET_FIELDS else "number") for name in BUDGET_FIELDS}
    return {"type": "object", "properties": fields, "additionalProperties": False}


def _amount_schema(kind: str) -> dict[str, object]:
    return {"anyOf": [{"type": kind, "exclusiveMinimum": 0, "maximum": LARGEST}, {"const": UNLIMITED}]}


def normal_file(text: str) -> str:
    """Return a repository-relative path in its one spelling, a folder with its `/`; ValueError with a sentence.

    `*` and `?` are refused because nothing is expanded here; brackets are ordinary characters (`app/[id]/page.tsx`).
    """
    if text != text.strip() or _CONTROL.search(text):
        raise ValueError("must have no blanks at its ends and no control characters")
    if text.startswith(("/", "~")) or "\\" in text or re.match(r"[A-Za-z]:", text):
        raise ValueError("must be relative to the repository's root, with forward slashes")
    if "*" in text or "?" in text:
        raise ValueError("must name a file or folder, not a pattern: end a folder in `/` to mean all below it")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("must not contain `..`")
    if not parts:
        raise ValueError("must name a file or folder")
    if parts[0] == ".git":
        raise ValueError("must not lie in .git")
    folder = text.endswith(("/", "/.")) or text == "."
    return "/".join(parts) + ("/" if folder else "")


def parse_instant(text: str) -> int:
    """Return an ISO date and time with `Z` or an offset in milliseconds since the epoch; ValueError with a sentence."""
    from datetime import UTC, datetime, timedelta

    if not _INSTANT.fullmatch(text):
        raise ValueError("must be a date and time with Z or an offset, such as 2026-12-01T18:00:00Z")
    try:
        since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no date and time: {error}") from error
    if since < timedelta(0):
        raise ValueError("must not lie before 1970")
    return since // timedelta(milliseconds=1)
