"""Firing: what is due of a schedule becomes a row that is unique, and what it makes, in one transaction.

Whatever does not fire is a row and an event with the reason. What one schedule cannot do (a campaign that is gone, a
plan that no longer fits) is refused by raising; whoever evaluates then writes that down as a skip.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

from harnessos import errors
from harnessos.kernel import attention, operations, planning, schedules
from harnessos.model import plan_document
from harnessos.model import schedule as model
from harnessos.model.plan import PlannedMilestone
from harnessos.model.run import Actor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.kernel.claims import ClaimRequest
    from harnessos.kernel.events import Cause
    from harnessos.model.plan import Plan
    from harnessos.store.transaction import Row, Transaction

FAILED_CHECK = "check failed: "
CANNOT = "cannot fire: "
ASK_AFTER = 4
"""So many times in a row that a schedule is broken, and a person is asked."""
MOST_WORK = 1_000
_WORKED = ("pending", "ready", "in_progress", "blocked")


class Outcome(NamedTuple):
    """What a target made of a firing; `reason` says why not when it did not fire."""

    fired: bool
    reason: str = ""
    issue_id: str | None = None
    run_id: str | None = None


class Firing(NamedTuple):
    """A nominal time that was decided about. `times`: how many a skip stands for, 0 uncounted."""

    schedule: Row
    nominal: int
    outcome: Outcome
    times: int = 1


class Evaluated(NamedTuple):
    """What came of an evaluation. `more`: something is due still. `unchecked`: the schedule's check must run first."""

    firings: tuple[Firing, ...] = ()
    more: bool = False
    unchecked: bool = False


class Target(Protocol):
    """Makes what a schedule is for, in the transaction of its firing. `request` is how a run of it would be held."""

    def __call__(
        self, tx: Transaction, schedule: Row, nominal: int, cause: Cause, request: ClaimRequest | None
    ) -> Outcome:
        """See the class."""
        ...


def evaluate(
    tx: Transaction,
    schedule_id: str,
    seen: int,
    cause: Cause,
    *,
    checked: model.Checked | None = None,
    refused: str = "",
    request: ClaimRequest | None = None,
) -> Evaluated:
    """Decide about what is due of a schedule that stood at the nominal time `seen`, and do it.

    Nothing happens where somebody else moved it meanwhile. `checked` is what its check said; `refused` why an earlier
    try could not make what it is for.
    """
    row = schedules.lock(tx, schedule_id)
    if row["paused"] or row["next_at"] != seen:
        return Evaluated()
    schedule = model.read(row)
    decision = model.due(schedule, tx.now)
    if decision.next_at == seen:
        return Evaluated()
    if decision.fire and row["check_json"] is not None and checked is None:
        return Evaluated(unchecked=True)
    moved = {"next_at": decision.next_at, "fires_at": decision.fires_at}
    if not tx.run("schedule_move", id=row["id"], seen=seen, **moved):
        return Evaluated()
    done = [_skipped(row, told) for told in decision.skips if schedules.skip(tx, row, told, cause)]
    instead = _instead(checked, refused)
    for nominal in decision.fire:
        firing = _not_fired(tx, row, nominal, instead, cause) if instead else fire(tx, row, nominal, cause, request)
        if firing is not None:
            done.append(firing)
    if row["once"] and decision.fire and not any(firing.outcome.fired for firing in done):
        _once_more(tx, row, schedule, decision.fire[-1])
    return Evaluated(tuple(done), decision.more)


def _instead(checked: model.Checked | None, refused: str) -> str:
    """Return why nothing fires now although it is time; empty when it does."""
    if refused:
        return CANNOT + refused
    if checked is None:
        return ""
    if checked.problem:
        return FAILED_CHECK + checked.problem
    return "" if checked.output.strip() else "check: nothing to do"


def _once_more(tx: Transaction, row: Row, schedule: model.Schedule, after: int) -> None:
    """A schedule that fires once and was skipped has not fired: it goes on to its next time."""
    following = model.upcoming(schedule, after)
    fires_at = None if following is None else model.due_at(schedule, following)
    tx.do("schedule_pause", id=row["id"], paused=0, next_at=following, fires_at=fires_at)


