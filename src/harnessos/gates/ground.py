"""Where a gate stands while it runs, and how its result is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from harnessos.model.verdict import GateResult
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harnessos.model.gate import Gate

EXCERPT = 4000
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class Ground(NamedTuple):
    """The checkout, environment and log folder of one verification at one subject."""

    checkout: Path
    env: Mapping[str, str]
    log_folder: Path
    subject: str
    run_id: str
    stop: Callable[[], bool] | None = None
    tree_state: str = "clean"

    def log_of(self, gate: Gate) -> Path:
        """Return the path of the gate's log."""
        return self.log_folder / f"{gate.name}.log"

    def could_not_run(self, gate: Gate, why: str) -> GateResult:
        """A result that says nothing about the work."""
        return self._result(gate, None, why)

    def answer(self, gate: Gate, problem: str, good: str) -> GateResult:
        """A result that failed for `problem`, or passed (with `good` as its sentence) when that is empty."""
        return self._result(gate, not problem, problem or good)

    def open(self, gate: Gate, question: str) -> GateResult:
        """A result that waits for a person."""
        return self._result(gate, None, question)._replace(open_approval=True)

    def _result(self, gate: Gate, passed: bool | None, detail: str) -> GateResult:
        return GateResult(
            gate=gate.name,
            kind=gate.kind,
            required=gate.required,
            passed=passed,
            subject=self.subject,
            detail=clean(detail)[:500],
            tree_state=self.tree_state,
        )


def clean(text: str) -> str:
    """Take terminal sequences and control characters (but not tab and newline) out of foreign text.

    Names of files that are no UTF-8 are written out, so that every ledger can hold the result.
    """
    return sayable(_CONTROL.sub("", text.replace("\r\n", "\n")))


def excerpt(output: bytes) -> str:
    """Return the last lines of an output, at most 4,000 characters, fit for a terminal and a prompt."""
    text = clean(output[-8 * EXCERPT :].decode("utf-8", "replace")).rstrip()
    if len(text) <= EXCERPT:
        return text
    tail = text[-EXCERPT:]
    return tail.partition("\n")[2] or tail
