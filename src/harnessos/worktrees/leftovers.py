"""Committing what an agent left uncommitted."""

from __future__ import annotations

from pathlib import Path

from harnessos.errors import WorktreeProblem
from harnessos.worktrees.git import git, identity, text
from harnessos.worktrees.index_locks import clear_if_dead
from harnessos.worktrees.staging import stage_everything


def commit_leftovers(worktree: Path, message: str) -> str | None:
    """Stage and commit everything that is not ignored; return the new commit, or None when there was nothing.

    The user's git hooks do not run, and an index.lock of a git that is dead is cleared. Nested repositories are left
    alone: see `nested_repositories`. WorktreeProblem unless `worktree` is the top of a linked worktree: never does this
    commit in a main checkout, not even when the worktree is gone and a repository lies above (I18).
    """
    top = _linked(worktree)
    git_dir = Path(text(top, "rev-parse", "--absolute-git-dir"))
    clear_if_dead(git_dir / "index.lock", top)
    stage_everything(top)
    merging = git(top, "rev-parse", "--verify", "--quiet", "MERGE_HEAD", accepts=(0, 1)).exit_code == 0
    same = git(top, "diff-index", "--cached", "--quiet", "HEAD", "--", accepts=(0, 1)).exit_code == 0
    if same and not merging:
        return None
    git(
        top, "commit", "--quiet", "--no-verify", "--cleanup=verbatim", "--file=-",
        writes=True, env=identity(top), stdin=message.encode(),
    )  # fmt: skip
    return text(top, "rev-parse", "HEAD")


def _linked(worktree: Path) -> Path:
    """Return the worktree if git takes it for the top of a linked worktree."""
    if not (worktree / ".git").is_file() or Path(text(worktree, "rev-parse", "--show-toplevel")) != worktree.resolve():
        raise WorktreeProblem(
            f"{worktree} is no worktree any more, so nothing is committed there",
            hint="salvage it: `harness worktree list` shows its state",
            path=str(worktree),
        )
    return worktree.resolve()