def _skipped(row: Row, told: model.Skip) -> Firing:
    return Firing(row, told.nominal, Outcome(False, told.reason), told.times)


def _not_fired(tx: Transaction, row: Row, nominal: int, reason: str, cause: Cause) -> Firing | None:
    if not schedules.skip(tx, row, model.Skip(nominal, reason), cause):
        return None
    _heed(tx, row, reason, cause)
    return Firing(row, nominal, Outcome(False, reason))


def fire_now(
    tx: Transaction, project: Row, name: str, cause: Cause, *, refused: str = "", request: ClaimRequest | None = None
) -> Firing:
    """Fire a schedule at once, whatever its rule says and though it is paused; its check is not asked."""
    row = schedules.lock_for(tx, project, name, cause, "run")
    made = _not_fired(tx, row, tx.now, CANNOT + refused, cause) if refused else fire(tx, row, tx.now, cause, request)
    if made is None:
        raise errors.TryAgain(f"the schedule {name} was fired this very moment")
    return made


def fire(tx: Transaction, row: Row, nominal: int, cause: Cause, request: ClaimRequest | None) -> Firing | None:
    """Fire one nominal time: its row, what it makes, its event. None when somebody decided about it before."""
    if not schedules.firing_row(tx, row, nominal, "fired"):
        return None
    outcome = _make(tx, schedules.lock(tx, row["id"]), nominal, _on_behalf(row, cause), request)
    tx.do(
        "schedule_firing_outcome",
        schedule=row["id"],
        nominal=nominal,
        outcome="fired" if outcome.fired else "skipped",
        reason=outcome.reason,
        issue=outcome.issue_id,
        run=outcome.run_id,
    )
    _heed(tx, row, outcome.reason, cause)
    if outcome.fired:
        made = {"issue": outcome.issue_id, "run": outcome.run_id}
        schedules.fired(tx, row, nominal, cause, {key: value for key, value in made.items() if value})
    else:
        schedules.note_skip(tx, row, model.Skip(nominal, outcome.reason), cause)
    return Firing(row, nominal, outcome)


def _on_behalf(row: Row, cause: Cause) -> Cause:
    """A schedule that an agent added does what that agent may, whoever evaluates it."""
    kind, _, name = str(row["created_by"]).partition(":")
    return cause._replace(actor=Actor(kind, name)) if kind == "agent" else cause


def _make(tx: Transaction, row: Row, nominal: int, cause: Cause, request: ClaimRequest | None) -> Outcome:
    live, names = _still_at_work(tx, row)
    match model.overlap(row["overlap"], live):
        case "skip":
            return Outcome(False, f"overlap: {live}")
        case "replace":
            for name in names:
                operations.cancel(tx, name, f"the schedule {row['name']} fires again and replaces it", cause)
    return TARGETS[row["target"]](tx, row, nominal, cause, request)


def _still_at_work(tx: Transaction, row: Row) -> tuple[str, list[str]]:
    """Return what the last firing made and is not over, in words (none: empty) and as identifiers of issues."""
    last = row["last_at"]
    firing = None if last is None else tx.one("schedule_firing", schedule=row["id"], nominal=last)
    if firing is None or last is None:
        return "", []
    if firing["run_id"] is not None:
        run = tx.one("run_by_id", id=firing["run_id"])
        return (f"its last run, {run['id']}, is live", []) if run is not None and run["live"] else ("", [])
    found = tx.all("schedule_work", project=row["project_id"], plan_key=plan_key(row, last), most=MOST_WORK)
    if not found and firing["issue_id"] is not None and row["target"] in ("issue", "plan"):
        issue = tx.one("issue_by_id", id=firing["issue_id"])
        found = [issue] if issue is not None and issue["status"] in _WORKED else []
    if not found:
        return "", []
    first = found[0]
    rest = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{first['identifier']} of its last firing is {first['status']}{rest}", [one["identifier"] for one in found]


