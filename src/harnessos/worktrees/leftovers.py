"""Committing what an agent left uncommitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.worktrees.git import git, identity, text
from harnessos.worktrees.staging import stage_everything, top_of

if TYPE_CHECKING:
    from pathlib import Path


def commit_leftovers(worktree: Path, message: str) -> str | None:
    """Stage and commit everything that is not ignored; return the new commit, or None when there was nothing.

    The user's git hooks do not run. Nested repositories are left alone: see `nested_repositories`.
    """
    top = top_of(worktree)
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
