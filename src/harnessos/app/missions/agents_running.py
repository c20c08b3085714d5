"""`mission agents run`: runners work through the inboxes. Nothing else of the coordinator starts a process (rule 13).

Each takes a task by `inbox -> inbox/claimed` under a lease of its own, which this process renews, and the worker's name.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.app.missions import agents, runners
from harnessos.dispatch.sessions import hashed
from harnessos.dispatch.watching import Control
from harnessos.files import atomic_write, private_folder
from harnessos.kernel import ending, mission_runs, tasks
from harnessos.kernel.events import Cause
from harnessos.kernel.tasks import Taker
from harnessos.mission import coordination, task_files
from harnessos.mission.agent import CommandAgent, Job, Runner
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import SUPERVISOR
from harnessos.runners import command
from harnessos.services.leases import Leases

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.app.missions.agents import Collected
    from harnessos.app.missions.opening import At
    from harnessos.kernel.claims import Claimed
    from harnessos.kernel.tasks import Task
    from harnessos.mission.site import Site

LEAST_SLOTS = 4
"""Supervised runs that may be live in a project by default."""
_TAIL = 100_000
_FAULTS = (Outcome.AGENT_FAULT, Outcome.TASK_FAULT)


class Ran(NamedTuple):
    """What runners did: tasks in the order in which they ended, with what became of each, and why no more were taken."""

    tasks: tuple[tuple[Task, str], ...]
    reason: str = ""


class _Taken(NamedTuple):
    task: Task
    claimed: Claimed
    token: str
    file: Path


def run(at: At, kind: str | None, most: int) -> Ran:
    """Have at most `most` runners at a time work until the inboxes are empty. `kind`: else the mission's own agent."""
    runner = Runner.of(runners.parse(kind) if kind is not None else at.row()["runner_json"])
    if runner is None:
        raise errors.BadContent(
            f"{at.registration.identifier} has no agent", hint=f"`harness mission agents run {at.place} --agent KIND`"
        )
    mission_runs.refuse_stopped(at.row())
    if not coordination.workers(at.place):
        raise errors.Refused(
            "this mission has no workers yet", hint=f"`harness mission agents init {at.place} --agents 3` makes them"
        )
    processes.become_subreaper()
    crew = _Crew(at, runner, most)
    with ThreadPoolExecutor(most, "harness-worker") as pool:
        working = [pool.submit(crew.work) for _ in range(most)]
        try:
            for future in working:
                future.result()
        except BaseException:
            crew.control.cut.set()
            raise
    return Ran(tuple(crew.ended), crew.reason)


class _Crew:
    """What the threads of one call share."""

    def __init__(self, at: At, runner: Runner, most: int) -> None:
        self.control = Control()
        self.ended: list[tuple[Task, str]] = []
        self.reason = ""
        self._at = at
        self._agent = CommandAgent(runner)
        self._provider = runner.provider(at.site.ground.process.machine_id)
        self._most = max(LEAST_SLOTS, most)
        self._leases = Leases(at.site.ground)
        self._lock = Lock()

    def work(self) -> None:
        """Take one task after the other until there is none."""
        while not self.control.cut.is_set() and not self.reason:
            with self._lock:
                taken = self._take()
            if taken is None:
                return
            self._leases.holding(lambda taken=taken: self._do(taken))()  # type: ignore[misc]

    def _take(self) -> _Taken | None:
        """Take the next task from an inbox; None when there is none, or no run may begin now."""
        at = self._at
        for task in agents.status(at).board.live:
            if task.watched:
                continue
            token = at.harness.ids.token()
            taker = Taker(at.site.ground.process, lambda token=token: hashed(token), str(at.place))  # type: ignore[misc]
            cause = Cause(SUPERVISOR, at.harness.command)
            try:
                with agents.alone(at):
                    claimed = at.site.write(tasks.watch, at.mission_id, task.id, taker, self._most, cause)
                    if claimed is not None:
                        return _Taken(task, claimed, token, coordination.claim(at.place, task))
            except errors.NothingReady as none:
                self.reason = none.message
                return None
        return None

    def _do(self, taken: _Taken) -> None:
        """Run the agent to its end, and collect what it left. Problems end the run as an outcome, bugs are raised."""
        at, lease = self._at, taken.claimed.lease
        cause = Cause(SUPERVISOR, at.harness.command, lease.run_id, lease.epoch)
        site = at.site._replace(cause=cause)
        try:
            private_folder(site.ground.run_folder(lease.run_id))
            prompt = taken.file.read_text("utf-8")
            report = self._agent.work(Job(site, lease, taken.token, prompt, at.row(), self.control, cause))
            ended = report.ended
            if ended is not None and ended.outcome not in _FAULTS:
                closing = ending.Closing(spent=report.spent, provider=self._provider)
                self._end(site, taken, ended, closing)
                return
            self._leave_result(taken, ended)
            mine = [each for each in agents.collect(at, lease.run_id).results if each.found.result.id == taken.task.id]
            self.ended.append((taken.task, _verdict(mine)))
        except errors.LeaseLost:
            self.ended.append((taken.task, "late"))  # another's result was first, or a person ended the run
        except errors.HarnessError as problem:
            self._end(site, taken, Ended(Outcome.HARNESS_FAULT, str(problem)))
            self.reason = str(problem)
        except BaseException as bug:
            self._end(site, taken, Ended(Outcome.HARNESS_FAULT, str(bug) or type(bug).__name__))
            raise

    def _end(self, site: Site, taken: _Taken, ended: Ended, closing: ending.Closing = ending.PLAIN) -> None:
        """End a run that made no result: its task waits again."""
        try:
            site.write(ending.finish, taken.claimed.lease, ended, site.cause, closing)
        except errors.LeaseLost:
            return
        site.note("WARN", taken.task.step, f"task {taken.task.id}: {ended.outcome.value}: {ended.reason}")
        self.ended.append((taken.task, ended.outcome.value))
        self.reason = self.reason or ended.reason

    def _leave_result(self, taken: _Taken, ended: Ended | None) -> None:
        """Let the outbox hold the result: the agent's own where it left one, else what its process says."""
        at, task = self._at, taken.task
        path = at.place / coordination.result_path(task)
        with agents.alone(at):
            if path.exists() or path.is_symlink():
                found = coordination.look_at(at.place, str(task.worker), path, None)
                if not found.result.problem and found.result.id == task.id:
                    return
                coordination.archive(at.place, str(task.worker), path)
            files = command.files_of(at.site.ground.run_folder(taken.claimed.lease.run_id), 1)
            said = _tail(files.stdout)
            word = task_files.SUCCESS if ended is None else task_files.FAILED
            output = said if ended is None else f"{ended.reason}\n{said}"
            atomic_write(path, task_files.result_text(task.id, word, output).encode())


def _verdict(mine: list[Collected]) -> str:
    return next((each.taken.verdict for each in mine if each.taken.verdict not in ("known", "left")), "known")


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read(_TAIL).decode("utf-8", "replace")
