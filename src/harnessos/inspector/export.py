"""The inspector's view of a project as one versioned document, in pages.

`harness db export` is another thing: it copies the whole ledger.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.inspector import issue_view, reasons, run_view, status, timeline
from harnessos.inspector.views import PAGE, document, number_cursor, page_size

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

VERSION = 1
RECENT = 20


class Export(NamedTuple):
    """One page. The first holds the project's `summary` too; the others only issues. `cursor` None after the last."""

    export_version: int
    generated_at: int
    scope: dict[str, Any]
    summary: dict[str, Any] | None
    issues: tuple[dict[str, Any], ...]
    cursor: str | None


def query(tx: Transaction, project: Row, cursor: str = "", limit: int = PAGE) -> Export:
    """Return a page of a project."""
    limit = page_size(limit)
    rows = tx.all("inspect_issue_rows", project=project["id"], after=number_cursor(cursor), most=limit)
    return Export(
        VERSION,
        tx.now,
        {"project": project["key"], "project_id": project["id"]},
        _summary(tx, project) if not cursor else None,
        tuple(_issue(tx, row) for row in rows),
        str(rows[-1]["number"]) if len(rows) == limit else None,
    )


def _summary(tx: Transaction, project: Row) -> dict[str, Any]:
    campaigns = tx.all("campaign_list", project=project["id"])
    shown = {name: project[name] for name in ("id", "key", "name", "kind", "root_commit", "target", "created_at")}
    return {
        "project": shown,
        "campaigns": [_campaign(row) for row in campaigns],
        "status": document(status.query(tx, project)),
        "recent_runs": document(run_view.listed(tx, project, limit=RECENT)),
        "recent_events": document(timeline.latest(tx, project["id"], RECENT)),
    }


def _campaign(row: Row) -> dict[str, Any]:
    plain = {name: row[name] for name in ("id", "name", "objective", "status", "created_at")}
    return {**plain, "policy": json.loads(row["policy_json"])}


def _issue(tx: Transaction, row: Row) -> dict[str, Any]:
    edges = tx.all("inspect_dependencies", id=row["id"], after="", most=issue_view.MOST)
    return {
        **issue_view.fields(tx, row),
        "depends_on": [edge["identifier"] for edge in edges],
        "depends_on_more": len(edges) == issue_view.MOST,
        "waits": reasons.waits_of(tx, row),
    }
