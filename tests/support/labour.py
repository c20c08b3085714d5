"""What the workers of a crew do to a shared ledger. Each function takes its Worker first, then JSON values."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from harnessos import errors
from harnessos.kernel import (
    budgets,
    claims,
    ending,
    evidence,
    intents,
    operations,
    planning,
    projects,
    reaping,
    runs,
    settling,
)
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.checkpoint import Progress
from harnessos.model.gate import Gate, GateKind
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.plan import Plan, PlannedIssue, PlannedMilestone
from harnessos.model.run import OPERATOR, Actor, Lease
from harnessos.model.verdict import GateResult
from harnessos.processes import this_process
from harnessos.store.opening import create_store, open_store
from harnessos.store.transaction import Row, Store, Transaction
from tests.support.crew import Worker

BY_OPERATOR = Cause(OPERATOR, "test")
BY_AGENT = Cause(Actor("agent", "worker"), "test")
GATE = Gate(name="g", kind=GateKind.COMMAND, shell="true")
COMMIT = "c0ffee"
HOUR = 3_600_000


def found(store: Store, key: str = "RACE", issues: int = 0, **fields: Any) -> Row:
    """Make a project without limits and with so many independent issues. Any: fields of each PlannedIssue."""
    project = store.write(projects.create, key, key, "git", "r00t", "main", BY_OPERATOR)
    for dimension in ("runs", "wall_ms"):
        store.write(budgets.set_cap, project, dimension, "unlimited", BY_OPERATOR)
    if issues:
        add(store, project, issues, **fields)
    return project


def add(store: Store, project: Row, issues: int, **fields: Any) -> list[str]:
    """Plan so many independent issues into a milestone of their own. Any: fields of each PlannedIssue."""
    name = f"m-{os.urandom(8).hex()}"
    planned = [
        PlannedIssue(f"{name} {number}", "", 2, "M", f"k{number}", 0)._replace(**fields) for number in range(issues)
    ]
    plan = Plan(name, None, (PlannedMilestone(name, ""),), tuple(planned))
    return store.write(planning.apply, project, plan, None, BY_OPERATOR).created


def request(project_id: str, **fields: Any) -> ClaimRequest:
    """Return a claim of this process under a token nobody else has. Any: fields of ClaimRequest."""
    here = this_process()
    token = hashlib.sha256(os.urandom(16)).hexdigest()
    return ClaimRequest(project_id, here, token, f"worker-{here.pid}", **fields)


def lifecycle(
    store: Store, project_id: str, said: Callable[[list[Any]], None] = lambda value: None
) -> Claimed | Nothing:
    """Claim, checkpoint, verify and finish one issue; `said` hears of each write once it is committed."""
    got = store.write(claims.claim, request(project_id), BY_AGENT)
    if isinstance(got, Nothing):
        return got
    cause = runs.cause_of(got.run, "test")
    said(["claimed", got.lease.run_id, got.issue["identifier"]])
    made = store.write(runs.checkpoint, got.lease, Progress("t", "s", "n", "{}"), cause)
    said(["checkpoint", got.lease.run_id, made["number"]])
    store.write(accepted, got.lease, cause)
    said(["done", got.lease.run_id, got.issue["identifier"]])
    return got


def accepted(tx: Transaction, lease: Lease, cause: Cause) -> Row:
    """Judge a run by one passed gate and end it with that verdict."""
    result = GateResult(GATE.name, GATE.kind, required=True, passed=True, subject=COMMIT)
    decision = evidence.judge(tx, lease, [GATE], [result], [], COMMIT, cause)
    return evidence.accept(tx, lease, decision, cause, Closing(commit=COMMIT))


# The work of one worker each


def open_new(worker: Worker, url: str) -> None:
    """Make the ledger with all others at once, then use it."""
    worker.ready()
    new = create_store(url)
    store = open_store(url)
    store.read(lambda tx: tx.one("ledger_read", one=1))
    store.close()
    worker.say(["made" if new else "found"])


def claim_all(worker: Worker, url: str, project_id: str) -> None:
    """Claim until there is nothing left."""
    store = open_store(url)
    store.read(lambda tx: tx.now)
    worker.ready()
    while isinstance(got := store.write(claims.claim, request(project_id), BY_AGENT), Claimed):
        worker.say(got.issue["identifier"])
    worker.say(None)


def claim_named(worker: Worker, url: str, project_id: str, identifiers: list[str]) -> None:
    """Claim each of these issues by name."""
    store = open_store(url)
    store.read(lambda tx: tx.now)
    worker.ready()
    for identifier in identifiers:
        try:
            store.write(claims.claim, request(project_id, issue=identifier), BY_AGENT)
            worker.say("won")
        except errors.AlreadyClaimed as refused:
            worker.say(refused.code)


def take_slot(worker: Worker, url: str, project_ids: list[str], most: int) -> None:
    """Claim one supervised run in each of these projects, each of which has so many slots."""
    store = open_store(url)
    store.read(lambda tx: tx.now)
    worker.ready()
    for project_id in project_ids:
        got = store.write(claims.claim, request(project_id, supervised=True, max_live=most), BY_AGENT)
        worker.say("won" if isinstance(got, Claimed) else got.reason)


def write_for(worker: Worker, url: str, project_id: str, seconds: float) -> None:
    """Plan and finish issues for so long; whatever goes wrong ends the worker."""
    store = open_store(url)
    store.read(lambda tx: tx.now)
    project = store.read(lambda tx: tx.one("project_by_id", id=project_id))
    assert project is not None
    worker.ready()
    done = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if isinstance(lifecycle(store, project_id), Nothing):
            add(store, project, 5)
        done += 1
    worker.say(done)


def hold(worker: Worker, url: str, tokens: list[str]) -> None:
    """Be the holder of these expired leases: show life, then finish."""
    store = open_store(url)
    held = [store.read(runs.by_token, token) for token in tokens]
    worker.ready()
    for run in held:
        try:
            store.write(runs.heartbeat, runs.lease_of(run))
            store.write(accepted, runs.lease_of(run), runs.cause_of(run, "test"))
            worker.say("won")
        except errors.LeaseLost as refused:
            worker.say(refused.code)


def rescue(worker: Worker, url: str, tokens: list[str]) -> None:
    """Reap these leases as they were seen before the race."""
    store = open_store(url)
    seen = [store.read(runs.by_token, token) for token in tokens]
    worker.ready()
    for run in seen:
        worker.say("won" if store.write(reaping.reap_one, run, BY_OPERATOR) else "late")


def verify(worker: Worker, url: str, tokens: list[str], name: str) -> None:
    """Try to become the one verifier of each of these runs."""
    store = open_store(url)
    held = [store.read(runs.by_token, token) for token in tokens]
    worker.ready()
    for run in held:
        cause = runs.cause_of(run, "test")
        won = store.write(runs.start_verifying, runs.lease_of(run), COMMIT, name, None, cause)
        worker.say("won" if won else "late")


def build_on(worker: Worker, url: str, project_id: str, identifiers: list[str]) -> None:
    """Plan an issue that depends on each of these stored ones, and take each as a further dependency of another."""
    store = open_store(url)
    project = store.read(lambda tx: tx.one("project_by_id", id=project_id))
    assert project is not None
    [late] = add(store, project, 1)
    worker.ready()
    for identifier in identifiers:
        add(store, project, 1, depends_on_ids=(identifier,))
        store.write(operations.redepend, late, [identifier], [], BY_OPERATOR)


def settle(worker: Worker, url: str, project_id: str, most: int) -> None:
    """Work off the project's settlements, few dependents at a time."""
    store = open_store(url)
    store.read(lambda tx: tx.now)
    worker.ready()
    steps = 1
    while store.write(settling.step, project_id, BY_OPERATOR, most):
        steps += 1
    worker.say(steps)


