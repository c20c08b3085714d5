"""The `approval` gate: a person decides; until then it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.model.rights import may_answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harnessos.gates.ground import Ground
    from harnessos.model.facts import Approval
    from harnessos.model.gate import Gate
    from harnessos.model.verdict import GateResult


def run(gate: Gate, ground: Ground, approvals: Iterable[Approval]) -> GateResult:
    """Take the last answer of someone who may give one, if it is about this very subject."""
    answers = [
        answer
        for answer in approvals
        if answer.gate == gate.name and answer.subject == ground.subject and may_answer(gate.who, answer.by)
    ]
    if not answers:
        asked = f" ({', '.join(gate.who)} may answer)" if gate.who else ""
        return ground.open(gate, f"{gate.question}{asked}")
    last = answers[-1]
    return ground.answer(gate, "" if last.approved else f"{last.by} said no", f"{last.by} approved")
