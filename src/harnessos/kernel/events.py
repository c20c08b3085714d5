"""Appending facts to a subject's hash chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.model.event import Event, canonical, chained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.model.run import Actor
    from harnessos.store.transaction import Transaction


class Cause(NamedTuple):
    """Who did it, why (a command or a rule), and under which run and epoch."""

    actor: Actor
    command: str = ""
    run_id: str | None = None
    epoch: int | None = None


class Head(NamedTuple):
    """Where a chain ends."""

    seq: int
    hash: str


def append(
    tx: Transaction, subject: tuple[str, str], head: Head, kind: str, cause: Cause, data: Mapping[str, Any]
) -> Head:
    """Write the event that follows `head` and return the new head; the caller stores it with the subject."""
    event = Event(
        *subject,
        head.seq + 1,
        tx.now,
        kind,
        str(cause.actor),
        cause.command,
        cause.run_id,
        cause.epoch,
        canonical(data),
    )
    new = Head(event.subject_seq, chained(head.hash, event))
    tx.do("event_insert", **event._asdict(), hash=new.hash)
    return new


def note(tx: Transaction, subject: tuple[str, str], kind: str, cause: Cause, data: Mapping[str, Any]) -> None:
    """Append an event to a subject (`issue`, `campaign`, `project`, `ledger`) that does not itself change."""
    noun, subject_id = subject
    read, move = _CHAINS[noun]
    tail = tx.one(read, id=subject_id)
    if tail is None:
        raise ValueError(f"no {noun} {subject_id}")
    new = append(tx, subject, Head(tail["event_seq"], tail["event_head"]), kind, cause, data)
    tx.do(move, id=subject_id, seq=new.seq, head=new.hash, seen=tail["event_seq"])


_CHAINS = {
    "issue": ("event_tail_issue", "event_head_issue"),
    "campaign": ("event_tail_campaign", "event_head_campaign"),
    "project": ("event_tail_project", "event_head_project"),
    "ledger": ("event_tail_ledger", "event_head_ledger"),
}
"""For each kind of subject, the query that reads where its chain ends and the one that moves it."""
