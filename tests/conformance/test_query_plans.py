"""Every query of the kernel goes by an index: none reads all issues, runs or events to find a few."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import psycopg
import pytest
from psycopg import sql

from harnessos.kernel import attention, intents
from harnessos.store import named
from harnessos.store.opening import create_store, open_store
from harnessos.store.queries import Queries
from harnessos.store.sqlite import connect
from harnessos.store.transaction import Transaction
from harnessos.testing import FakeClock
from tests.support.ledger import Draft, Ledger, draft, policy
from tests.support.postgres import Cluster

BIG = ("issues", "runs", "events", "checkpoints", "evidence", "verdicts", "intents", "artifacts", "issue_dependencies",
       "attention", "schedule_firings")  # fmt: skip
"""The tables that grow with the work done."""

READS_MUCH = {
    "issue_counts": "counts a project, for views only",
    "issue_promotable": "promote_queue and doctor look at every pending issue on purpose",
    "issue_any_ready": "stops at the first row; PostgreSQL may step over the ready issues of other projects",
    "issue_planned_all": "a plan applied again is compared with all that it wrote",
    "issue_planned_edges": "a plan applied again is compared with all that it wrote",
}
"""Queries whose answer is many rows by intent."""

KERNEL = ("approval", "artifact", "attention", "breaker", "budget", "campaign", "checkpoint", "claim", "event",
          "evidence", "hold", "intent", "issue", "lane", "ledger", "lock", "milestone", "project", "run", "schedule",
          "settlement", "slot", "verdict")  # fmt: skip
ROWS = 2_000


def _names() -> list[str]:
    """Every query of the kernel; what only inserts reads nothing, and what reads much does so on purpose."""
    found = Queries("sqlite").all()
    names = {name for name, query in found.items() if not query.sql.startswith("INSERT")}
    return sorted(name for name in names - READS_MUCH.keys() if name.partition("_")[0] in KERNEL)


def _fill(url: str) -> None:
    """2,000 issues of one project in 40 milestones and lanes, some of them run: rows enough that a plan is a choice."""
    clock = FakeClock()
    create_store(url, clock=clock)
    store = open_store(url, clock=clock)
    try:
        ledger = Ledger(store, clock)
        names = [f"n{number}" for number in range(ROWS)]
        ledger.plan(*(_issue(number) for number in range(ROWS)))
        ledger.cap("runs", "unlimited")
        ledger.cap("wall_ms", "unlimited")
        for name in names[0:ROWS:10]:
            run = ledger.claim(name)
            for _ in range(2):
                ledger.do(intents.confirm, run.lease, ledger.do(intents.plan, run.lease, "worktree", "/w"))
            ledger.do(_question, ledger, ledger.identifier(name))
            ledger.finish(run)
    finally:
        store.close()


def _issue(number: int) -> Draft:
    milestone = number % 40
    depends = [f"n{number - 40}"] if number >= 40 and number % 7 == 6 else []
    lane = policy(workload_class=f"class{milestone}")
    return draft(f"n{number}", milestone=f"m{milestone}", depends=depends if number % 10 else (), policy=lane)


def _question(tx: Transaction, ledger: Ledger, identifier: str) -> None:
    issue = named.issue(tx, identifier)
    for number in range(3):
        attention.ask(
            tx,
            issue["project_id"],
            issue["id"],
            kind="test",
            dedup=f"{identifier}/{number}",
            question="?",
            command="harness status",
        )


@pytest.fixture(scope="module")
def sqlite_plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    path: Path = tmp_path_factory.mktemp("plans") / "ledger.sqlite"
    _fill(f"sqlite:///{path}")
    connection = connect(path)
    connection.execute("ANALYZE")
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def postgres_plans(postgres: Cluster) -> Iterator[psycopg.Connection]:
    url = postgres.create("query_plans")
    _fill(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def test_sqlite_answers_every_query_by_an_index(sqlite_plans: apsw.Connection) -> None:
    assert {name: found for name in _names() if (found := _sqlite_walks(sqlite_plans, name))} == {}


def _sqlite_walks(connection: apsw.Connection, name: str) -> list[str]:
    """Return the steps that walk a big table, or the whole of an index on it: as bad, unless it holds what is open."""
    query = Queries("sqlite").all()[name]
    values = {parameter: 10 if parameter in ("most", "one") else 0 for parameter in query.parameters}
    steps = [str(row[-1]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", values)]
    scans = [step for step in steps if step.startswith("SCAN ") and _table(query.sql, step) in BIG]
    return [step for step in scans if step.split()[-1] not in OPEN_ONLY]


OPEN_ONLY = ("attention_unsent", "attention_project", "attention_issue", "attention_open", "runs_expiry", "runs_live",
             "runs_holder", "intents_open")  # fmt: skip
"""Indexes of open things only: walking one reads what is open, however long the history."""


def _table(sql: str, detail: str) -> str:
    """Return the table that a step of the plan scans, resolving the query's alias for it."""
    alias = detail.split()[1]
    named = re.search(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)\s+(?:AS\s+)?{re.escape(alias)}\b", sql)
    return named.group(1) if named else alias


@pytest.mark.postgres
def test_postgres_answers_every_query_by_an_index(postgres_plans: psycopg.Connection) -> None:
    assert {name: found for name in _names() if (found := _postgres_walks(postgres_plans, name))} == {}


def _postgres_walks(connection: psycopg.Connection, name: str) -> list[str]:
    query = Queries("postgres").all()[name]
    numbered = {parameter: f"${place}" for place, parameter in enumerate(sorted(query.parameters), 1)}
    text = re.sub(r"(?<![:\w]):([a-z_]\w*)", lambda match: numbered[match.group(1)], query.sql)
    values = ", ".join("NULL" for _ in numbered)
    with connection.transaction(force_rollback=True):
        connection.execute(sql.SQL(f"PREPARE asked AS {text}"))
        asked = f"EXPLAIN EXECUTE asked{f'({values})' if values else ''}"
        steps = [str(row[0]) for row in connection.execute(sql.SQL(asked)).fetchall()]
        connection.execute("DEALLOCATE asked")
    return _walks(steps)


def _walks(steps: list[str]) -> list[str]:
    """Return the steps that read a whole big table, or the whole of an index on it."""
    found = []
    for number, step in enumerate(steps):
        if re.search(rf"Seq Scan on ({'|'.join(BIG)})\b", step):
            found.append(step)
        walk = re.search(r"Index (?:Only )?Scan (?:Backward )?using (\w+) on (\w+)", step)
        if walk and walk.group(2) in BIG and walk.group(1) not in OPEN_ONLY:
            below = iter(steps[number + 1 :])
            details = []
            for line in below:
                if line.strip().startswith(("->", "SubPlan", "InitPlan")):
                    break
                details.append(line)
            if not any("Index Cond" in line for line in details):
                found.append(step)
    return found
