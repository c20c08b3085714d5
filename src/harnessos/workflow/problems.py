"""The one error of this room, with every cause in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.errors import BadWorkflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.documents.tree import Problem
    from harnessos.workflow.values import ErrorKind


def bad_workflow(file: str, kind: ErrorKind, problems: Sequence[Problem], hint: str = "") -> BadWorkflow:
    """Return the error: its message begins with the class, then one line `file:line: key: what` for each cause.

    facts: `kind` (the class), `causes` (the lines), `path`.
    """
    causes = [problem.describe(file) for problem in problems]
    return BadWorkflow(f"{kind}: " + "\n".join(causes), hint=hint or None, kind=kind, causes=causes, path=file)
