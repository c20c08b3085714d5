"""Short lists that commands show as they stand in the ledger: projects, campaigns, breakers, the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.store import named

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction


def all_projects(tx: Transaction) -> list[dict[str, Any]]:
    """Return the projects of the ledger. Any: JSON documents, here and below."""
    return [_project(row) for row in tx.all("project_list")]


def project(tx: Transaction, key: str) -> dict[str, Any]:
    """Return a project with the places it lies at and how many issues it has in each status."""
    row = named.project(tx, key)
    places = [
        {"machine": place["machine_id"], "path": place["path"], "trusted_by": place["trusted_by"]}
        for place in tx.all("project_locations", project=row["id"])
    ]
    counts = {count["status"]: count["n"] for count in tx.all("issue_counts", project=row["id"])}
    return {**_project(row), "root_commit": row["root_commit"], "locations": places, "issues": counts}


def _project(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "key", "name", "kind", "target", "created_at")}


def campaigns(tx: Transaction, key: str) -> list[dict[str, Any]]:
    """Return a project's campaigns."""
    rows = tx.all("campaign_list", project=named.project(tx, key)["id"])
    return [campaign(row) for row in rows]


def campaign(row: Row) -> dict[str, Any]:
    """Return a campaign as commands show it."""
    return {name: row[name] for name in ("id", "name", "status", "objective", "created_at")}


def breakers(tx: Transaction, most: int) -> list[dict[str, Any]]:
    """Return the open breakers: held provider accounts, then issues, oldest first."""
    rows = tx.all("breaker_list", most=most)
    held = [
        {
            "scope": f"provider:{row['scope_id']}",
            "reason": row["reason"],
            "opened_at": row["created_at"],
            "reset": f"harness breaker reset provider:{row['scope_id']}",
        }
        for row in tx.all("hold_providers", now=tx.now)
    ]
    return held + [
        {
            "scope": f"{row['scope_kind']}:{row['identifier'] or row['scope_id']}",
            "reason": row["reason"],
            "opened_at": row["opened_at"],
            "reset": f"harness mission resume {row['workspace']}"
            if row["workspace"]
            else f"harness breaker reset {row['identifier']}",
        }
        for row in rows
    ]


def attention(tx: Transaction, key: str, most: int, cursor: str) -> dict[str, Any]:
    """Return a page of what waits for a person; `cursor` is None on the last page."""
    rows = tx.all("attention_open", project=named.project(tx, key)["id"], after=cursor, most=most + 1)
    items = [
        {name: row[name] for name in ("id", "identifier", "kind", "question", "command", "created_at")}
        for row in rows[:most]
    ]
    return {"items": items, "cursor": items[-1]["id"] if len(rows) > most else None}
