"""How a project stands, in one view. It reads counters and indexes, never the issues one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.inspector import reasons
from harnessos.inspector.views import page_size
from harnessos.model.budget import day_after, utc_day
from harnessos.model.issue import Status

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

MOST_RUNS = 50
MOST_MILESTONES = 50
MOST_TIMERS = 5


class LiveRun(NamedTuple):
    """A live run. Spans are in ms; `lease_ms` is negative once the lease ran out, `cap_ms` None without a cap.

    `supervisor_dead` says that the process which watched it is known to be dead.
    """

    id: str
    identifier: str
    task: str
    agent: str
    machine_id: str
    phase: str
    attempt: int
    turn: int
    supervised: bool
    age_ms: int
    progress_ms: int
    heartbeat_ms: int
    lease_ms: int
    cap_ms: int | None
    stop_request: str | None
    worktree: str | None
    supervisor_dead: bool = False


class Hold(NamedTuple):
    """Something that keeps a scope from being claimed; `until` None means until an operator lifts it."""

    name: str
    reason: str
    until: int | None


class DayBudget(NamedTuple):
    """One budget of the UTC day: runs, ms or millionths of a dollar; `cap` None is unlimited."""

    dimension: str
    cap: int | None
    spent: int
    reserved: int


class MilestoneLine(NamedTuple):
    """A milestone's progress; `open` issues are those neither done nor cancelled."""

    key: str
    campaign: str
    status: str
    done: int
    open: int
    failed: int
    blocked: int
    cancelled: int


class Timer(NamedTuple):
    """An issue that becomes claimable at an instant."""

    identifier: str
    at: int


class StatusView(NamedTuple):
    """The whole. `issues` is by status, with `total`; `more_*` say that a list goes on elsewhere."""

    project: str
    name: str
    at: int
    issues: dict[str, int]
    runs: tuple[LiveRun, ...]
    more_runs: bool
    holds: tuple[Hold, ...]
    paused: tuple[str, ...]
    attention: int
    budget_day: str
    budget_resets_at: int
    budgets: tuple[DayBudget, ...]
    milestones: tuple[MilestoneLine, ...]
    milestones_cursor: str | None
    timers: tuple[Timer, ...]
    unsettled: int


def query(
    tx: Transaction,
    project: Row,
    milestones_after: int = 0,
    limit: int = MOST_MILESTONES,
    dead: frozenset[str] = frozenset(),
) -> StatusView:
    """Return how a project stands now. `dead` are live runs whose supervisor is known to be dead."""
    project_id = project["id"]
    live = tx.all("inspect_live", project=project_id, after="", most=MOST_RUNS + 1)
    limit = page_size(limit)
    milestones = tx.all("inspect_milestones", project=project_id, after=milestones_after, most=limit)
    attention = tx.one("inspect_attention_count", project=project_id)
    timers = tx.all("inspect_timers", project=project_id, most=MOST_TIMERS)
    campaigns = tx.all("campaign_list", project=project_id)
    return StatusView(
        project["key"],
        project["name"],
        tx.now,
        counts(tx, project_id),
        tuple(live_run(row, tx.now)._replace(supervisor_dead=row["id"] in dead) for row in live[:MOST_RUNS]),
        len(live) > MOST_RUNS,
        tuple(Hold(reasons.hold_name(row), row["reason"], row["until"]) for row in reasons.holds_of(tx, project_id)),
        tuple(row["name"] for row in campaigns if row["status"] == "paused"),
        attention["n"] if attention else 0,
        utc_day(tx.now),
        day_after(tx.now),
        budgets(tx, project_id),
        tuple(milestone_line(row) for row in milestones),
        str(milestones[-1]["position"]) if len(milestones) == limit else None,
        tuple(Timer(row["identifier"], row["not_before"]) for row in timers),
        len(tx.all("inspect_settlements", project=project_id, most=100)),
    )


def counts(tx: Transaction, project_id: str) -> dict[str, int]:
    """Return the number of issues in each status, and their `total`, from the milestones' counters."""
    row = tx.one("inspect_counts", project=project_id) or {}
    found = {status.value: int(row.get(status.value, 0)) for status in Status}
    return {**found, "total": sum(found.values())}


def budgets(tx: Transaction, project_id: str) -> tuple[DayBudget, ...]:
    """Return the day's budgets of a project; before the day's first claim they are its caps with nothing used."""
    scope = {"scope_kind": "project", "scope": project_id}
    rows = tx.all("inspect_budget", **scope, period=utc_day(tx.now))
    if rows:
        return tuple(DayBudget(row["dimension"], row["cap"], row["spent"], row["reserved"]) for row in rows)
    return tuple(DayBudget(row["dimension"], row["cap"], 0, 0) for row in tx.all("budget_caps", **scope))


def live_run(row: Row, now: int) -> LiveRun:
    """Return a live run's line at an instant."""
    return LiveRun(
        row["id"],
        row["identifier"],
        row["task"],
        row["agent"],
        row["machine_id"],
        row["phase"],
        row["attempt"],
        row["turns"],
        bool(row["supervised"]),
        now - row["started_at"],
        now - row["progress_at"],
        now - row["heartbeat_at"],
        row["expires_at"] - now,
        None if row["cap_at"] is None else row["cap_at"] - now,
        row["stop_request"],
        row["worktree"],
    )


def milestone_line(row: Row) -> MilestoneLine:
    """Return a milestone's progress from its counters."""
    still = sum(row[f"n_{status}"] for status in ("pending", "ready", "in_progress", "failed", "blocked"))
    return MilestoneLine(
        row["key"],
        row["campaign"],
        row["status"],
        row["n_done"],
        still,
        row["n_failed"],
        row["n_blocked"],
        row["n_cancelled"],
    )
