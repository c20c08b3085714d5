"""How a call hears of its client, and where a command shows it the answer."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from harnessos.commands.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_NOTES = 20


class Hooks:
    """How a call reaches its client while it works: progress goes out, and it is told when nobody waits any more."""

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.gone = Event()
        self._tell = tell

    def tell(self, text: str) -> None:
        """Report progress in words."""
        if self._tell is not None:
            self._tell(text)


class Answer(Output):
    """Where a command's handler shows its answer: the document is kept, notes are kept and told."""

    def __init__(self, hooks: Hooks) -> None:
        super().__init__(json=True)
        self.document: object = {}
        self.notes: list[str] = []
        self._hooks = hooks

    def show(self, document: object, text: str) -> None:  # the sentence is for people
        """Keep the document."""
        self.document = document

    def table(self, document: object, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
        """Keep the document."""
        self.document = document

    def progress(self, what: str) -> Callable[[int, int], None]:
        """Return what tells the client how far long work is."""

        def show(done: int, total: int) -> None:
            self._hooks.tell(f"{what}: {done} of {total}")

        return show

    def note(self, text: str) -> None:
        """Keep a note, and tell it while the work goes on."""
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(text)
        self._hooks.tell(text)
