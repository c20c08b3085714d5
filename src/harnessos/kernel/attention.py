"""The inbox of things that need a person: one row each, asked once, with the exact command that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction


def ask(
    tx: Transaction, project_id: str, issue_id: str | None, *, kind: str, dedup: str, question: str, command: str
) -> None:
    """Put a question into the inbox unless the same one (`dedup`) is open already."""
    tx.do(
        "attention_insert",
        id=tx.new_id("att"),
        project=project_id,
        issue=issue_id,
        dedup=dedup,
        kind=kind,
        question=question,
        command=command,
        now=tx.now,
    )
    tx.wake()


def moot(tx: Transaction, issue_id: str, cause: Cause) -> None:
    """Close what an issue asked, because it moved on."""
    tx.do("attention_resolve_issue", issue=issue_id, now=tx.now, by=str(cause.actor))


def resolve(tx: Transaction, attention_id: str, cause: Cause) -> None:
    """A person says that this is settled."""
    if tx.one("attention_by_id", id=attention_id) is None:
        raise errors.UnknownIdentifier(f"there is no attention entry {attention_id}", hint="`harness attention list`")
    tx.do("attention_resolve", id=attention_id, now=tx.now, by=str(cause.actor))


def take_unsent(tx: Transaction, keys: Sequence[str], most: int = 20) -> list[Row]:
    """Return entries of these projects (keys) that nobody was notified of, each to exactly one caller."""
    rows = tx.all("attention_unsent", keys=f",{','.join(keys)},", most=most)
    return [row for row in rows if tx.run("attention_sent", id=row["id"], now=tx.now) == 1]
