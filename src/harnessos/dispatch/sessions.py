"""Sessions: agents that come by themselves take work, record progress and ask for their verdict.

In a supervised run the same calls only record what the agent asks for; the supervisor acts after its process ended.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, worktrees
from harnessos.dispatch import place as places
from harnessos.dispatch import settlement, verification, working
from harnessos.dispatch.renewing import Renewing
from harnessos.kernel import claims, ending, operations, runs
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing
from harnessos.kernel.ending import Closing
from harnessos.model.issue import Status
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.verdict import Step
from harnessos.worktrees.repository import head_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.kernel.events import Cause
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction


class BeginRequest(NamedTuple):
    """What an agent asks for; see kernel.claims.ClaimRequest. `worktree` has the harness make a checkout."""

    project: Row
    agent: str
    issue: str | None = None
    ttl_ms: int = 3_600_000
    worktree: bool = False
    host: str = ""
    classes: Sequence[str] | None = None
    capabilities: Sequence[str] = ()
    recovery: bool = False


class Begun(NamedTuple):
    """A session that began: its token (told once), the claim, and the worktree if one was made."""

    token: str
    claimed: Claimed
    worktree: Path | None


class Closed(NamedTuple):
    """How a close went. `verdict` None: nothing was judged (failed, released, or only recorded for the supervisor)."""

    verdict: str | None
    phase: str
    reason: str
    issue: Row
    run: Row


def begin(ground: Ground, request: BeginRequest) -> Begun | Nothing:
    """Claim work for an agent. AlreadyClaimed, IllegalMove for a named issue; Nothing says why there is none."""
    place = places.find(ground, request.project)
    token = ground.ids.token()
    claim = ClaimRequest(
        request.project["id"],
        ground.unwatched,
        hashed(token),
        request.agent,
        host=request.host,
        issue=request.issue,
        classes=request.classes,
        capabilities=request.capabilities,
        ttl_ms=request.ttl_ms,
        path=str(place.root),
        folder=place.repo is None,
        budget=place.budget,
    )
    if request.recovery:
        claim = claim._replace(issue=ground.store.read(_lost, request.project["id"], request.issue))
        if claim.issue is None:
            return Nothing("no issue waits whose last run was lost")
    claimed = ground.store.write(claims.claim, claim, ground.cause("session.begin"))
    if isinstance(claimed, Nothing):
        return claimed
    if not request.worktree:
        return Begun(token, claimed, None)
    made = make_worktree(ground, place, claimed, ground.cause("session.begin"))
    return Begun(token, claimed, made.path)


def hashed(token: str) -> str:
    """Return how a token is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def make_worktree(ground: Ground, place: Place, claimed: Claimed, cause: Cause) -> worktrees.Worktree:
    """Make the run's worktree; whatever prevents it ends the run, and a conflict of dependencies blocks the issue."""
    try:
        return working.make(ground, place, claimed.lease, claimed.issue)
    except errors.MergeConflict as problem:
        ground.store.write(_conflict, claimed, str(problem.facts.get("issue", "")), cause)
        raise
    except errors.HarnessError as problem:
        if not isinstance(problem, errors.LeaseLost):
            settlement.finish(ground, claimed.lease, Ended(Outcome.HARNESS_FAULT, str(problem)), cause)
        raise


def _conflict(tx: Transaction, claimed: Claimed, other: str, cause: Cause) -> None:
    reason = f"the accepted commit of {other} does not merge into its base"
    issue = ending.finish(tx, claimed.lease, Ended(Outcome.RELEASED, reason), cause)
    if issue["status"] in (Status.READY, Status.PENDING):
        operations.block(tx, issue["identifier"], f"merge_conflict:{other}", cause)


def _lost(tx: Transaction, project_id: str, identifier: str | None) -> str | None:
    if identifier is not None:
        last = tx.one("run_last_of", issue=tx_find(tx, identifier), one=1)
        return identifier if last is not None and last["outcome"] == Outcome.LOST else None
    row = tx.one("run_recoverable", project=project_id, one=1)
    return row["identifier"] if row else None


