"""The `scorecard` gate: the run's newest card is good enough, and what it rests on is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harnessos.gates.ground import Ground
    from harnessos.model.facts import Card
    from harnessos.model.gate import Gate
    from harnessos.model.verdict import GateResult


def run(gate: Gate, ground: Ground, card: Card | None) -> GateResult:
    """Judge the card that others read; without one the work is not ready to be judged."""
    return ground.answer(gate, problem_of(gate, card), "" if card is None else f"{card.id}: {card.average:g}")


def problem_of(gate: Gate, card: Card | None) -> str:
    """Return why the card is not enough, or nothing."""
    if card is None:
        return "the run has no scorecard: give one with `session close --scorecard FILE`, or `scorecards` over MCP"
    if card.problem:
        return f"{card.id}: {card.problem}"
    needs = max(card.needs, gate.target)
    return "" if card.average >= needs else f"{card.id}: its average is {card.average:g}, {needs} is asked for"
