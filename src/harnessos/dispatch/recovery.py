"""After a crash: what a dead supervisor left on this machine is found, kept, finished or undone. Never repeated.

Level-triggered: every pass looks again until nothing is left, so a pass that itself dies costs nothing (I15).
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harnessos import errors, processes, worktrees
from harnessos.dispatch import checkouts, settlement, working
from harnessos.dispatch.attempt import Attempt
from harnessos.dispatch.holding import held, holder_of, is_dead
from harnessos.dispatch.leaving import end, leave
from harnessos.dispatch.sessions import hashed
from harnessos.dispatch.verification import verifier_is_dead
from harnessos.files import safe_name
from harnessos.kernel import intents, runs
from harnessos.kernel.claims import Claimed
from harnessos.kernel.events import Cause
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.process import Identity
from harnessos.model.run import SUPERVISOR, Lease
from harnessos.model.words import sayable
from harnessos.runners import command

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.dispatch.watching import Control
    from harnessos.store.transaction import Row, Transaction

Found = TypeVar("Found")

_GRACE_S = 2.0
_MOST_TOLD = 3
_MOST_REPAIRED = 50
REASON = "its supervisor died"


def orphans(ground: Ground, mine: Container[str]) -> list[Row]:
    """Return live supervised runs of this machine that nobody drives: their supervisor is known to be dead, or it is
    this process and the run's thread (`mine` names those that work) ended without ending the run.
    """
    found, now = ground.store.read(held, ground.process.machine_id)
    # Those of missions are taken up by whoever serves missions (services.missions).
    others = ground.store.read(_of_missions, ground.process.machine_id) if found else frozenset()
    found = [run for run in found if run["id"] not in mine and run["id"] not in others]
    return [run for run in found if (_is_held_by(run, ground.process) or is_dead(run, now))]


def _of_missions(tx: Transaction, machine_id: str) -> frozenset[str]:
    return frozenset(run["id"] for run in tx.all("mission_driven_here", machine_id=machine_id))


def unverified(ground: Ground, mine: Container[str]) -> list[Row]:
    """Return this machine's sessions whose verifier died over them; what `mine` names is being verified again."""
    rows = ground.store.read(_verifying, ground.process.machine_id)
    return [run for run in rows if run["id"] not in mine and verifier_is_dead(run["verifier"])]


def _verifying(tx: Transaction, machine_id: str) -> list[Row]:
    return tx.all("run_verifying", machine_id=machine_id)


def _is_held_by(run: Row, process: Identity) -> bool:
    return holder_of(run) == process


def take_over(
    ground: Ground, place: Place, run: Row, control: Control, provider: str = "", *, may_resume: bool = True
) -> Callable[[], None] | None:
    """Take an orphan's lease over under the same epoch, then kill what is left of it: only whose run it is may do that.

    Return what is to be done with it: verification when its agent had asked for the verdict, else its end as `lost`.
    None when somebody else was faster. Without `may_resume` nothing is verified.
    """
    token = ground.ids.token()
    adopted = adopt(ground, run, token)
    if adopted is None:
        return None
    lease = runs.lease_of(run)
    _, issue, slot = ground.store.read(_rows, lease)
    with suppress(errors.ToolProblem, errors.TryAgain, OSError):
        # The sweep tries again; a finished run is not lost for want of tidiness.
        checkouts.remove_stale(ground, place, lambda run_id: run_id != run["id"])
    if may_resume and place.workflow is not None and had_asked(ground, place, adopted):
        return Attempt(ground, place, Claimed(lease, issue, adopted, slot), token, control, provider).resume
    return lambda: _lose(ground, place, adopted)


def adopt(ground: Ground, run: Row, token: str) -> Row | None:
    """Take over a run's lease under the same epoch and the new token, then kill what is left of its agent.

    Return the run as it then is; None when somebody else was faster.
    """
    if not ground.store.write(_adopt, run, ground, token):
        return None
    # Read again: its agent went on until now, and may have asked for the verdict since.
    adopted, _, _ = ground.store.read(_rows, runs.lease_of(run))
    _kill(adopted)
    return adopted


def _kill(run: Row) -> None:
    agent = None
    if run["agent_pid"] is not None:
        agent = Identity(run["agent_machine"], run["agent_boot"], run["agent_pid"], run["agent_started"])
    processes.kill_run(run["id"], grace=_GRACE_S, group=agent)


def _adopt(tx: Transaction, run: Row, ground: Ground, token: str) -> bool:
    changed = tx.run(
        "run_adopt",
        run=run["id"],
        epoch=run["epoch"],
        # The old token died with the process that knew it; the agent's next turn is given this one.
        token_hash=hashed(token),
        machine_id=ground.process.machine_id,
        boot_id=ground.process.boot_id,
        pid=ground.process.pid,
        pid_started=ground.process.started,
        seen_pid=run["pid"],
        seen_started=run["pid_started"],
        seen_boot=run["boot_id"],
        now=tx.now,
    )
    return changed == 1


def _rows(tx: Transaction, lease: Lease) -> tuple[Row, Row, int | None]:
    run, slot = tx.one("run_by_id", id=lease.run_id), tx.one("slot_of", run=lease.run_id)
    assert run is not None
    return run, _issue(tx, lease.issue_id), slot["number"] if slot else None


def _issue(tx: Transaction, issue_id: str) -> Row:
    row = tx.one("issue_by_id", id=issue_id)
    assert row is not None
    return row


