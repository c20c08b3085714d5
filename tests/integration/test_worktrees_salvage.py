"""Keeping work, going on from it, and removing worktrees, with real git."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harnessos import worktrees
from harnessos.errors import MergeConflict, WorktreeProblem
from tests.support.repositories import (
    ODD_NAMES,
    Place,
    commit_files,
    files_of,
    leave_work,
    place,
    porcelain,
    quiet_git,
    user_git,
    write_file,
)

__all__ = ["place", "quiet_git"]


def test_salvage_ref_written_before_any_removal(place: Place) -> None:
    run = place.create()
    leave_work(run)
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    assert (kept.ref, kept.run_id) == ("refs/harness/salvage/run-1", "run-1")
    assert (kept.commits, kept.staged, kept.unstaged, kept.untracked) == (1, 3, 2, 1)
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    user_git(place.main, "reflog", "expire", "--expire=now", "--all")
    user_git(place.main, "gc", "--quiet", "--prune=now")
    shown = {
        f"{kept.commit}:README": "unstaged",
        f"{kept.commit}:both": "2",
        f"{kept.commit}:new/untracked": "u",
        f"{kept.commit}^1:both": "1",
        f"{kept.commit}^1:staged": "s",
        f"{kept.head}:committed": "c",
    }
    assert {name: user_git(place.main, "show", name) for name in shown} == shown
    assert "ignored" not in user_git(place.main, "ls-tree", "-r", "--name-only", kept.commit)
    assert worktrees.list_salvage(place.repo) == (kept,)


def test_salvage_touches_neither_files_nor_index(place: Place) -> None:
    run = place.create()
    leave_work(run)
    git_dir = Path(user_git(run.path, "rev-parse", "--absolute-git-dir"))
    os.utime(run.path / "committed", (1, 1))
    before = (git_dir / "index").read_bytes(), (git_dir / "index").stat().st_mtime_ns, files_of(run.path)
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert ((git_dir / "index").read_bytes(), (git_dir / "index").stat().st_mtime_ns, files_of(run.path)) == before


def test_salvage_is_idempotent_and_later_work_keeps_the_earlier(place: Place) -> None:
    run = place.create()
    leave_work(run)
    first = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit) == first
    (run.path / "staged").unlink()
    second = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert first is not None
    assert second is not None
    assert second.commit != first.commit
    assert worktrees.is_ancestor(place.repo, first.commit, second.commit)
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit) == second


def test_nothing_beyond_the_base_is_no_salvage(place: Place) -> None:
    run = place.create()
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit) is None
    assert worktrees.list_salvage(place.repo) == ()


def test_an_index_lock_of_a_killed_git_does_not_stop_the_salvage(place: Place) -> None:
    run = place.create()
    leave_work(run)
    git_dir = Path(user_git(run.path, "rev-parse", "--absolute-git-dir"))
    (git_dir / "index.lock").touch()
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    (git_dir / "index").unlink()
    again = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert again is not None
    assert user_git(place.main, "show", f"{again.commit}:new/untracked") == "u"


def test_work_is_salvaged_although_the_agent_broke_its_git_file(place: Place) -> None:
    for run_id, replaced in (("run-1", False), ("run-2", True)):
        run = place.create(run_id)
        leave_work(run)
        (run.path / ".git").unlink()
        if replaced:
            user_git(run.path, "init", "--quiet")
        kept = worktrees.salvage(place.repo, run.path, run_id, run.base_commit)
        assert kept is not None
        assert user_git(place.main, "show", f"{kept.commit}:new/untracked") == "u"
        worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
        assert not run.path.exists()


def test_a_folder_git_does_not_know_is_not_taken_for_salvaged(place: Place) -> None:
    run = place.create()
    leave_work(run)
    shutil.rmtree(place.repo.common / "worktrees" / "run-1")
    with pytest.raises(WorktreeProblem, match="cannot be kept"):
        worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    with pytest.raises(WorktreeProblem, match="no worktree"):
        worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert (run.path / "staged").exists()


def test_a_commit_that_only_claims_to_be_a_salvage_is_a_plain_start(place: Place, tmp_path: Path) -> None:
    run = place.create()
    commit_files(run.path, {"x": "1\n"})
    other = run.base_commit[:-1] + ("1" if run.base_commit.endswith("0") else "0")
    tip = commit_files(run.path, {"x": "2\n"}, f"work\n\nHarness-Head: {other}\n")
    assert place.create("run-2", start=tip).commit == tip
    with pytest.raises(WorktreeProblem, match="no salvage"):
        worktrees.restore_salvage(place.repo, tip, tmp_path / "restored")


def test_a_torn_merge_is_salvaged_with_its_markers(place: Place) -> None:
    run = place.create()
    commit_files(run.path, {"README": "mine\n"})
    theirs = commit_files(place.main, {"README": "theirs\n"})
    user_git(run.path, "merge", theirs, check=False)
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    assert "<<<<<<<" in user_git(place.main, "show", f"{kept.commit}:README")
    assert user_git(place.main, "show", f"{kept.commit}^1:README") == "mine"


def test_a_branch_the_agent_left_is_salvaged_too(place: Place) -> None:
    run = place.create()
    tip = commit_files(run.path, {"on-branch": "x\n"})
    user_git(run.path, "checkout", "--quiet", "--detach", run.base_commit)
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    assert kept.commits == 1
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert worktrees.is_ancestor(place.repo, tip, kept.commit)


def test_a_branch_without_commits_is_salvaged(place: Place) -> None:
    run = place.create()
    tip = commit_files(run.path, {"done": "x\n"})
    user_git(run.path, "checkout", "--quiet", "--orphan", "fresh")
    write_file(run.path, "new", "y\n")
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    assert kept.head == tip
    assert user_git(place.main, "show", f"{kept.commit}:new") == "y"
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit) == kept


def test_a_vanished_folder_is_salvaged_from_its_branch(place: Place) -> None:
    run = place.create()
    tip = commit_files(run.path, {"done": "x\n"})
    shutil.rmtree(run.path)
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    assert kept.head == tip
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit) == kept


def test_a_removal_that_stopped_halfway_does_not_spoil_the_salvage(place: Place) -> None:
    run = place.create()
    leave_work(run)
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    run.path.rename(run.path.with_name("run-1.going"))
    (run.path.with_name("run-1.going") / "README").unlink()
    assert worktrees.salvage(place.repo, run.path, "run-1", run.base_commit) == kept
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert list(run.path.parent.iterdir()) == []


def test_odd_names_are_salvaged_and_restored(place: Place, tmp_path: Path) -> None:
    run = place.create()
    for name in ODD_NAMES:
        write_file(run.path, name, f"{name}\n")
    (run.path / os.fsdecode(b"latin-\xe9")).write_bytes(b"raw\n")
    (run.path / "tool").write_text("#!/bin/sh\n", encoding="utf-8")
    (run.path / "tool").chmod(0o755)
    (run.path / "link").symlink_to("/nowhere")
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    restored = worktrees.restore_salvage(place.repo, kept.ref, tmp_path / "restored")
    for name in ODD_NAMES:
        assert (restored.path / name).read_text(encoding="utf-8") == f"{name}\n"
    assert (restored.path / os.fsdecode(b"latin-\xe9")).read_bytes() == b"raw\n"
    assert os.access(restored.path / "tool", os.X_OK)
    assert (restored.path / "link").readlink() == Path("/nowhere")


def test_restored_salvage_is_as_the_run_left_it(place: Place, tmp_path: Path) -> None:
    run = place.create()
    leave_work(run)
    before, files = porcelain(run.path), files_of(run.path)
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    restored = worktrees.restore_salvage(place.repo, kept.ref, tmp_path / "restored")
    assert porcelain(restored.path) == before
    assert files_of(restored.path) == {name: data for name, data in files.items() if "cache" not in name}
    with pytest.raises(WorktreeProblem, match="exists already"):
        worktrees.restore_salvage(place.repo, kept.ref, tmp_path / "restored")


def test_retry_starts_from_salvage_with_uncommitted_work_restored(place: Place) -> None:
    run = place.create()
    leave_work(run)
    before, tip = porcelain(run.path), user_git(run.path, "rev-parse", "HEAD")
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    retry = place.create("run-2", start=kept.ref)
    assert retry.base_commit == run.base_commit
    assert retry.commit == tip
    assert porcelain(retry.path) == before


def test_retry_carries_the_work_over_to_a_moved_base(place: Place) -> None:
    run = place.create()
    leave_work(run)
    before = porcelain(run.path)
    kept = worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    assert kept is not None
    moved = commit_files(place.main, {"elsewhere": "moved\n"})
    retry = place.create("run-2", start=kept.ref)
    assert retry.base_commit == moved
    assert worktrees.is_ancestor(place.repo, kept.head, retry.commit)
    assert porcelain(retry.path) == before
    assert (retry.path / "elsewhere").exists()
    assert (retry.path / "both").read_text(encoding="utf-8") == "2\n"


def test_retry_that_does_not_fit_says_so_and_leaves_nothing(place: Place) -> None:
    for number, conflicting in enumerate(({"README": "other\n"}, {"committed": "other\n"})):
        run = place.create(f"run-{number}")
        leave_work(run)
        kept = worktrees.salvage(place.repo, run.path, f"run-{number}", run.base_commit)
        assert kept is not None
        commit_files(place.main, conflicting)
        before = place.refs()
        with pytest.raises(MergeConflict) as conflict:
            place.create("run-9", start=kept.ref)
        assert conflict.value.facts == {"issue": "DOCS-1", "files": list(conflicting), "start": kept.ref}
        assert place.refs() == before
        assert not (place.root / "DOCS" / "run-9").exists()


def test_retry_from_a_plain_commit(place: Place) -> None:
    run = place.create()
    tip = commit_files(run.path, {"x": "1\n"})
    retry = place.create("run-2", start=tip)
    assert (retry.base_commit, retry.commit) == (run.base_commit, tip)
    assert worktrees.status(retry.path).clean


@pytest.mark.parametrize("mark", ["--skip-worktree", "--assume-unchanged"])
def test_changes_that_an_agent_hid_from_git_are_kept_and_committed_all_the_same(place: Place, mark: str) -> None:
    kept, committed = place.create("run-1"), place.create("run-2")
    for run in (kept, committed):
        user_git(run.path, "update-index", mark, "README", "src/app.py")
        write_file(run.path, "README", "hidden\n")
        (run.path / "src" / "app.py").unlink()
        assert porcelain(run.path) in ("", " D src/app.py")
    before = (kept.path / "README").stat().st_mtime_ns
    found = worktrees.salvage(place.repo, kept.path, "run-1", kept.base_commit)
    assert found is not None
    assert user_git(place.main, "show", f"{found.commit}:README") == "hidden"
    assert "app.py" not in user_git(place.main, "ls-tree", "-r", "--name-only", found.commit)
    assert (kept.path / "README").stat().st_mtime_ns == before
    commit = worktrees.commit_leftovers(committed.path, "work")
    assert commit is not None
    assert user_git(place.main, "show", f"{commit}:README") == "hidden"
    assert "app.py" not in user_git(place.main, "ls-tree", "-r", "--name-only", commit)


def test_what_a_sparse_checkout_leaves_out_is_not_taken_for_deleted(place: Place) -> None:
    run = place.create()
    user_git(run.path, "sparse-checkout", "set", "--no-cone", "README")
    assert not (run.path / "src").exists()
    write_file(run.path, "README", "changed\n")
    commit = worktrees.commit_leftovers(run.path, "work")
    assert commit is not None
    assert "src/app.py" in user_git(place.main, "ls-tree", "-r", "--name-only", commit).split("\n")
