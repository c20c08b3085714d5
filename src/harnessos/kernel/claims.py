"""The one path by which anybody gets work: command line, supervisor, later MCP and missions.

One transaction: the issue's epoch goes up, the run is written with its holder and fresh clocks, slot, files and
budget are taken, the event is appended. Who loses a race gets `Nothing`, or AlreadyClaimed for a named issue.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.kernel import budgets, escalation, issues, reaping, settling
from harnessos.kernel.events import Cause
from harnessos.model.budget import utc_day
from harnessos.model.issue import Status
from harnessos.model.run import CAP_GRACE_MS, SESSION_TTL_MS, Actor, Lease

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.model.process import Identity
    from harnessos.store.transaction import Row, Transaction

TIDY = 64
"""Timers and deadlines a claim looks at; what is more waits for the tick."""


class ClaimRequest(NamedTuple):
    """Who wants work, where, and under which limits.

    `issue` names one; else the first in the claim order. `classes` None serves every workload class. `max_live`
    bounds the supervised runs of the project (a slot each); None takes no slot. `path` is the checkout or folder on
    this machine; `folder` says that only one live run may work in it (a project without git). `provider` is the
    account whose quota a hold would name. `budget` is the workflow's budget document. `base` is the commit the work
    starts from, where that is known before there is a worktree.
    """

    project_id: str
    holder: Identity
    token_hash: str
    agent: str
    host: str = ""
    issue: str | None = None
    classes: Sequence[str] | None = None
    capabilities: Sequence[str] = ()
    ttl_ms: int = SESSION_TTL_MS
    supervised: bool = False
    max_live: int | None = None
    path: str | None = None
    folder: bool = False
    provider: str = ""
    budget: str = "{}"
    base: str | None = None


class Claimed(NamedTuple):
    """The lease, and the rows of the issue and its run as the claim left them."""

    lease: Lease
    issue: Row
    run: Row
    slot: int | None


class Nothing(NamedTuple):
    """No work for this caller, and the one reason why."""

    reason: str


def claim(tx: Transaction, request: ClaimRequest, cause: Cause) -> Claimed | Nothing:
    """Give the caller an issue, or say why there is none."""
    tidied = _tidy(tx, request, cause)
    if tidied.hold:
        return Nothing(tidied.hold)
    number = _slot(tx, request)
    if isinstance(number, Nothing):
        return number
    if request.folder and _folder_taken(tx, request):
        return Nothing("another run works in this folder, and without git there is one at a time")
    choose = _named if request.issue else _next
    issue = choose(tx, request, cause, tidied)
    if isinstance(issue, Nothing):
        return issue
    return _take(tx, request, issue, number, cause)


def claim_standing(tx: Transaction, request: ClaimRequest, issue: Row, cause: Cause) -> Claimed | Nothing:
    """Take an issue that never lies in the queue (a mission, or a task below one), which the caller has locked.

    It goes from pending over ready to in_progress here; on Nothing it has not moved.
    """
    holds = tx.all("hold_active", project=request.project_id, provider=request.provider, now=tx.now)
    if holds:
        return Nothing(holds[0]["reason"])
    paused = _paused(tx, issue)
    if paused is not None:
        return paused
    number = _slot(tx, request)
    if isinstance(number, Nothing):
        return number
    return _take(tx, request, issue, number, cause)


class _Tidied(NamedTuple):
    """The hold on this claim, and whether dependents of something are still to be told of it."""

    hold: str | None
    unsettled: bool


def _tidy(tx: Transaction, request: ClaimRequest, cause: Cause) -> _Tidied:
    """Reap, settle, wake and escalate what is due."""
    chores = tx.one("claim_chores", project=request.project_id, now=tx.now)
    assert chores is not None
    if chores["expired"]:
        reaping.reap(tx, request.holder, cause, most=32)
    unsettled = bool(chores["unsettled"]) and settling.step(tx, request.project_id, cause)
    if chores["stranded"]:
        tx.do("issue_unpark_stranded", project=request.project_id)
    if chores["sleeping"]:
        wake(tx, request.project_id, TIDY)
    if chores["due"]:
        escalation.fall_due(tx, request.project_id, cause, TIDY)
    if chores["held"]:
        tx.do("hold_expire", project=request.project_id, now=tx.now)
        holds = tx.all("hold_active", project=request.project_id, provider=request.provider, now=tx.now)
        return _Tidied(next((hold["reason"] for hold in holds), None), unsettled)
    return _Tidied(None, unsettled)


def wake(tx: Transaction, project_id: str, most: int) -> int:
    """Put ready issues whose timer ran out back into the claim index; return how many."""
    rows = tx.all("issue_sleeping", project=project_id, now=tx.now, most=most)
    for row in rows:
        tx.do("issue_wake", id=row["id"])
    return len(rows)


def _slot(tx: Transaction, request: ClaimRequest) -> int | Nothing | None:
    """Return the free slot that the run would take, None when it takes none."""
    most = request.max_live
    if most is None:
        return None
    tx.one("claim_lock", project=request.project_id)
    # Slot numbers are the machine's: another project's supervisor may be taking one at this moment.
    tx.one("claim_lock", project=request.holder.machine_id)
    rows = tx.all("slot_taken", machine_id=request.holder.machine_id, project=request.project_id)
    if sum(row["project_id"] == request.project_id for row in rows) >= most:
        return Nothing(f"all {most} agent slots of the project are taken")
    taken = {row["number"] for row in rows if row["machine_id"] == request.holder.machine_id}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _folder_taken(tx: Transaction, request: ClaimRequest) -> bool:
    tx.one("claim_lock", project=request.project_id)
    here = {"project": request.project_id, "machine_id": request.holder.machine_id, "path": request.path}
    return tx.one("run_folder_live", **here, one=1) is not None


def _named(tx: Transaction, request: ClaimRequest, cause: Cause, tidied: _Tidied) -> Row | Nothing:
    assert request.issue is not None
    issue = issues.lock_named(tx, request.issue)
    identifier, status = issue["identifier"], issue["status"]
    if issue["project_id"] != request.project_id:
        raise errors.UnknownIdentifier(f"{identifier} belongs to another project", identifier=identifier)
    if status == Status.IN_PROGRESS:
        raise errors.AlreadyClaimed(f"{identifier} is held by another run", identifier=identifier)
    if status != Status.READY:
        raise errors.IllegalMove(
            f"{identifier} is {status}, only a ready issue can be claimed", hint=f"`harness why {identifier}`"
        )
    if tidied.unsettled:
        issue = settling.refresh(tx, issue, cause)
        if issue["status"] != Status.READY:
            return Nothing(f"{identifier} is {issue['status']}: what it depends on was reopened")
    paused = _paused(tx, issue)
    if paused is not None:
        return paused
    if issue["parked"] == 1 and issue["not_before"] > tx.now:
        return Nothing(f"{identifier} waits {(issue['not_before'] - tx.now) // 1000 + 1} s before its next attempt")
    lane = tx.one("lane_by_id", id=issue["lane_id"])
    if lane is not None and not serves(request, lane):
        wants = " and ".join(filter(None, (lane["workload_class"], lane["capabilities"])))
        return Nothing(f"{identifier} needs {wants}, which this caller does not serve")
    if _conflict(tx, issue) is not None:
        return Nothing(f"{identifier} declares files that a live run holds")
    return issue


def _paused(tx: Transaction, issue: Row) -> Nothing | None:
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    if campaign is None or campaign["status"] == "active":
        return None
    return Nothing(f"campaign_paused:{campaign['name']}")


def _next(tx: Transaction, request: ClaimRequest, cause: Cause, tidied: _Tidied) -> Row | Nothing:
    for _ in range(TIDY):
        heads = tx.all(
            "issue_heads",
            project=request.project_id,
            any_class=int(request.classes is None),
            classes=f",{','.join(request.classes or ())},",
            any_capability=int(bool(request.capabilities)),
            one=1,
        )
        served = [head["lane_id"] for head in heads if serves(request, head)]
        issue = next((row for lane in served if (row := tx.one("issue_take", lane=lane, one=1))), None)
        if issue is None:
            return Nothing("nothing is ready for this caller")
        if tidied.unsettled:
            # What it stands on may have been reopened, and the word not have reached it yet.
            issue = settling.refresh(tx, issue, cause)
            if issue["status"] != Status.READY:
                continue
        blocker = _conflict(tx, issue)
        if blocker is None:
            return issue
        tx.do("issue_park", id=issue["id"], run=blocker)
    if tidied.unsettled:
        return Nothing("the queue is being brought up to date after a change; try again")
    return Nothing("what is ready declares files that live runs hold")


def serves(request: ClaimRequest, lane: Row) -> bool:
    """Return whether this caller may take work from a lane."""
    if request.classes is not None and lane["workload_class"] and lane["workload_class"] not in request.classes:
        return False
    return set(filter(None, lane["capabilities"].split(","))) <= set(request.capabilities)


def _conflict(tx: Transaction, issue: Row) -> str | None:
    """Return the live run that holds one of the issue's files, or a folder around or inside it."""
    files = json.loads(issue["files_json"])
    if not files:
        return None
    tx.one("claim_lock", project=issue["project_id"])
    for held in tx.all("run_files_held", project=issue["project_id"]):
        if any(overlap(held["path"], path) for path in files):
            return str(held["run_id"])
    return None