def had_asked(ground: Ground, place: Place, run: Row) -> bool:
    """Return whether the agent had asked for its verdict: a recorded close, or exit 0 recorded in its folder."""
    if place.is_git and (not run["worktree"] or not Path(run["worktree"]).is_dir()):
        return False
    if run["close_request"] is not None:
        return True
    files = command.files_of(ground.run_folder(run["id"]), run["turns"])
    return run["turns"] > 0 and command.recorded_exit(files) == 0


def _lose(ground: Ground, place: Place, run: Row) -> None:
    """End the run as lost, its work kept. A mere commit is salvaged, never taken for a result."""
    cause = Cause(SUPERVISOR, "recover", run["id"], run["epoch"])
    try:
        end(ground, place, run, Ended(Outcome.LOST, REASON), cause)
    except errors.LeaseLost:
        return
    leave(ground, place, run)


def sweep(ground: Ground, place: Place, mine: Container[str] = ()) -> None:
    """Clean up after runs that are over: processes with their mark, worktrees, clean checkouts, open intents.

    What another living process has just ended is its own to clean up, and so is what a thread of this one still works
    at (`mine`): its last hooks carry the run's mark. What cannot be cleaned up keeps nothing else from it, and is
    raised at the end as WorktreeProblem.
    """
    problems: list[str] = []
    marked = [run_id for run_id in processes.marked_runs() if run_id not in mine]
    _each(problems, marked, lambda run_id: _kill_remains(ground, run_id))
    if place.is_git:
        root = working.root_of(ground, place) / safe_name(place.project["key"])
        entries = [entry for entry in _entries(root) if _run_of(entry) not in mine]
        _each(problems, entries, lambda entry: _clear(ground, place, entry))
        _each(problems, [place], lambda _: checkouts.remove_stale(ground, place, lambda run: _is_live(ground, run)))
        _each(problems, [place], lambda _: _keep_accepted(ground, place))
        found = ground.store.read(intents.open_here, ground.process.machine_id)
        _each(problems, found, lambda intent: _settle_intent(ground, place, intent))
    if problems:
        raise errors.WorktreeProblem("; ".join(problems[:_MOST_TOLD]))


def _each(problems: list[str], found: Iterable[Found], work: Callable[[Found], None]) -> None:
    for one in found:
        try:
            work(one)
        except errors.StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 # told by whoever swept; one run's remains keep no other's
            problems.append(sayable(str(problem)) or type(problem).__name__)


def _kill_remains(ground: Ground, run_id: str) -> None:
    """End what is left of a run of this machine, of whichever project: somebody elsewhere may have reaped it."""
    run = ground.store.read(_run, run_id)
    if run is not None and run["machine_id"] == ground.process.machine_id and _is_over(ground, run):
        processes.kill_run(run_id, grace=_GRACE_S)


def _entries(root: Path) -> list[Path]:
    return sorted(root.iterdir()) if root.is_dir() else []


def _run_of(entry: Path) -> str:
    return entry.name.removesuffix(worktrees.GOING)


def _clear(ground: Ground, place: Place, entry: Path) -> None:
    """Remove what is left of the worktree of a run that is over, also where its removal was cut short."""
    path = entry.with_name(_run_of(entry))
    run = ground.store.read(_run, path.name)
    if run is None or not entry.is_dir() or not _is_over(ground, run):
        return
    if run["worktree"] is not None or path.is_dir():
        leave(ground, place, _with_names(ground, run, path))
    else:
        worktrees.dismantle(place.repo, path)


def _keep_accepted(ground: Ground, place: Place) -> None:
    """Give finished issues back the ref that keeps their commit, where `approve` died before it made one."""
    known = worktrees.accepted(place.repo)
    done = ground.store.read(_accepted, place.project["id"])
    for issue in [issue for issue in done if issue["identifier"] not in known][:_MOST_REPAIRED]:
        settlement.keep_accepted(place.repo, issue)


def _accepted(tx: Transaction, project_id: str) -> list[Row]:
    return tx.all("issue_accepted", project=project_id, most=1000)


def _is_over(ground: Ground, run: Row) -> bool:
    if run["live"]:
        return False
    return _is_held_by(run, ground.process) or processes.is_alive(holder_of(run)) is not True


def _with_names(ground: Ground, run: Row, worktree: Path) -> Row:
    """Complete a run whose worktree was made but never confirmed: nobody has worked in it."""
    if run["worktree"] is not None:
        return run
    issue = ground.store.read(_issue, run["issue_id"])
    base = worktrees.head_of(worktree).commit
    return {
        **run,
        "worktree": str(worktree),
        "branch": worktrees.branch_name(issue["identifier"], run["id"]),
        "base_commit": base,
    }


def _is_live(ground: Ground, run_id: str) -> bool:
    run = ground.store.read(_run, run_id)
    return run is None or bool(run["live"])


def _run(tx: Transaction, run_id: str) -> Row | None:
    return tx.one("run_by_id", id=run_id)


def _settle_intent(ground: Ground, place: Place, intent: Row) -> None:
    if intent["project_id"] != place.project["id"]:
        return
    if intent["kind"] == "accept":
        issue = ground.store.read(_issue, intent["issue_id"])
        if issue["accepted_commit"] != intent["target"]:
            before = json.loads(intent["detail_json"]).get("before")
            worktrees.retract(place.repo, issue["identifier"], intent["target"], before)
    ground.store.write(intents.settle, intent["id"], "undone")
