"""`harness mission agents`: tasks for workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app.missions import agents
from harnessos.app.missions.opening import At
from harnessos.app.missions.verbs import renew
from harnessos.commands.output import instant, pick
from harnessos.kernel.tasks import Wanted
from harnessos.mission import coordination

if TYPE_CHECKING:
    from harnessos.app.missions.agents import Collected, Round
    from harnessos.commands.call import Call
    from harnessos.kernel.tasks import Task

_MARKS = {
    "done": "done",
    "retried": "failed, waits for another attempt",
    "failed": "FAILED for good",
    "late": "late, kept: another result was first",
    "unknown": "of no task that this mission knows, kept",
    "waits": "not collected",
    "left": "left for the next collect",
    "known": "collected before",
}


def init(call: Call) -> None:
    """Make workers."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, call.args.session)
        made, found = agents.init(at, call.args.agents)
        more = f"; {len(found.workers) - len(made)} were there already" if len(made) < len(found.workers) else ""
        names = ", ".join(made) or "nothing new"
        call.out.show({"made": made, **_document(at, found)}, f"made {names} in {at.place / coordination.AGENTS}{more}")


def dispatch(call: Call) -> None:
    """Hand out a task."""
    args = call.args
    with At(call.harness, args.workspace) as at:
        renew(at, args.session)
        found = agents.dispatch(at, Wanted(args.task, args.step, args.priority, args.agent))
        task = found.asked
        assert task is not None
        document = {"task": _task(task), **_document(at, found)}
        if task.worker is not None:
            text = f"task {task.id} ({task.identifier}) is {task.worker}'s: {at.place / coordination.task_path(task)}"
        else:
            why = found.given.reason or (f"for {args.agent}" if args.agent else "for the first idle worker")
            text = f"task {task.id} ({task.identifier}) waits: {why}"
        call.out.show(document, "\n".join([text, *_given(found, but=task.id)]))


def status(call: Call) -> None:
    """Show workers and tasks."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, call.args.session)
        found = agents.status(at)
        document = _document(at, found)
        if call.out.json:
            call.out.show(document, "")
            return
        columns = ("WORKER", "STATUS", "TASK", "UNTIL", "INBOX", "OUTBOX", "DONE")
        rows = [
            (
                one["agent_id"],
                one["status"],
                one["current_task"],
                instant(one["expires_at"]),
                one["inbox"],
                one["outbox"],
                one["completed_tasks"],
            )
            for one in document["workers"]
        ]
        call.out.table(document, columns, rows, f"no workers; `harness mission agents init {at.place}` makes them")
        call.out.show(document, "\n".join([_counts(found), *_given(found), *_results(found.results)]))


def collect(call: Call) -> None:
    """Collect results."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, call.args.session)
        found = agents.collect(at)
        lines = _results(found.results) or ["no result to collect"]
        call.out.show(_document(at, found), "\n".join([*lines, _counts(found), *_given(found)]))


def cleanup(call: Call) -> None:
    """Archive what is over."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, call.args.session)
        archived, found = agents.cleanup(at)
        kept = [each for each in found.results if each.taken.verdict != "known"]
        lines = [f"archived {len(archived)} files in {at.place / coordination.ARCHIVE}"]
        lines += [f"  kept {each.found.shown}: {each.taken.reason or 'not collected yet'}" for each in kept]
        lines += [f"  kept the file of task {task.id}, which {task.worker} has" for task in found.board.live]
        call.out.show({"archived": archived, **_document(at, found)}, "\n".join(lines))


def run(call: Call) -> None:
    """Have runners work through the inboxes."""
    from harnessos.app.missions import agents_running

    args = call.args
    with At(call.harness, args.workspace) as at:
        renew(at, args.session)
        ran = agents_running.run(at, args.agent, args.max)
        document = {
            "tasks": [{**_task(task), "verdict": verdict} for task, verdict in ran.tasks],
            "reason": ran.reason,
        }
        lines = [f"task {task.id} by {task.worker}: {_MARKS.get(verdict, verdict)}" for task, verdict in ran.tasks]
        lines = lines or ["the inboxes are empty"]
        call.out.show(document, "\n".join([*lines, *([f"no more now: {ran.reason}"] if ran.reason else [])]))


def _document(at: At, found: Round) -> dict[str, Any]:
    """Return what every verb answers. Any: texts, numbers and lists of them."""
    has = {task.worker: task for task in found.board.live}
    return {
        "workers": [_worker(at, name, has.get(name), found) for name in found.workers],
        "tasks": found.board.counts,
        "queued": [_task(task) for task in found.board.waiting],
        "given": [_task(task) for task in found.given.tasks],
        "expired": [_task(task) for task in found.expired],
        "results": [_result(each) for each in found.results],
        "reason": found.given.reason,
    }


def _worker(at: At, name: str, task: Task | None, found: Round) -> dict[str, Any]:
    inbox, outbox = coordination.waiting_in(at.place, name)
    return {
        "agent_id": name,
        "status": "busy" if task else "idle",
        "current_task": task.id if task else None,
        "completed_tasks": found.board.done_by.get(name, 0),
        "expires_at": task.expires_at if task else None,
        "inbox": inbox,
        "outbox": outbox,
    }


def _task(task: Task) -> dict[str, Any]:
    document: dict[str, Any] = pick(
        task._asdict(), "id", "identifier", "status", "worker", "priority", "step", "attempt", "given_at", "expires_at"
    )
    return {**document, "file": coordination.task_path(task) if task.worker else None}


def _result(each: Collected) -> dict[str, Any]:
    return {
        "task": each.found.result.id,
        "identifier": each.taken.identifier,
        "worker": each.found.worker,
        "status": each.found.result.word or None,
        "outcome": each.taken.verdict,
        "reason": each.taken.reason,
        "summary": each.found.result.output[:2000],
        "path": each.found.shown,
        "sha256": each.found.sha256,
        "size": each.found.size,
    }


def _results(results: tuple[Collected, ...]) -> list[str]:
    lines = []
    for each in results:
        if each.taken.verdict == "known":
            continue
        first = next((line for line in each.found.result.output.splitlines() if line.strip()), "")
        why = f" ({each.taken.reason})" if each.taken.reason else ""
        said = f": {first[:100]}" if first else ""
        lines.append(
            f"task {each.found.result.id or each.found.shown} by {each.found.worker}: {_MARKS[each.taken.verdict]}{why}{said}"
        )
    return lines


def _counts(found: Round) -> str:
    counts = ", ".join(f"{number} {status}" for status, number in found.board.counts.items())
    return f"tasks: {counts or 'none'}"


def _given(found: Round, but: str = "") -> list[str]:
    lines = [f"task {task.id}: the time of its worker is over" for task in found.expired]
    lines += [f"task {task.id} given to {task.worker}" for task in found.given.tasks if task.id != but]
    return lines
