"""Many schedulers at the same moment, some of them killed: each nominal time fires once (P15, I03)."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harnessos.store.transaction import Row, Store, Transaction
from tests.support import invariants, labour
from tests.support.crew import Crew
from tests.support.scale import SCALE, seeded
from tests.support.timetables import overdue

AT_ONCE = 5
"""Schedules in one round."""
EVALUATE = "tests.support.timetables:evaluate"


def firings(tx: Transaction, schedule_id: str) -> list[Row]:
    """Return a schedule's firings, oldest first."""
    return tx.all("schedule_firings", schedule=schedule_id, before=1 << 62, most=100)[::-1]


def decided(store: Store, due: dict[str, list[int]]) -> None:
    """Insist that each nominal time has fired, once, with an issue of its own."""
    made: list[Any] = []
    for schedule_id, nominal in due.items():
        rows = store.read(firings, schedule_id)
        assert [row["nominal_at"] for row in rows] == nominal
        assert {row["outcome"] for row in rows} == {"fired"}
        made += [row["issue_id"] for row in rows]
    assert len(set(made)) == len(made)


@pytest.mark.scales
def test_32_schedulers_at_once_fire_each_nominal_time_once(url: str, store: Store, crew: Crew, tmp_path: Path) -> None:
    project = labour.found(store)
    planned = 0
    for number in range(SCALE.rounds):
        due = overdue(url, store, project, AT_ONCE, f"round-{number}")
        said = crew.run(EVALUATE, [[url, project["id"]]] * SCALE.processes, tmp_path)
        assert [worker.code for worker in said] == [0] * SCALE.processes, [worker.values[-1:] for worker in said]
        told = Counter((schedule, nominal) for worker in said for schedule, nominal, _ in worker.values)
        assert told == Counter((schedule, nominal) for schedule, times in due.items() for nominal in times)
        decided(store, due)
        planned += 3 * AT_ONCE
        assert len(invariants.check(url)["issues"]) == planned


@pytest.mark.scales
def test_two_triggers_run_exactly_once(url: str, store: Store, crew: Crew, tmp_path: Path) -> None:
    """Two schedulers, one slot: one issue, again and again."""
    project = labour.found(store)
    for number in range(SCALE.triggers // AT_ONCE):
        due = overdue(url, store, project, AT_ONCE, f"slot-{number}")
        said = crew.run(EVALUATE, [[url, project["id"]]] * 2, tmp_path)
        assert [worker.code for worker in said] == [0, 0], [worker.values[-1:] for worker in said]
        decided(store, due)
    invariants.check(url)


@pytest.mark.scales
def test_schedulers_that_are_killed_leave_each_nominal_time_undecided_or_whole(
    url: str, store: Store, crew: Crew, tmp_path: Path
) -> None:
    """Kill -9 somewhere in an evaluation; the next scheduler goes on where the ledger stands."""
    project = labour.found(store)
    chance = seeded(15)
    for number in range(SCALE.kills // 20):
        due = overdue(url, store, project, AT_ONCE, f"killed-{number}")
        pids = crew.start(EVALUATE, [[url, project["id"]]] * 4, tmp_path)
        for pid in chance.sample(pids, 3):
            os.kill(pid, signal.SIGKILL)
        crew.ended()
        [last] = crew.run(EVALUATE, [[url, project["id"]]], tmp_path)
        assert last.code == 0, last.values
        decided(store, due)
    invariants.check(url)
