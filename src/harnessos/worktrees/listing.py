"""The worktrees git knows of a repository, and the lock under which they are added and removed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import files
from harnessos.errors import GitFailed
from harnessos.worktrees.git import git

if TYPE_CHECKING:
    from harnessos.worktrees.repository import Repository

_USAGE = 129
_READ_AGAIN = 20
_PATIENCE = 900.0  # seconds: a large checkout takes its time, and thirty may wait for it


class Listed(NamedTuple):
    """One entry of `git worktree list`; `branch` is a short name, None when detached; the first is the main checkout."""

    path: Path
    commit: str
    branch: str | None
    locked: bool
    prunable: bool


def serialised(repo: Repository) -> files.FileLock:
    """Return the lock that adds, removes and prunes of this repository's worktrees take turns with (P22)."""
    return files.FileLock(repo.common / "harness-worktrees.lock", timeout=_PATIENCE)


def add(repo: Repository, path: Path, commit: str, *how: str) -> None:
    """Add a worktree at `path` that stands on `commit`; `how` are options of `git worktree add`.

    Only the registration takes its turn, the files are written beside those of others.
    """
    with serialised(repo):
        git(repo.root, "worktree", "add", "--quiet", "--no-checkout", *how, str(path), commit, writes=True)
    git(path, "reset", "--quiet", "--hard", writes=True)


def list_worktrees(repo: Repository) -> tuple[Listed, ...]:
    """Read `git worktree list`, main checkout first.

    git fails on an entry that another git, perhaps the user's own and so outside our lock, is half way through making
    or removing. By the next look it is whole or gone; what still fails after many looks is a broken repository.
    """
    for _ in range(_READ_AGAIN):
        try:
            return _listed(repo)
        except GitFailed:
            continue
    return _listed(repo)


def _listed(repo: Repository) -> tuple[Listed, ...]:
    answer = git(repo.root, "worktree", "list", "--porcelain", "-z", accepts=(0, _USAGE))
    if answer.exit_code == _USAGE:  # git before 2.36 has no -z here
        answer = git(repo.root, "worktree", "list", "--porcelain")
        return parse(answer.output.replace(b"\n", b"\0"))
    return parse(answer.output)


def find(repo: Repository, path: Path) -> Listed | None:
    """Return git's entry for the worktree at `path`, also when its folder is gone."""
    wanted = path.resolve()
    return next((entry for entry in list_worktrees(repo) if entry.path.resolve() == wanted), None)


def git_dir_of(repo: Repository, worktree: Path) -> Path | None:
    """Return git's own folder of a linked worktree, found from the repository's side: agents do delete `.git` files."""
    wanted = worktree.resolve() / ".git"
    for pointer in sorted((repo.common / "worktrees").glob("*/gitdir")):
        try:
            named = os.fsdecode(pointer.read_bytes()).rstrip("\n")
        except FileNotFoundError:  # another one, removed while we looked
            continue
        if Path(named) == wanted:
            return pointer.parent
    return None


def parse(output: bytes) -> tuple[Listed, ...]:
    """Turn NUL-ended attribute lines, entries parted by an empty one, into entries."""
    entries = []
    for block in output.split(b"\0\0"):
        fields: dict[str, str] = {}
        for line in block.split(b"\0"):
            name, _, value = os.fsdecode(line).partition(" ")
            fields.setdefault(name, value)
        if "worktree" in fields:
            branch = fields.get("branch")
            entries.append(
                Listed(
                    Path(fields["worktree"]),
                    fields.get("HEAD", ""),
                    branch.removeprefix("refs/heads/") if branch else None,
                    "locked" in fields,
                    "prunable" in fields,
                )
            )
    return tuple(entries)
