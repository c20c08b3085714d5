"""Accepted commits, kept at `refs/harness/accepted/<issue>` so that no gc of git can lose them."""

from __future__ import annotations

from harnessos.errors import GitFailed
from harnessos.worktrees.changes import changed_files
from harnessos.worktrees.git import git, text
from harnessos.worktrees.naming import ACCEPTED, accepted_ref, from_ref_part
from harnessos.worktrees.repository import Repository, has_commit, is_ancestor


def accept(repo: Repository, issue: str, commit: str, expected: str | None) -> bool:
    """Move the issue's accepted ref from `expected` (None: it must not exist) to `commit`, compare and set.

    True when the ref now is at `commit`: also when an earlier call had put it there, so a crash between the move
    and its confirmation can be repeated. False when somebody else moved it; then nothing was changed.
    """
    if not has_commit(repo, commit):
        raise GitFailed(f"{commit} is not in the object store of {repo.root}", revision=commit, path=str(repo.root))
    ref = accepted_ref(issue)
    moved = git(
        repo.root,
        "update-ref",
        "--no-deref",
        ref,
        commit,
        expected or "0" * len(commit),
        writes=True,
        accepts=(0, 1, 128),
    )
    if moved.exit_code == 0:
        return True
    current = accepted_commit(repo, issue)
    if current == expected:
        raise GitFailed(
            f"git could not write {ref}", stderr=moved.errors.decode(errors="replace"), exit_code=moved.exit_code
        )
    return current == commit


def accepted_commit(repo: Repository, issue: str) -> str | None:
    """Return the accepted commit of one issue, asking git for that ref alone."""
    ref = accepted_ref(issue)
    return text(repo.root, "for-each-ref", "--format=%(objectname)", ref) or None


def accepted(repo: Repository) -> dict[str, str]:
    """Return the accepted commit of each issue."""
    listing = text(repo.root, "for-each-ref", "--format=%(refname) %(objectname)", ACCEPTED)
    pairs = (line.split(" ") for line in listing.split("\n") if line)
    return {from_ref_part(ref.removeprefix(ACCEPTED)): commit for ref, commit in pairs}


def is_merged(repo: Repository, base: str, commit: str, target: str) -> bool:
    """Tell whether `target` holds what `commit` did since `base`: by reachability, or by content after a squash.

    By content means that every path the run changed is the same in both trees (P06, the squash-merged branch).
    """
    if is_ancestor(repo, commit, target):
        return True
    mine = {change.path for change in changed_files(repo, base, commit)}
    return bool(mine) and not mine & {change.path for change in changed_files(repo, target, commit)}


def retract(repo: Repository, issue: str, commit: str, before: str | None) -> None:
    """Take back `accept` of a run that lost its lease meanwhile: the ref goes back to `before` if it is still at `commit`."""
    if accepted_commit(repo, issue) != commit:
        return
    ref = accepted_ref(issue)
    arguments = ["-d", ref, commit] if before is None else [ref, before, commit]
    git(repo.root, "update-ref", "--no-deref", *arguments, writes=True)
