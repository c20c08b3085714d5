"""The `diff` gate: something changed, only where it may, and no conflict was left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.model.globs import covers

if TYPE_CHECKING:
    from harnessos.gates.ground import Ground
    from harnessos.model.facts import DiffFacts
    from harnessos.model.gate import Gate
    from harnessos.model.verdict import GateResult


def run(gate: Gate, ground: Ground, facts: DiffFacts | None) -> GateResult:
    """Judge the change that others measured; a plain folder has none."""
    if facts is None:
        return ground.could_not_run(gate, "there is no git repository here, so no base to compare with")
    return ground.answer(gate, problem_of(gate, facts), f"{len(facts.changed)} files changed since {facts.base[:12]}")


def problem_of(gate: Gate, facts: DiffFacts) -> str:
    """Return why a change is refused, or nothing."""
    if gate.non_empty and not facts.changed:
        whose = f", which was accepted for {facts.taken} (close with --commit to name your own)" if facts.taken else ""
        return f"nothing changed since {facts.base[:12]}{whose}"
    if facts.conflict_markers:
        return f"conflict markers were left in {_some(facts.conflict_markers)}"
    if gate.allowed:
        outside = [path for path in facts.changed if not any(covers(pattern, path) for pattern in gate.allowed)]
        if outside:
            return f"changed outside of {', '.join(gate.allowed)}: {_some(outside)}"
    return ""


def _some(paths: tuple[str, ...] | list[str]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
