"""Replay: an issue's events, folded, must give the columns that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.model.event import DECIDED, fold

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

BATCH = 500


def differences(tx: Transaction, issue: Row) -> str:
    """Return in which columns the folded events differ from an issue's row; empty when in none."""
    folded = fold(_data(tx, issue["id"]))
    return "; ".join(
        f"{name} is {issue[name]!r}, its events say {folded[name]!r}" for name in DECIDED if issue[name] != folded[name]
    )


def _data(tx: Transaction, issue_id: str) -> list[str]:
    found: list[str] = []
    after = 0
    while True:
        rows = tx.all("event_of_subject", subject=issue_id, after=after, most=BATCH)
        found += [row["data_json"] for row in rows]
        if len(rows) < BATCH:
            return found
        after = rows[-1]["subject_seq"]
