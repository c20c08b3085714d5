"""Audit: a subject's whole history, checking that nobody changed it, and heads to keep elsewhere.

The chains are unkeyed: they show accidents and casual edits. Against somebody who rewrites a whole chain, compare with
heads that `anchor` printed earlier and that were kept outside the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.inspector import timeline
from harnessos.inspector.chains import Chain, Finding
from harnessos.inspector.views import PAGE
from harnessos.model.event import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harnessos.store.transaction import Row, Store, Transaction

VERSION = 1
BATCH = 200
"""Subjects, or events, read in one transaction while everything is checked."""
WINDOW = 10_000
"""Places of the event table searched in one transaction for events that belong to nothing."""


class Subject(NamedTuple):
    """A thing with a chain, and where it says that the chain ends."""

    kind: str
    id: str
    name: str
    seq: int
    head: str


class Audit(NamedTuple):
    """A subject's history, a page of it."""

    audit_version: int
    at: int
    subject: dict[str, Any]
    timeline: tuple[timeline.Entry, ...]
    cursor: str | None


class Anchor(NamedTuple):
    """Heads to keep elsewhere, a page of them. `cursor` is `kind/id`."""

    anchor_version: int
    at: int
    heads: tuple[Subject, ...]
    cursor: str | None


def find(tx: Transaction, name: str) -> Subject:
    """Return the subject called by an identifier, a project's key or any subject's id; UnknownIdentifier otherwise."""
    row = tx.one("issue_by_identifier", identifier=name.upper()) or tx.one("issue_by_id", id=name)
    if row is not None:
        return Subject("issue", row["id"], row["identifier"], row["event_seq"], row["event_head"])
    row = tx.one("project_by_key", key=name.upper()) or tx.one("project_by_id", id=name)
    if row is not None:
        return Subject("project", row["id"], row["key"], row["event_seq"], row["event_head"])
    row = tx.one("campaign_by_id", id=name)
    if row is not None:
        return Subject("campaign", row["id"], row["name"], row["event_seq"], row["event_head"])
    row = tx.one("ledger_read", one=1)
    if row is not None and name in ("ledger", row["id"]):
        return Subject("ledger", row["id"], row["id"], row["event_seq"], row["event_head"])
    raise errors.UnknownIdentifier(f"nothing in this ledger is called {name}", identifier=name)


def query(tx: Transaction, name: str, cursor: str = "", limit: int = PAGE) -> Audit:
    """Return a page of a subject's history."""
    subject = find(tx, name)
    told = timeline.query(tx, subject.id, cursor, limit)
    return Audit(VERSION, tx.now, subject._asdict(), told.items, told.cursor)


def verify_one(tx: Transaction, subject: Subject) -> list[Finding]:
    """Check one subject's chain on one snapshot."""
    chain = Chain(subject.kind, subject.name)
    found: list[Finding] = []
    while True:
        rows = tx.all("event_of_subject", subject=subject.id, after=chain.seq, most=BATCH)
        found += chain.walk(rows)
        if len(rows) < BATCH:
            return found + chain.end(subject.seq, subject.head)


def verify(tx: Transaction, name: str) -> list[Finding]:
    """Check the chain of the subject of that name."""
    return verify_one(tx, find(tx, name))


def verify_all(store: Store) -> Iterator[Finding]:
    """Check every chain, and that every event belongs to one; a transaction for each batch, so writers are not held up."""
    for kind in SUBJECTS:
        after: str | None = ""
        while after is not None:
            found, after = store.read(_verify_batch, kind, after)
            yield from found
    last = store.read(_last)
    for start in range(0, last, WINDOW):
        yield from store.read(_orphans, start)


def _verify_batch(tx: Transaction, kind: str, after: str) -> tuple[list[Finding], str | None]:
    subjects = _heads(tx, kind, after)
    found = [finding for subject in subjects for finding in verify_one(tx, subject)]
    return found, subjects[-1].id if len(subjects) == BATCH else None


def _heads(tx: Transaction, kind: str, after: str) -> list[Subject]:
    rows = tx.all(_HEADS[kind], after=after, most=BATCH)
    return [Subject(kind, row["id"], row["name"], row["event_seq"], row["event_head"]) for row in rows]


_HEADS = {
    "issue": "inspect_heads_issue",
    "campaign": "inspect_heads_campaign",
    "project": "inspect_heads_project",
    "ledger": "inspect_heads_ledger",
}


def _last(tx: Transaction) -> int:
    row = tx.one("event_last")
    return int(row["seq"]) if row else 0


def _orphans(tx: Transaction, start: int) -> list[Finding]:
    rows = tx.all("inspect_orphans", after=start, upto=start + WINDOW, most=BATCH)
    return [_orphan(row) for row in rows]


def _orphan(row: Row) -> Finding:
    text = f"event {row['seq']} belongs to {row['subject_kind']} {row['subject_id']}, which does not exist"
    return Finding(row["subject_kind"], row["subject_id"], row["subject_seq"], "inserted", text)


def anchor(tx: Transaction, cursor: str = "") -> Anchor:
    """Return a page of heads: of the ledger, its projects, its campaigns, then every issue."""
    kind, _, after = cursor.partition("/")
    kinds = tuple(reversed(SUBJECTS))
    if kind and kind not in kinds:
        raise errors.BadContent(f"{cursor!r} is no cursor of this list", hint="take the one the last page gave")
    at = kinds.index(kind) if kind else 0
    heads: list[Subject] = []
    while at < len(kinds):
        found = _heads(tx, kinds[at], after)
        heads += [subject for subject in found if subject.seq]
        if len(found) == BATCH:
            return Anchor(VERSION, tx.now, tuple(heads), f"{kinds[at]}/{found[-1].id}")
        at, after = at + 1, ""
    return Anchor(VERSION, tx.now, tuple(heads), None)