def overlap(one: str, other: str) -> bool:
    """Return whether two declared paths are equal or one lies inside the other (folders end in `/`)."""
    return (
        one == other or (one.endswith("/") and other.startswith(one)) or (other.endswith("/") and one.startswith(other))
    )


def _take(tx: Transaction, request: ClaimRequest, issue: Row, slot: int | None, cause: Cause) -> Claimed | Nothing:
    run_limits = budgets.limits_of(issue, request.budget)
    scope = budgets.scope_of(issue)
    balances = budgets.balances(tx, scope, utc_day(tx.now))
    want = budgets.wanted(tx, issue, run_limits, balances)
    if isinstance(want, budgets.Lacking):
        if want.why == "reserved":
            return Nothing(f"budget:{scope.kind} {want.dimension} of the day is reserved by live runs")
        if scope.kind == "mission":
            return Nothing(f"budget:mission {want.dimension} of the day is used up until midnight UTC")
        return Nothing(budgets.hold(tx, request.project_id, want.dimension, cause))
    run_id = tx.new_id("run")
    cap_at = tx.now + want.wall_ms if want.wall_ms else None
    lease = Lease(run_id, issue["id"], issue["lease_epoch"] + 1)
    run = tx.one(
        "run_insert",
        id=run_id,
        project_id=request.project_id,
        issue_id=issue["id"],
        attempt=issue["attempts"] + 1,
        epoch=lease.epoch,
        supervised=int(request.supervised),
        agent=request.agent,
        host=request.host,
        token_hash=request.token_hash,
        machine_id=request.holder.machine_id,
        boot_id=request.holder.boot_id,
        pid=request.holder.pid,
        pid_started=request.holder.started,
        ttl_ms=request.ttl_ms,
        now=tx.now,
        cap_at=cap_at,
        expires_at=_expires_at(tx.now + request.ttl_ms, None if request.supervised else cap_at),
        budget_day=want.day,
        reserved_wall_ms=want.wall_ms,
        reserved_usd=want.usd,
        path=request.path,
        base_commit=request.base,
        budget_json=request.budget,
    )
    for path in json.loads(issue["files_json"]):
        tx.do("run_file_insert", project=request.project_id, path=path, run=run_id)
    if slot is not None:
        tx.do("slot_insert", machine_id=request.holder.machine_id, number=slot, project=request.project_id, run=run_id)
    by = Cause(
        Actor("supervisor" if request.supervised else "agent", request.agent), cause.command, run_id, lease.epoch
    )
    if issue["status"] == Status.PENDING:
        issue = issues.change(tx, issue, "issue.promoted", by, {"status": Status.READY.value})
    taken = issues.change(
        tx,
        issue,
        "run.claimed",
        by,
        {"status": Status.IN_PROGRESS.value, "lease_epoch": lease.epoch},
        {"attempt": issue["attempts"] + 1, "agent": request.agent, "machine": request.holder.machine_id},
    )
    budgets.reserve(tx, scope, want)
    assert run is not None
    return Claimed(lease, taken, run, slot)


def _expires_at(wanted: int, cap_at: int | None) -> int:
    return wanted if cap_at is None else min(wanted, cap_at + CAP_GRACE_MS)
