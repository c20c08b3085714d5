"""`doctor`'s look at gates: a Python that imports the project from elsewhere judges other code than the run's."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harnessos import errors, processes
from harnessos.gates.environment import interpreter_imports_elsewhere
from harnessos.inspector import health
from harnessos.inspector.health import WARNING, Check, Finding
from harnessos.model.gate import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harnessos.app.harness import Harness
    from harnessos.model.gate import Gate
    from harnessos.store.transaction import Row, Transaction
    from harnessos.workflow.values import Workflow

_PYTHON = re.compile(r"python[\d.]*")
_MARKER = "doctor"


def examine(harness: Harness, projects: list[Row]) -> Check:
    """Ask each Python that WORKFLOW.md names as a gate, in projects trusted on this machine, where it imports from."""
    found: list[Finding] = []
    for project in projects:
        for row in harness.read(_places, project["id"]):
            if row["machine_id"] == harness.machine() and row["trusted_at"] is not None:
                found += _findings(harness, Path(row["path"]))
    remedy = "give the gate its own environment, or `env: {PYTHONPATH: src}` in WORKFLOW.md"
    kept = tuple(found[: health.MOST])
    return Check("interpreters", "gates import the project from their own checkout", WARNING, remedy, kept)


def _places(tx: Transaction, project_id: str) -> list[Row]:
    return tx.all("project_locations", project=project_id)


def _findings(harness: Harness, root: Path) -> Iterator[Finding]:
    from harnessos.workflow.load import load_workflow

    try:
        workflow = load_workflow(root / "WORKFLOW.md", harness.environ, harness.settings.home)
    except errors.HarnessError:
        return  # `up` says what is wrong with it
    named = {word for gate in workflow.harness.gates if (word := _interpreter(gate))}
    for word in sorted(named):
        yield from _asked(root, str(root / word) if "/" in word else word, workflow)


def _interpreter(gate: Gate) -> str | None:
    """Return the Python that a gate in a clean checkout begins with."""
    words = gate.argv or (gate.shell or "").split()
    return words[0] if gate.where is Place.CHECKOUT and words and _PYTHON.fullmatch(Path(words[0]).name) else None


def _asked(root: Path, interpreter: str, workflow: Workflow) -> Iterator[Finding]:
    """Ask in a folder with the project's packages, empty: where a clean checkout has them, and not the operator's."""
    env = processes.built_environment(os.environ, workflow.harness.env)
    with TemporaryDirectory() as folder:
        for package in (*root.glob("*/__init__.py"), *root.glob("src/*/__init__.py")):
            empty = Path(folder) / package.relative_to(root)
            empty.parent.mkdir(parents=True)
            empty.touch()
        try:
            found = interpreter_imports_elsewhere(interpreter, Path(folder), env, _MARKER)
        except errors.HarnessError:
            return
    for one in found:
        yield Finding(str(root), f"{interpreter} imports {one.package} from {one.origin}, not from the run's checkout")
