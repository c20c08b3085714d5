"""What an issue builds on: the accepted commits of everything it depends on, in topological order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

MOST = 10_000


class Accepted(NamedTuple):
    """An issue and the commit it was accepted with."""

    identifier: str
    commit: str


def accepted_before(tx: Transaction, issue: Row) -> list[Accepted]:
    """Return the accepted commits below an issue, dependencies first, each once.

    Where a commit was made in a worktree of the harness, what it depends on is merged into its base already, so the
    walk does not go below it.
    """
    found: list[Accepted] = []
    seen = {issue["id"]}
    open_ids: list[tuple[Row, bool]] = [(row, False) for row in reversed(_direct(tx, issue))]
    while open_ids and len(seen) < MOST:
        row, expanded = open_ids.pop()
        if expanded:
            found.append(Accepted(row["identifier"], row["accepted_commit"]))
            continue
        if row["id"] in seen:
            continue
        seen.add(row["id"])
        if row["accepted_commit"]:
            open_ids.append((row, True))
        if not row["accepted_commit"] or not _from_worktree(tx, row):
            full = tx.one("issue_by_id", id=row["id"])
            assert full is not None
            open_ids += [(below, False) for below in reversed(_direct(tx, full))]
    return found


def _direct(tx: Transaction, issue: Row) -> list[Row]:
    rows = [
        {"id": edge["depends_on_id"], "identifier": edge["identifier"], "accepted_commit": edge["accepted_commit"]}
        for edge in tx.all("issue_dependencies", issue=issue["id"])
    ]
    if issue["milestone_id"] is not None:
        for milestone in tx.all("milestone_dependencies", milestone=issue["milestone_id"]):
            rows += tx.all("issue_done_in", milestone=milestone["depends_on_id"], most=MOST)
    return rows


def _from_worktree(tx: Transaction, row: Row) -> bool:
    run = tx.one("run_accepting", issue=row["id"], commit_id=row["accepted_commit"], one=1)
    return run is not None and run["worktree"] is not None
