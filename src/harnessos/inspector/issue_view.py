"""Everything about one issue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.inspector import inbox, reasons, run_view, timeline
from harnessos.model.issue import PRIORITIES
from harnessos.store import named

if TYPE_CHECKING:
    from harnessos.inspector.run_view import RunLine
    from harnessos.inspector.timeline import Entry
    from harnessos.store.transaction import Row, Transaction

MOST = 50
"""Parts of each kind in one view; every kind has a list of its own with a cursor."""
_JSON = ("gates_json", "budget_json", "labels_json", "files_json", "policy_json", "metadata_json")
_PLAIN = (
    "id", "identifier", "plan_key", "key", "task", "description", "size", "status", "lease_epoch", "attempts",
    "forgiven", "breaks", "gate_errors", "wall_ms", "verdict", "accepted_commit", "not_before", "deadline_at",
    "ready_at", "planned_by", "created_at", "updated_at", "ended_at",
)  # fmt: skip


class Dependency(NamedTuple):
    """An edge to another issue. `state` is waiting, met or broken, as this end of it was last told."""

    identifier: str
    status: str
    state: str
    accepted_commit: str | None = None


class IssueView(NamedTuple):
    """An issue with all that belongs to it. Lists hold at most MOST entries, the newest where they have an order."""

    issue: dict[str, Any]
    dependencies: tuple[Dependency, ...]
    dependents: tuple[Dependency, ...]
    runs: tuple[RunLine, ...]
    verdicts: tuple[dict[str, Any], ...]
    evidence: tuple[dict[str, Any], ...]
    approvals: tuple[dict[str, Any], ...]
    checkpoints: tuple[dict[str, Any], ...]
    attention: tuple[dict[str, Any], ...]
    timeline: tuple[Entry, ...]


_STATES = ("waiting", "met", "broken")


def query(tx: Transaction, identifier: str) -> IssueView:
    """Return everything about an issue, or raise UnknownIdentifier."""
    row = named.issue(tx, identifier)
    issue_id = row["id"]
    last = tx.one("run_last_of", issue=issue_id, one=1)
    runs = tx.all("inspect_runs_of", issue=issue_id, before=2**62, most=MOST)
    depends = tx.all("inspect_dependencies", id=issue_id, after="", most=MOST)
    dependents = tx.all("inspect_dependents", id=issue_id, after="", most=MOST)
    return IssueView(
        fields(tx, row),
        tuple(Dependency(d["identifier"], d["status"], _STATES[d["state"]], d["accepted_commit"]) for d in depends),
        tuple(Dependency(d["identifier"], d["status"], _STATES[d["state"]]) for d in dependents),
        tuple(run_view.run_line(run, tx.now) for run in runs),
        tuple(tx.all("inspect_verdicts", issue=issue_id, most=MOST)),
        tuple(tx.all("evidence_of_run", run=last["id"], most=MOST)) if last else (),
        tuple(tx.all("approval_of_issue", issue=issue_id)),
        tuple(run_view.checkpoint(row) for row in tx.all("checkpoint_of_issue", issue=issue_id, most=MOST)),
        tuple(
            {**entry, "question": inbox.question(tx, {**entry, "identifier": row["identifier"]})}
            for entry in tx.all("inspect_attention_of", issue=issue_id, most=MOST)
        ),
        timeline.latest(tx, issue_id, MOST),
    )


def fields(tx: Transaction, row: Row) -> dict[str, Any]:
    """Return an issue's columns as people know them: priority as a word, JSON opened, the reason derived."""
    campaign = tx.one("campaign_by_id", id=row["campaign_id"])
    milestone = tx.one("milestone_by_id", id=row["milestone_id"]) if row["milestone_id"] else None
    assert campaign is not None
    known = {**row, "campaign": campaign["name"], "campaign_status": campaign["status"]}
    return {
        **{name: row[name] for name in _PLAIN},
        **{name.removesuffix("_json"): json.loads(row[name]) for name in _JSON},
        "priority": PRIORITIES[row["priority"]],
        "effective_priority": PRIORITIES[row["effective_priority"]],
        "breaches": [name for name in row["breaches"].split(",") if name],
        "blocked_reason": reasons.blocked_reason(
            known, reasons.waits_of(tx, row), reasons.holds_of(tx, row["project_id"])
        ),
        "campaign": campaign["name"],
        "milestone": milestone["key"] if milestone else None,
    }
