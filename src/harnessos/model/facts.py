"""What others found out for the gates: the change of a run, and what people said."""

from __future__ import annotations

from typing import NamedTuple


class DiffFacts(NamedTuple):
    """The change between a run's base and the commit under judgement.

    `changed` names every added, changed and deleted path, of a rename both. `conflict_markers` are `path:line`.
    """

    base: str
    changed: tuple[str, ...] = ()
    conflict_markers: tuple[str, ...] = ()


class Approval(NamedTuple):
    """A person's answer to one approval gate; `subject` None stands for whatever commit is judged."""

    gate: str
    by: str
    approved: bool
    subject: str | None = None


def conflict_lines(content: bytes) -> tuple[int, ...]:
    """Return the line numbers (from 1) where a left-over merge conflict begins.

    Only a whole conflict counts, because a row of `=` alone is also how headings are underlined.
    """
    found: list[int] = []
    start, middle = 0, False
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.startswith(b"<<<<<<< "):
            start, middle = number, False
        elif start and line.rstrip(b"\r") == b"=======":
            middle = True
        elif start and middle and line.startswith(b">>>>>>> "):
            found.append(start)
            start, middle = 0, False
    return tuple(found)
