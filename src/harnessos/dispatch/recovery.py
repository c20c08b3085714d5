"""After a crash: what a dead supervisor left on this machine is found, kept, finished or undone. Never repeated.

Level-triggered: every pass looks again until nothing is left, so a pass that itself dies costs nothing (I15).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors, processes, worktrees
from harnessos.dispatch import checkouts, derived, folder, settlement, working
from harnessos.dispatch.attempt import Attempt
from harnessos.dispatch.leaving import leave
from harnessos.dispatch.sessions import hashed
from harnessos.files import safe_name
from harnessos.kernel import intents, runs
from harnessos.kernel.claims import Claimed
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import SUPERVISOR, Lease
from harnessos.runners import command

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.dispatch.watching import Control
    from harnessos.store.transaction import Row, Transaction

_GRACE_S = 2.0
REASON = "its supervisor died"


def orphans(ground: Ground, mine: Container[str]) -> list[Row]:
    """Return live supervised runs of this machine that nobody drives: their supervisor is known to be dead, or it is
    this process and the run's thread (`mine` names those that work) ended without ending the run.
    """
    held = ground.store.read(_held, ground.machine.machine_id)
    return [run for run in held if run["id"] not in mine and (_is_held_by(run, ground.machine) or _dead(run))]


def _held(tx: Transaction, machine_id: str) -> list[Row]:
    return tx.all("run_held_by_machine", machine_id=machine_id)


def _holder(run: Row) -> processes.Identity:
    return processes.Identity(run["machine_id"], run["boot_id"], run["pid"], run["pid_started"])


def _is_held_by(run: Row, process: processes.Identity) -> bool:
    return _holder(run) == process


def _dead(run: Row) -> bool:
    return processes.is_alive(_holder(run)) is False


def take_over(
    ground: Ground, place: Place, run: Row, control: Control, provider: str = "", *, may_resume: bool = True
) -> Callable[[], None] | None:
    """Kill what is left of an orphan and take its lease over under the same epoch.

    Return what is to be done with it: verification when its agent had asked for the verdict, else its end as `lost`.
    None when somebody else was faster. Without `may_resume` nothing is verified.
    """
    agent = None
    if run["agent_pid"] is not None:
        agent = processes.Identity(run["agent_machine"], run["agent_boot"], run["agent_pid"], run["agent_started"])
    processes.kill_run(run["id"], grace=_GRACE_S, group=agent)
    token = ground.ids.token()
    if not ground.store.write(_adopt, run, ground, token):
        return None
    checkouts.remove_stale(ground, place, lambda run_id: run_id != run["id"])
    lease = runs.lease_of(run)
    if may_resume and place.workflow is not None and had_asked(ground, place, run):
        adopted, issue, slot = ground.store.read(_rows, lease)
        return Attempt(ground, place, Claimed(lease, issue, adopted, slot), token, control, provider).resume
    return lambda: _lose(ground, place, run, lease)


def _adopt(tx: Transaction, run: Row, ground: Ground, token: str) -> bool:
    changed = tx.run(
        "run_adopt",
        run=run["id"],
        epoch=run["epoch"],
        # The old token died with the process that knew it; the agent's next turn is given this one.
        token_hash=hashed(token),
        machine_id=ground.machine.machine_id,
        boot_id=ground.machine.boot_id,
        pid=ground.machine.pid,
        pid_started=ground.machine.started,
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


def _lose(ground: Ground, place: Place, run: Row, lease: Lease) -> None:
    """End the run as lost, its work kept. A mere commit is salvaged, never taken for a result."""
    cause = Cause(SUPERVISOR, "recover", lease.run_id, lease.epoch)
    end = Ended(Outcome.LOST, REASON)
    try:
        derived.record(ground, lease, run, end, cause)
        if not place.is_git:
            folder.keep(ground, place, run["id"])
        kept = working.keep(ground, place, run)
        settlement.finish(ground, lease, end, cause, Closing(budget=place.budget, salvage_ref=kept))
    except errors.LeaseLost:
        return
    leave(ground, place, run)


def sweep(ground: Ground, place: Place) -> None:
    """Clean up after runs that are over: processes with their mark, worktrees, clean checkouts, open intents.

    What another living process has just ended is its own to clean up.
    """
    for run_id, found in processes.marked_runs().items():
        run = ground.store.read(_run, run_id)
        ours = (
            run is not None
            and run["project_id"] == place.project["id"]
            and run["machine_id"] == ground.machine.machine_id
        )
        if found and ours and run is not None and _is_over(ground, run):
            processes.kill_run(run_id, grace=_GRACE_S)
    if not place.is_git:
        return
    root = working.root_of(ground, place) / safe_name(place.project["key"])
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        run = ground.store.read(_run, entry.name)
        if run is not None and _is_over(ground, run) and entry.is_dir():
            leave(ground, place, _with_names(ground, run, entry))
    checkouts.remove_stale(ground, place, lambda run_id: _is_live(ground, run_id))
    _settle_intents(ground, place)


def _is_over(ground: Ground, run: Row) -> bool:
    if run["live"]:
        return False
    return _is_held_by(run, ground.machine) or processes.is_alive(_holder(run)) is not True


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


def _settle_intents(ground: Ground, place: Place) -> None:
    for intent in ground.store.read(intents.open_here, ground.machine.machine_id):
        if intent["project_id"] != place.project["id"]:
            continue
        if intent["kind"] == "accept" and place.is_git:
            issue = ground.store.read(_issue, intent["issue_id"])
            if issue["accepted_commit"] != intent["target"]:
                before = json.loads(intent["detail_json"]).get("before")
                worktrees.retract(place.repo, issue["identifier"], intent["target"], before)
        ground.store.write(intents.settle, intent["id"], "undone")
