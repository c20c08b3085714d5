"""Replay: an issue's events, folded, must give the columns that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.model.event import DECIDED, fold
from harnessos.model.mission import COLUMNS

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

BATCH = 500


def differences(tx: Transaction, issue: Row) -> str:
    """Return in which columns the folded events differ from an issue's row; empty when in none."""
    data = _data(tx, issue["id"])
    folded, row, names = fold(data), dict(issue), list(DECIDED)
    if issue["kind"] == "standing":
        mission = tx.one("mission_by_issue", issue=issue["id"])
        standing = {f"mission's {name}": mission[name] for name in COLUMNS} if mission else {}
        row.update(standing)
        folded.update({f"mission's {name}": value for name, value in fold(data, "mission").items()})
        names += standing
    return "; ".join(
        f"{name} is {row[name]!r}, its events say {folded.get(name)!r}"
        for name in names
        if row[name] != folded.get(name)
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