def tx_find(tx: Transaction, identifier: str) -> str:
    """Return the id of an issue by its identifier."""
    row = tx.one("issue_by_identifier", identifier=identifier)
    if row is None:
        raise errors.UnknownIdentifier(f"there is no issue {identifier}", identifier=identifier)
    return str(row["id"])


def find_run(ground: Ground, token: str) -> Row:
    """Return the run of a session token; a live one, or one that ended."""
    return ground.store.read(runs.by_token, hashed(token))


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
    if outcome != "finished":
        fault = Outcome.TASK_FAULT if task_fault else Outcome.AGENT_FAULT
        end = Ended(Outcome.RELEASED if outcome == "released" else fault, reason)
        if run["supervised"]:
            return _ask(ground, lease, run, f"{end.outcome.value}:{reason}", None, cause)
        place = _place_of(ground, run)
        issue = settlement.finish(ground, lease, end, cause, Closing(salvage_ref=_keep(ground, place, run)))
        return Closed(None, "ended", reason, issue, find_run(ground, token))
    place = _place_of(ground, run)
    subject = _subject(place, run, commit, checkout)
    if run["supervised"]:
        return _ask(ground, lease, run, "finished", subject, cause)
    return _verify(ground, place, lease, run, subject, cause)


def _ask(ground: Ground, lease: Lease, run: Row, request: str, commit: str | None, cause: Cause) -> Closed:
    ground.store.write(runs.ask, lease, request, commit, cause)
    issue = ground.store.read(_issue, lease.issue_id)
    return Closed(None, run["phase"], "recorded; the supervisor acts when this process has ended", issue, run)


def _issue(tx: Transaction, issue_id: str) -> Row:
    row = tx.one("issue_by_id", id=issue_id)
    assert row is not None
    return row


def _place_of(ground: Ground, run: Row) -> Place:
    return places.find(ground, ground.store.read(_project, run["project_id"]))


def _project(tx: Transaction, project_id: str) -> Row:
    row = tx.one("project_by_id", id=project_id)
    assert row is not None
    return row


def _keep(ground: Ground, place: Place, run: Row) -> str | None:
    return working.keep(ground, place, run) if run["worktree"] and Path(run["worktree"]).is_dir() else None


def _subject(place: Place, run: Row, commit: str | None, checkout: Path | None) -> str | None:
    """Return the commit to judge: the one named, or HEAD of a clean checkout; None for a plain folder."""
    if place.repo is None:
        return None
    folder = Path(run["worktree"]) if run["worktree"] else checkout or place.root
    if commit is not None:
        found = worktrees.resolve(place.repo, commit)
        if not worktrees.has_commit(place.repo, found):
            raise errors.Refused(
                f"{commit} is not in the repository {place.repo.root}", hint="push or fetch it there first"
            )
        return found
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
    name = verification.verifier_name(ground)
    if not ground.store.write(runs.start_verifying, lease, case.subject, name, seen, cause):
        raise errors.Busy(
            "this run is being verified already", hint="`harness session show --wait` waits for the verdict"
        )
    with Renewing(ground, lease) as lease_lost:
        judged = verification.judge(ground, case, cause, lease_lost)
        closing = Closing(budget=place.budget, salvage_ref=_keep(ground, place, run))
        settled = settlement.settle(ground, judged, cause, closing)
    after = ground.store.read(_run, run["id"])
    issue = settled.issue or ground.store.read(_issue, lease.issue_id)
    if settled.step is Step.DONE and run["worktree"]:
        working.clear(ground, place, after)
    return Closed(judged.decision.verdict.value, after["phase"], judged.decision.reason, issue, after)


def _run(tx: Transaction, run_id: str) -> Row:
    row = tx.one("run_by_id", id=run_id)
    assert row is not None
    return row
