"""Tasks that a mission hands out: child issues, each with a run of its own for the worker that has it.

The row is the truth, files are its transport. Whatever changes who has what locks the mission's issue first, so that
two dispatches at once never give one worker two tasks.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.kernel import claims, ending, events, issues, mission_runs, missions, reaping, runs
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing
from harnessos.kernel.events import Head
from harnessos.model.issue import TERMINAL, Status
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import HOUR, WATCHED_TTL_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harnessos.kernel.events import Cause
    from harnessos.model.process import Identity
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

TIMEOUT_MS = 6 * HOUR
"""How long a worker nobody watches may have a task: its lease, and the run's wall time."""
BUDGET = '{"issue_wall_minutes":"unlimited","wall_minutes":360}'
PRIORITIES = ("critical", "high", "normal", "low")
"""By the number that issues have; `normal` is what is called medium there."""
LONGEST = 20_000
LONGEST_STEP = 200
_TITLE = 200
_SUMMARY = 2_000
_MOST = 1_000
_ID = re.compile(r"([1-9][0-9]{0,17})-([0-9a-z]{6})")


class Wanted(NamedTuple):
    """A task to be handed out; `worker` names the one that is to have it, None the first idle one."""

    text: str
    step: str = ""
    priority: str = "normal"
    worker: str | None = None


class Taker(NamedTuple):
    """How the runs of workers begin here: on which machine, with which tokens (hashes, one a run), in which folder.

    `over` is the watched run whose runner has ended: only then its worker's result counts.
    """

    holder: Identity
    token: Callable[[], str]
    path: str
    over: str = ""


class Task(NamedTuple):
    """A task as its file shows it. `worker` has it since `given_at` (ms), None while it waits; `expires_at` ends that."""

    id: str
    identifier: str
    text: str
    step: str
    priority: str
    worker: str | None = None
    given_at: int | None = None
    expires_at: int | None = None
    attempt: int = 1
    watched: bool = False
    status: str = "pending"


class Result(NamedTuple):
    """A result that lies in an outbox. `word` is success or failed; `path` is relative to the workspace."""

    task: str
    worker: str
    word: str
    summary: str
    path: str
    sha256: str
    size: int


class Taken(NamedTuple):
    """What became of a result.

    `verdict`: done, retried (failed, and waits for another attempt), failed (for good), late (another was first),
    unknown (no task of this mission), waits (not collected, `reason` says why), known (collected before; `spent` then
    says that it belongs to an attempt that is over and must not be seen again).
    """

    verdict: str
    identifier: str | None = None
    reason: str = ""
    spent: bool = False


class Filled(NamedTuple):
    """The tasks that were handed out, and why no more were (empty: nothing waits, or nobody is idle)."""

    tasks: tuple[Task, ...] = ()
    reason: str = ""


class Board(NamedTuple):
    """How a mission's tasks stand: those that workers have, those that wait, counts by status, and by worker."""

    live: tuple[Task, ...]
    waiting: tuple[Task, ...]
    counts: dict[str, int]
    done_by: dict[str, int]
    given_at: dict[str, int]


def id_of(issue: Row) -> str:
    """Return a task's id in file names and results: short, and never another task's in another ledger."""
    return f"{issue['number']}-{issue['id'][-6:]}"


def find(tx: Transaction, parent: str, task: str) -> Row | None:
    """Return the issue of a task id below this issue, None for an id that nobody knows."""
    match = _ID.fullmatch(task)
    row = tx.one("task_by_number", parent=parent, number=int(match[1])) if match else None
    return row if row is not None and id_of(row) == task else None


def create(tx: Transaction, mission_id: str, wanted: Wanted, cause: Cause) -> Task:
    """Write a task below a mission; it waits. MissionComplete (10) and MissionBlocked (11) as for a start."""
    mission, parent = missions.locked(tx, mission_id)
    mission_runs.refuse_stopped(mission)
    if missions.held(tx, parent["id"]) is not None:
        raise errors.MissionBlocked(
            f"{mission['identifier']} is paused by a person", hint=f"`harness mission resume {mission['workspace']}`"
        )
    project = tx.one("project_by_id", id=parent["project_id"])
    numbers = tx.one("project_numbers", id=parent["project_id"], count=1)
    assert project is not None
    assert numbers is not None
    step = wanted.step or mission["step"]
    child = {
        "id": tx.new_id("iss"),
        "project": project["id"],
        "campaign": parent["campaign_id"],
        "lane": parent["lane_id"],
        "number": int(numbers["first"]),
        "identifier": f"{project['key']}-{numbers['first']}",
        "task": _title(wanted.text),
        "definition": "",
        "planned_by": str(cause.actor),
        "now": tx.now,
        "kind": "dispatched",
        "parent": parent["id"],
        "budget_json": BUDGET,
    }
    data = {
        "set": {"status": Status.PENDING.value, "definition": "", "lease_epoch": 0, "attempts": 0},
        "identifier": child["identifier"],
        "mission": mission["identifier"],
        "step": step,
        "priority": wanted.priority,
        "worker": wanted.worker,
    }
    head = events.append(tx, ("issue", child["id"]), Head(0, ""), "task.dispatched", cause, data)
    tx.do("mission_issue_insert", **child, event_seq=head.seq, event_head=head.hash)
    metadata = json.dumps({"step": step, "worker": wanted.worker}, ensure_ascii=False)
    rank = PRIORITIES.index(wanted.priority)
    tx.do("task_describe", id=child["id"], description=wanted.text, priority=rank, metadata_json=metadata)
    return _task(issues.lock(tx, child["id"]))


