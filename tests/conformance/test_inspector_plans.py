"""What `status`, `next`, `why` and the lists read is found by an index: their cost does not grow with the ledger."""

from __future__ import annotations

import re
from typing import Any

import apsw
import psycopg
import pytest

from harnessos.store.opening import sqlite_path
from harnessos.store.queries import Queries, Query
from tests.support.ledger import Ledger

HOT = (
    "inspect_issues", "inspect_issues_status", "inspect_issues_milestone", "inspect_issues_milestone_status",
    "inspect_waits", "inspect_dependents", "inspect_dependencies", "inspect_milestone_key", "inspect_open_in",
    "inspect_counts", "inspect_live", "inspect_runs", "inspect_runs_of", "inspect_ended", "inspect_spent",
    "inspect_attention_count", "inspect_attention_of", "inspect_budget", "inspect_milestones", "inspect_timers",
    "inspect_expired", "inspect_recovery", "inspect_ready", "inspect_sleeping", "inspect_approvals",
    "inspect_promotable", "inspect_settlements", "inspect_breaker", "inspect_verdicts", "inspect_last_event",
    "inspect_issue_rows", "inspect_heads_issue", "issue_heads", "lane_list", "run_files_held", "health_recount",
)  # fmt: skip
LARGE = (
    "issues",
    "runs",
    "events",
    "issue_dependencies",
    "checkpoints",
    "evidence",
    "verdicts",
    "artifacts",
    "approvals",
)
"""Tables that grow with the work; the others stay small."""


def _value(name: str) -> Any:
    """Return some value of a parameter's type. Any: text or number."""
    numbers = {"after", "before", "most", "one", "now", "since", "upto", "any_class", "any_capability"}
    return 1 if name in numbers else "x"


def _numbered(name: str) -> bool:
    return name in {
        "inspect_issues",
        "inspect_issues_status",
        "inspect_milestones",
        "inspect_runs_of",
        "inspect_issue_rows",
    }


def _values(name: str, parameters: frozenset[str]) -> dict[str, Any]:
    values = {parameter: _value(parameter) for parameter in parameters}
    for cursor in ("after", "before"):
        if cursor in values and not _numbered(name):
            values[cursor] = "x"
    return values


def _scans(ledger: Ledger, query: Query, values: dict[str, Any]) -> list[str]:
    """Return the steps of a statement's plan that read a large table from end to end."""
    path = sqlite_path(ledger.store.url)
    if path is not None:
        with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as connection:
            steps = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", values)]
        tables = {alias: table for table, alias in re.findall(r"\b(\w+) (\w)\b", query.sql) if table in LARGE}
        named = [(step, found[1]) for step in steps if (found := re.match(r"SCAN (\w+)", step))]
        # A walk along an index that a LIMIT ends is what a page is; a scan that names no index reads all of it.
        return [step for step, name in named if tables.get(name, name) in LARGE and "USING" not in step]
    with psycopg.connect(ledger.store.url, autocommit=True) as server:
        server.execute("SET enable_seqscan = off")
        text, names = query.positional
        explained = psycopg.RawCursor(server).execute(f"EXPLAIN {text}", [values[name] for name in names])
        lines = [str(row[0]) for row in explained]
    return [line for line in lines if re.search(rf"Seq Scan on ({'|'.join(LARGE)})\b", line)]


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_reads_no_large_table_from_end_to_end(ledger: Ledger, name: str) -> None:
    query = Queries(ledger.store.dialect).all()[name]
    assert _scans(ledger, query, _values(name, query.parameters)) == []


def test_a_scan_is_seen(ledger: Ledger) -> None:
    query = Query("x", "SELECT i.id FROM issues i WHERE i.task = :task")
    assert _scans(ledger, query, {"task": "x"}) != []
