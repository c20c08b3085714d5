"""What the self-test does to its ledger: a project without limits, and whole lives of issues."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harnessos.kernel import budgets, claims, evidence, planning, projects, runs
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.checkpoint import Progress
from harnessos.model.gate import Gate, GateKind
from harnessos.model.plan import Plan, PlannedIssue, PlannedMilestone
from harnessos.model.run import OPERATOR, SESSION_TTL_MS, Actor, Lease
from harnessos.model.verdict import GateResult
from harnessos.ports import SystemIds
from harnessos.processes import this_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.store.transaction import Row, Store, Transaction

BY = Cause(OPERATOR, "selftest")
BY_AGENT = Cause(Actor("agent", "selftest"), "selftest")
GATE = Gate(name="selftest", kind=GateKind.COMMAND, argv=("true",))
COMMIT = "0" * 40


def found(store: Store, key: str) -> Row:
    """Make a project without limits."""
    project = store.write(projects.create, key, key, "folder", None, None, BY)
    for dimension in ("runs", "wall_ms"):
        store.write(budgets.set_cap, project, dimension, "unlimited", BY)
    return project


def add(store: Store, project: Row, number: int) -> list[str]:
    """Plan so many independent issues and return their identifiers."""
    name = SystemIds().token()
    planned = tuple(PlannedIssue(f"{name} {place}", "", 2, "S", f"k{place}", 0) for place in range(number))
    return store.write(
        planning.apply, project, Plan(name, None, (PlannedMilestone(name, ""),), planned), None, BY
    ).created


def claim(store: Store, project_id: str, ttl_ms: int = SESSION_TTL_MS) -> Claimed | Nothing:
    """Claim the next issue for this process."""
    token = hashlib.sha256(SystemIds().token().encode()).hexdigest()
    request = ClaimRequest(project_id, this_process(), token, "selftest", ttl_ms=ttl_ms)
    return store.write(claims.claim, request, BY_AGENT)


def accepted(tx: Transaction, lease: Lease, cause: Cause) -> Row:
    """Judge a run by one passed gate and end it with that verdict."""
    result = GateResult(GATE.name, GATE.kind, required=True, passed=True, subject=COMMIT)
    decision = evidence.judge(tx, lease, [GATE], [result], [], COMMIT, cause)
    return evidence.accept(tx, lease, decision, cause, Closing(commit=COMMIT))


def live(store: Store, project_id: str, said: Callable[[str], None]) -> bool:
    """Take one issue from claim to verdict; `said` hears of each write once it is acknowledged. False: none is ready."""
    got = claim(store, project_id)
    if isinstance(got, Nothing):
        return False
    cause = runs.cause_of(got.run, "selftest")
    said(f"claimed {got.lease.run_id}")
    store.write(runs.checkpoint, got.lease, Progress("t", "s", "n", "{}"), cause)
    said(f"checkpoint {got.lease.run_id}")
    store.write(accepted, got.lease, cause)
    said(f"done {got.lease.run_id}")
    return True
