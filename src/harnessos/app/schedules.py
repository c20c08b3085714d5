"""`harness schedule`: what a person asks for becomes a schedule, and what is due fires."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple

from harnessos import errors
from harnessos.app.planning import refuse_beyond_agents
from harnessos.kernel import campaigns, firing, operations, schedules, settling
from harnessos.kernel.schedules import Wanted
from harnessos.model import plan_document
from harnessos.model import schedule as model
from harnessos.model.plan import Plan, PlannedMilestone
from harnessos.services.scheduler import Scheduler
from harnessos.store import named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harnessos.app.harness import Harness
    from harnessos.kernel.events import Cause
    from harnessos.kernel.firing import Firing
    from harnessos.kernel.schedules import Added
    from harnessos.model.plan import PlannedIssue
    from harnessos.store.transaction import P, Row, T, Transaction

_MOST = 100_000


class Wish(NamedTuple):
    """What one schedule is asked to be for: `issue` holds the fields of an issue, or `plan` is a file, or `mission` an issue.

    `dream` makes the mission's schedule one of its dreams.
    """

    issue: Mapping[str, object] | None = None
    plan: Path | None = None
    mission: str | None = None
    dream: bool = False
    campaign: str | None = None


class _Rehearsed(Exception):
    """Carries what a command returned out of its transaction, which is rolled back by it."""

    def __init__(self, result: object) -> None:
        self.result = result


def rehearse(
    harness: Harness, command: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a kernel command as it would run and take all of it back; return what it returned."""

    def undone(tx: Transaction) -> None:
        raise _Rehearsed(command(tx, *args, **kwargs))

    try:
        harness.write(undone)
    except _Rehearsed as end:
        result: T = end.result  # type: ignore[assignment] # it comes from `command` two lines above
        return result
    raise AssertionError("a rehearsal always ends by its exception")


