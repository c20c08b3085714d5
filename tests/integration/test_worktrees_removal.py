"""Committing leftovers and removing worktrees, with real git."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harnessos import worktrees
from harnessos.errors import GitFailed, WorktreeProblem
from tests.support.repositories import (
    ODD_NAMES,
    Place,
    commit_files,
    leave_work,
    make_repository,
    place,
    quiet_git,
    running,
    user_git,
    without_rights,
    write_file,
)
from tests.support.waiting import eventually

__all__ = ["place", "quiet_git"]


def test_unsalvaged_work_is_not_removed(place: Place) -> None:
    run = place.create()
    leave_work(run)
    with pytest.raises(WorktreeProblem, match="neither accepted nor salvaged"):
        worktrees.remove(place.repo, run.path, run.branch, salvaged=False)
    assert (run.path / "staged").exists()


def test_leftovers_are_never_committed_in_another_checkout(place: Place, tmp_path: Path) -> None:
    """I18: the worktree lies below another repository, and its own git file is gone."""
    outer = make_repository(tmp_path / "outer")
    run = Place(place.repo, outer / "worktrees").create()
    before = user_git(outer, "rev-parse", "HEAD")
    (run.path / ".git").unlink()
    (run.path / "new").touch()
    for wrong in (run.path, run.path / "src", place.main, outer / "missing"):
        with pytest.raises(WorktreeProblem):
            worktrees.commit_leftovers(wrong, "work")
    assert user_git(outer, "rev-parse", "HEAD") == before
    assert user_git(outer, "diff", "--cached", "--name-only") == ""


def test_leftovers_are_committed_past_the_lock_of_a_dead_git(place: Place) -> None:
    run = place.create()
    (run.path / "new").touch()
    lock = Path(user_git(run.path, "rev-parse", "--absolute-git-dir")) / "index.lock"
    lock.touch()
    with running("git", "cat-file", "--batch", cwd=run.path) as git:
        name = Path("/proc", str(git.pid), "comm")
        eventually(lambda: name.read_text(encoding="ascii") == "git\n", what="git runs")
        with pytest.raises(GitFailed, match=r"index\.lock"):
            worktrees.commit_leftovers(run.path, "work")
    assert worktrees.commit_leftovers(run.path, "work")


def test_leftovers_of_every_kind_are_committed(place: Place) -> None:
    run = place.create()
    assert worktrees.commit_leftovers(run.path, "nothing") is None
    leave_work(run)
    for name in ODD_NAMES:
        write_file(run.path, name, "x\n")
    (run.path / "committed").rename(run.path / "renamed")
    (run.path / "both").chmod(0o755)
    commit = worktrees.commit_leftovers(run.path, "# not a comment\n\nwork")
    assert commit == user_git(run.path, "rev-parse", "HEAD")
    assert worktrees.status(run.path).clean
    listed = user_git(run.path, "ls-tree", "-r", "-z", "HEAD").split("\0")
    modes = {line.partition("\t")[2]: line[:6] for line in listed if line}
    assert set(ODD_NAMES) | {"renamed", "staged", "new/untracked"} <= set(modes)
    assert modes["both"] == "100755"
    assert not {"committed", "src/app.py", "cache/ignored"} & set(modes)
    assert user_git(run.path, "log", "-1", "--format=%B").rstrip() == "# not a comment\n\nwork"
    assert worktrees.commit_leftovers(run.path, "again") is None


def test_a_finished_merge_is_committed_even_without_changes(place: Place) -> None:
    run = place.create()
    other = user_git(place.main, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "same tree")
    user_git(run.path, "merge", "--no-ff", "--no-commit", other)
    assert worktrees.commit_leftovers(run.path, "merged")
    assert worktrees.is_ancestor(place.repo, other, worktrees.head_of(run.path).commit)


def test_nested_repositories_are_left_alone_and_reported(place: Place) -> None:
    run = place.create()
    make_repository(run.path / "vendored")
    user_git(run.path, "init", "--quiet", "deep/empty")
    make_repository(run.path / "added")
    user_git(run.path, "add", "added")
    write_file(run.path, "deep/file", "x\n")
    assert worktrees.nested_repositories(run.path) == ("added", "deep/empty", "vendored")
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    assert "commit" not in user_git(place.main, "ls-tree", "-r", kept.commit)
    assert worktrees.commit_leftovers(run.path, "work")
    assert user_git(run.path, "ls-tree", "-r", "--name-only", "HEAD").split("\n") == [
        "README",
        "deep/file",
        "src/app.py",
    ]
    assert (run.path / "vendored" / ".git").is_dir()
    assert (run.path / "added" / "README").is_file()


def test_report_is_read_back(place: Place) -> None:
    """P06: removed means that git no longer lists it."""
    run, other = place.create("run-1"), place.create("run-2")
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    listing = user_git(place.main, "worktree", "list")
    assert str(run.path) not in listing
    assert str(other.path) in listing
    assert not run.path.exists()
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)


def test_gc_prunes_branches_and_admin_files(place: Place) -> None:
    gone, other = place.create("run-1"), place.create("run-2")
    shutil.rmtree(gone.path)
    shutil.rmtree(other.path)
    worktrees.remove(place.repo, gone.path, gone.branch, salvaged=True)
    assert gone.branch not in place.refs()
    assert [entry.name for entry in (place.repo.common / "worktrees").iterdir()] == ["run-2"]
    assert other.branch in place.refs(), "what another run left is not ours to prune"


def test_squash_merged_branch_is_removable(place: Place) -> None:
    run = place.create()
    commit_files(run.path, {"a": "1\n"})
    commit = commit_files(run.path, {"a": "2\n", "b": "1\n"})
    assert not worktrees.is_merged(place.repo, run.base_commit, commit, "main")
    commit_files(place.main, {"unrelated": "x\n"})
    user_git(place.main, "merge", "--quiet", "--squash", run.branch)
    user_git(place.main, "commit", "--quiet", "-m", "squashed")
    assert not worktrees.is_ancestor(place.repo, commit, worktrees.resolve(place.repo, "main"))
    assert worktrees.is_merged(place.repo, run.base_commit, commit, "main")
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert run.branch not in place.refs()


def test_live_process_blocks_removal(place: Place) -> None:
    run = place.create()
    (run.path / "src" / "deep").mkdir()
    with running("sleep", "600", cwd=run.path / "src" / "deep") as sleeper:
        eventually(lambda: worktrees.holders_of(run.path), what="the process shows in /proc")
        with pytest.raises(WorktreeProblem) as refused:
            worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
        assert refused.value.facts["pids"] == (sleeper.pid,)
        with pytest.raises(WorktreeProblem):
            place.create("run-1")
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert not run.path.exists()


def test_what_is_not_the_runs_own_is_never_removed(place: Place, tmp_path: Path) -> None:
    run = place.create()
    user_git(place.main, "branch", "feature")
    (tmp_path / "folder").mkdir()
    wrong = [
        (run.path, "feature"),
        (run.path, "main"),
        (place.main, run.branch),
        (tmp_path / "folder", run.branch),
        (place.main / "src", run.branch),
    ]
    before = place.refs()
    for path, branch in wrong:
        with pytest.raises(WorktreeProblem):
            worktrees.remove(place.repo, path, branch, salvaged=True)
    user_git(place.main, "worktree", "lock", str(run.path))
    with pytest.raises(WorktreeProblem, match="locked"):
        worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert place.refs() == before
    assert (place.main / "src" / "app.py").exists()
    assert run.path.exists()


_REMOVE = """
import os, sys
from pathlib import Path
from harnessos import worktrees
closed = Path(sys.argv[2], "cache/closed")
try:
    print(os.listdir(closed))
except PermissionError:
    print("refused")
repo = worktrees.open_repository(Path(sys.argv[1]))
worktrees.remove(repo, Path(sys.argv[2]), sys.argv[3], salvaged=True)
"""


def test_read_only_folders_do_not_stop_a_removal(place: Place) -> None:
    run = place.create()
    write_file(run.path, "cache/module/file", "x\n")
    write_file(run.path, "cache/closed/deep/file", "x\n")
    (run.path / "cache" / "link").symlink_to(place.main / "src")
    for folder, mode in (("cache/closed", 0o000), ("cache/module", 0o500), ("cache", 0o500)):
        (run.path / folder).chmod(mode)
    (place.main / "src").chmod(0o750)
    assert without_rights(_REMOVE, str(place.main), str(run.path), run.branch) == "refused\n"
    assert not run.path.exists()
    assert (place.main / "src").stat().st_mode & 0o777 == 0o750