def live_and_work(worker: Worker, url: str, project_id: str) -> None:
    """Do lifecycles for ever, saying each write once it is acknowledged."""
    store = open_store(url)
    project = store.read(lambda tx: tx.one("project_by_id", id=project_id))
    assert project is not None
    worker.ready()
    while True:
        if isinstance(lifecycle(store, project_id, worker.say), Nothing):
            worker.say(["planned", *add(store, project, 5)])


def be_cut_off(worker: Worker, url: str, project_id: str, ahead_ms: int) -> None:
    """Claim one issue, stand still until somebody continues this process, then try everything a run may write."""
    _set_clock_ahead(ahead_ms)
    store = open_store(url)
    got = store.write(claims.claim, request(project_id, ttl_ms=200), BY_AGENT)
    assert isinstance(got, Claimed)
    intent = store.write(intents.plan, got.lease, "worktree", "w")
    worker.say([got.issue["identifier"], got.lease.run_id, got.lease.epoch])
    worker.ready()
    os.kill(os.getpid(), signal.SIGSTOP)
    for name, attempt in everything(got, intent).items():
        try:
            attempt(store)
            worker.say([name, "written"])
        except errors.LeaseLost as refused:
            worker.say([name, refused.code])


def take_over(worker: Worker, url: str, project_id: str, ahead_ms: int) -> None:
    """Claim until there is something to claim, and finish it."""
    _set_clock_ahead(ahead_ms)
    store = open_store(url)
    worker.ready()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        got = store.write(claims.claim, request(project_id), BY_AGENT)
        if isinstance(got, Claimed):
            worker.say([got.issue["identifier"], got.lease.run_id, got.lease.epoch])
            store.write(accepted, got.lease, runs.cause_of(got.run, "test"))
            return


