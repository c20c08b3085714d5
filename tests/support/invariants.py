"""What must be true of a ledger at every moment at which nobody is inside a transaction.

Written against the tables with SQL of its own, so that it shares no mistake with the kernel. Only the event chain and
its fold are the product's (`model.event`): they define what the columns mean.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw
import psycopg
from psycopg.rows import dict_row

from harnessos.model.event import DECIDED, Event, chained, fold
from harnessos.model.milestone import status_of
from harnessos.store.opening import sqlite_path

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]
"""Any: columns are what the schema says."""

COUNTED = ("success", "agent_fault", "task_fault")
TABLES = (
    "ledger", "projects", "locations", "campaigns", "milestones", "milestone_dependencies", "lanes", "issues",
    "issue_dependencies", "approvals", "runs", "run_files", "slots", "intents", "checkpoints", "events", "artifacts",
    "evidence", "verdicts", "caps", "budgets", "holds", "breakers", "attention", "settlements", "locks",
)  # fmt: skip


def tables(url: str) -> Tables:
    """Return every row of the ledger."""
    path = sqlite_path(url)
    if path is not None:
        with _sqlite(str(path)) as connection:
            return {name: _dicts(connection, f"SELECT * FROM {name}") for name in TABLES}
    found: Tables = {}
    server = _servers.get(url)
    if server is None or server.closed:
        server = _servers[url] = psycopg.connect(url, autocommit=True, row_factory=dict_row)
    cursor = server.execute("; ".join(f"SELECT * FROM {name}" for name in TABLES).encode())
    for name in TABLES:
        found[name] = cursor.fetchall()
        cursor.nextset()
    return found


_servers: dict[str, psycopg.Connection[dict[str, Any]]] = {}
"""Connections that `tables` keeps, because it is asked hundreds of times."""


def forget(url: str) -> None:
    """Close what was kept of a server's database."""
    server = _servers.pop(url, None)
    if server is not None:
        server.close()


@contextmanager
def _sqlite(path: str) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(30_000)
    # Looking needs no patience with the disk; whoever closes last still copies the log into the file.
    connection.execute("PRAGMA synchronous = OFF")
    try:
        yield connection
    finally:
        connection.close()


def _dicts(connection: apsw.Connection, query: str) -> Rows:
    cursor = connection.execute(query)
    found: Rows = []
    for row in cursor:
        found.append(dict(zip((column[0] for column in cursor.get_description()), row, strict=True)))
    return found


