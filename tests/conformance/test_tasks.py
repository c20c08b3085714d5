"""Dispatched tasks on the ledger: who has what, what a result changes, and what a worker's silence changes."""

from __future__ import annotations

from typing import Any

import pytest

from harnessos import errors
from harnessos.inspector import replay, why
from harnessos.inspector.views import ANY_HOST
from harnessos.kernel import mission_runs, missions, operations, reaping, settling, tasks
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing, claim
from harnessos.kernel.tasks import Board, Result, Taken, Taker, Task, Wanted
from tests.support import invariants
from tests.support.ledger import BY_OPERATOR, HERE, HOUR, MINUTE, Ledger
from tests.support.missions import ALONE, BY_AGENT, OnLedger

THREE = ("worker-1", "worker-2", "worker-3")


class Coordinator:
    """A mission's tasks, one kernel command a call."""

    def __init__(self, ledger: Ledger, workers: tuple[str, ...] = THREE) -> None:
        self.ledger = ledger
        self.mission = OnLedger(ledger)
        self.workers = workers
        self._tokens = 0

    def _token(self) -> str:
        self._tokens += 1
        return f"{self.mission.id}-task-{self._tokens}"

    def taker(self, over: str = "") -> Taker:
        return Taker(ALONE, self._token, "/w", over)

    def dispatch(self, text: str = "look", **fields: Any) -> Task:
        """Dispatch a task and return it as it stands then."""
        wanted = Wanted(**{"text": text, **fields})
        task: Task
        task, given = self.ledger.do(tasks.dispatch, self.mission.id, wanted, self.workers, self.taker(), BY_OPERATOR)
        return next((one for one in given.tasks if one.id == task.id), task)

    def fill(self) -> tasks.Filled:
        return self.ledger.do(tasks.fill, self.mission.id, self.workers, self.taker(), BY_OPERATOR)  # type: ignore[no-any-return]

    def expire(self) -> list[Task]:
        return self.ledger.do(tasks.expire, self.mission.id, BY_OPERATOR)  # type: ignore[no-any-return]

    def take(
        self, task: Task, word: str = "success", worker: str | None = None, sha: str = "a", over: str = ""
    ) -> Taken:
        """Collect a result of a task."""
        result = Result(task.id, worker or task.worker or "worker-1", word, "what came of it", "p", sha * 64, 10)
        return self.ledger.do(tasks.take, self.mission.id, result, self.taker(over), BY_OPERATOR)  # type: ignore[no-any-return]

    def look(self, task: Task, sha: str = "a") -> Taken:
        result = Result(task.id, "worker-1", "success", "", "p", sha * 64, 10)
        return self.ledger.store.read(tasks.look, self.mission.id, result)

    @property
    def board(self) -> Board:
        return self.ledger.store.read(tasks.board, self.mission.id)

    @property
    def has(self) -> dict[str | None, str]:
        """Which worker has which task."""
        return {task.worker: task.text for task in self.board.live}

    def fail_for_good(self, task: Task) -> Taken:
        for sha in "xyz":
            taken = self.take(task, "failed", sha=sha)
            self.fill()
        return taken


@pytest.fixture
def crew(ledger: Ledger) -> Coordinator:
    return Coordinator(ledger)


def test_a_task_is_a_child_issue_whose_run_begins_for_the_worker(crew: Coordinator) -> None:
    task = crew.dispatch("Scrape the page\nand count it", step="Step 2.1", priority="high")
    row = crew.ledger[task.identifier]
    assert (row["kind"], row["parent_id"], row["status"]) == ("dispatched", crew.mission.issue["id"], "in_progress")
    assert (row["task"], row["description"]) == ("Scrape the page", "Scrape the page\nand count it")
    assert (task.worker, task.step, task.priority, task.identifier) == ("worker-1", "Step 2.1", "high", "MSN-2")
    assert crew.ledger.kinds(task.identifier) == ["task.dispatched", "issue.promoted", "run.claimed"]
    run = crew.ledger.all("run_live_of", issue=row["id"])[0]
    assert (run["agent"], run["supervised"], run["ttl_ms"], run["pid"]) == ("worker-1", 0, 6 * HOUR, 0)
    assert run["cap_at"] == run["started_at"] + 6 * HOUR, "the wall limit of a task is its task_timeout"


def test_a_task_of_no_step_belongs_to_the_missions_own(crew: Coordinator) -> None:
    assert crew.dispatch().step == "Step 0"