def _title(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "a task")
    return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"


def _task(issue: Row, run: Row | None = None) -> Task:
    task = Task(
        id_of(issue),
        issue["identifier"],
        issue["description"],
        json.loads(issue["metadata_json"])["step"],
        PRIORITIES[issue["effective_priority"]],
        attempt=issue["attempts"] + 1,
        status=issue["status"],
    )
    if run is None:
        return task
    return task._replace(
        worker=run["agent"],
        given_at=run["started_at"],
        expires_at=run["expires_at"],
        watched=bool(run["supervised"]),
    )


def fill(tx: Transaction, mission_id: str, workers: Sequence[str], taker: Taker, cause: Cause) -> Filled:
    """Give the idle workers, in the order they are named, what waits; first the most urgent, then the oldest."""
    mission, parent = missions.locked(tx, mission_id)
    try:
        mission_runs.refuse_stopped(mission)
    except errors.MissionStopped as stopped:
        return Filled(reason=stopped.message)
    held = missions.held(tx, parent["id"])
    if held is not None:
        return Filled(reason=held)
    busy = {row["agent"] for row in tx.all("task_live", parent=parent["id"])}
    idle = [worker for worker in workers if worker not in busy]
    given: list[Task] = []
    for row in tx.all("task_waiting", parent=parent["id"], most=_MOST) if idle else []:
        worker = _chosen(row, workers, idle)
        issue = issues.lock(tx, row["id"]) if worker else row
        if worker is None or issue["status"] != Status.PENDING:
            continue
        claimed = claims.claim_standing(tx, _request(issue, worker, taker), issue, cause)
        if isinstance(claimed, Nothing):
            return Filled(tuple(given), claimed.reason)
        given.append(_task(claimed.issue, claimed.run))
        idle.remove(worker)
        if not idle:
            break
    return Filled(tuple(given))


def dispatch(
    tx: Transaction, mission_id: str, wanted: Wanted, workers: Sequence[str], taker: Taker, cause: Cause
) -> tuple[Task, Filled]:
    """Write a task and give the idle workers what waits; return it as it waits, and what was given."""
    return create(tx, mission_id, wanted, cause), fill(tx, mission_id, workers, taker, cause)


def _chosen(issue: Row, workers: Sequence[str], idle: Sequence[str]) -> str | None:
    """Return the idle worker that gets a task. One it was meant for is waited for, until it had its chance."""
    meant = json.loads(issue["metadata_json"])["worker"]
    if meant in workers and not issue["lease_epoch"]:
        return meant if meant in idle else None
    return idle[0] if idle else None


def _request(issue: Row, worker: str, taker: Taker) -> ClaimRequest:
    return ClaimRequest(
        issue["project_id"], taker.holder, taker.token(), worker, ttl_ms=TIMEOUT_MS, path=taker.path, budget=BUDGET
    )


def expire(tx: Transaction, mission_id: str, cause: Cause) -> list[Task]:
    """End the runs of workers whose time is over; return their tasks, which may go to others now."""
    _, parent = missions.locked(tx, mission_id)
    seen = tx.all("task_expired", parent=parent["id"], now=tx.now)
    return [_task(issue) for run in seen if (issue := reaping.reap_one(tx, run, cause)) is not None]


def board(tx: Transaction, mission_id: str) -> Board:
    """Return how the tasks of a mission stand."""
    parent = missions.find(tx, mission_id)["issue_id"]
    return Board(
        tuple(_task(row, row) for row in tx.all("task_live", parent=parent)),
        tuple(_task(row) for row in tx.all("task_waiting", parent=parent, most=_MOST)),
        {row["status"]: row["number"] for row in tx.all("task_counts", parent=parent)},
        {row["agent"]: row["number"] for row in tx.all("task_done_by", parent=parent)},
        {row["agent"]: row["at"] for row in tx.all("task_given_last", parent=parent)},
    )


def look(tx: Transaction, mission_id: str, result: Result) -> Taken:
    """Say whether a result was collected before (known), and change nothing; `waits` for one that was not."""
    parent = missions.find(tx, mission_id)["issue_id"]
    issue = find(tx, parent, result.task)
    return _known(tx, parent, issue, result) or Taken("waits", issue["identifier"] if issue else None)


