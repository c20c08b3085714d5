"""Sessions: agents that come by themselves take work. Light, because they do it often; `closing` is the heavy end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.dispatch import place as places
from harnessos.kernel import claims, reaping, runs
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing
from harnessos.model.digest import sha256_hex
from harnessos.model.outcome import Outcome
from harnessos.store import named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
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
    """A session that began: its token (told once), the claim, the worktree if one was made, the project's place."""

    token: str
    claimed: Claimed
    worktree: Path | None
    place: Place


def begin(ground: Ground, request: BeginRequest) -> Begun | Nothing:
    """Claim work for an agent. AlreadyClaimed, IllegalMove for a named issue; Nothing says why there is none."""
    place = places.find(ground, request.project) if request.worktree else places.find_quickly(ground, request.project)
    if request.worktree:
        _require_room(ground, place)
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
        folder=not place.is_git,
        budget=place.budget,
        base=place.tip,
    )
    if request.recovery:
        # Nobody may have noticed yet that a lease ran out.
        ground.store.write(reaping.reap, ground.process, ground.cause("session.begin"), 32)
        claim = claim._replace(issue=ground.store.read(_lost, request.project["id"], request.issue))
        if claim.issue is None:
            return Nothing("no issue waits whose last run was lost")
    claimed = ground.store.write(claims.claim, claim, ground.cause("session.begin"))
    if isinstance(claimed, Nothing):
        return claimed
    if not request.worktree:
        if claimed.lease.epoch > 1:
            from harnessos.dispatch import predecessors

            predecessors.end_here(ground, claimed.issue)
        return Begun(token, claimed, None, place)
    from harnessos.dispatch import working

    made = working.begin(ground, place, claimed, ground.cause("session.begin"))
    return Begun(token, claimed, made.path, place)


def _require_room(ground: Ground, place: Place) -> None:
    """Refuse a worktree that could not be made before the issue pays for it."""
    from harnessos.dispatch import working

    if not place.is_git:
        raise errors.Refused(
            f"{place.project['key']} is a plain folder; without git there are no worktrees",
            hint="begin without --worktree: the work is done in the folder itself",
        )
    full = working.full_disk(ground, place)
    if full:
        raise errors.DiskLow(full, hint="`harness worktree gc --dry-run` shows what can go")


def hashed(token: str) -> str:
    """Return how a token is stored."""
    return sha256_hex(token.encode("utf-8", "surrogateescape"))


def _lost(tx: Transaction, project_id: str, identifier: str | None) -> str | None:
    if identifier is not None:
        last = tx.one("run_last_of", issue=named.issue(tx, identifier)["id"], one=1)
        return identifier if last is not None and last["outcome"] == Outcome.LOST else None
    row = tx.one("run_recoverable", project=project_id, one=1)
    return row["identifier"] if row else None


def find_run(ground: Ground, token: str) -> Row:
    """Return the run of a session token; a live one, or one that ended."""
    return ground.store.read(runs.by_token, hashed(token))
