"""Coordinators at the same moment: no worker gets two tasks, no task two workers, no result counts twice (B-20)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harnessos.kernel import tasks
from harnessos.kernel.tasks import Result, Wanted
from harnessos.store.transaction import Store
from harnessos.testing import FakeClock
from tests.support import invariants
from tests.support.coordinators import PAIR, taker, unlimited
from tests.support.crew import Crew, Said
from tests.support.labour import BY_OPERATOR
from tests.support.ledger import Ledger
from tests.support.missions import OnLedger
from tests.support.scale import SCALE

DISPATCH = "tests.support.coordinators:dispatch"
COLLECT = "tests.support.coordinators:collect"


def well(said: list[Said]) -> list[Any]:
    """Return what the workers said, all of whom ended well. Any: JSON values."""
    assert [worker.code for worker in said] == [0] * len(said), [worker.values[-1:] for worker in said]
    return [value for worker in said for value in worker.values]


def finish(store: Store, mission: OnLedger, number: int) -> None:
    """Let every worker succeed."""
    for task in store.read(tasks.board, mission.id).live:
        result = Result(task.id, str(task.worker), "success", "", "p", f"{number:064}", 1)
        assert store.write(tasks.take, mission.id, result, taker(), BY_OPERATOR).verdict == "done"


@pytest.fixture
def mission(store: Store) -> OnLedger:
    made = OnLedger(Ledger(store, FakeClock()))
    unlimited(store, made.id)
    return made


@pytest.mark.scales
def test_b20_6_two_dispatches_at_once_never_give_one_worker_two_tasks(
    url: str, store: Store, mission: OnLedger, crew: Crew, tmp_path: Path
) -> None:
    for number in range(SCALE.pairs):
        work = [[url, mission.id, f"{number}-{side}"] for side in ("one", "two")]
        said = well(crew.run(DISPATCH, work, tmp_path))
        given = {task: worker for _, pairs in said for task, worker in pairs}
        assert sorted(given.values()) == list(PAIR), said
        live = store.read(tasks.board, mission.id).live
        assert {task.id: task.worker for task in live} == given
        finish(store, mission, number)
    assert store.read(tasks.board, mission.id).counts == {"done": 2 * SCALE.pairs}
    invariants.check(url)


@pytest.mark.scales
def test_b20_6_of_coordinators_that_fill_inboxes_at_once_none_gives_a_busy_worker_more(
    url: str, store: Store, mission: OnLedger, crew: Crew, tmp_path: Path
) -> None:
    for number in range(SCALE.pairs // 5):
        for side in range(3):
            store.write(tasks.create, mission.id, Wanted(f"{number}-{side}"), BY_OPERATOR)
        said = well(crew.run("tests.support.coordinators:fill", [[url, mission.id]] * 3, tmp_path))
        assert sorted(worker for _, worker in said) == list(PAIR), said
        finish(store, mission, number)
        store.write(tasks.fill, mission.id, PAIR, taker(), BY_OPERATOR)
        finish(store, mission, number)
    invariants.check(url)


@pytest.mark.scales
def test_of_many_coordinators_that_collect_one_result_one_counts_it(
    url: str, store: Store, mission: OnLedger, crew: Crew, tmp_path: Path
) -> None:
    for number in range(SCALE.rounds):
        task, _ = store.write(tasks.dispatch, mission.id, Wanted(str(number)), PAIR, taker(), BY_OPERATOR)
        said = well(crew.run(COLLECT, [[url, mission.id, task.id, number]] * 8, tmp_path))
        assert sorted(said) == ["done", *["known"] * 7]
    assert store.read(tasks.board, mission.id).done_by == {"worker-1": SCALE.rounds}
    invariants.check(url)