def test_workers_get_tasks_in_their_natural_order_and_when_all_are_busy_the_task_waits(ledger: Ledger) -> None:
    crew = Coordinator(ledger, tuple(f"worker-{number}" for number in range(1, 7)))
    got = [crew.dispatch(str(number)).worker for number in range(8)]
    assert got == [*crew.workers, None, None]
    assert [task.text for task in crew.board.waiting] == ["6", "7"]
    assert crew.board.counts == {"in_progress": 6, "pending": 2}


def test_what_waits_goes_to_the_first_idle_worker_the_most_urgent_first(crew: Coordinator) -> None:
    first = crew.dispatch("1")
    for text in ("2", "3"):
        crew.dispatch(text)
    for text, priority in (("low", "low"), ("normal", "normal"), ("later", "critical"), ("high", "high")):
        assert crew.dispatch(text, priority=priority).worker is None
    assert [task.text for task in crew.board.waiting] == ["later", "high", "normal", "low"]
    crew.take(first)
    assert [(task.text, task.worker) for task in crew.fill().tasks] == [("later", "worker-1")]


def test_a_task_for_one_worker_waits_for_that_worker(crew: Coordinator) -> None:
    crew.dispatch("1", worker="worker-2")
    mine = crew.dispatch("2", worker="worker-2")
    assert (mine.worker, crew.has) == (None, {"worker-2": "1"})
    assert crew.dispatch("3").worker == "worker-1", "and keeps nobody else waiting"


def test_a_task_whose_worker_is_gone_goes_to_another(crew: Coordinator) -> None:
    assert crew.dispatch(worker="worker-9").worker == "worker-1"


def test_a_success_makes_the_task_done_and_the_worker_idle(crew: Coordinator) -> None:
    task = crew.dispatch()
    assert crew.take(task) == Taken("done", task.identifier)
    row = crew.ledger[task.identifier]
    assert (row["status"], row["verdict"], row["attempts"]) == ("done", "unverified", 1)
    assert (crew.has, crew.board.done_by) == ({}, {"worker-1": 1})
    run = crew.ledger.all("run_all_of", issue=row["id"], most=9)[0]
    kept = crew.ledger.all("artifact_of_run", run=run["id"], most=9)[0]
    assert (kept["kind"], kept["sha256"], kept["size"]) == ("result", "a" * 64, 10)


def test_b20_1_a_result_counts_once_however_often_it_is_collected(crew: Coordinator) -> None:
    task = crew.dispatch("1")
    crew.take(task)
    crew.dispatch("2")
    for _ in range(3):
        assert crew.take(task).verdict == "known"
    assert crew.board.done_by == {"worker-1": 1}
    assert crew.has == {"worker-1": "2"}, "an old result frees no worker of its new task"


def test_b20_4_a_failed_task_is_tried_again_three_times_and_then_asks_a_person(crew: Coordinator) -> None:
    task = crew.dispatch()
    assert crew.take(task, "failed", sha="x").verdict == "retried"
    assert (crew.has, crew.board.done_by) == ({}, {})
    again = crew.fill().tasks[0]
    assert (again.id, again.attempt) == (task.id, 2)
    assert crew.take(again, "failed", sha="y").verdict == "retried"
    crew.fill()
    last = crew.take(again, "failed", sha="z")
    assert (last.verdict, crew.ledger.status(task.identifier)) == ("failed", "failed")
    assert crew.mission.asked()[-1]["command"] == f"harness issue retry {task.identifier}"


def test_the_next_attempt_may_say_the_very_same(crew: Coordinator) -> None:
    task = crew.dispatch()
    assert crew.take(task, "failed").verdict == "retried"
    assert crew.take(task, "failed") == Taken("known", task.identifier, spent=True)
    crew.fill()
    assert crew.look(task).verdict == "waits"
    assert crew.take(task, "failed").verdict == "retried"
    assert crew.ledger[task.identifier]["attempts"] == 2


def test_the_first_result_wins_whoever_wrote_it_and_later_ones_are_kept(crew: Coordinator) -> None:
    task = crew.dispatch()
    assert crew.take(task, worker="worker-3").verdict == "done"
    assert crew.board.done_by == {"worker-3": 1}
    late = crew.take(task, sha="b")
    assert (late.verdict, late.reason) == ("late", "it is done already")
    assert crew.take(task, sha="b").verdict == "known"
    said = [event for event in crew.ledger.events(task.identifier) if event["kind"] == "task.result"]
    assert len(said) == 2
    assert "b" * 64 in said[1]["data_json"]


def test_a_result_for_a_task_that_waits_counts_too(crew: Coordinator) -> None:
    for number in range(3):
        crew.dispatch(str(number))
    waiting = crew.dispatch("3")
    assert crew.take(waiting, worker="worker-2").verdict == "done"
    assert crew.has == {"worker-1": "0", "worker-2": "1", "worker-3": "2"}