def _heed(tx: Transaction, row: Row, reason: str, cause: Cause) -> None:
    """Ask a person once a schedule was broken ASK_AFTER times in a row, and no longer when it is not."""
    broken, dedup = (FAILED_CHECK, CANNOT), f"schedule/{row['id']}"
    if not reason.startswith(broken):
        tx.do("attention_resolve_dedup", dedup=dedup, now=tx.now, by=str(cause.actor))
        return
    last = tx.all("schedule_firings", schedule=row["id"], before=tx.now + 1, most=ASK_AFTER)
    if len(last) < ASK_AFTER or not all(one["reason"].startswith(broken) for one in last):
        return
    project = tx.one("project_by_id", id=row["project_id"])
    assert project is not None
    name = schedules.name_of(row)
    attention.ask(
        tx,
        row["project_id"],
        None,
        kind="schedule",
        dedup=dedup,
        question=f"the schedule {name} did not fire {ASK_AFTER} times in a row; {reason}",
        command=f"harness schedule show {name} --project {project['key']}",
    )


def plan_key(row: Row, nominal: int) -> str:
    """Return the plan_key under which a firing of a plan is written."""
    return f"schedule/{row['id']}/{nominal}"


def _issue(tx: Transaction, schedule: Row, nominal: int, cause: Cause, request: ClaimRequest | None) -> Outcome:
    """Plan one issue in the schedule's milestone of its campaign."""
    document = json.loads(schedule["target_json"])
    name = document["campaign"]
    campaign = tx.one("campaign_by_name", project=schedule["project_id"], name=name)
    if campaign is None:
        return Outcome(False, f"{CANNOT}there is no campaign {name}")
    if campaign["status"] == "archived":
        return Outcome(False, f"{CANNOT}the campaign {name} is archived")
    planned = plan_document.issue_from(document["issue"])
    if document.get("deadline_after_ms") is not None:
        planned = planned._replace(deadline_at=nominal + document["deadline_after_ms"])
    milestone = PlannedMilestone(f"schedule-{schedule['name']}", f"What the schedule {schedule['name']} plans")
    made = planning.add_issue(tx, _project(tx, schedule), campaign, milestone, planned, cause)
    return Outcome(True, issue_id=made["id"])


def _plan(tx: Transaction, schedule: Row, nominal: int, cause: Cause, request: ClaimRequest | None) -> Outcome:
    """Apply a plan anew: its plan_key and milestones carry the nominal time, so that each firing is a plan of its own."""
    document = json.loads(schedule["target_json"])
    plan = _anew(plan_document.from_document(document["plan"]), schedule, nominal)
    applied = planning.apply(tx, _project(tx, schedule), plan, document["campaign"], cause)
    first = tx.one("issue_by_identifier", identifier=applied.created[0])
    assert first is not None
    return Outcome(True, issue_id=first["id"])


def _anew(plan: Plan, schedule: Row, nominal: int) -> Plan:
    from harnessos.model.instants import stamp

    at = stamp(nominal)[:19].replace(" ", "T") + (f".{nominal % 1000:03d}" if nominal % 1000 else "")
    milestones = tuple(found._replace(key=f"{found.key}@{at}") for found in plan.milestones)
    issues = tuple(
        issue if issue.key is not None else issue._replace(key=f"issue-{number}")
        for number, issue in enumerate(plan.issues, 1)
    )
    return plan._replace(plan_key=plan_key(schedule, nominal), milestones=milestones, issues=issues)


def _mission(tx: Transaction, schedule: Row, nominal: int, cause: Cause, request: ClaimRequest | None) -> Outcome:
    from harnessos.kernel import mission_runs

    return Outcome(*mission_runs.fire(tx, schedule, nominal, cause, request))


def _project(tx: Transaction, schedule: Row) -> Row:
    project = tx.one("project_by_id", id=schedule["project_id"])
    assert project is not None
    return project


TARGETS: Mapping[str, Target] = {"issue": _issue, "plan": _plan, "mission": _mission, "dream": _mission}
"""What each target of a schedule makes when it fires."""
