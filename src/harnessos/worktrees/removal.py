"""Removing a run's worktree and branch, only after its work is kept, and looking afterwards that it is gone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.errors import WorktreeProblem
from harnessos.worktrees.git import git, text
from harnessos.worktrees.listing import find, list_worktrees, serialised
from harnessos.worktrees.naming import BRANCHES

if TYPE_CHECKING:
    from harnessos.worktrees.repository import Repository

_PROC = Path("/proc")
GOING = ".going"
"""What the name of a folder ends in while it is being deleted."""


def remove(repo: Repository, path: Path, branch: str, *, salvaged: bool, keep_branch: bool = False) -> None:
    """Remove the worktree at `path` and, unless it is to stay for merging, its branch. Repeating it, or a folder already gone, is fine.

    `salvaged` says that the run was accepted or that `salvage` kept its work; without it this refuses. Refused too:
    a branch that is not the harness's, the main checkout, a folder that is no worktree of this repository, one the user
    locked, and one that a live process works in (fact `pids`). Returns only after git no longer lists it (P06).
    """
    if not salvaged:
        raise WorktreeProblem(
            f"{path} is neither accepted nor salvaged, so it stays",
            hint="salvage it first; `harness worktree list` shows its state",
            path=str(path),
        )
    if not branch.startswith(BRANCHES):
        raise WorktreeProblem(f"{branch} is not a branch the harness made", path=str(path), branch=branch)
    path = path.resolve()
    listed = find(repo, path)
    if listed is None and path.exists():
        raise WorktreeProblem(f"{path} is no worktree of {repo.root}", hint="look what it is", path=str(path))
    if path == repo.root:
        raise WorktreeProblem(f"{path} is the main checkout", path=str(path))
    if listed is not None and listed.locked:
        raise WorktreeProblem(f"{path} is locked", hint=f"`git worktree unlock {path}`", path=str(path))
    if pids := holders_of(path):
        raise WorktreeProblem(
            f"{path} is the working folder of a live process: {', '.join(map(str, pids))}",
            hint="end it first, or wait for it",
            path=str(path),
            pids=pids,
        )
    dismantle(repo, path)
    if not keep_branch:
        delete_branch(repo, branch)
    if path.exists() or find(repo, path) is not None:
        raise WorktreeProblem(f"{path} is still there after its removal", path=str(path))


def dismantle(repo: Repository, path: Path) -> None:
    """Delete a linked worktree's folder and git's entry for it; safe to repeat after a crash at any point.

    The folder moves aside first, so nobody, a later salvage least of all, takes a half-deleted one for the work.
    WorktreeProblem when something in it cannot be deleted, such as files of another user.
    """
    going = path.with_name(path.name + GOING)
    try:
        _dismantle(repo, path, going)
    except OSError as problem:
        raise WorktreeProblem(f"{path} cannot be deleted: {problem}", path=str(path)) from problem


def _dismantle(repo: Repository, path: Path, going: Path) -> None:
    if going.exists():
        _delete(going)
    if path.exists():
        path.rename(going)
    with serialised(repo):
        if find(repo, path) is not None:
            git(repo.root, "worktree", "remove", "--force", "--force", str(path), writes=True)
    if going.exists():
        _delete(going)


def delete_branch(repo: Repository, branch: str) -> None:
    """Delete a branch of the harness if it exists and no worktree has it checked out."""
    ref = f"refs/heads/{branch}"
    tip = text(repo.root, "for-each-ref", "--format=%(refname) %(objectname)", ref)
    found = dict(line.split(" ") for line in tip.split("\n") if line)
    if ref not in found:
        return
    users = [str(entry.path) for entry in list_worktrees(repo) if entry.branch == branch]
    if users:
        raise WorktreeProblem(f"branch {branch} is checked out in {users[0]}", path=users[0], branch=branch)
    # update-ref, not `branch -D`: that one rewrites .git/config and would race with the user's git
    git(repo.root, "update-ref", "--no-deref", "-d", ref, found[ref], writes=True)


def holders_of(folder: Path) -> tuple[int, ...]:
    """Return live processes whose working folder is `folder` or lies in it; empty where there is no /proc."""
    if not folder.exists() or not _PROC.is_dir():
        return ()
    inside = os.fspath(folder.resolve())
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cwd = str((entry / "cwd").readlink())
        except OSError:  # it ended, or belongs to another user
            continue
        if cwd == inside or cwd.startswith(inside + os.sep):
            found.append(int(entry.name))
    return tuple(sorted(found))


def _delete(folder: Path) -> None:
    """Delete a tree, also one with folders that were made read-only (module caches are)."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        folder.chmod(0o700)
        for parent, below, _ in os.walk(folder):
            for place in (Path(parent, name) for name in below):
                if not place.is_symlink():
                    place.chmod(0o700)
        shutil.rmtree(folder)