def test_a_result_of_no_task_is_kept_once_and_changes_nothing(crew: Coordinator) -> None:
    crew.dispatch()
    for number, stranger in enumerate(("abc123", "2-zzzzzz", "99-abcdef", "", "..", "2-" + "0" * 7, "\N{BELL}")):
        strange = Task(stranger, "", "", "", "normal", "worker-1")
        assert [crew.take(strange).verdict for _ in range(2)] == ["unknown", "known"], number
    assert crew.has == {"worker-1": "look"}


def test_b20_3_a_worker_that_dies_loses_its_task_to_another_after_the_timeout(crew: Coordinator) -> None:
    task = crew.dispatch()
    crew.ledger.clock.advance(6 * HOUR - MINUTE)
    assert crew.expire() == []
    crew.ledger.clock.advance(2 * MINUTE)
    assert [one.id for one in crew.expire()] == [task.id]
    crew.workers = ("worker-2",)
    again = crew.fill().tasks[0]
    assert (again.id, again.worker) == (task.id, "worker-2")
    assert crew.take(task, worker="worker-1").verdict == "done", "and its late result is still the first"
    assert crew.take(again, sha="b").verdict == "late"


def test_a_result_that_comes_after_the_timeout_but_before_anybody_looked_counts(crew: Coordinator) -> None:
    task = crew.dispatch()
    crew.ledger.clock.advance(7 * HOUR)
    assert crew.take(task).verdict == "done"


def test_three_lost_workers_in_a_row_stop_a_task_and_its_result_waits_for_a_person(crew: Coordinator) -> None:
    task = crew.dispatch()
    for _ in range(3):
        crew.ledger.clock.advance(7 * HOUR)
        crew.expire()
        crew.fill()
    assert crew.ledger.reason(task.identifier) == "breaker:issue"
    waits = crew.take(task)
    assert (waits.verdict, "issue retry" in waits.reason) == ("waits", True)
    crew.ledger.do(operations.retry, task.identifier, BY_OPERATOR)
    assert crew.take(task).verdict == "done"


def test_a_task_that_failed_for_good_is_retried_by_a_person(crew: Coordinator) -> None:
    task = crew.dispatch()
    crew.fail_for_good(task)
    assert crew.take(task, sha="b").verdict == "waits"
    crew.ledger.do(operations.retry, task.identifier, BY_OPERATOR)
    assert crew.ledger.status(task.identifier) == "pending", "never promoted: no queue gives it out"
    assert crew.fill().tasks[0].id == task.id


def test_no_queue_gives_out_a_task(crew: Coordinator) -> None:
    crew.workers = ()
    crew.dispatch()
    crew.ledger.do(settling.promote, crew.mission.row["project_id"], BY_OPERATOR)
    request = ClaimRequest(crew.mission.row["project_id"], HERE, "h", "a")
    assert isinstance(crew.ledger.do(claim, request, BY_OPERATOR), Nothing)


def test_a_cancelled_task_leaves_its_worker(crew: Coordinator) -> None:
    task = crew.dispatch()
    crew.ledger.do(operations.cancel, task.identifier, "not wanted", BY_OPERATOR)
    assert crew.has == {}
    assert crew.take(task).verdict == "late"


def test_a_stopped_mission_hands_out_nothing(crew: Coordinator) -> None:
    for number in range(4):
        crew.dispatch(str(number))
    done = crew.board.live[0]
    crew.mission.fail_until_blocked()
    with pytest.raises(errors.MissionBlocked):
        crew.dispatch()
    assert crew.take(done).verdict == "done", "what is there is collected"
    assert "Circuit Breaker" in crew.fill().reason
    crew.mission.resume()
    assert [task.text for task in crew.fill().tasks] == ["3"]


def test_a_paused_or_complete_mission_hands_out_nothing(crew: Coordinator) -> None:
    crew.ledger.do(missions.pause, crew.mission.id, BY_OPERATOR)
    with pytest.raises(errors.MissionBlocked, match="paused"):
        crew.dispatch()
    assert "mission_paused" in crew.fill().reason
    crew.mission.resume()
    crew.mission.once()
    crew.ledger.do(mission_runs.complete, crew.mission.id, {"mission.md": "1"}, BY_AGENT)
    with pytest.raises(errors.MissionComplete):
        crew.dispatch()


def test_tasks_and_a_run_of_the_mission_may_be_live_together(crew: Coordinator) -> None:
    crew.mission.start()
    assert crew.dispatch().worker == "worker-1"
    crew.mission.ledger.clock.advance(HOUR)
    assert crew.mission.issue["status"] == "in_progress"


