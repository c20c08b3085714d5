"""Merging accepted commits, and a salvage, into a fresh worktree."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import GitFailed, MergeConflict
from harnessos.model.words import sayable
from harnessos.worktrees.git import git, identity, names, signature, text
from harnessos.worktrees.repository import has_commit, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harnessos.worktrees.repository import Repository


class Merge(NamedTuple):
    """The accepted commit of an issue this work builds on."""

    issue: str
    commit: str


def needed(repo: Repository, tip: str, merges: Sequence[Merge]) -> tuple[Merge, ...]:
    """Return, in the order given, the merges not reachable from `tip` nor contained in another one."""
    for merge in merges:
        if not has_commit(repo, merge.commit):
            raise GitFailed(
                f"{merge.commit}, accepted for {merge.issue}, is not in the object store of {repo.root}",
                hint="fetch it from where it was made",
                issue=merge.issue,
                revision=merge.commit,
            )
    commits = list(dict.fromkeys(merge.commit for merge in merges))
    if not commits:
        return ()
    independent = set(text(repo.root, "merge-base", "--independent", tip, *commits).split("\n")) - {tip}
    first = {merge.commit: merge for merge in reversed(merges)}
    return tuple(first[commit] for commit in commits if commit in independent)


def merge_in(worktree: Path, merge: Merge) -> None:
    """Merge a commit into the branch of a clean worktree; on a conflict abort and raise MergeConflict."""
    done = git(
        worktree,
        "merge", "--quiet", "--ff", "--no-edit", "--no-verify-signatures", "--no-stat", "--no-squash", "--commit",
        "--no-verify", "-m", f"Merge {merge.issue} ({merge.commit[:12]})", merge.commit,
        writes=True, env=identity(worktree), accepts=(0, 1),
    )  # fmt: skip
    if done.exit_code == 0:
        return
    conflicted = _unmerged(worktree)
    if not conflicted:
        said = sayable(os.fsdecode(done.errors)).strip()
        raise GitFailed(f"git merge of {merge.issue} in {worktree}: {said}", stderr=said, issue=merge.issue)
    git(worktree, "merge", "--abort", writes=True)
    raise MergeConflict(
        f"the accepted commit of {merge.issue} does not merge: {_few(conflicted)}",
        hint=f"merge {merge.commit[:12]} into the target branch by hand, then retry the issue",
        issue=merge.issue,
        files=conflicted,
    )


def continue_from(repo: Repository, worktree: Path, issue: str, start: str) -> None:
    """Bring the commits of an earlier attempt into a fresh worktree, and its uncommitted work as uncommitted.

    `start` is a salvage (ref or commit) or any commit. MergeConflict, with the fact `start`, when it does not fit
    the present base; the caller may then begin without it.
    """
    commit = resolve(repo, start)
    earlier = salvaged_head(repo, commit)
    try:
        merge_in(worktree, Merge(issue, earlier or commit))
        if earlier:
            restore_uncommitted(repo, worktree, commit)
    except MergeConflict as conflict:
        found = conflict.facts.get("files")
        raise MergeConflict(
            f"the work of the last attempt at {issue} does not fit the present base: {_few(found)}",
            hint="start the next attempt clean (`harness.worktree.retry: clean`); the work stays in the salvage",
            issue=issue,
            files=found,
            start=start,
        ) from conflict


def salvaged_head(repo: Repository, commit: str) -> str | None:
    """Return the commit a salvaged run stood on; None when `commit` is no salvage."""
    named = text(repo.root, "log", "-1", "--format=%(trailers:key=Harness-Head,valueonly,only)", commit).strip()
    found = git(repo.root, "rev-parse", "--verify", "--quiet", f"{commit}^1^1", accepts=(0, 1, 128)).output
    return named if named and found.decode().strip() == named else None


def restore_uncommitted(repo: Repository, worktree: Path, kept: str) -> None:
    """Put a salvage's staged and uncommitted changes over a clean worktree that holds the salvaged commits."""
    head = text(repo.root, "rev-parse", f"{kept}^1^1")
    here = text(worktree, "rev-parse", "HEAD")
    trees = [text(repo.root, "rev-parse", f"{commit}^{{tree}}") for commit in (f"{kept}^1", kept)]
    if here != head:
        trees = [_carried(worktree, tree, head) for tree in trees]
    index_tree, work_tree = trees
    git(worktree, "read-tree", "--reset", "-u", work_tree, writes=True)
    git(worktree, "read-tree", "--reset", index_tree, writes=True)
    git(worktree, "update-index", "-q", "--refresh", writes=True, accepts=(0, 1))


def _carried(worktree: Path, tree: str, onto: str) -> str:
    """Return the tree that the change from `onto` to `tree` makes of this worktree's HEAD."""
    env = {**signature(), "GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000"}
    change = git(worktree, "commit-tree", tree, "-p", onto, "-m", "uncommitted work", writes=True, env=env)
    commit = change.output.decode().strip()
    picked = git(
        worktree, "cherry-pick", "--no-commit", "--allow-empty", commit, writes=True, env=signature(), accepts=(0, 1)
    )
    conflicted = _unmerged(worktree) if picked.exit_code else []
    made = "" if conflicted else text(worktree, "write-tree")
    git(worktree, "reset", "--quiet", "--hard", writes=True)
    if conflicted:
        raise MergeConflict(files=conflicted)
    return made


def _unmerged(worktree: Path) -> list[str]:
    """Return the files in conflict as they are told and recorded."""
    listed = names(git(worktree, "ls-files", "-z", "--unmerged").output)
    return list(dict.fromkeys(sayable(line.partition("\t")[2]) for line in listed))


def _few(paths: object) -> str:
    shown = [str(path) for path in paths] if isinstance(paths, list) else []
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
