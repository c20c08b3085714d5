"""Making a run's worktree: new, outside the repository, on its own branch, on the base the rules name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import files
from harnessos.errors import DiskLow, GitFailed, WorktreeProblem
from harnessos.worktrees.git import git, text
from harnessos.worktrees.joining import continue_from, merge_in, needed
from harnessos.worktrees.listing import find, serialised
from harnessos.worktrees.naming import branch_name, worktree_path
from harnessos.worktrees.removal import delete_branch, dismantle, holders_of
from harnessos.worktrees.repository import resolve
from harnessos.worktrees.salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.worktrees.joining import Merge
    from harnessos.worktrees.repository import Repository

FLOOR = 2 * 1024**3
"""Bytes that must be free before a new worktree is made (P14)."""

_MARK = "harness-base"  # in the worktree's git dir once it is whole; holds the base commit


class Worktree(NamedTuple):
    """A run's worktree. `base_commit` is what gates compare with, `commit` where the agent starts."""

    path: Path
    branch: str
    base_commit: str
    commit: str


def create(
    repo: Repository,
    *,
    root: Path,
    key: str,
    run_id: str,
    issue: str,
    target: str,
    merges: Sequence[Merge],
    start: str | None = None,
    floor: int = FLOOR,
) -> Worktree:
    """Make `<root>/<key>/<run>` on branch `harness/<issue>/<run>`.

    The base is the tip of `target` with `merges` (topological order) merged in. With `start`, a salvage or commit of
    the previous attempt, its commits come on top and its uncommitted work is uncommitted again. Whatever fails, nothing is
    left behind. Remains of the same run are removed first: a half-made worktree as it is, a whole one salvaged before.
    WorktreeProblem (place), DiskLow, MergeConflict (facts issue, files; also start when that was it), GitFailed.
    """
    path = worktree_path(repo, root, key, run_id)
    branch = branch_name(issue, run_id)
    _clear(repo, path, branch, run_id)
    tip = resolve(repo, target)
    wanted = needed(repo, tip, merges)
    files.private_folder(path.parent)
    _check_disk(path.parent, floor)
    try:
        with serialised(repo):
            git(repo.root, "worktree", "add", "--quiet", "--no-track", "-b", branch, str(path), tip, writes=True)
        for merge in wanted:
            merge_in(path, merge)
        base = text(path, "rev-parse", "HEAD")
        if start is not None:
            continue_from(repo, path, issue, start)
        _mark_file(path).write_text(base + "\n", encoding="ascii")
        return Worktree(path, branch, base, text(path, "rev-parse", "HEAD"))
    except BaseException:
        dismantle(repo, path)
        delete_branch(repo, branch)
        raise


def _clear(repo: Repository, path: Path, branch: str, run_id: str) -> None:
    """Take away what an earlier, interrupted call for the same run left behind."""
    listed = find(repo, path)
    if listed is None and path.exists() and any(path.iterdir()):
        raise WorktreeProblem(
            f"{path} exists and is no worktree of {repo.root}",
            hint="a run's folder is never reused: look what it is, and move it away",
            path=str(path),
        )
    if pids := holders_of(path):
        raise WorktreeProblem(f"a process still works in {path}", path=str(path), pids=pids)
    base = _base_of(path) if listed is not None else None
    if base is not None:
        salvage(repo, path, run_id, base)
    dismantle(repo, path)
    delete_branch(repo, branch)


def _base_of(path: Path) -> str | None:
    """Return the base of a worktree that was made to its end."""
    try:
        return _mark_file(path).read_text(encoding="ascii").strip() or None
    except (OSError, GitFailed):
        return None


def _mark_file(path: Path) -> Path:
    if not (path / ".git").is_file():
        raise GitFailed(f"{path} is no linked worktree", path=str(path))
    return Path(os.fsdecode(git(path, "rev-parse", "--absolute-git-dir").output).rstrip("\n")) / _MARK


def _check_disk(folder: Path, floor: int) -> None:
    free = files.free_bytes(folder)
    if free < floor:
        raise DiskLow(
            f"{free / 1024**3:.1f} GB are free at {folder}; a new worktree needs {floor / 1024**3:.1f} GB",
            path=str(folder),
            free=free,
            floor=floor,
        )
