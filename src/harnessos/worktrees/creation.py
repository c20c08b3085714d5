"""Making a run's worktree: new, outside the repository, on its own branch, on the base the rules name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import files
from harnessos.errors import DiskLow, WorktreeProblem
from harnessos.worktrees.git import text
from harnessos.worktrees.joining import continue_from, merge_in, needed
from harnessos.worktrees.listing import add, find, git_dir_of
from harnessos.worktrees.naming import branch_name, ref_part, worktree_path
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
    tip = resolve(repo, target)
    _clear(repo, path, branch, run_id, tip)
    wanted = needed(repo, tip, merges)
    _check_disk(path.parent, floor)
    files.private_folder(path.parent)
    try:
        add(repo, path, tip, "--no-track", "-b", branch)
        for merge in wanted:
            merge_in(path, merge)
        base = text(path, "rev-parse", "HEAD")
        if start is not None:
            continue_from(repo, path, issue, start)
        files.atomic_write(Path(text(path, "rev-parse", "--absolute-git-dir")) / _MARK, f"{base}\n".encode())
        return Worktree(path, branch, base, text(path, "rev-parse", "HEAD"))
    except BaseException:
        dismantle(repo, path)
        delete_branch(repo, branch)
        _check_namespace(repo, issue)
        raise


def _clear(repo: Repository, path: Path, branch: str, run_id: str, tip: str) -> None:
    """Take away what an earlier, interrupted call for the same run left behind; what an agent may have done is kept."""
    listed = find(repo, path)
    if listed is None and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise WorktreeProblem(
            f"{path} exists and is no worktree of {repo.root}",
            hint="a run's folder is never reused: look what it is, and move it away",
            path=str(path),
        )
    if pids := holders_of(path):
        raise WorktreeProblem(f"a process still works in {path}", path=str(path), pids=pids)
    base = _base_of(repo, path) or (None if listed or path.exists() else tip)
    if base is not None:
        salvage(repo, path, run_id, base)
    dismantle(repo, path)
    delete_branch(repo, branch)


def _check_namespace(repo: Repository, issue: str) -> None:
    """Name the branch in the way: git cannot have `harness` beside `harness/...`."""
    taken = ("harness", f"harness/{ref_part(issue)}")
    there = text(repo.root, "for-each-ref", "--format=%(refname:lstrip=2)", *(f"refs/heads/{name}" for name in taken))
    for branch in set(taken) & set(there.split("\n")):
        raise WorktreeProblem(
            f"a branch named {branch} is in the way of the runs' branches",
            hint=f"rename it: `git branch -m {branch} NEW-NAME`",
            branch=branch,
        )


def _base_of(repo: Repository, path: Path) -> str | None:
    """Return the base of a worktree that was made to its end."""
    git_dir = git_dir_of(repo, path)
    if git_dir is None or not (git_dir / _MARK).exists():
        return None
    return (git_dir / _MARK).read_text(encoding="ascii").strip()


def _check_disk(folder: Path, floor: int) -> None:
    free = files.free_bytes(folder)
    if free < floor:
        raise DiskLow(
            f"{free / 1024**3:.1f} GB are free at {folder}; a new worktree needs {floor / 1024**3:.1f} GB",
            path=str(folder),
            free=free,
            floor=floor,
        )
