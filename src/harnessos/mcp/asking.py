"""One call as the functions behind it see it, and what they answer with."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.commands.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harnessos.app.harness import Harness
    from harnessos.mcp.actions import Action, Tool
    from harnessos.mcp.desk import Desk

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


class Asked(NamedTuple):
    """A call that is allowed and whose arguments are right. `given` is without `action`, and without what was not given."""

    tool: Tool
    action: Action
    given: Mapping[str, Any]  # Any: JSON values of the types the action's fields have
    harness: Harness
    desk: Desk
    hooks: Hooks
    client: str = ""


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
