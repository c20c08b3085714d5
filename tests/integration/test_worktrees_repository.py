"""Opening a repository and looking at it, with real git."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from harnessos import worktrees
from harnessos.discovery import find_common_dir
from harnessos.errors import GitFailed, GitMissing, NoCommits, NotARepository
from harnessos.worktrees.git import git
from tests.support.python import run_python
from tests.support.repositories import Place, commit_files, make_repository, place, quiet_git, user_git

__all__ = ["place", "quiet_git"]

pytestmark = pytest.mark.usefixtures("quiet_git")

ODD_NAMES = ["line\nbreak", 'quo"te', "-dash", "grün-日本", "back\\slash", " space ", "tab\there", "*star"]


def test_a_repository_is_found_from_any_of_its_places(place: Place, tmp_path: Path) -> None:
    run = place.create()
    link = tmp_path / "link"
    link.symlink_to(place.main)
    for start in (place.main, place.main / "src", run.path, run.path / "src", link):
        assert worktrees.open_repository(start) == place.repo, start
    assert place.repo == (tmp_path / "project", tmp_path / "project" / ".git")


def test_a_submodule_is_a_repository_of_its_own(place: Place, tmp_path: Path) -> None:
    make_repository(tmp_path / "library")
    user_git(place.main, "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    repo = worktrees.open_repository(place.main / "lib")
    assert repo == (place.main / "lib", place.main / ".git" / "modules" / "lib")
    user_git(repo.root, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"))
    assert worktrees.open_repository(tmp_path / "other") == repo


def test_common_dir_without_git_agrees_with_git(place: Place, tmp_path: Path) -> None:
    run = place.create()
    make_repository(tmp_path / "library")
    user_git(place.main, "submodule", "--quiet", "add", str(tmp_path / "library"), "lib")
    (tmp_path / "link").symlink_to(place.main / "src")
    user_git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    user_git(tmp_path, "init", "--quiet", "--separate-git-dir", str(tmp_path / "apart.git"), "apart")
    (place.main / "src" / ".git").mkdir()
    places = [
        place.main,
        place.main / "src",
        place.main / ".git",
        place.main / ".git" / "refs",
        run.path,
        run.path / "src",
        tmp_path / "link",
        place.main / "lib",
        tmp_path / "bare.git",
        tmp_path / "apart",
    ]
    for start in places:
        said = (start / user_git(start, "rev-parse", "--git-common-dir")).resolve()
        assert find_common_dir(start) == said, start
    assert find_common_dir(place.main / "README") == place.repo.common
    assert find_common_dir(tmp_path) is None
    assert find_common_dir(tmp_path / "missing") is None


def test_a_git_file_that_leads_nowhere_is_no_repository(place: Place) -> None:
    (place.main / "src" / ".git").write_text("gitdir: /nowhere\n", encoding="utf-8")
    assert find_common_dir(place.main / "src") is None
    assert user_git(place.main / "src", "rev-parse", "--git-common-dir", check=False) == ""


def test_discovery_starts_no_process_and_is_light() -> None:
    answer = run_python(
        "-c", "import sys, harnessos.discovery; print({'subprocess', 'dataclasses', 'logging'} & set(sys.modules))"
    )
    assert answer.stdout.strip() == "set()", answer.stderr


def test_no_repository_is_refused(tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NotARepository) as refused:
            worktrees.open_repository(wrong)
        assert refused.value.facts["path"] == str(wrong)
        assert refused.value.hint


def test_a_bare_repository_is_refused(tmp_path: Path) -> None:
    user_git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    with pytest.raises(NotARepository, match="bare"):
        worktrees.open_repository(tmp_path / "bare.git")


def test_a_repository_without_commits_is_refused(tmp_path: Path) -> None:
    user_git(tmp_path, "init", "--quiet", "empty")
    with pytest.raises(NoCommits) as refused:
        worktrees.open_repository(tmp_path / "empty")
    assert refused.value.facts["path"] == str(tmp_path / "empty")
    assert "git commit" in refused.value.hint


def test_missing_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMissing):
        worktrees.open_repository(tmp_path)


def test_variables_that_point_git_elsewhere_have_no_say(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert worktrees.open_repository(place.main) == place.repo


def test_a_program_that_the_repository_s_configuration_names_finds_no_secret(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agents write that configuration; git starts the filter when the harness looks at or adds a file."""
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("HARNESS_STORE", "postgresql://me:hunter2@h/x")
    seen = tmp_path / "seen"
    filter_program = tmp_path / "filter"
    filter_program.write_text(f"#!/bin/sh\nenv > {seen}\ncat\n", encoding="utf-8")
    filter_program.chmod(0o755)
    user_git(place.main, "config", "filter.evil.clean", str(filter_program))
    (place.main / ".gitattributes").write_text("* filter=evil\n", encoding="utf-8")
    (place.main / "new").write_text("x\n", encoding="utf-8")
    git(place.main, "add", "--all", writes=True)
    found = seen.read_text(encoding="utf-8")
    assert "PATH=" in found, "the filter ran"
    assert "hunter2" not in found


