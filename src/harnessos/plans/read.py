"""Read a plan file."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harnessos.documents.reading import load_document
from harnessos.errors import BadPlan
from harnessos.plans.parse import parse_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harnessos.documents.tree import Problem
    from harnessos.model.plan import Plan


def read_plan(path: Path, progress: Callable[[int, int], None] | None = None) -> Plan:
    """Read a YAML, JSON or TOML plan; by suffix, else by its first line.

    `progress(done, total)` hears of characters read, for YAML, which is slow. NotAFile when there is no readable
    regular file. BadPlan for anything else: its message has one line for every cause, `file:line: path: what`, also in
    `facts["causes"]`.
    """
    with _collector_paused():
        tree, problems = load_document(path, progress)
        if problems:
            raise bad_plan(str(path), problems)
        return plan_of(tree, str(path))


def plan_of(tree: object, name: str) -> Plan:
    """Return the plan that a tree of plain values is, which is consumed; `name` is what its problems are told of."""
    plan, problems = parse_plan(tree)
    if plan is None:
        raise bad_plan(name, problems)
    return plan


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Hold the cycle collector still: it would walk millions of new containers again and again, half of all time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def bad_plan(file: str, problems: list[Problem]) -> BadPlan:
    """Return the error that names all problems of a file."""
    causes = [problem.describe(file) for problem in problems]
    count = "one problem" if len(causes) == 1 else f"{len(causes):,} problems"
    return BadPlan(f"the plan has {count}, nothing was written:\n" + "\n".join(causes), causes=causes, path=file)
