"""kill -9 of a worker wherever it can be, and of the database server: nothing acknowledged is lost, nothing is half done."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harnessos.store.opening import create_store, open_store, sqlite_path
from harnessos.store.transaction import Store
from tests.support import invariants, labour
from tests.support.crash_workload import STEPS, digest
from tests.support.crew import Crew, Said
from tests.support.postgres import Cluster, require_server
from tests.support.scale import SCALE
from tests.support.waiting import eventually

AT_ONCE = 8


class Recorded(NamedTuple):
    """An undisturbed run: the step and the place of each point, and what the ledger held after each step."""

    steps: list[int]
    places: list[str]
    after: list[dict[str, list[str]]]


class Lane(NamedTuple):
    """A place for one ledger after another: a file that is replaced, or a database that gets another project."""

    url: str
    empty: Path | None

    def fresh(self, point: int) -> tuple[str, str]:
        """Return the address and the mark for the worker that dies at a point."""
        if self.empty is None:
            return self.url, f"Z{point:04}Z"
        path = sqlite_path(self.url)
        assert path is not None
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.empty, path)
        return self.url, "REF"


def recorded(said: Said) -> Recorded:
    """Read what the recording worker said."""
    assert said.code == 0, said.values[-1]
    steps: list[int] = []
    places: list[str] = []
    after: list[dict[str, list[str]]] = []
    for value in said.values:
        if value[0] == "place":
            steps.append(len(after))
            places.append(value[1])
        else:
            after.append(value[2])
    assert len(after) == len(STEPS)
    return Recorded(steps, places, after)


@pytest.fixture
def lanes(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> list[Lane]:
    """Ledgers of their own for workers that die at the same time."""
    file = sqlite_path(url)
    if file is not None:
        empty = tmp_path / "empty.sqlite"
        shutil.copy(file, empty)
        return [Lane(f"sqlite:///{tmp_path / f'lane-{number}.sqlite'}", empty) for number in range(AT_ONCE)]
    databases = request.getfixturevalue("databases")
    return [Lane(databases.create(template="crash_template"), None) for _ in range(AT_ONCE)]


def test_kill_9_at_every_point_of_every_write_leaves_all_of_a_step_or_nothing(
    url: str, lanes: list[Lane], crew: Crew, tmp_path: Path
) -> None:
    """Then the rest is done, and the ledger holds exactly what it would hold without the kill."""
    [said] = crew.run("tests.support.crash_workload:record", [[url, "REF"]], tmp_path)
    reference = recorded(said)
    points = range(1, len(reference.places) + 1)
    assert len(points) > 400, "the points are enumerated by the code"
    for first in range(0, len(points), AT_ONCE):
        batch = points[first : first + AT_ONCE]
        places = [lane.fresh(point) for lane, point in zip(lanes, batch, strict=False)]
        deaths = [[*place, point] for place, point in zip(places, batch, strict=True)]
        killed = crew.run("tests.support.crash_workload:die", deaths, tmp_path)
        nexts = [_after_kill(reference, *each) for each in zip(batch, places, killed, strict=True)]
        rests = [[*place, step] for place, step in zip(places, nexts, strict=True)]
        finished = crew.run("tests.support.crash_workload:go_on", rests, tmp_path)
        for point, place, end in zip(batch, places, finished, strict=True):
            assert end.code == 0, (reference.places[point - 1], end.values[-1])
            assert digest(*place) == reference.after[-1], reference.places[point - 1]
    print(f"{len(points)} points of {len(STEPS)} steps")


def _after_kill(reference: Recorded, point: int, place: tuple[str, str], killed: Said) -> int:
    """Check a ledger whose worker was killed at a point, and return the step with which work goes on."""
    name, step = reference.places[point - 1], reference.steps[point - 1]
    assert killed.code == -signal.SIGKILL, (name, killed)
    committed = name.endswith("after commit")
    assert killed.values == list(range(step)), name
    whole = step + 1 if committed else step
    found = digest(*place)
    assert found == (reference.after[whole - 1] if whole else {table: [] for table in found}), name
    problems = invariants.damage(place[0]) + invariants.broken_rules(invariants.tables(place[0], about=place[1]))
    assert not problems, (name, problems[:5])
    return whole


@pytest.mark.scales
def test_kill_9_of_working_workers_again_and_again_loses_nothing_acknowledged(
    url: str, store: Store, crew: Crew, tmp_path: Path
) -> None:
    project = labour.found(store, issues=20)
    chance = random.Random(SCALE.kills)
    acknowledged: list[Any] = []
    for _ in range(SCALE.kills // 4):
        [victims, count] = [crew.start("tests.support.labour:live_and_work", [[url, project["id"]]] * 4, tmp_path), 4]
        for number in range(count):
            enough = chance.randrange(1, 12)
            eventually(lambda n=number, e=enough: len(crew.so_far(n)) >= e, within=60, what="the worker's progress")
            os.kill(victims[number], signal.SIGKILL)
        said = crew.ended()
        assert [worker.code for worker in said] == [-signal.SIGKILL] * 4, said
        acknowledged += [value for worker in said for value in worker.values]
    _all_there(invariants.check(url), acknowledged)


def _all_there(found: invariants.Tables, acknowledged: Sequence[Any]) -> None:
    """Assert that the ledger holds every write that was acknowledged, each once."""
    runs = {run["id"]: run for run in found["runs"]}
    checkpoints = {(row["run_id"], row["number"]) for row in found["checkpoints"]}
    identifiers = {row["identifier"]: row for row in found["issues"]}
    for what, *facts in acknowledged:
        if what == "planned":
            assert set(facts) <= identifiers.keys()
        elif what == "claimed":
            assert runs[facts[0]]["issue_id"] == identifiers[facts[1]]["id"]
        elif what == "checkpoint":
            assert tuple(facts) in checkpoints
        else:
            assert runs[facts[0]]["outcome"] == "success"
            assert identifiers[facts[1]]["status"] == "done"
    done = [facts[1] for what, *facts in acknowledged if what == "done"]
    assert len(done) == len(set(done)), "no issue is finished twice"


@pytest.mark.scales
@pytest.mark.postgres
def test_kill_9_of_the_server_loses_nothing_acknowledged_and_the_workers_go_on_by_themselves(
    crew: Crew, tmp_path: Path
) -> None:
    """I15: whoever works when the server dies works on when it is back, without being started again."""
    require_server()
    with Cluster(fsync=True) as cluster:
        cluster.start()
        url = cluster.create("ledger")
        create_store(url)
        store = open_store(url)
        project = labour.found(store, issues=20)
        workers = crew.start("tests.support.labour:live_and_work", [[url, project["id"]]] * 4, tmp_path)
        for _ in range(SCALE.server_kills):
            before = [len(crew.so_far(number)) for number in range(4)]
            for number in range(4):
                eventually(lambda n=number: len(crew.so_far(n)) >= before[n] + 3, within=60, what="every worker's work")
            cluster.kill9()
            cluster.start()
        assert store.read(lambda tx: tx.now) > 0, "the test's own store reconnects too"
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        said = crew.ended()
        assert [worker.code for worker in said] == [-signal.SIGKILL] * 4, [worker.values[-1:] for worker in said]
        _all_there(invariants.check(url), [value for worker in said for value in worker.values])
        store.close()