def damage(url: str) -> list[str]:
    """Return what SQLite finds wrong with its file; a server checks its own."""
    path = sqlite_path(url)
    if path is None:
        return []
    with _sqlite(str(path)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [f"foreign key {row}" for row in connection.execute("PRAGMA foreign_key_check")]


def check(url: str) -> Tables:
    """Assert every invariant and return the rows that were looked at."""
    found = tables(url)
    problems = damage(url) + broken_rules(found)
    assert not problems, "\n".join(problems[:20])
    return found


def broken_rules(ledger: Tables) -> list[str]:
    """Return a sentence for each invariant that does not hold."""
    return [
        *_runs(ledger),
        *_edges(ledger),
        *_milestones(ledger),
        *_budgets(ledger),
        *_held(ledger),
        *_chains(ledger),
        *_replay(ledger),
    ]


def _runs(ledger: Tables) -> Iterator[str]:
    issues = {row["id"]: row for row in ledger["issues"]}
    live = Counter(run["issue_id"] for run in ledger["runs"] if run["live"])
    of_issue: dict[str, Rows] = defaultdict(list)
    checkpoints = Counter(row["run_id"] for row in ledger["checkpoints"])
    for run in ledger["runs"]:
        of_issue[run["issue_id"]].append(run)
        if run["live"] and run["epoch"] != issues[run["issue_id"]]["lease_epoch"]:
            yield f"the live run {run['id']} has an old epoch"
        written = checkpoints[run["id"]]
        if written != run["checkpoints"]:
            yield f"run {run['id']} counts {run['checkpoints']} checkpoints of {written}"
    for issue in issues.values():
        name, runs = issue["identifier"], of_issue[issue["id"]]
        if live[issue["id"]] != (issue["status"] == "in_progress"):
            yield f"{name} is {issue['status']} with {live[issue['id']]} live runs"
        if sorted(run["epoch"] for run in runs) != list(range(1, issue["lease_epoch"] + 1)):
            yield f"{name} has epoch {issue['lease_epoch']} and runs {[run['epoch'] for run in runs]}"
        # Attempts do not apply to a mission: its breaker counts failures in a row.
        counted = 0 if issue["kind"] == "standing" else sum(run["outcome"] in COUNTED for run in runs)
        if counted != issue["attempts"]:
            yield f"{name} counts {issue['attempts']} attempts of {counted}"
        if issue["status"] == "done" and not any(
            run["verdict"] in ("verified", "unverified", "needs_review") for run in runs
        ):
            yield f"{name} is done without a verdict"


def _edges(ledger: Tables) -> Iterator[str]:
    issues = {row["id"]: row for row in ledger["issues"]}
    unsettled = {row["subject_id"] for row in ledger["settlements"]}
    states: dict[str, Counter[int]] = defaultdict(Counter)
    for edge in ledger["issue_dependencies"]:
        states[edge["issue_id"]][edge["state"]] += 1
        wanted = {"done": 1, "failed": 2, "cancelled": 2}.get(issues[edge["depends_on_id"]]["status"], 0)
        if edge["state"] != wanted and edge["depends_on_id"] not in unsettled:
            yield f"the edge {edge} should have the state {wanted}"
    milestones = {row["id"]: row for row in ledger["milestones"]}
    asked = Counter(
        row["issue_id"] for row in ledger["approvals"] if row["required"] and row["state"] in ("pending", "rejected")
    )
    for issue in issues.values():
        name = issue["identifier"]
        if (issue["unmet"], issue["broken"]) != (states[issue["id"]][0], states[issue["id"]][2]):
            yield f"{name} counts {issue['unmet']} unmet and {issue['broken']} broken of {states[issue['id']]}"
        open_approvals = asked[issue["id"]]
        if open_approvals != issue["approvals_open"]:
            yield f"{name} counts {issue['approvals_open']} open approvals of {open_approvals}"
        if issue["kind"] != "task":
            if issue["status"] == "ready":
                yield f"{name} is {issue['kind']} and was promoted"
            continue
        milestone = milestones[issue["milestone_id"]]
        free = not (issue["unmet"] or issue["broken"] or issue["approvals_open"])
        free = free and not milestone["unmet"] and not milestone["approvals_open"]
        promoting = any(subject.endswith(milestone["id"]) for subject in unsettled)
        if not promoting and issue["status"] == "pending" and free:
            yield f"{name} is pending and waits for nothing"
        if not promoting and issue["status"] == "ready" and not free:
            yield f"{name} is ready and waits"


def _milestones(ledger: Tables) -> Iterator[str]:
    unsettled = {row["subject_id"] for row in ledger["settlements"]}
    status = {row["id"]: row["status"] for row in ledger["milestones"]}
    standing: dict[str, Counter[str]] = defaultdict(Counter)
    for issue in ledger["issues"]:
        standing[issue["milestone_id"]][issue["status"]] += 1
    before: dict[str, Rows] = defaultdict(list)
    for edge in ledger["milestone_dependencies"]:
        before[edge["milestone_id"]].append(edge)
    for milestone in ledger["milestones"]:
        counts = standing[milestone["id"]]
        names = ("pending", "ready", "in_progress", "done", "failed", "blocked", "cancelled")
        kept = {name: milestone[f"n_{name}"] for name in names}
        if kept != {name: counts[name] for name in names}:
            yield f"milestone {milestone['key']} counts {kept} of {dict(counts)}"
        edges = before[milestone["id"]]
        if milestone["unmet"] != sum(edge["state"] == 0 for edge in edges):
            yield f"milestone {milestone['key']} counts {milestone['unmet']} unmet of {edges}"
        for edge in edges:
            if edge["depends_on_id"] not in unsettled and edge["state"] != (status[edge["depends_on_id"]] == "done"):
                yield f"the milestone edge {edge} is not up to date"
        if milestone["status"] != status_of(kept, milestone["unmet"]):
            yield f"milestone {milestone['key']} is {milestone['status']} with {kept}"


def _budgets(ledger: Tables) -> Iterator[str]:
    # A mission pays for its runs and its tasks', a project for those of its other issues.
    payer = {
        issue["id"]: issue["project_id"] if issue["kind"] == "task" else issue["parent_id"] or issue["id"]
        for issue in ledger["issues"]
    }
    for row in ledger["budgets"]:
        period = (row["scope_id"], row["period"])
        runs = [run for run in ledger["runs"] if (payer[run["issue_id"]], run["budget_day"]) == period]
        live = [run for run in runs if run["live"]]
        wanted = {"wall_ms": sum(r["reserved_wall_ms"] for r in live), "usd": sum(r["reserved_usd"] for r in live)}
        if row["reserved"] != wanted.get(row["dimension"], 0):
            yield f"{row['dimension']} of {row['period']} has {row['reserved']} reserved, live runs hold {wanted}"
        if row["dimension"] == "runs" and row["spent"] != len(runs):
            yield f"{row['spent']} runs are charged, {len(runs)} began"
        used = sum(max(0, _ended(run) - run["started_at"]) for run in runs if not run["live"])
        if row["dimension"] == "wall_ms" and row["spent"] != used:
            yield f"{row['spent']} ms are charged, {used} were used"


def _ended(run: dict[str, Any]) -> int:
    # Any: a row. What lies behind a lost lease may be a machine that slept, and costs nothing.
    return int(min(run["ended_at"], run["expires_at"]) if run["outcome"] == "lost" else run["ended_at"])


def _held(ledger: Tables) -> Iterator[str]:
    live = {run["id"] for run in ledger["runs"] if run["live"]}
    for table in ("slots", "run_files"):
        for row in ledger[table]:
            if row["run_id"] not in live:
                yield f"{table} still holds {row} of an ended run"
    for issue in ledger["issues"]:
        if issue["parked"] == 2 and issue["parked_by"] not in live:
            yield f"{issue['identifier']} is parked by a run that is over"


def _chains(ledger: Tables) -> Iterator[str]:
    heads = {
        row["id"]: (row["event_seq"], row["event_head"])
        for table in ("ledger", "projects", "campaigns", "issues")
        for row in ledger[table]
    }
    chains: dict[str, Rows] = defaultdict(list)
    for event in ledger["events"]:
        chains[event["subject_id"]].append(event)
    for subject, head in heads.items():
        seq, found = 0, ""
        for row in sorted(chains.pop(subject, []), key=lambda event: int(event["subject_seq"])):
            seq += 1
            found = chained(found, Event(**{name: row[name] for name in Event._fields}))
            if (row["subject_seq"], row["hash"]) != (seq, found):
                yield f"the chain of {subject} breaks at {row['subject_seq']} ({row['kind']})"
                break
        if (seq, found) != head:
            yield f"the chain of {subject} ends at {seq}, its head says {head[0]}"
    for subject in chains:
        yield f"events of {subject}, which is not there"


def _replay(ledger: Tables) -> Iterator[str]:
    of_issue: dict[str, Rows] = defaultdict(list)
    for event in ledger["events"]:
        of_issue[event["subject_id"]].append(event)
    runs = Counter(run["issue_id"] for run in ledger["runs"])
    over = Counter(run["issue_id"] for run in ledger["runs"] if not run["live"])
    for issue in ledger["issues"]:
        events = sorted(of_issue[issue["id"]], key=lambda event: int(event["subject_seq"]))
        folded = fold(event["data_json"] for event in events)
        columns = {name: issue[name] for name in DECIDED}
        if folded != columns:
            yield f"{issue['identifier']} folds to {folded}, its row says {columns}"
        kinds = Counter(event["kind"] for event in events)
        if (kinds["run.claimed"], kinds["run.ended"]) != (runs[issue["id"]], over[issue["id"]]):
            yield f"{issue['identifier']} has {kinds} for {runs[issue['id']]} runs"