def write(
    harness: Harness,
    dry_run: bool,  # the first words of every call here
    command: Callable[Concatenate[Transaction, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a kernel command, or with `dry_run` only rehearse it."""
    if dry_run:
        return rehearse(harness, command, *args, **kwargs)
    return harness.write(command, *args, **kwargs)


def wanted(harness: Harness, key: str | None, wish: Wish, wanted: Wanted) -> tuple[Row, Wanted]:
    """Return the project and the schedule with its target filled in; BadDocument or BadPlan when that is not right.

    A mission's schedules belong to the mission's own project.
    """
    if wish.mission is not None:
        project, mission = harness.read(_mission, wish.mission)
        target = "dream" if wish.dream else "mission"
        return project, wanted._replace(target=target, document={}, mission_id=mission["id"])
    project = harness.project(key)
    if wish.plan is not None:
        from harnessos.plans.read import read_plan

        plan = read_plan(wish.plan)
        refuse_beyond_agents(harness, project, plan)
        document = {"plan": plan_document.as_document(plan), "campaign": wish.campaign}
        return project, wanted._replace(target="plan", document=document)
    from harnessos.plans.templates import read_template

    document, planned = read_template(wish.issue or {}, wish.campaign or campaigns.DEFAULT)
    refuse_beyond_agents(harness, project, _alone(planned))
    return project, wanted._replace(target="issue", document=document)


def _alone(planned: PlannedIssue) -> Plan:
    return Plan(None, None, (PlannedMilestone("schedule", "schedule"),), (planned,))


def _mission(tx: Transaction, name: str) -> tuple[Row, Row]:
    row = tx.one("mission_by_id", id=name)
    if row is None:
        row = tx.one("mission_by_issue", issue=named.issue(tx, name)["id"])
    if row is None:
        raise errors.BadContent(f"{name} is no mission", hint="`harness mission list` shows what there is")
    project = tx.one("project_by_id", id=row["project_id"])
    assert project is not None
    return project, row


def read_file(harness: Harness, file: Path, timezone: str) -> list[tuple[Row, Wanted]]:
    """Read the earlier product's array of jobs. BadDocument lists everything that is wrong, also unknown projects."""
    from harnessos.plans.templates import read_jobs

    found: list[tuple[Row, Wanted]] = []
    problems: list[str] = []
    rows: dict[str, Row | None] = {}
    for at, job in enumerate(read_jobs(file, timezone)):
        project = rows.setdefault(job.project, harness.read(_project, job.project))
        if project is None:
            problems.append(f"{file}: [{at}].projectKey: there is no project {job.project} in this ledger")
            continue
        refuse_beyond_agents(harness, project, _alone(job.planned))
        found.append((project, Wanted(job.name, "issue", job.rule, job.document, job.timezone)))
    if problems:
        raise errors.BadDocument(
            f"{file} names projects that are not there, nothing was written:\n" + "\n".join(problems),
            hint="`harness project list` shows what there is",
            causes=problems,
            path=str(file),
        )
    return found


def _project(tx: Transaction, key: str) -> Row | None:
    return tx.one("project_by_key", key=key.upper())


def add_all(tx: Transaction, found: Sequence[tuple[Row, Wanted]], cause: Cause) -> list[Added]:
    """Write schedules, all of them or none."""
    return [schedules.add(tx, project, wanted, cause) for project, wanted in found]


def missing_campaigns(tx: Transaction, found: Sequence[tuple[Row, Wanted]]) -> list[str]:
    """Return a sentence for each campaign that a schedule plans into and that is not there yet."""
    lacking = {
        (project["key"], wanted.document["campaign"])
        for project, wanted in found
        if wanted.target == "issue"
        and tx.one("campaign_by_name", project=project["id"], name=wanted.document["campaign"]) is None
    }
    return [
        f"{key} has no campaign {name} yet: firings are skipped until `harness campaign create {name} --project {key}`"
        for key, name in sorted(lacking)
    ]


# What there is


def listing(tx: Transaction, project: Row, *, removed: bool = False) -> list[dict[str, Any]]:
    """Return a project's schedules by name. Any: JSON documents, here and below."""
    rows = tx.all("schedule_list", project=project["id"], after="", most=_MOST)
    return [document(tx, row, project["key"]) for row in rows if removed or not schedules.is_removed(row)]


def show(tx: Transaction, project: Row, name: str, most: int, before: int | None) -> dict[str, Any]:
    """Return a schedule and a page of its firings, newest first; `cursor` is the instant before which to go on."""
    row = schedules.find(tx, project, name)
    rows = tx.all("schedule_firings", schedule=row["id"], before=before or 1 << 62, most=most + 1)
    cursor = str(rows[most - 1]["nominal_at"]) if len(rows) > most else None
    return {
        **document(tx, row, project["key"]),
        "definition": json.loads(row["target_json"]),
        "firings": [_firing(one) for one in rows[:most]],
        "cursor": cursor,
    }


def document(tx: Transaction, row: Row, key: str) -> dict[str, Any]:
    """Return a schedule as commands show it."""
    names = ("target", "rule", "timezone", "misfire", "lateness_ms", "overlap", "jitter_ms", "ends_at")
    instants = ("next_at", "fires_at", "last_at", "created_at")
    last = tx.all("schedule_firings", schedule=row["id"], before=1 << 62, most=1)
    return {
        "id": row["id"],
        "name": schedules.name_of(row),
        "project": key,
        "state": schedules.state_of(row),
        **{name: row[name] for name in names},
        "check": None if row["check_json"] is None else json.loads(row["check_json"])["shell"],
        "once": bool(row["once"]),
        "mission_id": row["mission_id"],
        **{name: row[name] for name in instants},
        "created_by": row["created_by"],
        "last": _firing(last[0]) if last else None,
    }


def _firing(row: Row) -> dict[str, Any]:
    names = ("nominal_at", "at", "outcome", "reason", "identifier", "run_id")
    return {name: row[name] for name in names}


def upcoming(tx: Transaction, project: Row, name: str | None, count: int) -> list[dict[str, Any]]:
    """Return the next firings of a schedule, or of all active ones of a project, the soonest first."""
    rows = (
        [schedules.find(tx, project, name)]
        if name
        else tx.all("schedule_list", project=project["id"], after="", most=_MOST)
    )
    items = [item for row in rows if schedules.state_of(row) == "active" for item in _next_of(row, count)]
    return sorted(items, key=lambda item: (item["fires_at"], item["name"]))[:count]


def _next_of(row: Row, count: int) -> list[dict[str, Any]]:
    from datetime import datetime

    schedule = model.read(row)
    found: list[dict[str, Any]] = []
    at = row["next_at"]
    while at is not None and len(found) < (1 if row["once"] else count):
        local = datetime.fromtimestamp(at / 1000, schedule.zone).isoformat(timespec="seconds")
        fires_at = model.due_at(schedule, at)
        found.append({"name": row["name"], "nominal_at": at, "fires_at": fires_at, "local": local})
        at = model.upcoming(schedule, at)
    return found


# What is due


def run(harness: Harness, project: Row, name: str, *, dry_run: bool = False) -> Firing:
    """Fire a schedule now."""
    row = harness.read(schedules.find, project, name)
    if row["mission_id"] is not None:
        raise errors.Refused(f"{name} is the schedule of a mission", hint="`harness mission run WS` runs it now")
    try:
        made = write(harness, dry_run, firing.fire_now, project, name, harness.cause)
    except errors.OperatorOnly:
        raise
    except (errors.BadPlan, errors.Refused) as problem:
        made = write(harness, dry_run, firing.fire_now, project, name, harness.cause, refused=str(problem))
    if made.outcome.fired and not dry_run:
        settling.drain(harness.store, project["id"], harness.cause)
    return made


def scheduler(harness: Harness, keys: Sequence[str], tell: Callable[..., None]) -> Scheduler:
    """Return the scheduler of these projects, or of all projects of the ledger."""
    rows = [harness.project(key) for key in keys] or harness.read(_projects)
    return Scheduler(harness.ground, rows, harness.cause, tell)


def _projects(tx: Transaction) -> list[Row]:
    return tx.all("project_list")


def evaluate(harness: Harness, keys: Sequence[str], tell: Callable[..., None]) -> dict[str, Any]:
    """Fire what is due, once. Return what the earlier product's injector printed, and our names beside it."""
    operations.only_operator(harness.cause, "evaluate the schedules", "harness schedule evaluate")
    looked = scheduler(harness, keys, tell).evaluate()
    inserted = [harness.read(_told, one) for one in looked.firings if one.outcome.fired]
    skipped = [harness.read(_told, one) for one in looked.firings if not one.outcome.fired]
    return {
        "evaluated": len({one.schedule["id"] for one in looked.firings}),
        "inserted": len(inserted),
        "skipped": len(skipped),
        "insertedIssues": inserted,
        "skippedJobs": skipped,
        "next_in_s": looked.rest_s,
    }


def _told(tx: Transaction, one: Firing) -> dict[str, Any]:
    from datetime import UTC, datetime

    row = one.schedule
    project = tx.one("project_by_id", id=row["project_id"])
    assert project is not None
    told = {
        "task": _task(row),
        "jobKey": row["id"],
        "scheduledFor": datetime.fromtimestamp(one.nominal / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "schedule": schedules.name_of(row),
        "project": project["key"],
        "nominal_at": one.nominal,
    }
    if not one.outcome.fired:
        return {**told, "reason": one.outcome.reason, "times": one.times}
    issue = None if one.outcome.issue_id is None else tx.one("issue_by_id", id=one.outcome.issue_id)
    made = {"issueId": one.outcome.issue_id, "milestoneId": issue and issue["milestone_id"]}
    return {**told, **made, "identifier": issue and issue["identifier"], "run_id": one.outcome.run_id}


def _task(row: Row) -> str:
    return str(json.loads(row["target_json"])["issue"]["task"]) if row["target"] == "issue" else schedules.name_of(row)


def would_fire(harness: Harness, keys: Sequence[str], tell: Callable[..., None]) -> list[dict[str, Any]]:
    """Return what an evaluation would decide now; checks are not run, and nothing is written."""
    now = harness.read(_now)
    items = []
    for row in scheduler(harness, keys, tell).due():
        decision = model.due(model.read(row), now)
        skips = [{"nominal_at": told.nominal, "reason": told.reason, "times": told.times} for told in decision.skips]
        name = schedules.name_of(row)
        items.append({"schedule": name, "fire": list(decision.fire), "skip": skips, "check": bool(row["check_json"])})
    return items


def _now(tx: Transaction) -> int:
    return tx.now
