"""What is wrong with a document of a mission, and in which line."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from harnessos.errors import BadDocument

Value = TypeVar("Value")
MOST_SHOWN = 20


class Problem(NamedTuple):
    """One finding; `line` counts from 1, and is 1 where the whole file is meant."""

    file: str
    line: int
    text: str

    def describe(self) -> str:
        """Return `file:line: text`."""
        return f"{self.file}:{self.line}: {self.text}"


class Parsed(NamedTuple, Generic[Value]):
    """What a document says, as far as it can be understood, and everything that is wrong with it.

    Act on `value` only without problems; with problems it serves to show the state (a name, the steps). It is None
    where nothing could be understood. `warnings` never keep a mission from running.
    """

    value: Value | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def sound(self) -> Value:
        """Return the value of a document without problems; BadDocument names every problem, `facts["causes"]` too."""
        if self.problems or self.value is None:
            raise bad_document(self.problems)
        return self.value


def bad_document(problems: tuple[Problem, ...], hint: str = "mend the places named above") -> BadDocument:
    """Return the error for problems: one line `file:line: text` each; facts: `causes` (all of the lines)."""
    causes = [problem.describe() for problem in problems]
    rest = len(causes) - MOST_SHOWN
    shown = causes[:MOST_SHOWN] + ([f"and {rest} more"] if rest > 0 else [])
    return BadDocument("\n".join(shown) or None, hint=hint, causes=causes)
