"""A coordinator that dies at any change of a file: nothing is torn, lost or counted twice, and the next call goes on."""

from __future__ import annotations

import json
import signal
from itertools import count
from pathlib import Path

import pytest

from harnessos.app.missions import agents
from harnessos.app.missions.opening import At
from harnessos.kernel import tasks
from harnessos.kernel.tasks import Wanted
from harnessos.mission import task_files
from tests.support import invariants
from tests.support.coordinators import Crowd, opened, unlimited
from tests.support.crew import Crew


def whole(crowd: Crowd) -> None:
    """Insist that every file of ours is whole."""
    for path in (crowd.path / "agents").rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        if path.name.startswith("task_") and path.suffix == ".md":
            assert task_files.parse_task(path.read_text(encoding="utf-8")), path


def agree(crowd: Crowd, at: At) -> None:
    """Insist that files say what the ledger says."""
    live = {task.worker: task.id for task in at.site.read(tasks.board, at.mission_id).live}
    assert {name: task for name, task in crowd.busy().items() if task} == live
    for worker, task in live.items():
        assert f"task_{task}.md" in crowd.files(int(str(worker)[7:]), "inbox")


@pytest.mark.parametrize("verb", ["dispatch", "collect", "cleanup"])
def test_a_coordinator_killed_at_any_change_of_a_file_loses_nothing(tmp_path: Path, crew: Crew, verb: str) -> None:
    crowd = Crowd(tmp_path, workers=2)
    home, place = str(crowd.terminal.home), str(crowd.path)
    good, bad = [], []
    with opened(home, place) as at:
        unlimited(at.harness.store, at.mission_id)
        for number in count(1):
            first, second = (agents.dispatch(at, Wanted(f"{number}")).asked for _ in range(2))
            agents.dispatch(at, Wanted(f"{number}, waits"))
            assert first is not None
            assert second is not None
            good.append(first.identifier)
            bad.append(second.identifier)
            crowd.result({"id": first.id, "worker": first.worker})
            crowd.result({"id": second.id, "worker": second.worker}, "failed")
            if verb == "cleanup":
                agents.collect(at)
            crew.start("tests.support.coordinators:die_at", [[home, place, verb, number]], tmp_path)
            code = crew.ended()[0].code
            whole(crowd)
            agents.collect(at)
            agree(crowd, at)
            while live := at.site.read(tasks.board, at.mission_id).live:
                for task in live:
                    crowd.result({"id": task.id, "worker": task.worker})
                agents.collect(at)
            agree(crowd, at)
            if code == 0:
                break
            assert code == -signal.SIGKILL
        agents.cleanup(at)
        status = agents.status(at)
        assert set(status.board.counts) == {"done"}
        attempts = {
            name: crowd.terminal.good("issue", "show", name)["issue"]["attempts"] for name in (*good[-2:], *bad)
        }
        invariants.check(at.harness.store.url)
    assert {attempts[name] for name in good[-2:]} == {1}
    assert {attempts[name] for name in bad} == {2}, "a failure counts once, whatever happened in between"
    assert number > 3, "it was killed at several places"
    names = [name for name in crowd.archived() if "_result_" in name]
    assert len(names) == status.board.counts["done"] + len(bad), "every result is there, each attempt's own"
