"""What happened to a subject, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.inspector.sentences import sentence
from harnessos.inspector.views import PAGE, number_cursor, page_size

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction


class Entry(NamedTuple):
    """One event, told. `seq` counts the subject's own events from 1."""

    seq: int
    at: int
    kind: str
    actor: str
    run_id: str | None
    text: str


class Timeline(NamedTuple):
    """Some events, oldest first, and where the next page begins; None after the last."""

    items: tuple[Entry, ...]
    cursor: str | None


def query(tx: Transaction, subject_id: str, cursor: str = "", limit: int = PAGE) -> Timeline:
    """Return a page of a subject's history."""
    limit = page_size(limit)
    rows = tx.all("event_of_subject", subject=subject_id, after=number_cursor(cursor), most=limit)
    return Timeline(tuple(told(row) for row in rows), str(rows[-1]["subject_seq"]) if len(rows) == limit else None)


def latest(tx: Transaction, subject_id: str, most: int) -> tuple[Entry, ...]:
    """Return a subject's newest events, oldest of them first."""
    return tuple(told(row) for row in reversed(tx.all("event_latest", subject=subject_id, most=most)))


def told(event: Row) -> Entry:
    """Return an event's entry."""
    return Entry(event["subject_seq"], event["at"], event["kind"], event["actor"], event["run_id"], sentence(event))
