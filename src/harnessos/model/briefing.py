"""What an agent is told when it takes an issue: a few screens at most, whatever the ledger holds. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

MOST_BYTES = 1500 * 4 - 200
"""1,500 tokens of 4 bytes of UTF-8, less what the caller writes around it."""
_STEPS = (4000, 2000, 1200, 800, 500, 300, 200, 120, 80, 40)
_BYTES_AN_ENTRY = 40


class Dependency(NamedTuple):
    """An issue this one builds on, and what came of it. `summary` is its last checkpoint's."""

    identifier: str
    task: str
    verdict: str | None
    commit: str | None
    summary: str


class Material(NamedTuple):
    """Everything a briefing is made from. Any: rows and documents as the ledger holds them.

    `held` pairs paths that other live runs hold with their issues; `gates` are documents (model.gate); `left` names
    what the budgets still allow; `resume` is the packet of model.checkpoint.
    """

    identifier: str
    task: str
    description: str
    attempt: int
    dependencies: Sequence[Dependency]
    resume: Mapping[str, Any] | None
    held: Sequence[tuple[str, str]]
    gates: Sequence[Mapping[str, Any]]
    left: Mapping[str, Any]
    worktree: str | None


def briefing(material: Material) -> dict[str, Any]:
    """Return the briefing, under MOST_BYTES as JSON. What had to be cut ends in `…`, and `shortened` is true."""
    full: dict[str, Any] = {
        **material._asdict(),
        "dependencies": [dependency._asdict() for dependency in material.dependencies],
        "held": [{"path": path, "issue": issue} for path, issue in material.held],
        "gates": [dict(gate) for gate in material.gates],
        "left": dict(material.left),
        "shortened": False,
        "then": "`harness session checkpoint` after each step; commit; `harness session close --outcome finished`",
    }
    if _size(full) <= MOST_BYTES:
        return full
    kept: dict[str, Any] = {}
    for most in _STEPS:
        kept = {name: _cut(value, most) for name, value in full.items()} | {"shortened": True}
        kept["identifier"], kept["worktree"] = full["identifier"], full["worktree"]
        if _size(kept) <= MOST_BYTES:
            return kept
    return {**kept, "dependencies": [], "resume": None, "held": [], "gates": []}


def _cut(value: Any, most: int) -> Any:
    """Return the value with texts of at most `most` characters and lists of at most a share of it, newest kept."""
    if isinstance(value, str):
        return value if len(value) <= most else value[: most - 1] + "…"
    if isinstance(value, Mapping):
        return {name: _cut(inner, most) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(inner, most) for inner in value[-max(1, most // _BYTES_AN_ENTRY) :]]
    return value


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
