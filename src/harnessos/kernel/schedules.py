"""Schedules: added, changed, paused, resumed and taken out of use. What they do when they are due is in `firing`.

A schedule moves on only by compare-and-set from the nominal time it stood at, and each nominal time has one row for
ever, so that two schedulers, a restart or an edit never fire it twice.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.kernel import events
from harnessos.kernel.operations import only_operator
from harnessos.model import cron
from harnessos.model import schedule as model
from harnessos.model.event import canonical
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction

_REMOVED = "#"
"""What is out of use is called `NAME#ID`; no name that is in use has this sign in it."""
_DEFINED = (
    *("mission_id", "target", "target_json", "rule", "timezone", "misfire", "lateness_ms", "overlap", "jitter_ms"),
    *("check_json", "once", "ends_at"),
)
_TIMING = ("rule", "timezone", "jitter_ms", "once", "ends_at")


class Wanted(NamedTuple):
    """A schedule to be. `document` is what its target needs, as JSON values; `check` a shell command; times in ms."""

    name: str
    target: str
    rule: str
    document: Mapping[str, Any]
    timezone: str = "UTC"
    misfire: str = model.MISFIRE
    lateness_ms: int = model.LATENESS_MS
    overlap: str = model.OVERLAP
    jitter_ms: int = 0
    check: str | None = None
    once: bool = False
    ends_at: int | None = None
    mission_id: str | None = None


class Added(NamedTuple):
    """A schedule's row, and what was done: `added`, `changed` or `unchanged`."""

    row: Row
    done: str


def add(tx: Transaction, project: Row, wanted: Wanted, cause: Cause) -> Added:
    """Write a schedule. One of that name is changed where it differs; its firings stay, and none happens twice."""
    _refuse_beyond_agents(wanted, cause)
    columns = _columns(wanted)
    mission = None if wanted.mission_id is None else tx.one("mission_by_id", id=wanted.mission_id)
    if wanted.mission_id is not None and (mission is None or mission["project_id"] != project["id"]):
        raise errors.BadContent(f"{project['key']} has no mission {wanted.mission_id}", hint="`harness mission list`")
    row = tx.one("schedule_by_name", project=project["id"], name=model.check_name(wanted.name))
    if row is not None:
        return _change(tx, row, columns, cause)
    schedule_id = tx.new_id("sch")
    begun = {**columns, "id": schedule_id, "anchor_at": tx.now, "next_at": None}
    begun |= _next(begun, tx.now, tx.now)
    tx.do(
        "schedule_insert",
        project=project["id"],
        name=wanted.name,
        by=str(cause.actor),
        now=tx.now,
        **_bound(begun),
    )
    row = lock(tx, schedule_id)
    _note(tx, row, "schedule.added", cause, **_told(row))
    tx.wake()
    return Added(row, "added")


def _refuse_beyond_agents(wanted: Wanted, cause: Cause) -> None:
    """An agent may plan work for later as it may plan work; commands and missions are a person's to schedule."""
    if wanted.check is not None:
        only_operator(cause, "give a schedule a command to run", "harness schedule add NAME --check COMMAND ...")
    if wanted.target in ("mission", "dream"):
        only_operator(cause, f"schedule a {wanted.target}", "harness mission schedule WS --install")


def _columns(wanted: Wanted) -> dict[str, Any]:
    """Return the columns that define a schedule, or say what is wrong with it. Any: texts, numbers and NULL."""
    for value, known, noun in (
        (wanted.target, model.TARGETS, "target"),
        (wanted.misfire, model.MISFIRES, "misfire policy"),
        (wanted.overlap, model.OVERLAPS, "overlap policy"),
    ):
        if value not in known:
            raise errors.BadContent(f"{value!r} is no {noun}", hint=f"one of {', '.join(known)}")
    for amount, noun in ((wanted.lateness_ms, "lateness"), (wanted.jitter_ms, "jitter")):
        if not 0 <= amount <= cron.LONGEST_MS:
            raise errors.BadContent(f"a {noun} of {amount} ms is no length of time", hint="0 to 366 days: 90s, 1h, 2d")
    if (wanted.target in ("mission", "dream")) != (wanted.mission_id is not None):
        raise errors.BadContent("a mission or dream, and nothing else, is scheduled for a mission")
    return {
        "mission_id": wanted.mission_id,
        "target": wanted.target,
        "target_json": canonical(wanted.document),
        "rule": " ".join(wanted.rule.split()),
        "timezone": wanted.timezone,
        "misfire": wanted.misfire,
        "lateness_ms": wanted.lateness_ms,
        "overlap": wanted.overlap,
        "jitter_ms": wanted.jitter_ms,
        "check_json": None if wanted.check is None else canonical({"shell": wanted.check}),
        "once": int(wanted.once),
        "ends_at": wanted.ends_at,
    }