def work_ahead(worker: Worker, url: str, project_id: str, ahead_ms: int, times: int) -> None:
    """Do lifecycles on a machine whose clock is wrong by so much."""
    _set_clock_ahead(ahead_ms)
    store = open_store(url)
    store.read(lambda tx: tx.now)
    worker.ready()
    for _ in range(times):
        got = lifecycle(store, project_id)
        worker.say(got.issue["identifier"] if isinstance(got, Claimed) else None)


def _set_clock_ahead(ms: int) -> None:
    true = time.time_ns
    time.time_ns = lambda: true() + ms * 1_000_000


def everything(got: Claimed, intent: str) -> dict[str, Callable[[Store], object]]:
    """Return every write that a run may make after its claim, by name."""
    lease, cause = got.lease, runs.cause_of(got.run, "test")
    me = this_process()
    result = GateResult(GATE.name, GATE.kind, required=True, passed=True, subject=COMMIT)
    file = {"kind": "report", "path": "p", "sha256": "0" * 64, "size": 1}
    return {
        "heartbeat": lambda s: s.write(runs.heartbeat, lease),
        "progress": lambda s: s.write(runs.progress, lease, 1),
        "checkpoint": lambda s: s.write(runs.checkpoint, lease, Progress("t", "s", "n", "{}"), cause),
        "settle_worktree": lambda s: s.write(runs.settle_worktree, lease, "w", "b", "c"),
        "launch": lambda s: s.write(runs.launch, lease, me, cause),
        "ask": lambda s: s.write(runs.ask, lease, "finished", COMMIT, cause),
        "start_verifying": lambda s: s.write(runs.start_verifying, lease, COMMIT, "v", None, cause),
        "save_artifact": lambda s: s.write(lambda tx: runs.save_artifact(tx, lease, cause, **file)),
        "judge": lambda s: s.write(evidence.judge, lease, [GATE], [result], [], COMMIT, cause),
        "accept": lambda s: s.write(accepted, lease, cause),
        "reject": lambda s: s.write(evidence.reject, lease, cause),
        "finish": lambda s: s.write(ending.finish, lease, Ended(Outcome.AGENT_FAULT), cause, Closing()),
        "intent plan": lambda s: s.write(intents.plan, lease, "worktree", "w"),
        "intent confirm": lambda s: s.write(intents.confirm, lease, intent),
    }