def test_a_detached_head_has_no_branch(place: Place) -> None:
    start = user_git(place.main, "rev-parse", "HEAD")
    assert worktrees.head(place.repo) == ("main", start)
    user_git(place.main, "checkout", "--quiet", "--detach")
    assert worktrees.head(place.repo) == (None, start)
    assert worktrees.status(place.main).head == (None, start)


def test_commits_are_looked_up(place: Place) -> None:
    first = worktrees.resolve(place.repo, "main")
    second = commit_files(place.main, {"README": "two\n"})
    assert worktrees.root_commit(place.repo) == first
    assert worktrees.is_ancestor(place.repo, first, second)
    assert not worktrees.is_ancestor(place.repo, second, first)
    assert worktrees.has_commit(place.repo, second)
    assert not worktrees.has_commit(place.repo, "1" * 40)
    for wrong in ("nothing", "--all", "HEAD:README"):
        with pytest.raises(GitFailed):
            worktrees.resolve(place.repo, wrong)


def test_a_branch_wins_over_a_tag_of_the_same_name(place: Place) -> None:
    user_git(place.main, "tag", "main")
    second = commit_files(place.main, {"README": "two\n"})
    assert worktrees.resolve(place.repo, "main") == second


def test_status_tells_staged_unstaged_untracked_and_ignored(place: Place) -> None:
    assert worktrees.status(place.main).clean
    commit_files(place.main, {".gitignore": "cache/\n"})
    (place.main / "README").write_text("changed\n", encoding="utf-8")
    (place.main / "src" / "app.py").rename(place.main / "src" / "moved.py")
    user_git(place.main, "add", "src")
    (place.main / "cache").mkdir()
    (place.main / "cache" / "file").touch()
    for name in ODD_NAMES:
        (place.main / name).touch()
    state = worktrees.status(place.main)
    assert state.staged == ("src/app.py", "src/moved.py")
    assert state.unstaged == ("README",)
    assert sorted(state.untracked) == sorted(ODD_NAMES)
    assert state.ignored_present


def test_changes_between_commits_are_listed(place: Place) -> None:
    base = worktrees.resolve(place.repo, "main")
    (place.main / "README").unlink()
    commit = commit_files(place.main, {**dict.fromkeys(ODD_NAMES, "x\n"), "src/app.py": "print(2)\n"})
    found = {change.path: change.status for change in worktrees.changed_files(place.repo, base, commit)}
    assert found == {**dict.fromkeys(ODD_NAMES, "A"), "README": "D", "src/app.py": "M"}


def test_a_diff_is_cut_at_its_limit(place: Place) -> None:
    base = worktrees.resolve(place.repo, "main")
    commit = commit_files(place.main, {"big": "line\n" * 200_000, "a": "small\n"})
    whole = worktrees.diff(place.repo, base, commit, 10_000_000)
    assert whole.startswith(b"diff --git a/a b/a\n")
    assert len(whole) > 1_000_000
    assert worktrees.diff(place.repo, base, commit, 300) == whole[:300]


def test_added_conflict_markers_are_found(place: Place) -> None:
    old = "<<<<<<< old\n=======\n>>>>>>> old\n"
    base = commit_files(place.main, {"docs.md": old, "head.md": "x\n", "-odd\nname": "a\nb\n"})
    commit = commit_files(
        place.main,
        {
            "docs.md": old + "more\n=======\n",
            "head.md": "Title\n=======\n",
            "-odd\nname": "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n",
        },
    )
    assert worktrees.conflict_markers(place.repo, base, commit) == ("-odd\nname:2", "-odd\nname:4", "-odd\nname:6")


def test_status_polling_never_creates_index_lock(place: Place) -> None:
    """P22: watched by inotify while a stale stat cache tempts git to refresh the index."""
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    try:
        assert libc.inotify_add_watch(watch, os.fsencode(place.repo.common), 0x100 | 0x40 | 0x80) >= 0
        for second in range(20):
            os.utime(place.main / "README", (second, second))
            worktrees.status(place.main)
        assert not select.select([watch], [], [], 0)[0], "something was created in the git dir"
        os.utime(place.main / "README", (99, 99))
        user_git(place.main, "status")
        assert b"index.lock" in os.read(watch, 65536), "the watch would have seen it"
    finally:
        os.close(watch)
