"""What `next_action` decides from: a project's situation, each part one bounded look at an index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos.inspector import inbox, reasons
from harnessos.inspector.status import DayBudget, budgets
from harnessos.inspector.views import Host, lacking, serves

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harnessos.store.transaction import Row, Transaction

LOOK = 64
"""Candidates looked at in one lane before it counts as kept busy by the files of live runs; a claim looks as far."""


class Situation(NamedTuple):
    """A project as it stands for one host; rows as the queries of `inspect.sql` give them.

    `abandoned` is a live run whose supervisor is dead. `elsewhere` are lanes with claimable work that this host does not serve, with what is missing. `busy` is the first
    ready issue whose files a live run holds, with that run.
    """

    project: Row
    now: int
    expired: Row | None
    recovery: Row | None
    ready: Row | None
    attention: Row | None
    approval: Row | None
    settlement: Row | None
    promotable: Row | None
    scheduled: Row | None
    blocked: Row | None
    failed: Row | None
    root: Row | None
    hold: Row | None
    budgets: tuple[DayBudget, ...]
    paused: Row | None
    elsewhere: tuple[Row, tuple[str, ...]] | None
    busy: tuple[Row, Row] | None
    live: Row | None
    abandoned: Row | None
    timer: Row | None


def query(tx: Transaction, project: Row, host: Host) -> Situation:
    """Look at a project for a host."""
    project_id = project["id"]
    holds = [hold for hold in reasons.holds_of(tx, project_id) if hold["scope_kind"] == "project"]
    held = tx.all("run_files_held", project=project_id)
    recovery, ready, busy = None, None, None
    if not holds:
        recovery = _first_free(
            _active(tx.all("inspect_recovery", project=project_id, now=tx.now, most=LOOK), host), held
        )
        ready, busy = _ready(tx, project_id, host, held)
    blocked, failed, root = _stuck(tx, project_id)
    lanes = tx.all("lane_list", project=project_id)
    return Situation(
        project=project,
        now=tx.now,
        expired=_one(
            tx.all(
                "inspect_expired",
                project=project_id,
                now=tx.now,
                machine_id=host.machine_id,
                boot_id=host.boot_id,
                most=1,
            )
        ),
        recovery=recovery,
        ready=ready,
        attention=_asked(tx, project_id),
        approval=_one([row for row in tx.all("inspect_approvals", project=project_id, most=LOOK) if row["identifier"]]),
        settlement=_one(tx.all("inspect_settlements", project=project_id, most=1)),
        promotable=_one(tx.all("inspect_promotable", project=project_id, most=1)),
        scheduled=_one(tx.all("schedule_due", project=project_id, now=tx.now, most=1)),
        blocked=blocked,
        failed=failed,
        root=root,
        hold=_one(holds),
        budgets=budgets(tx, project_id),
        paused=_one([lane for lane in lanes if lane["waiting"] and lane["campaign_status"] == "paused"]),
        elsewhere=_elsewhere(tx, lanes, host),
        busy=busy,
        live=_one(tx.all("inspect_live", project=project_id, after="", most=1)),
        abandoned=_abandoned(tx, project_id, host),
        timer=_one(tx.all("inspect_timers", project=project_id, most=1)),
    )


def _asked(tx: Transaction, project_id: str) -> Row | None:
    entry = _one(tx.all("attention_open", project=project_id, after="", most=1))
    return None if entry is None else {**entry, "question": inbox.question(tx, entry)}


def _abandoned(tx: Transaction, project_id: str, host: Host) -> Row | None:
    """Return the first live run whose supervisor the host knows to be dead."""
    if not host.dead:
        return None
    live = tx.all("inspect_live", project=project_id, after="", most=LOOK)
    return _one([run for run in live if run["id"] in host.dead])


def overlap(one: str, other: str) -> bool:
    """Return whether two declared paths are equal or one lies inside the other (folders end in `/`)."""
    return (
        one == other or (one.endswith("/") and other.startswith(one)) or (other.endswith("/") and one.startswith(other))
    )


def conflict(issue: Row, held: Sequence[Row]) -> Row | None:
    """Return the path of a live run that an issue's declared files overlap."""
    files = json.loads(issue["files_json"])
    return next((row for row in held if any(overlap(row["path"], path) for path in files)), None)


def _one(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None


def _active(rows: Iterable[Row], host: Host) -> list[Row]:
    return [row for row in rows if row["campaign_status"] == "active" and serves(host, row)]


def _first_free(rows: Iterable[Row], held: Sequence[Row]) -> Row | None:
    return next((row for row in rows if conflict(row, held) is None), None)


def _ready(
    tx: Transaction, project_id: str, host: Host, held: Sequence[Row]
) -> tuple[Row | None, tuple[Row, Row] | None]:
    """Return what a claim would find, going on behind issues whose files are held as it does; and the first such."""
    heads = tx.all(
        "issue_heads",
        project=project_id,
        any_class=int(host.classes is None),
        classes=f",{','.join(host.classes or ())},",
        any_capability=int(bool(host.capabilities)),
        one=1,
    )
    busy = None
    for head in heads:
        if not serves(host, head):
            continue
        for row in tx.all("inspect_ready", lane=head["lane_id"], most=LOOK):
            blocker = conflict(row, held)
            if blocker is None:
                return {**head, **row}, busy
            busy = busy or (row, blocker)
    sleeping = tx.all("inspect_sleeping", project=project_id, now=tx.now, most=LOOK)
    return _first_free(_active(sleeping, host), held), busy


def _elsewhere(tx: Transaction, lanes: Sequence[Row], host: Host) -> tuple[Row, tuple[str, ...]] | None:
    for lane in lanes:
        missing = lacking(host, lane)
        if lane["waiting"] and lane["campaign_status"] == "active" and missing:
            first = _one(tx.all("inspect_ready", lane=lane["id"], most=1))
            if first is not None:
                return {**lane, **first}, tuple(missing)
    return None


def _stuck(tx: Transaction, project_id: str) -> tuple[Row | None, Row | None, Row | None]:
    """Return a blocked issue (one that is not merely behind another, if there is one), a failed one, and for a
    blocked issue that is behind another that other one.
    """
    blocked = tx.all("inspect_issues_status", project=project_id, status="blocked", after=0, most=LOOK)
    failed = _one(tx.all("inspect_issues_status", project=project_id, status="failed", after=0, most=1))
    own = next((row for row in blocked if not row["blocked_reason"].startswith("dependency_failed:")), None)
    first = own or _one(blocked)
    root = None
    if first is not None and own is None:
        root = tx.one("issue_by_identifier", identifier=first["blocked_reason"].partition(":")[2])
    return first, failed, root