def _known(tx: Transaction, parent: str, issue: Row | None, result: Result) -> Taken | None:
    seen = tx.all("task_results", subject=issue["id"] if issue else parent)
    records = [json.loads(row["data_json"]) for row in seen]
    same = [record for record in records if (record["task"], record["sha256"]) == (result.task, result.sha256)]
    if issue is None:
        return Taken("known") if same else None
    identifier, over = issue["identifier"], issue["status"] in TERMINAL
    if over:
        return Taken("known", identifier) if same else None
    # An attempt that is over leaves its result behind; the next one may say the very same.
    spent = any(record["epoch"] == issue["lease_epoch"] for record in same) and issue["status"] != Status.IN_PROGRESS
    return Taken("known", identifier, spent=issue["status"] == Status.PENDING) if spent else None


def take(tx: Transaction, mission_id: str, result: Result, taker: Taker, cause: Cause) -> Taken:
    """Collect a result: the first one for a task counts, whoever wrote it, and counts once."""
    _, parent = missions.locked(tx, mission_id)
    found = find(tx, parent["id"], result.task)
    issue = issues.lock(tx, found["id"]) if found else None
    known = _known(tx, parent["id"], issue, result)
    if known is not None:
        return known
    if issue is None:
        _record(tx, parent["id"], result, 0, "unknown", cause)
        return Taken("unknown", reason="no task of this mission has that id")
    if issue["status"] in TERMINAL:
        _record(tx, issue["id"], result, issue["lease_epoch"], "late", cause)
        return Taken("late", issue["identifier"], f"it is {issue['status']} already")
    if issue["status"] in (Status.FAILED, Status.BLOCKED):
        why = f"it is {issue['status']}: `harness issue retry {issue['identifier']}`, then collect again"
        return Taken("waits", issue["identifier"], why)
    lease = _held_by(tx, issue, result, taker, cause)
    if isinstance(lease, Nothing):
        return Taken("waits", issue["identifier"], lease.reason)
    return _settle(tx, lease, issue["identifier"], result, cause)


def _held_by(tx: Transaction, issue: Row, result: Result, taker: Taker, cause: Cause) -> Lease | Nothing:
    """Return the lease under which a result counts: the writer's, begun now where another or nobody has the task."""
    if issue["status"] == Status.IN_PROGRESS:
        run = tx.one("run_live_of", issue=issue["id"])
        assert run is not None
        lease = runs.lease_of(run)
        if run["agent"] == result.worker:
            at_work = run["supervised"] and run["id"] != taker.over
            return Nothing("its runner is still at work") if at_work else lease
        over = Ended(Outcome.RELEASED, f"{result.worker} was first with a result")
        issue = ending.finish(tx, lease, over, cause._replace(run_id=lease.run_id, epoch=lease.epoch))
    claimed = claims.claim_standing(tx, _request(issue, result.worker, taker), issue, cause)
    return claimed if isinstance(claimed, Nothing) else claimed.lease


def _settle(tx: Transaction, lease: Lease, identifier: str, result: Result, cause: Cause) -> Taken:
    by = cause._replace(run_id=lease.run_id, epoch=lease.epoch)
    runs.save_artifact(tx, lease, by, kind="result", path=result.path, sha256=result.sha256, size=result.size)
    _record(tx, lease.issue_id, result, lease.epoch, result.word, by)
    passed = result.word == "success"
    said = result.summary[:_SUMMARY]
    end = Ended(Outcome.SUCCESS, said, verdict="unverified") if passed else Ended(Outcome.AGENT_FAULT, said or "failed")
    issue = ending.finish(tx, lease, end, by, ending.Closing(require_gates=False))
    if issue["status"] == Status.DONE:
        return Taken("done", identifier)
    if issue["status"] == Status.PENDING:
        return Taken("retried", identifier, f"attempt {issue['attempts']} failed: it waits for the next")
    return Taken("failed", identifier, f"failed for good after {issue['attempts']} attempts")


def _record(tx: Transaction, subject: str, result: Result, epoch: int, verdict: str, cause: Cause) -> None:
    data = {**result._asdict(), "summary": result.summary[:_SUMMARY], "epoch": epoch, "verdict": verdict}
    events.note(tx, ("issue", subject), "task.result", cause, data)


def watch(tx: Transaction, mission_id: str, task: str, taker: Taker, most: int, cause: Cause) -> Claimed | None:
    """Take a task from its worker's inbox, for a run that this process watches; None when another was first.

    At most `most` supervised runs are live in the project; NothingReady when one more is not possible now.
    """
    _, parent = missions.locked(tx, mission_id)
    found = find(tx, parent["id"], task)
    issue = issues.lock(tx, found["id"]) if found else None
    run = tx.one("run_live_of", issue=issue["id"]) if issue else None
    if issue is None or run is None or run["supervised"]:
        return None
    lease = runs.lease_of(run)
    by = cause._replace(run_id=lease.run_id, epoch=lease.epoch)
    issue = ending.finish(tx, lease, Ended(Outcome.RELEASED, "a runner takes it from the inbox"), by)
    request = _request(issue, run["agent"], taker)._replace(ttl_ms=WATCHED_TTL_MS, supervised=True, max_live=most)
    claimed = claims.claim_standing(tx, request, issue, cause)
    if isinstance(claimed, Nothing):
        raise errors.NothingReady(claimed.reason)  # and the worker keeps it: nothing of this is committed
    return claimed
