"""Accepted commits, clean checkouts for gates, and stale index locks, with real git."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from harnessos import worktrees
from harnessos.errors import GitFailed, WorktreeProblem
from harnessos.testing.clock import FakeClock
from tests.support.repositories import Place, commit_files, place, quiet_git, running, user_git
from tests.support.waiting import eventually

__all__ = ["place", "quiet_git"]


def test_accepting_is_compare_and_set(place: Place) -> None:
    first = worktrees.resolve(place.repo, "main")
    second = commit_files(place.main, {"README": "2\n"})
    third = commit_files(place.main, {"README": "3\n"})
    assert worktrees.accept(place.repo, "DOCS-1", first, None)
    assert not worktrees.accept(place.repo, "DOCS-1", second, None)
    assert not worktrees.accept(place.repo, "DOCS-1", third, second)
    assert worktrees.accept(place.repo, "DOCS-1", second, first)
    assert worktrees.accept(place.repo, "DOCS-1", second, first), "a repeated call finds its own work"
    assert worktrees.accept(place.repo, "odd/..name", third, None)
    assert worktrees.accepted(place.repo) == {"DOCS-1": second, "odd/..name": third}


def test_only_one_of_many_accepts(place: Place) -> None:
    base = worktrees.resolve(place.repo, "main")
    commits = [commit_files(place.main, {"README": f"{number}\n"}) for number in range(8)]
    assert worktrees.accept(place.repo, "DOCS-1", base, None)
    won: list[str] = []

    def attempt(commit: str) -> None:
        if worktrees.accept(place.repo, "DOCS-1", commit, base):
            won.append(commit)

    threads = [threading.Thread(target=attempt, args=(commit,)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [worktrees.accepted(place.repo)["DOCS-1"]]


def test_an_unknown_commit_is_not_accepted(place: Place) -> None:
    with pytest.raises(GitFailed, match="object store"):
        worktrees.accept(place.repo, "DOCS-1", "1" * 40, None)


def test_a_clean_checkout_holds_exactly_the_commit(place: Place, tmp_path: Path) -> None:
    run = place.create()
    commit = commit_files(run.path, {"work": "1\n", ".gitignore": "cache\n"})
    (run.path / "work").write_text("changed later\n", encoding="utf-8")
    (run.path / "untracked").touch()
    (run.path / "cache").touch()
    checkout = worktrees.clean_checkout(place.repo, commit, tmp_path / "gates" / "run-1")
    assert checkout == (tmp_path / "gates" / "run-1", commit)
    assert sorted(entry.name for entry in checkout.path.iterdir()) == [".git", ".gitignore", "README", "src", "work"]
    assert user_git(checkout.path, "rev-parse", "HEAD") == commit
    assert worktrees.status(checkout.path) == ((None, commit), (), (), (), False)
    (checkout.path / "built").touch()
    worktrees.remove_checkout(place.repo, checkout)
    worktrees.remove_checkout(place.repo, checkout)
    assert not checkout.path.exists()
    assert len(worktrees.list_worktrees(place.repo)) == 2


def test_a_clean_checkout_lies_outside_of_repository_and_worktrees(place: Place) -> None:
    run = place.create()
    for wrong in (place.main / "x", place.repo.common / "x", run.path / "x", run.path):
        with pytest.raises(WorktreeProblem):
            worktrees.clean_checkout(place.repo, run.commit, wrong)
    with pytest.raises(WorktreeProblem, match="no clean checkout"):
        worktrees.remove_checkout(place.repo, worktrees.Checkout(run.path, run.commit))
    assert worktrees.status(run.path).clean


def test_a_checkout_that_fails_leaves_nothing(place: Place, tmp_path: Path) -> None:
    with pytest.raises(GitFailed):
        worktrees.clean_checkout(place.repo, "1" * 40, tmp_path / "gates" / "x")
    assert not (tmp_path / "gates" / "x").exists()
    assert len(worktrees.list_worktrees(place.repo)) == 1


def test_ignored_paths_are_copied_from_the_operators_checkout(place: Place, tmp_path: Path) -> None:
    commit = commit_files(place.main, {".gitignore": ".env\nnode_modules/\n"})
    (place.main / ".env").write_text("KEY=1\n", encoding="utf-8")
    (place.main / "node_modules" / "a").mkdir(parents=True)
    (place.main / "node_modules" / "a" / "index.js").touch()
    checkout = worktrees.clean_checkout(place.repo, commit, tmp_path / "gates" / "x")
    copied = worktrees.copy_paths(place.main, [".env", "node_modules/", "README"], checkout.path)
    assert sorted(copied) == [".env", "node_modules/a/index.js"]
    assert worktrees.copy_paths(place.main, [], checkout.path) == ()


def test_orphan_index_lock_reported_with_owner_and_age_and_removed_only_if_holder_dead(
    place: Place, clock: FakeClock
) -> None:
    run = place.create()
    assert worktrees.index_locks(place.repo, clock) == ()
    path = Path(user_git(run.path, "rev-parse", "--absolute-git-dir")) / "index.lock"
    path.touch()
    made = clock.now() - 90_000
    os.utime(path, ns=(made * 1_000_000, made * 1_000_000))
    (lock,) = worktrees.orphan_locks(place.repo, clock)
    assert (lock.path, lock.checkout, lock.age_ms, lock.uid) == (path, run.path, 90_000, os.getuid())

    with running("git", "cat-file", "--batch", cwd=run.path) as git:
        eventually(lambda: not worktrees.orphan_locks(place.repo, clock), what="the live git counts as holder")
        (held,) = worktrees.index_locks(place.repo, clock)
        assert git.pid in held.holders
        assert not worktrees.clear_orphan_lock(place.repo, held, clock)
        assert not worktrees.clear_orphan_lock(place.repo, lock, clock)
        assert path.exists()
    assert worktrees.clear_orphan_lock(place.repo, lock, clock)
    assert not path.exists()


def test_a_lock_somebody_has_open_is_held(place: Place, clock: FakeClock) -> None:
    path = place.repo.common / "index.lock"
    path.touch()
    with running("sh", "-c", f"exec 9<{path}; sleep 600", cwd=place.root.parent):
        eventually(lambda: not worktrees.orphan_locks(place.repo, clock), what="the holder has opened it")
    assert worktrees.orphan_locks(place.repo, clock)


def test_a_lock_made_anew_is_not_the_one_that_was_reported(place: Place, clock: FakeClock) -> None:
    path = place.repo.common / "index.lock"
    path.touch()
    (lock,) = worktrees.orphan_locks(place.repo, clock)
    path.unlink()
    (place.repo.common / "other").touch()
    path.touch()
    assert not worktrees.clear_orphan_lock(place.repo, lock, clock)
    assert path.exists()


def test_a_git_elsewhere_holds_nothing_here(place: Place, tmp_path: Path, clock: FakeClock) -> None:
    (place.repo.common / "index.lock").touch()
    user_git(tmp_path, "init", "--quiet", "elsewhere")
    with running("git", "hash-object", "--stdin", cwd=tmp_path / "elsewhere") as git:
        name = Path("/proc", str(git.pid), "comm")
        eventually(lambda: name.read_text(encoding="ascii") == "git\n", what="git runs")
        assert len(worktrees.orphan_locks(place.repo, clock)) == 1
