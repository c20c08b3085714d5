"""Finding a row by the name people use for it. What is not there is UnknownIdentifier, and says where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import errors

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction


def project(tx: Transaction, key: str) -> Row:
    """Return the project with that key, in whatever case it is written."""
    row = tx.one("project_by_key", key=key.upper())
    if row is None:
        raise errors.UnknownIdentifier(
            f"there is no project {key.upper()} in this ledger", hint="`harness project list` shows what there is"
        )
    return row


def issue(tx: Transaction, identifier: str) -> Row:
    """Return the issue with that identifier (`DOCS-42`), in whatever case it is written."""
    row = tx.one("issue_by_identifier", identifier=identifier.upper())
    if row is None:
        raise errors.UnknownIdentifier(
            f"there is no issue {identifier}", hint="`harness issue list` shows what there is", identifier=identifier
        )
    return row


def run(tx: Transaction, run_id: str) -> Row:
    """Return the run with that id."""
    row = tx.one("run_by_id", id=run_id)
    if row is None:
        raise errors.UnknownIdentifier(
            f"there is no run {run_id}", hint="`harness run list` shows what there is", run=run_id
        )
    return row
