"""Registering a mission's two schedules with its ledger, as cron_config.md has them: all or nothing, safe to repeat."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos.kernel import missions, schedules
from harnessos.kernel.schedules import Wanted
from harnessos.mission.documents.cron_config import FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.kernel.events import Cause
    from harnessos.kernel.schedules import Added
    from harnessos.mission.timetable.entries import Entry
    from harnessos.store.transaction import Row, Transaction

OURS = {"document": FILE}
"""What a schedule of the ledger is marked with that follows cron_config.md; those a person added are left alone."""
LATENESS_MS = 86_400_000
"""What came while the machine was off is made up for within a day: a dream at three is never lost to a night's rest."""


def install(
    tx: Transaction, mission_id: str, entries: Sequence[Entry], runner: str | None, cause: Cause
) -> list[Added]:
    """Add or change the schedules of these entries; `runner` (JSON) becomes the mission's, None leaves it."""
    mission = missions.find(tx, mission_id)
    project = tx.one("project_by_id", id=mission["project_id"])
    assert project is not None
    before = ours(tx, mission_id)
    done = []
    for entry in entries:
        name = _name(tx, mission, entry)
        old = before.get(entry.target)
        if old is not None and old["name"] != name:
            schedules.remove(tx, project, old["name"], cause)
        done.append(schedules.add(tx, project, _wanted(entry, name, mission_id), cause))
    if runner is not None:
        missions.configure(tx, mission_id, cause, runner_json=runner)
    if any(one.done != "unchanged" for one in done):
        tx.do("mission_touch", id=mission_id)
    return done


def _wanted(entry: Entry, name: str, mission_id: str) -> Wanted:
    return Wanted(
        name,
        entry.target,
        entry.text,
        OURS,
        entry.timezone,
        lateness_ms=LATENESS_MS,
        once=not entry.repeat,
        ends_at=entry.ends_at(),
        mission_id=mission_id,
    )


def _name(tx: Transaction, mission: Row, entry: Entry) -> str:
    """Return the schedule's name in the ledger: with the mission's identifier when another one has it already."""
    row = tx.one("schedule_by_name", project=mission["project_id"], name=entry.name)
    if row is None or (row["mission_id"] == mission["id"] and _is_ours(row)):
        return entry.name
    return f"{entry.name}-{mission['identifier'].lower()}"


def ours(tx: Transaction, mission_id: str) -> dict[str, Row]:
    """Return the mission's schedules that follow cron_config.md, by their target."""
    rows = tx.all("schedule_of_mission", mission=mission_id)
    return {row["target"]: row for row in rows if _is_ours(row) and not schedules.is_removed(row)}


def _is_ours(row: Row) -> bool:
    return bool(json.loads(row["target_json"]) == OURS)


def is_like(row: Row | None, entry: Entry) -> bool:
    """Return whether a registered schedule is what an entry asks for."""
    wanted = (entry.text, entry.timezone, not entry.repeat, entry.ends_at())
    return row is not None and (row["rule"], row["timezone"], bool(row["once"]), row["ends_at"]) == wanted
