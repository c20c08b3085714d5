"""Approvals that a plan asks for: what of them is open, written down, and brought to what the plan says later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.store.transaction import Row, Transaction

DECISIONS = ("approved", "rejected", "waived")
_OPEN = ("pending", "rejected")


def is_open(required: object, state: str) -> bool:
    """Return whether an approval in this state keeps its subject from becoming ready."""
    return bool(required) and state in _OPEN


def wanted(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the approvals that a plan's metadata asks for. Any: the plan's reader has checked the shape."""
    found = []
    for entry in metadata.get("approvals", ()):
        state, required = entry.get("state", "pending"), bool(entry.get("required", True))
        found.append({**entry, "state": state, "required": required, "open": is_open(required, state)})
    return found


def write(tx: Transaction, project_id: str, entries: Sequence[Mapping[str, Any]], **subject: str) -> None:
    """Write the approvals of one subject: `issue=ID` or `milestone=ID`. Any: as in `wanted`."""
    for entry in entries:
        tx.do(
            "approval_insert",
            id=tx.new_id("apr"),
            project=project_id,
            issue=subject.get("issue"),
            milestone=subject.get("milestone"),
            name=entry["id"],
            label=entry.get("label", ""),
            required=int(entry["required"]),
            state=entry["state"],
            subject=None,
            note=entry.get("note", ""),
        )


def replan(tx: Transaction, issue: Row, metadata: Mapping[str, Any]) -> int:
    """Bring an issue's approvals to what its plan now asks for; return how many are open.

    What a person has decided stays decided; what nobody asks for any more is gone. Any: as in `wanted`.
    """
    asked = {entry["id"]: entry for entry in wanted(metadata)}
    known = {row["name"]: row for row in tx.all("approval_of_issue", issue=issue["id"])}
    still_open = sum(bool(entry["open"]) for name, entry in asked.items() if name not in known)
    for name, row in known.items():
        entry = asked.pop(name, None)
        if entry is None:
            tx.do("approval_delete", id=row["id"])
            continue
        required = int(entry["required"])
        tx.do("approval_rewrite", id=row["id"], label=entry.get("label", ""), required=required)
        still_open += is_open(required, row["state"])
    write(tx, issue["project_id"], list(asked.values()), issue=issue["id"])
    return still_open


def decide(tx: Transaction, rows: Sequence[Row], state: str, by: str, note: str) -> int:
    """Write a person's decision; return by how many the open approvals grew (below 0: shrank)."""
    grown = 0
    for row in rows:
        tx.do("approval_decide", id=row["id"], state=state, by=by, now=tx.now, note=note, subject=None)
        grown += is_open(row["required"], state) - is_open(row["required"], row["state"])
    return grown