def test_tasks_are_paid_from_their_missions_budget_and_wait_when_it_is_reserved(ledger: Ledger) -> None:
    crew = Coordinator(ledger, tuple(f"worker-{number}" for number in range(1, 12)))
    got = [crew.dispatch(str(number)).worker for number in range(10)]
    assert got.count(None) == 2, "48 agent-hours a day are eight tasks of six hours at a time"
    assert "reserved" in crew.fill().reason
    crew.take(crew.board.live[0])
    assert len(crew.fill().tasks) == 1


def test_two_missions_do_not_know_each_others_tasks(ledger: Ledger) -> None:
    one, other = Coordinator(ledger), Coordinator(ledger)
    task = one.dispatch()
    assert other.take(task).verdict == "unknown"
    assert other.dispatch().worker == "worker-1"


def test_why_says_what_a_task_waits_for(crew: Coordinator) -> None:
    def ask(task: Task) -> why.Why:
        return crew.ledger.store.read(why.query, task.identifier, ANY_HOST)

    given = [crew.dispatch(str(number)) for number in range(4)]
    assert "worker-1 has it, for another 6 h" in ask(given[0]).sentence
    assert ask(given[0]).command == ("harness", "mission", "agents", "collect", "/w")
    assert "waits for an idle worker of MSN-1" in ask(given[3]).sentence
    assert ask(given[3]).command == ("harness", "mission", "agents", "status", "/w")
    crew.ledger.do(missions.pause, crew.mission.id, BY_OPERATOR)
    assert "is not handed out: MSN-1 (watch) is paused" in ask(given[3]).sentence
    assert ask(given[3]).command == ("harness", "mission", "resume", "/w")


# A runner takes a task from an inbox


def watched(crew: Coordinator, task: Task, most: int = 4) -> Claimed | None:
    taker = Taker(HERE, crew._token, "/w")
    return crew.ledger.do(tasks.watch, crew.mission.id, task.id, taker, most, BY_OPERATOR)  # type: ignore[no-any-return]


def test_a_runner_takes_a_task_under_a_lease_of_its_own_and_a_second_one_does_not(crew: Coordinator) -> None:
    task = crew.dispatch()
    claimed = watched(crew, task)
    assert claimed is not None
    assert (claimed.run["supervised"], claimed.run["agent"], claimed.run["pid"]) == (1, "worker-1", HERE.pid)
    assert watched(crew, task) is None
    assert crew.board.live[0].watched
    assert crew.ledger[task.identifier]["attempts"] == 0, "the hand-over counts as no attempt"


def test_a_watched_result_counts_when_its_runner_has_ended(crew: Coordinator) -> None:
    task = crew.dispatch()
    claimed = watched(crew, task)
    assert claimed is not None
    assert crew.take(task).reason == "its runner is still at work"
    assert crew.take(task, over=claimed.lease.run_id).verdict == "done"


def test_a_runner_that_gets_no_slot_leaves_the_task_with_its_worker(crew: Coordinator) -> None:
    one, other = crew.dispatch("1"), crew.dispatch("2")
    watched(crew, one, most=1)
    with pytest.raises(errors.NothingReady, match="slots"):
        watched(crew, other, most=1)
    assert crew.has == {"worker-1": "1", "worker-2": "2"}
    assert [task.watched for task in crew.board.live] == [True, False]


def test_a_runner_that_died_gives_the_task_back_after_its_lease_and_one_more(crew: Coordinator) -> None:
    task = crew.dispatch()
    watched(crew, task)
    crew.ledger.clock.advance(16 * MINUTE)
    assert crew.expire() == []
    crew.ledger.clock.advance(15 * MINUTE)
    assert [one.id for one in crew.expire()] == [task.id]
    assert crew.fill().tasks[0].watched is False


def test_events_reproduce_every_task_and_nothing_is_left_reserved(crew: Coordinator) -> None:
    done, failed, lost, cancelled = (crew.dispatch(text) for text in "abcd")
    crew.take(done)
    crew.fill()
    crew.fail_for_good(failed)
    watched(crew, crew.board.live[0])
    crew.ledger.do(operations.cancel, cancelled.identifier, "no", BY_OPERATOR)
    crew.ledger.clock.advance(7 * HOUR)
    crew.expire()
    crew.ledger.do(reaping.reap, HERE, BY_OPERATOR, 32)
    for task in (done, failed, lost, cancelled):
        assert crew.ledger.store.read(replay.differences, crew.ledger[task.identifier]) == "", task.text
    invariants.check(crew.ledger.store.url)
