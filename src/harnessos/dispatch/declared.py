"""What a WORKFLOW.md declares about results, without loading what it takes to run agents.

`session begin` is called hundreds of times a day and needs gates, limits and the target branch only. Parsing YAML and
compiling the prompt would cost it ten times the rest, so these few values are kept beside the ledger, by the file's
hash. Nothing secret is among them: `harness.env` stays in the file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos.files import atomic_write, private_folder
from harnessos.model.digest import sha256_hex
from harnessos.model.gate import Gate, parse_gate
from harnessos.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.workflow.values import Workflow

_LONGEST = 1 << 20


class Declared(NamedTuple):
    """Gates, rules, the budget document as JSON, and the target branch, None for the one checked out at `init`."""

    gates: tuple[Gate, ...] = ()
    require_gates: bool | None = None
    on_review: str = "review"
    max_rejections: int = 3
    protect: tuple[str, ...] = ()
    budget: str = "{}"
    target: str | None = None


NOTHING = Declared()
"""What counts without a WORKFLOW.md."""


def of(workflow: Workflow) -> Declared:
    """Return what a loaded workflow declares."""
    harness = workflow.harness
    return Declared(
        harness.gates,
        harness.require_gates,
        harness.on_review,
        harness.max_rejections,
        harness.protect,
        json.dumps(dict(harness.budget)),
        harness.target,
    )


def read(ground: Ground, path: Path) -> Declared:
    """Return what the file declares, from the kept values if this very text was read before. BadWorkflow as ever."""
    with path.open("rb") as stream:
        text = stream.read(_LONGEST)
    kept = ground.home / "cache" / "workflows" / f"{sha256_hex(text + VERSION.encode())}.json"
    found = _kept(kept)
    if found is None:
        from harnessos.workflow.load import load_workflow

        found = of(load_workflow(path, ground.environ, ground.home))
        private_folder(kept.parent)
        atomic_write(kept, _document(found), 0o600)
    return found


def _document(declared: Declared) -> bytes:
    return json.dumps({**declared._asdict(), "gates": [gate.as_document() for gate in declared.gates]}).encode()


def _kept(path: Path) -> Declared | None:
    """Return the kept values; None when there are none, or they cannot be read (then they are made again)."""
    try:
        values = json.loads(path.read_bytes())
        problems: list[str] = []
        gates = [parse_gate(gate, "gates", problems) for gate in values.pop("gates")]
        found = Declared(tuple(gate for gate in gates if gate), **values)
        return None if problems else found._replace(protect=tuple(found.protect))
    except (OSError, ValueError, TypeError, KeyError):
        return None