def _next(columns: Mapping[str, Any], after: int, now: int) -> dict[str, int | None]:
    """Return where a schedule goes on after an instant; BadContent when its end date leaves it nothing to do."""
    schedule = model.read(columns)
    following = model.upcoming(schedule, after)
    ends = schedule.ends_at
    if following is None:
        over = f"ended at {stamp(ends)}" if ends is not None and ends <= now else "ends before it first fires"
        raise errors.BadContent(
            f"the schedule {over}: it would never fire", hint="give it a later --until, or leave that out"
        )
    return {"next_at": following, "fires_at": model.due_at(schedule, following)}


def _bound(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns as the queries call them."""
    return {("mission" if name == "mission_id" else name): value for name, value in columns.items()}


def _change(tx: Transaction, row: Row, columns: Mapping[str, Any], cause: Cause) -> Added:
    changed = [name for name in _DEFINED if row[name] != columns[name]]
    if not changed:
        return Added(row, "unchanged")
    _require_own(tx, row, cause, "change")
    row = lock(tx, row["id"])
    after = {**row, **columns}
    if set(changed) & set(_TIMING):
        if "rule" in changed:
            after["anchor_at"] = tx.now
        after |= _next(after, max(tx.now, row["last_at"] or 0), tx.now)
        _pass_over(tx, row, "the schedule was changed before it fired", cause)
    names = (*_DEFINED, "anchor_at", "next_at", "fires_at", "id")
    tx.do("schedule_rewrite", **_bound({name: after[name] for name in names}))
    _note(tx, after, "schedule.changed", cause, changed=changed, **_told(after))
    tx.wake()
    return Added(after, "changed")


def find(tx: Transaction, project: Row, name: str) -> Row:
    """Return a project's schedule by its name, or by the id of one that may be out of use."""
    row = tx.one("schedule_by_name", project=project["id"], name=name)
    if row is None and name.startswith("sch-"):
        row = tx.one("schedule_by_id", id=name)
        row = row if row is not None and row["project_id"] == project["id"] else None
    if row is None:
        raise errors.UnknownIdentifier(
            f"{project['key']} has no schedule {name}", hint=f"`harness schedule list --project {project['key']}`"
        )
    return row


def lock(tx: Transaction, schedule_id: str) -> Row:
    """Return a schedule's row, locked until the transaction ends."""
    row = tx.one("schedule_lock", id=schedule_id)
    assert row is not None
    return row


def _require_own(tx: Transaction, row: Row, cause: Cause, verb: str) -> None:
    """An agent moves only the schedules it added itself."""
    if row["created_by"] != str(cause.actor):
        project = tx.one("project_by_id", id=row["project_id"])
        assert project is not None
        command = f"harness schedule {verb} {name_of(row)} --project {project['key']}"
        only_operator(cause, f"{verb} a schedule that it did not add itself", command)


def pause(tx: Transaction, project: Row, name: str, cause: Cause) -> Row:
    """Let a schedule rest; what falls due meanwhile is skipped. A paused one stays as it is."""
    row = lock_for(tx, project, name, cause, "pause")
    if not row["paused"]:
        tx.do("schedule_pause", id=row["id"], paused=1, next_at=row["next_at"], fires_at=row["fires_at"])
        _note(tx, row, "schedule.paused", cause)
    return lock(tx, row["id"])


def resume(tx: Transaction, project: Row, name: str, cause: Cause) -> Row:
    """Let a paused schedule go on with its next time from now."""
    row = lock_for(tx, project, name, cause, "resume")
    if not row["paused"]:
        return row
    _pass_over(tx, row, "paused", cause)
    schedule = model.read(row)
    following = row["next_at"]
    if following is not None and following <= tx.now:
        following = model.upcoming(schedule, tx.now)
    fires_at = None if following is None else model.due_at(schedule, following)
    tx.do("schedule_pause", id=row["id"], paused=0, next_at=following, fires_at=fires_at)
    _note(tx, row, "schedule.resumed", cause, next_at=following)
    tx.wake()
    return lock(tx, row["id"])


def remove(tx: Transaction, project: Row, name: str, cause: Cause) -> Row:
    """Take a schedule out of use. Its firings can still be read, by its id; its name is free for another."""
    row = lock_for(tx, project, name, cause, "remove")
    _put_away(tx, row, cause)
    return lock(tx, row["id"])


def remove_of_mission(tx: Transaction, mission_id: str, cause: Cause) -> None:
    """Take the schedules of a mission out of use."""
    for row in tx.all("schedule_of_mission", mission=mission_id):
        if not is_removed(row):
            _put_away(tx, row, cause)


def _put_away(tx: Transaction, row: Row, cause: Cause) -> None:
    tx.do("schedule_remove", id=row["id"], name=f"{row['name']}{_REMOVED}{row['id']}")
    tx.do("attention_resolve_dedup", dedup=f"schedule/{row['id']}", now=tx.now, by=str(cause.actor))
    _note(tx, row, "schedule.removed", cause)


def lock_for(tx: Transaction, project: Row, name: str, cause: Cause, verb: str) -> Row:
    """Return the row of a schedule that is in use and that this actor may `verb`, locked."""
    row = find(tx, project, name)
    _require_own(tx, row, cause, verb)
    if is_removed(row):
        raise errors.IllegalMove(
            f"the schedule {name_of(row)} was removed", hint="`harness schedule add` makes a new one of that name"
        )
    return lock(tx, row["id"])


def is_removed(row: Row) -> bool:
    """Return whether a schedule is out of use."""
    return _REMOVED in row["name"]


def name_of(row: Row) -> str:
    """Return what a schedule is called, or was."""
    return str(row["name"].partition(_REMOVED)[0])


def state_of(row: Row) -> str:
    """Return `active`, `paused`, `ended` (it has no further time) or `removed`."""
    if is_removed(row):
        return "removed"
    if row["paused"]:
        return "paused"
    return "active" if row["next_at"] is not None else "ended"


def _pass_over(tx: Transaction, row: Row, reason: str, cause: Cause) -> None:
    """Record that what was due and not decided about will not fire: one row, at the first of those times."""
    nominal = row["next_at"]
    if nominal is None or nominal > tx.now:
        return
    reason = f"{reason}; its times up to {stamp(tx.now)} are skipped"
    skip(tx, row, model.Skip(nominal, reason, 0), cause)


def skip(tx: Transaction, row: Row, told: model.Skip, cause: Cause) -> bool:
    """Record nominal times that do not fire, as a row and an event; False for a time that was decided about before."""
    if not firing_row(tx, row, told.nominal, "skipped", told.reason):
        return False
    note_skip(tx, row, told, cause)
    return True


def note_skip(tx: Transaction, row: Row, told: model.Skip, cause: Cause) -> None:
    """Append the event of times that do not fire; `times` stands in it when they are not one."""
    more = {} if told.times == 1 else {"times": told.times}
    _note(tx, row, "schedule.skipped", cause, nominal_at=told.nominal, reason=told.reason, **more)


def firing_row(tx: Transaction, row: Row, nominal: int, outcome: str, reason: str = "") -> bool:
    """Take a nominal time of a schedule, which only one can; return whether it was free."""
    values = {"schedule": row["id"], "nominal": nominal, "now": tx.now, "outcome": outcome, "reason": reason}
    return tx.run("schedule_firing_insert", **values) == 1


def _note(tx: Transaction, row: Row, kind: str, cause: Cause, **data: object) -> None:
    subject = {"schedule": row["id"], "name": name_of(row)}
    events.note(tx, ("project", row["project_id"]), kind, cause, {**subject, **data})


def fired(tx: Transaction, row: Row, nominal: int, cause: Cause, made: Mapping[str, object]) -> None:
    """Record that a nominal time has fired."""
    tx.do("schedule_fired", id=row["id"], nominal=nominal)
    _note(tx, row, "schedule.fired", cause, nominal_at=nominal, **made)


def _told(row: Mapping[str, Any]) -> dict[str, object]:
    names = ("target", "rule", "timezone", "misfire", "lateness_ms", "overlap", "jitter_ms", "ends_at", "next_at")
    check = {} if row["check_json"] is None else {"check": json.loads(row["check_json"])["shell"]}
    return {**{name: row[name] for name in names}, **check}
