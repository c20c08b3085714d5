"""The end of a session: finished work is verified in the calling process, or handed back, or given up.

In a supervised run the same calls only record what the agent asks for; the supervisor acts after its process ended.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, worktrees
from harnessos.dispatch import leaving, settlement, verification, working
from harnessos.dispatch import place as places
from harnessos.dispatch.renewing import Renewing
from harnessos.dispatch.sessions import find_run
from harnessos.kernel import runs
from harnessos.kernel.ending import Closing
from harnessos.model.outcome import FINISHED, Ended, Outcome
from harnessos.model.verdict import Verdict
from harnessos.worktrees.repository import head_of

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.kernel.events import Cause
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction


class Closed(NamedTuple):
    """How a close went. `verdict` None: nothing was judged (failed, released, or only recorded for the supervisor).

    `max_rejections` is how often work may be sent back, where it was judged.
    """

    verdict: str | None
    phase: str
    reason: str
    issue: Row
    run: Row
    max_rejections: int | None = None


def close(
    ground: Ground,
    token: str,
    outcome: str,
    *,
    commit: str | None = None,
    checkout: Path | None = None,
    reason: str = "",
    task_fault: bool = False,
) -> Closed:
    """End a session: `finished` asks for the verdict, `failed` gives up, `released` hands the issue back.

    `checkout` is where the work lies (the caller's folder) when the harness made no worktree. After `rejected` the
    session stays open: mend, commit, close again.
    """
    run = find_run(ground, token)
    lease, cause = runs.lease_of(run), runs.cause_of(run, "session.close")
    if not run["live"]:
        runs.lost(lease)
    if outcome != FINISHED:
        fault = Outcome.TASK_FAULT if task_fault else Outcome.AGENT_FAULT
        end = Ended(Outcome.RELEASED if outcome == "released" else fault, reason)
        if run["supervised"]:
            return _ask(ground, lease, run, f"{end.outcome.value}:{reason}", None, cause)
        # Giving up needs no gates, so a WORKFLOW.md that is not valid does not prevent it.
        place = _place_of(ground, run, load=False)
        issue = leaving.end(ground, place, run, end, cause)
        after = find_run(ground, token)
        # Where the caller still stands in its worktree, a later sweep removes it.
        leaving.leave(ground, place, after)
        return Closed(None, "ended", reason, issue, after)
    place = _place_of(ground, run)
    subject = _subject(place, run, commit, checkout)
    if run["supervised"]:
        return _ask(ground, lease, run, f"{FINISHED}:{subject}" if commit else FINISHED, subject, cause)
    return _verify(ground, place, lease, run, subject, cause)


def _ask(ground: Ground, lease: Lease, run: Row, request: str, commit: str | None, cause: Cause) -> Closed:
    ground.store.write(runs.ask, lease, request, commit, cause)
    issue = ground.store.read(_issue, lease.issue_id)
    return Closed(None, run["phase"], "recorded; the supervisor acts when this process has ended", issue, run)


def _issue(tx: Transaction, issue_id: str) -> Row:
    row = tx.one("issue_by_id", id=issue_id)
    assert row is not None
    return row


def _place_of(ground: Ground, run: Row, *, load: bool = True) -> Place:
    return places.find(ground, ground.store.read(_project, run["project_id"]), load=load)


def _project(tx: Transaction, project_id: str) -> Row:
    row = tx.one("project_by_id", id=project_id)
    assert row is not None
    return row


def _keep(ground: Ground, place: Place, run: Row) -> str | None:
    return working.keep(ground, place, run) if run["worktree"] and Path(run["worktree"]).is_dir() else None


def _subject(place: Place, run: Row, commit: str | None, checkout: Path | None) -> str | None:
    """Return the commit to judge: the one named, or HEAD of a clean checkout; None for a plain folder."""
    if not place.is_git:
        return None
    folder = Path(run["worktree"]) if run["worktree"] else checkout or place.root
    if commit is not None:
        found = worktrees.resolve(place.repo, commit)
        if not worktrees.has_commit(place.repo, found):
            raise errors.Refused(
                f"{commit} is not in the repository {place.repo.root}", hint="push or fetch it there first"
            )
        return found
    if run["worktree"]:
        worktrees.unhide(folder)
    state = worktrees.status(folder)
    if not state.clean:
        left = (*state.staged, *state.unstaged, *state.untracked)
        raise errors.Refused(
            f"{folder} has changes that are not committed: {', '.join(left[:5])}",
            hint="commit them (or remove them), then close again; --commit SHA names a commit",
        )
    found = head_of(folder).commit
    if not worktrees.has_commit(place.repo, found):
        raise errors.Refused(
            f"{found} is not in the repository {place.repo.root}", hint="--commit SHA, or work in its worktree"
        )
    return found


def _verify(ground: Ground, place: Place, lease: Lease, run: Row, subject: str | None, cause: Cause) -> Closed:
    case = verification.case_of(ground, place, lease, subject)
    seen = run["verifier"]
    if seen is not None and not verification.verifier_is_dead(seen):
        raise errors.Busy(
            "this run is being verified already", hint="`harness session show --wait` waits for the verdict"
        )
    with verification.verifier(ground) as name:
        if not ground.store.write(runs.start_verifying, lease, case.subject, name, seen, cause):
            raise errors.Busy(
                "this run is being verified already", hint="`harness session show --wait` waits for the verdict"
            )
        with Renewing(ground, lease) as lease_lost:
            judged = verification.judge(ground, case, cause, lease_lost)
            if judged is None:
                runs.lost(lease)
            accepted = judged.decision.verdict is Verdict.VERIFIED
            closing = Closing(salvage_ref=None if accepted else _keep(ground, place, run))
            settled = settlement.settle(ground, judged, cause, closing)
    after = ground.store.read(_run, run["id"])
    issue = settled.issue or ground.store.read(_issue, lease.issue_id)
    if not after["live"]:
        leaving.leave(ground, place, after)
    said = judged.decision
    return Closed(said.verdict.value, after["phase"], said.reason, issue, after, case.rules.max_rejections)


def verify_again(ground: Ground, place: Place, run: Row) -> None:
    """Verify a session whose verifier died, as its next `close` or `show` would. Its agent may be waiting for nobody.

    What prevents it is left to those, and to the end of the lease.
    """
    with suppress(errors.HarnessError):
        _verify(ground, place, runs.lease_of(run), run, run["commit_id"], runs.cause_of(run, "session.close"))


def _run(tx: Transaction, run_id: str) -> Row:
    row = tx.one("run_by_id", id=run_id)
    assert row is not None
    return row
