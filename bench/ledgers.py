"""Ledgers to measure on: one project with any number of ready issues, and one agent's life in it."""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import TYPE_CHECKING

from harnessos.kernel import budgets, claims, evidence, planning, projects, runs
from harnessos.kernel.claims import Claimed, ClaimRequest
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.checkpoint import Progress
from harnessos.model.gate import Gate, parse_gate
from harnessos.model.plan import Plan, PlannedIssue, PlannedMilestone
from harnessos.model.process import Identity
from harnessos.model.run import OPERATOR, Lease
from harnessos.model.verdict import GateResult
from harnessos.store import named
from harnessos.store.opening import create_store, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.store.transaction import Row, Store, Transaction

KEY = "BENCH"
BY = Cause(OPERATOR, "bench")
HOLDER = Identity("machine", "boot", 1, 2)
COMMIT = "c0ffee" * 6 + "c0ff"
_found = parse_gate("true", "gate", [])
assert isinstance(_found, Gate)
GATE = _found
_tokens = itertools.count()


class CountingIds:
    """Ids that two ledgers made the same way have in common, so that rows of one can be written into the other."""

    def __init__(self) -> None:
        self._next = itertools.count(1)

    def new(self, noun: str, now: int) -> str:
        """See ports.Ids."""
        del now
        return f"{noun}-{next(self._next):026d}"

    def token(self) -> str:
        """See ports.Ids."""
        return f"hs_{next(self._next):032d}"


def make(url: str, ready: int) -> None:
    """Make a ledger with one project, no caps, and `ready` issues in one milestone."""
    ids = CountingIds()
    create_store(url, ids=ids)
    store = open_store(url, ids=ids)
    project = store.write(projects.create, KEY, "bench", "git", COMMIT, "main", BY)
    for dimension in ("runs", "wall_ms"):
        store.write(budgets.set_cap, project, dimension, "unlimited", BY)
    issues = tuple(PlannedIssue(f"task {number}", "", 2, "M", f"k{number}", 0) for number in range(ready))
    store.write(planning.apply, project, Plan("bench", None, (PlannedMilestone("m", ""),), issues), None, BY)
    store.close()
    fold(url)


def fold(url: str) -> None:
    """Bring a SQLite ledger's log back into its file, so that the file alone can be copied."""
    if url.startswith("sqlite:///"):
        import apsw

        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.close()


def project_of(store: Store) -> Row:
    """Return the project's row."""
    return store.read(named.project, KEY)


def lifecycles(store: Store, project_id: str, number: int) -> None:
    """Live `number` lives: claim, one checkpoint, a verdict on one passing evidence row; three transactions each."""
    for _ in range(number):
        lifecycle(store, project_id)


def lifecycle(store: Store, project_id: str) -> None:
    """One life through the kernel's own functions."""
    token = hashlib.sha256(f"{os.getpid()}/{next(_tokens)}".encode()).hexdigest()
    got = store.write(claims.claim, ClaimRequest(project_id, HOLDER, token, "agent"), BY)
    assert isinstance(got, Claimed), got
    cause = runs.cause_of(got.run, "bench")
    store.write(runs.checkpoint, got.lease, Progress("title", "summary", "next step", "{}"), cause)
    issue = store.write(_close, got.lease, cause)
    assert issue["status"] == "done", issue["status"]


def _close(tx: Transaction, lease: Lease, cause: Cause) -> Row:
    result = GateResult(GATE.name, GATE.kind, True, True, COMMIT)
    decision = evidence.judge(tx, lease, [GATE], [result], [], COMMIT, cause)
    return evidence.accept(tx, lease, decision, cause, Closing(commit=COMMIT))


def address(path: Path) -> str:
    """Return a SQLite file's address."""
    return f"sqlite:///{path}"
