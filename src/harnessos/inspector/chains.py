"""Checking hash chains. Pure: from a subject's events and the head it stores to what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.model.event import Event, chained

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harnessos.store.transaction import Row


class Finding(NamedTuple):
    """One thing wrong with a chain. `what` is edited, removed, inserted, cut_off or head; `seq` where in the subject."""

    subject_kind: str
    subject: str
    seq: int
    what: str
    text: str


class Chain:
    """A chain that is being walked, event by event in order; `end` compares with the stored head."""

    def __init__(self, kind: str, name: str) -> None:
        self._kind = kind
        self._name = name
        self.seq = 0
        self.head = ""

    def walk(self, events: Iterable[Row]) -> list[Finding]:
        """Go on over these events and return what is wrong with them."""
        found = []
        for row in events:
            event = Event(*(row[name] for name in Event._fields))
            missing = event.subject_seq - self.seq - 1
            if missing:
                found.append(self._finding(self.seq + 1, "removed", f"{missing} events are missing"))
            elif chained(self.head, event) != row["hash"]:
                text = f"event {event.subject_seq} ({event.kind}) was edited, or put in"
                found.append(self._finding(event.subject_seq, "edited", text))
            self.seq, self.head = event.subject_seq, row["hash"]
        return found

    def end(self, seq: int, head: str) -> list[Finding]:
        """Compare with where the subject says that its chain ends."""
        if self.seq < seq:
            return [self._finding(self.seq + 1, "cut_off", f"the last {seq - self.seq} events are missing")]
        if self.seq > seq:
            return [self._finding(seq + 1, "inserted", f"{self.seq - seq} events stand behind the end of the chain")]
        if self.head != head:
            return [self._finding(seq, "head", "the chain does not end at the head that its subject stores")]
        return []

    def _finding(self, seq: int, what: str, text: str) -> Finding:
        return Finding(self._kind, self._name, seq, what, f"{self._kind} {self._name}: {text}")
