"""`mission schedule`: both schedules of a workspace, and registering them with its ledger."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import skills
from harnessos.app.missions import runners
from harnessos.mission import installing, keeping
from harnessos.mission.documents import reading
from harnessos.mission.documents.cron_config import FILE
from harnessos.mission.documents.problems import Problem, bad_document
from harnessos.mission.documents.starter import SKILL
from harnessos.mission.timetable import entries as timetable
from harnessos.mission.timetable.formats import Job
from harnessos.model import cron
from harnessos.model import schedule as model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.app.missions.opening import At
    from harnessos.kernel.schedules import Added
    from harnessos.mission.timetable.entries import Entry
    from harnessos.store.transaction import Row, Transaction

SHOWN = 3
"""So many next instants are told."""


class Timetable(NamedTuple):
    """Both schedules with what does them, whether the ledger has them like this, and what to say about them."""

    jobs: tuple[Job, Job]
    installed: bool
    notes: tuple[str, ...]
    now: int


def look(at: At, skill_dir: str | None) -> Timetable:
    """Return the schedules that cron_config.md asks for. BadDocument names what is wrong or unfilled in it, by line."""
    loaded = reading.load(at.place)
    problems = tuple(problem for problem in loaded.problems if problem.file == FILE)
    if problems or loaded.cron is None:
        raise bad_document(problems, hint=f"mend {at.place / FILE} and say it again")
    folder = _folder(skill_dir)
    mission = at.row()
    entries = timetable.entries(loaded.cron, mission["name"], str(at.place), str(folder))
    rows, now = at.harness.read(_known, mission["id"])
    jobs = [_job(at, entry, rows.get(entry.target), now) for entry in entries]
    if not jobs[0].upcoming:
        raise bad_document((Problem(FILE, 1, f"expire {entries[0].expire} has passed: the mission would never run"),))
    notes = [problem.describe() for problem in loaded.warnings if problem.file == FILE]
    script = folder / "scripts" / "harness_dream.py"
    if not script.is_file():
        notes.append(f"{script} is not there: `harness skill install {SKILL} --to {folder.parent}` writes it")
    installed = all(installing.is_like(rows.get(entry.target), entry) for entry in entries)
    return Timetable((jobs[0], jobs[1]), installed, tuple(notes), now)


def install(at: At, found: Timetable, agent: str | None) -> list[Added]:
    """Register both schedules, and the runner with them: all or nothing. A person's to do; safe to repeat."""
    runner = None if agent is None else runners.parse(agent)
    done = at.harness.write(installing.install, at.mission_id, [job.entry for job in found.jobs], runner, at.cause)
    keeping.refresh(at.site)
    return done


def _known(tx: Transaction, mission_id: str) -> tuple[dict[str, Row], int]:
    return installing.ours(tx, mission_id), tx.now


def _job(at: At, entry: Entry, row: Row | None, now: int) -> Job:
    """Return a schedule with its command and its next instants; an interval counts from when it was registered."""
    anchor = row["anchor_at"] if row is not None and installing.is_like(row, entry) else now
    schedule = model.Schedule(
        "", entry.rule, cron.zone(entry.timezone), None, ends_at=entry.ends_at(), anchor_at=anchor
    )
    upcoming: list[int] = []
    following = model.upcoming(schedule, now)
    while following is not None and len(upcoming) < (SHOWN if entry.repeat else 1):
        upcoming.append(following)
        following = model.upcoming(schedule, following)
    verb = "run" if entry.target == "mission" else "dream"
    return Job(entry, (*program(at.harness.environ), "mission", verb, str(at.place)), tuple(upcoming))


def _folder(given: str | None) -> Path:
    """Return where the skill is installed, as an absolute path."""
    return skills.folder(SKILL) if given is None else Path(os.path.abspath(Path(given).expanduser()))  # noqa: PTH100 # a link stays: it is where agents look


def program(environ: Mapping[str, str]) -> list[str]:
    """Return the words that start this program from anywhere: a scheduler has neither this PATH nor this environment."""
    beside = Path(sys.executable).parent / "harness"
    named = str(beside) if beside.is_file() else shutil.which("harness", path=environ.get("PATH"))
    words = [named] if named else [sys.executable, "-P", "-m", "harnessos"]
    home = environ.get("HARNESS_HOME")
    return ["/usr/bin/env", f"HARNESS_HOME={Path(home).absolute()}", *words] if home else words
