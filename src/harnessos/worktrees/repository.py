"""A repository: where it is, what its commits are. Reads only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import GitFailed, NoCommits, NotARepository
from harnessos.worktrees.git import git, text

if TYPE_CHECKING:
    from collections.abc import Container


class Repository(NamedTuple):
    """The main checkout's top folder and the git common dir, both resolved."""

    root: Path
    common: Path


class Head(NamedTuple):
    """What a checkout stands on; `branch` is a short name, None when detached."""

    branch: str | None
    commit: str


def open_repository(path: Path) -> Repository:
    """Find the repository `path` lies in, from any subfolder or linked worktree of it.

    GitMissing, NotARepository (also for bare repositories), NoCommits; the fact is `path`.
    """
    folder = path.resolve()
    if not folder.is_dir():
        raise NotARepository(f"{path} is no folder", hint="name the folder of a git repository", path=str(path))
    common = _common_dir(folder)
    if text(common, "rev-parse", "--is-bare-repository") == "true":
        raise NotARepository(
            f"{common} is a bare repository, agents need files",
            hint=f"clone it: `git clone {common} FOLDER`, and use the clone",
            path=str(path),
        )
    root = _main_top(folder, common)
    repo = Repository(root, common)
    if git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", accepts=(0, 1, 128)).exit_code != 0:
        raise NoCommits(f"{root} has no commit yet, so there is nothing to start from", path=str(root))
    return repo


def _common_dir(folder: Path) -> Path:
    try:
        answer = text(folder, "rev-parse", "--git-common-dir")
    except GitFailed as error:
        said = str(error.facts.get("stderr", ""))
        if "not a git repository" in said:
            raise NotARepository(
                f"{folder} is not in a git repository", hint=f"`git init {folder}`, then commit", path=str(folder)
            ) from error
        if "dubious ownership" in said:
            raise NotARepository(
                f"git does not trust {folder}: it belongs to another user",
                hint=f"`git config --global --add safe.directory {folder}`",
                path=str(folder),
            ) from error
        raise
    return (folder / answer).resolve()


def _main_top(folder: Path, common: Path) -> Path:
    """Return the main checkout's top folder, also when `folder` is a linked worktree or inside `.git`."""
    own = git(folder, "rev-parse", "--absolute-git-dir", "--show-toplevel", accepts=(0, 128))
    lines = os.fsdecode(own.output).split("\n")
    if own.exit_code == 0 and Path(lines[0]).resolve() == common:
        return Path(os.fsdecode(own.output)[len(lines[0]) + 1 :].rstrip("\n")).resolve()
    if common.name == ".git":
        return common.parent
    # a submodule's git dir lies elsewhere and says in core.worktree where its files are
    top = git(common, "config", "-z", "--get", "core.worktree", accepts=(0, 1)).output.rstrip(b"\0")
    if top:
        return (common / os.fsdecode(top)).resolve()
    raise NotARepository(
        f"the main checkout of {common} cannot be told from here",
        hint="call it from the main checkout",
        path=str(folder),
    )


def head(repo: Repository) -> Head:
    """Return the main checkout's branch and commit."""
    return head_of(repo.root)


def head_of(checkout: Path) -> Head:
    """Return the branch and commit of any checkout."""
    commit = text(checkout, "rev-parse", "--verify", "HEAD^{commit}")
    symbolic = git(checkout, "symbolic-ref", "--quiet", "HEAD", accepts=(0, 1))
    ref = os.fsdecode(symbolic.output).strip()
    return Head(ref.removeprefix("refs/heads/") if ref else None, commit)


def resolve(repo: Repository, revision: str) -> str:
    """Return the full commit id of a branch, tag, ref or id; a branch wins over a tag of the same name."""
    for candidate in (f"refs/heads/{revision}", *([] if revision.startswith("-") else [revision])):
        found = git(repo.root, "rev-parse", "--verify", "--quiet", candidate + "^{commit}", accepts=(0, 1, 128))
        if found.exit_code == 0:
            return os.fsdecode(found.output).strip()
    raise GitFailed(
        f"{revision} names no commit in {repo.root}",
        hint="`git branch --list` shows the branches",
        revision=revision,
        path=str(repo.root),
    )


def has_commit(repo: Repository, sha: str) -> bool:
    """Tell whether the object store has this commit."""
    return git(repo.root, "cat-file", "-e", sha + "^{commit}", accepts=(0, 1, 128)).exit_code == 0


def is_ancestor(repo: Repository, a: str, b: str) -> bool:
    """Tell whether commit `a` is reachable from commit `b` (a commit reaches itself)."""
    return git(repo.root, "merge-base", "--is-ancestor", a, b, accepts=(0, 1)).exit_code == 0


def fork_point(repo: Repository, a: str, b: str) -> str:
    """Return the commit at which the histories of `a` and `b` part; `a` where they have nothing in common."""
    found = git(repo.root, "merge-base", a, b, accepts=(0, 1))
    return os.fsdecode(found.output).strip() or a


def newest_of(repo: Repository, base: str, commit: str, known: Container[str]) -> str | None:
    """Return the first of `known` on the way back from `commit` to `base` along first parents."""
    line = text(repo.root, "rev-list", "--first-parent", f"{base}..{commit}")
    return next((one for one in line.split("\n") if one in known), None)


def root_commit(repo: Repository) -> str:
    """Return the first commit of HEAD's first-parent line, by which a moved or copied repository is known again.

    In a shallow clone it is the commit the history was cut at.
    """
    return text(repo.root, "rev-list", "--first-parent", "--max-parents=0", "HEAD").split("\n")[-1]
