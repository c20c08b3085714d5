"""Approvals: those that a plan asks for before an issue begins, and the answers to the gates that ask about a commit.

A gate's answer carries the commit it is about (`subject`); an approval that a plan asks for has none. Both of one
name share one row: the columns `required` and `state` decide whether the issue may begin, `subject` for which commit
the gate passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.model.gate import GateKind
from harnessos.model.rights import may_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.store.transaction import Row, Transaction

DECISIONS = ("approved", "rejected", "waived")
_MOST = 10_000
_OPEN = ("pending", "rejected")


class Said(NamedTuple):
    """A person's answer: one of DECISIONS, by whom (an actor in full), and a note."""

    state: str
    by: str
    note: str


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


def decide(tx: Transaction, rows: Sequence[Row], said: Said, subject: str | None = None) -> int:
    """Write a person's decision; return by how many the approvals that hold the start grew (below 0: shrank).

    `subject` is the commit that a gate's answer is about. What a plan asks for has none, and no gate passes by it.
    """
    grown = 0
    for row in rows:
        tx.do("approval_decide", id=row["id"], now=tx.now, subject=subject, **said._asdict())
        grown += is_open(row["required"], said.state) - is_open(row["required"], row["state"])
    return grown


def planned(tx: Transaction, issue: Row) -> list[Row]:
    """Return the approvals of an issue that its plan asks for, and not what was only answered for a gate."""
    rows = tx.all("approval_of_issue", issue=issue["id"])
    return [row for row in rows if row["required"] or row["subject"] is None]


def waiting_gates(tx: Transaction, issue: Row, run: Row, who: Mapping[str, Sequence[str]] | None) -> list[str]:
    """Return the required approval gates that nobody who may has answered yet for the commit this run was judged at.

    `who` says of each gate that counts today who may answer it; None, where a gate waits, is Refused.
    """
    commit = run["commit_id"]
    found = {
        row["gate"]
        for row in tx.all("evidence_of_run", run=run["id"], most=_MOST)
        if row["kind"] == GateKind.APPROVAL.value
        and row["subject"] == commit
        and row["required"]
        and row["passed"] is None
    }
    if not found:
        return []
    if who is None:
        raise errors.Refused(
            f"{issue['identifier']} was judged just now: it waits for {', '.join(sorted(found))} at {commit[:12]}",
            hint="look at the commit, then say it again",
        )
    answers = {row["name"]: row for row in tx.all("approval_of_issue", issue=issue["id"])}
    return sorted(name for name in found if not _answered(answers.get(name), commit, who.get(name, ())))


def _answered(row: Row | None, commit: str, who: Sequence[str]) -> bool:
    if row is None or row["subject"] != commit or row["state"] in _OPEN:
        return False
    return may_answer(who, row["decided_by"])


def answer(
    tx: Transaction, issue: Row, run: Row, gates: Sequence[str], who: Mapping[str, Sequence[str]], said: Said
) -> int:
    """Write a person's answer to these gates about the run's commit; return what `decide` returns.

    Refused when one of them is for others to answer. A plan's approval of the same name that holds the start of the
    issue is not taken back by a "no" to the commit.
    """
    for gate in gates:
        command = f"harness issue approve {issue['identifier']}" + (f" --name {gate}" if len(gates) > 1 else "")
        _refuse_others(issue, gate, who.get(gate, ()), said.by, command)
    known = {row["name"] for row in tx.all("approval_of_issue", issue=issue["id"])}
    fresh = [{"id": gate, "required": False, "state": "pending"} for gate in gates if gate not in known]
    write(tx, issue["project_id"], fresh, issue=issue["id"])
    rows = [row for row in tx.all("approval_of_issue", issue=issue["id"]) if row["name"] in gates]
    decided = [row for row in rows if said.state != "rejected" or not row["required"]]
    return decide(tx, decided, said, run["commit_id"])


def _refuse_others(issue: Row, gate: str, who: Sequence[str], by: str, command: str) -> None:
    if may_answer(who, by):
        return
    raise errors.Refused(
        f"the gate {gate} of {issue['identifier']} is for {', '.join(who)} to answer, not for {by}",
        hint=f"ask for: `{command}`",
        gate=gate,
        who=list(who),
    )
