"""A clean checkout of one commit, for gates and for looking at salvaged work."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import files
from harnessos.errors import WorktreeProblem
from harnessos.worktrees.git import text
from harnessos.worktrees.joining import restore_uncommitted, salvaged_head
from harnessos.worktrees.listing import add, find, list_worktrees
from harnessos.worktrees.naming import outside
from harnessos.worktrees.removal import dismantle
from harnessos.worktrees.repository import resolve

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.worktrees.repository import Repository


class Checkout(NamedTuple):
    """A detached checkout: its folder and the commit it is at."""

    path: Path
    commit: str


def clean_checkout(repo: Repository, commit: str, into: Path) -> Checkout:
    """Check out exactly `commit`, detached, at `into`, which must not exist; git works in it.

    WorktreeProblem when `into` lies in the repository or in one of its worktrees. Submodules stay empty.
    """
    place, wanted = _place(repo, into), resolve(repo, commit)
    files.private_folder(place.parent)
    try:
        add(repo, place, wanted, "--detach")
        found = text(place, "rev-parse", "HEAD")
        if found != wanted:
            raise WorktreeProblem(f"{place} came out at {found} instead of {wanted}", path=str(place))
    except BaseException:
        dismantle(repo, place)
        raise
    return Checkout(place, wanted)


def remove_checkout(repo: Repository, checkout: Checkout) -> None:
    """Remove a clean checkout with everything in it; one already gone is fine."""
    listed = find(repo, checkout.path)
    if listed is not None and listed.branch is not None:
        raise WorktreeProblem(
            f"{checkout.path} is on branch {listed.branch}, no clean checkout", path=str(checkout.path)
        )
    if listed is None and checkout.path.exists():
        raise WorktreeProblem(f"{checkout.path} is no worktree of {repo.root}", path=str(checkout.path))
    dismantle(repo, checkout.path)


def restore_salvage(repo: Repository, ref: str, into: Path) -> Checkout:
    """Make a detached worktree at `into`, which must not exist, as the salvaged run left it, uncommitted work included.

    `commit` of the answer is the run's last own commit.
    """
    kept = resolve(repo, ref)
    last = salvaged_head(repo, kept)
    if last is None:
        raise WorktreeProblem(f"{ref} is no salvage", hint="`harness worktree salvage list` shows them", ref=ref)
    checkout = clean_checkout(repo, last, into)
    restore_uncommitted(repo, checkout.path, kept)
    return checkout


def _place(repo: Repository, into: Path) -> Path:
    place = outside(repo, into)
    if place.exists():
        raise WorktreeProblem(f"{into} exists already", hint="name a folder that does not exist", path=str(place))
    for entry in list_worktrees(repo):
        if entry.path.resolve() in place.parents:
            raise WorktreeProblem(f"{into} lies in the worktree {entry.path}", path=str(place))
    return place
