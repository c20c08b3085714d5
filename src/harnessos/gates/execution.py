"""One entrance for every kind of gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from harnessos.gates import approval, command, diff, file, scorecard, tests
from harnessos.gates.ground import Ground
from harnessos.model.gate import GateKind
from harnessos.model.verdict import VALID_TREES, GateResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from harnessos.model.facts import Approval, Card, DiffFacts
    from harnessos.model.gate import Gate


def execute(
    gate: Gate,
    *,
    checkout: Path,
    env: Mapping[str, str],
    log_folder: Path,
    subject: str,
    facts: DiffFacts | None,
    run_id: str,
    stop: Callable[[], bool] | None = None,
    approvals: Iterable[Approval] = (),
    card: Card | None = None,
    tree_state: str = "clean",
) -> GateResult:
    """Run one gate and say what it found; never raises for what the work or the gate's command did.

    `checkout` holds exactly `subject` (the caller made it so, and says in `tree_state` what it saw just before this
    gate); for `in: worktree` it is the worktree. `facts` is None in a plain folder. Logs go to `log_folder`,
    `<gate>.log`, replacing the log of an earlier turn. `stop` is asked while a command runs.
    """
    ground = Ground(checkout, env, log_folder, subject, run_id, stop, tree_state)
    if tree_state not in VALID_TREES and gate.kind is not GateKind.APPROVAL:
        return ground.could_not_run(gate, f"the tree is not what was committed: {tree_state}")
    match gate.kind:
        case GateKind.COMMAND:
            return command.run(gate, ground)
        case GateKind.TESTS:
            return tests.run(gate, ground)
        case GateKind.FILE:
            return file.run(gate, ground)
        case GateKind.DIFF:
            return diff.run(gate, ground, facts)
        case GateKind.APPROVAL:
            return approval.run(gate, ground, approvals)
        case GateKind.SCORECARD:
            return scorecard.run(gate, ground, card)
    assert_never(gate.kind)
