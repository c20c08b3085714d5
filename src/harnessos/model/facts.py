"""What others found out for the gates: the change of a run, and what people said."""

from __future__ import annotations

from typing import NamedTuple


class DiffFacts(NamedTuple):
    """The change between a run's base and the commit under judgement.

    `changed` names every added, changed and deleted path, of a rename both. `conflict_markers` are `path:line`.
    `taken` is the issue that `base` was accepted for, where several sessions share a checkout.
    """

    base: str
    changed: tuple[str, ...] = ()
    conflict_markers: tuple[str, ...] = ()
    taken: str = ""


class Card(NamedTuple):
    """A run's newest scorecard as it was read; `problem` says why it counts for nothing."""

    id: str
    average: float = 0.0
    needs: int = 0
    problem: str = ""


class Approval(NamedTuple):
    """A person's answer to one approval gate; `subject` None stands for whatever commit is judged."""

    gate: str
    by: str
    approved: bool
    subject: str | None = None
