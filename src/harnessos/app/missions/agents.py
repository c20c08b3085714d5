"""`mission agents`: tasks for workers. Each call collects or looks, ends what ran out, fills idle inboxes, mends files.

One round at a time: the workspace's lock is held, and the ledger's own lock decides between machines. The coordinator
executes nothing (rule 13); `agents_running` is the explicit way.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.app.harness import fingerprint
from harnessos.dispatch import holding
from harnessos.kernel import ending, missions, runs, tasks
from harnessos.kernel.tasks import Board, Filled, Result, Taken, Taker, Task, Wanted
from harnessos.mission import coordination, workspace
from harnessos.model.mission import shown_step
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.process import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harnessos.app.missions.opening import At
    from harnessos.mission.coordination import Found
    from harnessos.store.transaction import Row, Transaction

_KILL_GRACE_S = 2.0
LEVELS = {"done": "SUCCESS", "retried": "WARN", "failed": "ERROR", "late": "WARN", "unknown": "WARN"}
"""How what became of a result is noted in the stream; what is not here changed nothing."""


class Collected(NamedTuple):
    """A result file and what became of it. Verdicts as in kernel.tasks.Taken, and `left` for what is no result yet."""

    found: Found
    taken: Taken


class Round(NamedTuple):
    """What one call found and did. `asked` is the task that it dispatched, as it stands now."""

    workers: tuple[str, ...]
    results: tuple[Collected, ...]
    expired: tuple[Task, ...]
    given: Filled
    board: Board
    asked: Task | None = None


def taker(at: At, over: str = "") -> Taker:
    """Return how the runs of workers that nobody watches begin here; `over` is a run whose runner has ended."""
    ids = at.harness.ids
    return Taker(at.site.ground.unwatched, lambda: fingerprint(ids.token()), str(at.place), over)


@contextmanager
def alone(at: At) -> Iterator[None]:
    """Hold the workspace. What its file system refuses is told plainly: the ledger has it, and the next call mends it."""
    try:
        with workspace.lock(at.place):
            yield
    except OSError as problem:
        raise errors.ToolProblem(
            f"{problem.filename or at.place}: {problem.strerror or problem}",
            hint="make room, or look at the rights of the workspace; the same command again loses nothing",
        ) from problem


def init(at: At, count: int) -> tuple[list[str], Round]:
    """Make so many workers; those that are there keep their tasks. Return the new ones."""
    with alone(at):
        made = coordination.lay_out(at.place, count, at.site.now())
        found = _round(at, collect=False)
    at.site.note("INFO", at.row()["step"], f"agents: {len(found.workers)} workers, {len(made)} of them new")
    return made, found


def dispatch(at: At, wanted: Wanted) -> Round:
    """Hand out a task: to its worker, or the first idle one; where all are busy it waits in the ledger."""
    wanted = wanted._replace(text=_text(wanted.text), step=_step(wanted.step))
    with alone(at):
        names = coordination.workers(at.place)
        if not names:
            raise errors.Refused(
                "this mission has no workers yet",
                hint=f"`harness mission agents init {at.place} --agents 3` makes them",
            )
        if wanted.worker is not None and wanted.worker not in names:
            raise errors.UnknownIdentifier(
                f"there is no worker {wanted.worker!r}",
                hint=f"one of {', '.join(names[:10])}; without --agent the first idle one",
            )
        found = _round(at, collect=False, wanted=wanted)
    task = found.asked
    assert task is not None
    _note_given(at, found)
    if task.worker is None:
        at.site.note("INFO", task.step, f"task {task.id} ({task.identifier}) waits for an idle worker")
    return found


def status(at: At) -> Round:
    """Look at workers and tasks, give what waits to those that are idle, and collect nothing."""
    with alone(at):
        found = _round(at, collect=False)
    _note_given(at, found)
    return found


def collect(at: At, over: str = "") -> Round:
    """Collect every result: each counts once, and the first one for a task wins. `over`: see `taker`."""
    with alone(at):
        found = _round(at, collect=True, over=over)
    for each in found.results:
        if each.taken.verdict in LEVELS:
            reason = f": {each.taken.reason}" if each.taken.reason else ""
            text = f"result for task {each.found.result.id} by {each.found.worker}: {each.taken.verdict}{reason}"
            at.site.note(LEVELS[each.taken.verdict], at.row()["step"], text)
    _note_given(at, found)
    return found


def cleanup(at: At) -> tuple[list[str], Round]:
    """Archive inboxes and outboxes. Results that were not collected and the files of tasks that run stay."""
    with alone(at):
        found = _round(at, collect=False)
        kept = {each.found.path for each in found.results if each.taken.verdict != "known"}
        archived = coordination.clear(at.place, found.workers, found.board, kept)
    at.site.note("INFO", at.row()["step"], f"agents: {len(archived)} files archived in {coordination.ARCHIVE}/")
    return archived, found


def _text(text: str) -> str:
    if not text.strip():
        raise errors.BadContent("a task needs a text", hint="--task says what is to be done")
    if len(text) > tasks.LONGEST:
        raise errors.BadContent(
            f"a task of {len(text):,} characters is too long",
            hint=f"at most {tasks.LONGEST:,}; put the material into a file and name it",
        )
    return text


def _step(step: str) -> str:
    shown = shown_step(step) if step.strip() else ""
    if len(shown) > tasks.LONGEST_STEP:
        raise errors.BadContent("the name of a step is too long", hint=f"at most {tasks.LONGEST_STEP} characters")
    return shown


def _round(at: At, *, collect: bool, wanted: Wanted | None = None, over: str = "") -> Round:
    """Do what every verb does, in the order that loses nothing: results, what ran out, what waits, files."""
    site, names = at.site, coordination.workers(at.place)
    _bury(at)
    found = coordination.scan(at.place, names, site.ground.clock.now())
    results = [Collected(one, _taken(at, one, over, collect=collect)) for one in found]
    for each in results:
        if each.taken.spent or each.taken.verdict == "retried":
            # Before the next attempt begins: its result has the same name, and may say the very same.
            coordination.archive(at.place, each.found.worker, each.found.path)
    expired = site.write(tasks.expire, at.mission_id, site.cause)
    task, given = None, Filled()
    if wanted is not None:
        task, given = site.write(tasks.dispatch, at.mission_id, wanted, names, taker(at), site.cause)
        task = next((one for one in given.tasks if one.id == task.id), task)
    elif names:
        given = _fill(at, names)
    board = site.read(tasks.board, at.mission_id)
    coordination.bring_up_to_date(at.place, names, board, lambda task_id: _is_ours(at, task_id), site.now())
    return Round(tuple(names), tuple(results), tuple(expired), given, board, task)


def _bury(at: At) -> None:
    """End the runs whose runner is known to be dead, and what is left of them: no task waits for such a lease."""
    site = at.site
    watched, now = site.read(_watched, at.mission_id, site.ground.process.machine_id)
    for run in watched:
        if not holding.is_dead(run, now):
            continue
        agent = run["agent_pid"] and Identity(
            run["agent_machine"], run["agent_boot"], run["agent_pid"], run["agent_started"]
        )
        processes.kill_run(run["id"], grace=_KILL_GRACE_S, group=agent or None)
        with suppress(errors.LeaseLost):
            cause = site.cause._replace(run_id=run["id"], epoch=run["epoch"])
            site.write(ending.finish, runs.lease_of(run), Ended(Outcome.LOST, "its runner died"), cause)


def _watched(tx: Transaction, mission_id: str, machine_id: str) -> tuple[list[Row], int]:
    """Return the live runs of the mission's tasks that a process of this machine watches, and the ledger's instant."""
    live = tx.all("task_live", parent=missions.find(tx, mission_id)["issue_id"])
    mine = {row["run_id"] for row in live if row["supervised"]}
    found, now = holding.held(tx, machine_id) if mine else ([], tx.now)
    return [run for run in found if run["id"] in mine], now


def _fill(at: At, names: Sequence[str]) -> Filled:
    if not at.site.read(tasks.board, at.mission_id).waiting:
        return Filled()
    return at.site.write(tasks.fill, at.mission_id, names, taker(at), at.cause)


def _taken(at: At, one: Found, over: str, *, collect: bool) -> Taken:
    if one.result.problem:
        return Taken("left", reason=one.result.problem)
    result = Result(
        one.result.id, one.worker, one.result.word, one.result.output, one.shown, one.sha256, one.size
    )  # fmt: skip
    seen = at.site.read(tasks.look, at.mission_id, result)
    if not collect or seen.verdict == "known":
        return seen
    if not coordination.keep(at.place, one):
        return Taken("left", reason="it changed while it was read")
    return at.site.write(tasks.take, at.mission_id, result, taker(at, over), at.cause)


def _is_ours(at: At, task_id: str) -> bool:
    return at.site.read(_exists, at.mission_id, task_id)


def _exists(tx: Transaction, mission_id: str, task_id: str) -> bool:
    return tasks.find(tx, missions.find(tx, mission_id)["issue_id"], task_id) is not None


def _note_given(at: At, found: Round) -> None:
    for task in found.expired:
        at.site.note("WARN", task.step, f"task {task.id} ({task.identifier}): its worker's time is over")
    for task in found.given.tasks:
        at.site.note("INFO", task.step, f"task {task.id} ({task.identifier}) given to {task.worker}")
