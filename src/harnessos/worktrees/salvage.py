"""Keeping a run's work at `refs/harness/salvage/<run>` before its worktree goes (G4, P06).

The ref names a commit `work` whose tree is the working tree with untracked files. Its first parent `index` has the
staged tree, and that one's first parent is the worktree's HEAD. Further parents of `work` keep what else would be
lost: a branch tip that HEAD does not reach, and an earlier salvage of the same run.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import WorktreeProblem
from harnessos.worktrees.changes import state_of
from harnessos.worktrees.git import git, names, signature, text
from harnessos.worktrees.listing import git_dir_of
from harnessos.worktrees.naming import BRANCHES, SALVAGE, from_ref_part, ref_part, salvage_ref
from harnessos.worktrees.repository import is_ancestor
from harnessos.worktrees.staging import stage_everything, unhide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.worktrees.repository import Repository

_NOTE = re.compile(r"^Harness-([A-Za-z]+): (.*)$", re.MULTILINE)


class Salvage(NamedTuple):
    """A kept run: commits beyond its base, and how many paths were staged, unstaged and untracked."""

    ref: str
    commit: str
    head: str
    base: str
    commits: int
    staged: int
    unstaged: int
    untracked: int

    @property
    def run_id(self) -> str:
        """The run whose work this is."""
        return from_ref_part(self.ref.removeprefix(SALVAGE))


class _Snapshot(NamedTuple):
    head: str
    index_tree: str
    work_tree: str
    staged: int
    unstaged: int
    untracked: int


def salvage(repo: Repository, worktree_path: Path, run_id: str, base: str) -> Salvage | None:
    """Keep everything of a run that is not in `base`; None when there is nothing. Ignored files are not kept.

    Neither the worktree's files nor its index are touched, and a lock that a killed git left there does not hinder.
    Repeating it changes nothing. Where the folder is gone, the branch and an earlier salvage are what is left.
    """
    ref, kept = salvage_ref(run_id), find_salvage(repo, run_id)
    tip = _branch_tip(repo, run_id)
    gone = not worktree_path.exists()
    snapshot = (
        _of_branch(repo, tip)
        if gone
        else _snapshot(_known_git_dir(repo, worktree_path), worktree_path.resolve(), tip or base)
    )
    if snapshot is None:
        return kept
    if gone and kept is not None and is_ancestor(repo, snapshot.head, kept.commit):
        return kept
    commits = int(text(repo.root, "rev-list", "--count", snapshot.head, *([tip] if tip else []), f"^{base}"))
    if not commits and not (snapshot.staged or snapshot.unstaged or snapshot.untracked):
        return kept
    if kept is not None and _same(repo, kept, snapshot, tip):
        return kept
    extra = [commit for commit in (tip, kept.commit if kept else None) if commit]
    made = _write(repo, ref, snapshot, base=base, commits=commits, extra=extra)
    git(repo.root, "update-ref", "--no-deref", ref, made, kept.commit if kept else "", writes=True)
    return find_salvage(repo, run_id)


def find_salvage(repo: Repository, run_id: str) -> Salvage | None:
    """Return the salvage of one run."""
    return next(iter(_read(repo, salvage_ref(run_id))), None)


def list_salvage(repo: Repository) -> tuple[Salvage, ...]:
    """Return every salvage of the repository, by ref name."""
    return _read(repo, SALVAGE)


def _known_git_dir(repo: Repository, worktree: Path) -> Path:
    found = git_dir_of(repo, worktree)
    if found is None:
        raise WorktreeProblem(
            f"git does not know {worktree} as a worktree of {repo.root}, so its work cannot be kept there",
            hint="look what it is, and copy what you need",
            path=str(worktree),
        )
    return found


def _snapshot(git_dir: Path, top: Path, otherwise: str) -> _Snapshot:
    """Store the state of a worktree; `otherwise` stands in for HEAD where the agent began a branch without commits."""
    index = git_dir / "index"
    with tempfile.TemporaryDirectory(prefix="harness-salvage-") as folder:
        copy = Path(folder) / "index"
        here = {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(top)}
        env = {**here, "GIT_INDEX_FILE": str(copy)}
        if index.is_file():
            shutil.copy2(index, copy)
            unhide(top, env)
        state = state_of(top, env)
        head = state.head.commit or otherwise
        if not index.is_file():
            git(top, "read-tree", head, writes=True, env=env)
        unmerged = git(top, "ls-files", "-z", "--unmerged", env=env).output
        if unmerged:
            git(
                top,
                "update-index",
                "-z",
                "--index-info",
                writes=True,
                env=env,
                stdin=_ours(unmerged, head),
            )
        index_tree = text(top, "write-tree", env=env)
        stage_everything(top, env, head)
        work_tree = text(top, "write-tree", env=env)
    # a repository inside the worktree is no work of this repository and cannot be kept in it
    untracked = sum(not path.endswith("/") for path in state.untracked)
    return _Snapshot(head, index_tree, work_tree, len(state.staged), len(state.unstaged), untracked)


def _ours(unmerged: bytes, head: str) -> bytes:
    """Return --index-info lines that end a conflict with our side (stage 2), since a tree cannot hold a conflict."""
    sides: dict[str, str] = {}
    for line in names(unmerged):
        described, _, path = line.partition("\t")
        mode, oid, stage = described.split(" ")
        sides.setdefault(path, f"0 {'0' * len(head)}\t{path}")
        if stage == "2":
            sides[path] = f"{mode} {oid}\t{path}"
    removals = [f"0 {'0' * len(head)}\t{path}" for path in sides]
    return b"".join(os.fsencode(line) + b"\0" for line in (*removals, *sides.values()))


def _of_branch(repo: Repository, tip: str | None) -> _Snapshot | None:
    if tip is None:
        return None
    tree = text(repo.root, "rev-parse", tip + "^{tree}")
    return _Snapshot(tip, tree, tree, 0, 0, 0)


def _branch_tip(repo: Repository, run_id: str) -> str | None:
    pattern = f"refs/heads/{BRANCHES}*/{ref_part(run_id)}"
    return text(repo.root, "for-each-ref", "--format=%(objectname)", pattern).split("\n")[0] or None


def _same(repo: Repository, kept: Salvage, now: _Snapshot, tip: str | None) -> bool:
    trees = text(repo.root, "rev-parse", f"{kept.commit}^{{tree}}", f"{kept.commit}^1^{{tree}}").split("\n")
    covered = tip is None or is_ancestor(repo, tip, kept.commit)
    return trees == [now.work_tree, now.index_tree] and kept.head == now.head and covered


def _write(repo: Repository, ref: str, now: _Snapshot, *, base: str, commits: int, extra: list[str]) -> str:
    dated = _dated(repo, now.head)
    index = _commit(repo, now.index_tree, [now.head], f"{ref}: index\n", dated)
    parents = [index] + [commit for commit in dict.fromkeys(extra) if not is_ancestor(repo, commit, index)]
    notes = {"Head": now.head, "Base": base, "Commits": commits}
    notes |= {"Staged": now.staged, "Unstaged": now.unstaged, "Untracked": now.untracked}
    lines = "".join(f"Harness-{name}: {value}\n" for name, value in notes.items())
    return _commit(repo, now.work_tree, parents, f"{ref}: working tree\n\n{lines}", dated)


def _dated(repo: Repository, head: str) -> dict[str, str]:
    """Return the date of HEAD for the kept commits, so that the same state makes the same commit."""
    when = text(repo.root, "show", "--no-patch", "--no-show-signature", "--format=%cd", "--date=raw", head)
    return {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}


def _commit(repo: Repository, tree: str, parents: list[str], message: str, env: Mapping[str, str]) -> str:
    flags = [part for parent in parents for part in ("-p", parent)]
    made = git(repo.root, "commit-tree", tree, *flags, writes=True, env={**signature(), **env}, stdin=message.encode())
    return made.output.decode().strip()


def _read(repo: Repository, pattern: str) -> tuple[Salvage, ...]:
    answer = git(repo.root, "for-each-ref", "--format=%(refname)%00%(objectname)%00%(contents)%00", pattern).output
    fields = os.fsdecode(answer).split("\0")
    found = []
    for ref, commit, message in zip(fields[:-1:3], fields[1::3], fields[2::3], strict=False):
        notes = dict(_NOTE.findall(message))
        if "Head" in notes:
            counts = (int(notes.get(name, 0)) for name in ("Commits", "Staged", "Unstaged", "Untracked"))
            found.append(Salvage(ref.strip("\n"), commit, notes["Head"], notes.get("Base", ""), *counts))
    return tuple(found)
