"""What waits for a person, as a question that can be answered: with what the open gates ask, and what to do first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

_MOST = 1000


def question(tx: Transaction, entry: Row) -> str:
    """Return the question of an open entry (identifier, kind, question), with what is known of it beside."""
    asked = str(entry["question"])
    if entry["kind"] == "review" and entry["identifier"]:
        told = _review(tx, str(entry["identifier"]))
        return f"{entry['identifier']}: {told}" if told else asked
    return asked


def _review(tx: Transaction, identifier: str) -> str:
    """Return why the judged commit of an issue waits: the verdict's reason, and each question the gates left open."""
    from harnessos.model.gate import GateKind

    issue = tx.one("issue_by_identifier", identifier=identifier)
    run = tx.one("run_last_of", issue=issue["id"], one=1) if issue else None
    if run is None:
        return ""
    open_gates = [
        f"gate {row['gate']} asks: {row['detail']}"
        for row in tx.all("evidence_of_run", run=run["id"], most=_MOST)
        if row["kind"] == GateKind.APPROVAL.value and row["passed"] is None and row["subject"] == run["commit_id"]
    ]
    reason = str(run["reason"] or "")
    said = [] if open_gates and reason.startswith("gate ") else [reason] if reason else []
    return "; ".join([*said, *open_gates, f"look at {str(run['commit_id'])[:12]}"]) if said or open_gates else ""
