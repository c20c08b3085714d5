"""kill -9 of a worker wherever it can be, and of the database server: nothing acknowledged is lost, nothing is half done."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from harnessos.store.opening import create_store, open_store, sqlite_path
from harnessos.store.transaction import Store
from tests.support import invariants, labour
from tests.support.crash_workload import STEPS, digest
from tests.support.crew import Crew, Said
from tests.support.postgres import Cluster, require_server
from tests.support.scale import SCALE, seeded
from tests.support.waiting import eventually

MARK = "REF"


class Point(NamedTuple):
    """A place of a step, `number` counted from 1 within the step."""

    step: int
    number: int
    place: str


def recorded(said: Said) -> tuple[list[Point], list[dict[str, list[str]]]]:
    """Return every point of an undisturbed run, and what the ledger held after each step."""
    assert said.code == 0, said.values[-1]
    points: list[Point] = []
    after: list[dict[str, list[str]]] = []
    number = 0
    for what, *more in said.values:
        number = number + 1 if what == "place" else 0
        if what == "place":
            points.append(Point(len(after), number, more[0]))
        else:
            after.append(more[1])
    assert len(after) == len(STEPS)
    return points, after


@pytest.fixture
def second_url(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Another new ledger on the same kind of store."""
    file = sqlite_path(url)
    if file is None:
        database: str = request.getfixturevalue("databases").create(template="crash_template")
        return database
    shutil.copy(file, tmp_path / "second.sqlite")
    return f"sqlite:///{tmp_path / 'second.sqlite'}"


def test_kill_9_at_every_point_of_every_write_leaves_all_of_a_step_or_nothing(
    url: str, second_url: str, crew: Crew, tmp_path: Path
) -> None:
    """One program after the other begins the same step and is killed one point later, until the last has committed.

    After each the ledger holds, row for row, what an undisturbed run left after that step or the one before.
    """
    points, after = recorded(*crew.run("tests.support.crash_workload:record", [[second_url, MARK]], tmp_path))
    assert len(points) > 400, "the points are enumerated by the code"
    before = digest(url, MARK)
    for point in points:
        arguments = [url, MARK, point.step, point.number]
        [killed] = crew.run("tests.support.crash_workload:die", [arguments], tmp_path)
        assert killed == Said(-signal.SIGKILL, []), point
        assert invariants.damage(url) == [], point
        if point.place.endswith("after commit"):
            before = after[point.step]
            assert invariants.broken_rules(invariants.tables(url)) == [], point
        assert digest(url, MARK) == before, point
    print(f"{len(points)} points of {len(STEPS)} steps")  # noqa: T201 # shown by pytest -s, for the record


@pytest.mark.scales
def test_kill_9_of_working_workers_again_and_again_loses_nothing_acknowledged(
    url: str, store: Store, crew: Crew, tmp_path: Path
) -> None:
    project = labour.found(store, issues=20)
    chance = seeded(SCALE.kills)
    acknowledged: list[Any] = []
    for _ in range(SCALE.kills // 4):
        victims = crew.start("tests.support.labour:live_and_work", [[url, project["id"]]] * 4, tmp_path)
        for number, victim in enumerate(victims):
            _wait_for(crew, number, chance.randrange(1, 12))
            os.kill(victim, signal.SIGKILL)
        said = crew.ended()
        assert [worker.code for worker in said] == [-signal.SIGKILL] * 4, said
        acknowledged += [value for worker in said for value in worker.values]
    _all_there(invariants.check(url), acknowledged)


def _wait_for(crew: Crew, number: int, said: int) -> None:
    eventually(lambda: len(crew.so_far(number)) >= said, within=60, what="the worker's progress")


def _once(found: invariants.Tables, said: Sequence[Said]) -> None:
    """Assert that all is there, and nothing but what the workers were at when they were killed is there beyond it."""
    _all_there(found, [value for worker in said for value in worker.values])
    acknowledged = {value[1] for worker in said for value in worker.values if value[0] == "claimed"}
    unknown = [run["id"] for run in found["runs"] if run["id"] not in acknowledged]
    assert len(unknown) <= len(said), "a claim was done twice"
    assert sum(run["live"] for run in found["runs"]) <= len(said), "a run was left behind"


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
def test_i15_a_killed_server_loses_nothing_acknowledged_and_the_workers_go_on_by_themselves(
    crew: Crew, tmp_path: Path
) -> None:
    """Kill -9 of every process of the server: whoever worked then works on when it is back, without being started again."""
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
                _wait_for(crew, number, before[number] + 3)
            cluster.kill9()
            cluster.start()
        assert store.read(lambda tx: tx.now) > 0, "the test's own store reconnects too"
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        said = crew.ended()
        assert [worker.code for worker in said] == [-signal.SIGKILL] * 4, [worker.values[-1:] for worker in said]
        _once(invariants.check(url), said)
        invariants.forget(url)
        store.close()


@pytest.mark.scales
@pytest.mark.postgres
def test_connections_that_are_cut_again_and_again_lose_nothing_and_do_nothing_twice(
    postgres_url: str, crew: Crew, tmp_path: Path
) -> None:
    """A cut between COMMIT and its answer must be told from one before: the write is neither lost nor done again."""
    store = open_store(postgres_url)
    project = labour.found(store, issues=20)
    store.close()
    workers = crew.start("tests.support.labour:live_and_work", [[postgres_url, project["id"]]] * 4, tmp_path)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        for _ in range(SCALE.cuts):
            before = [len(crew.so_far(number)) for number in range(4)]
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s",
                (server.info.backend_pid,),
            )
            for number in range(4):
                _wait_for(crew, number, before[number] + 2)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    said = crew.ended()
    assert [worker.code for worker in said] == [-signal.SIGKILL] * 4, [worker.values[-1:] for worker in said]
    _once(invariants.check(postgres_url), said)
