"""Making worktrees, and what a run may find in them, with real git."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from harnessos import worktrees
from harnessos.errors import DiskLow, GitFailed, MergeConflict, Refused, WorktreeProblem
from harnessos.model.words import is_sayable
from harnessos.processes import EndedBy
from harnessos.worktrees import Merge, Repository
from tests.support.repositories import Place, commit_files, place, quiet_git, user_git

__all__ = ["place", "quiet_git"]


def _accepted(place: Place, issue: str, files: dict[str, str], onto: str = "main") -> Merge:
    """Make the commit of an issue done earlier, on no branch."""
    checkout = place.root.parent / f"work-{issue}"
    user_git(place.main, "worktree", "add", "--quiet", "--detach", str(checkout), onto)
    commit = commit_files(checkout, files, issue)
    user_git(place.main, "worktree", "remove", "--force", str(checkout))
    assert worktrees.accept(place.repo, issue, commit, None)
    return Merge(issue, commit)


def _traces(place: Place) -> tuple[str, str, list[Path]]:
    return place.refs(), user_git(place.main, "worktree", "list"), sorted(place.root.rglob("*"))


def test_worktree_name_contains_run_id_and_is_never_reused(place: Place) -> None:
    first = place.create("run-1")
    assert first.path == place.root / "DOCS" / "run-1"
    assert first.branch == "harness/DOCS-1/run-1"
    assert worktrees.head_of(first.path) == (first.branch, first.base_commit)
    assert first.commit == first.base_commit == worktrees.resolve(place.repo, "main")
    second = place.create("run-2")
    assert (second.path, second.branch) != (first.path, first.branch)


def test_a_folder_in_the_way_is_never_taken(place: Place) -> None:
    taken = place.root / "DOCS" / "run-1"
    taken.mkdir(parents=True)
    (taken / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(WorktreeProblem, match="no worktree"):
        place.create("run-1")
    assert (taken / "file").read_text(encoding="utf-8") == "mine"


def test_a_file_in_the_way_is_never_taken(place: Place) -> None:
    """SYM-9.2-02."""
    (place.root / "DOCS").mkdir(parents=True)
    (place.root / "DOCS" / "run-1").write_text("mine", encoding="utf-8")
    os.mkfifo(place.root / "DOCS" / "run-2")
    for run_id in ("run-1", "run-2"):
        with pytest.raises(WorktreeProblem, match="no worktree"):
            place.create(run_id)
    assert (place.root / "DOCS" / "run-1").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("inside", [".", "worktrees", ".git/worktrees"])
def test_a_root_inside_the_repository_is_refused(place: Place, tmp_path: Path, inside: str) -> None:
    before = _traces(place)
    link = tmp_path / "link"
    link.symlink_to(place.main / inside)
    for root in (place.main / inside, link):
        with pytest.raises(WorktreeProblem, match="inside the repository"):
            Place(place.repo, root).create()
    assert _traces(place) == before


def test_a_key_that_links_out_of_the_root_is_refused(place: Place, tmp_path: Path) -> None:
    """SYM-9.5-02."""
    (tmp_path / "elsewhere").mkdir()
    place.root.mkdir()
    (place.root / "DOCS").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        place.create()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "../x", "/etc", "a b", "ä/ö", "x.lock", "-rf"])
def test_any_identifier_makes_a_safe_place(place: Place, name: str) -> None:
    made = worktrees.create(
        place.repo, root=place.root, key=name, run_id=name, issue=name, target="main", merges=(), floor=0
    )
    assert place.root in made.path.parents
    assert len(made.path.relative_to(place.root).parts) == 2
    assert worktrees.head_of(made.path).branch == made.branch


def test_disk_floor_blocks_new_worktree_with_reason(place: Place) -> None:
    before = place.refs()
    with pytest.raises(DiskLow) as low:
        worktrees.create(
            place.repo, root=place.root, key="D", run_id="r", issue="i", target="main", merges=(), floor=1 << 60
        )
    assert low.value.facts["floor"] == 1 << 60
    assert low.value.facts["free"] == pytest.approx(os.statvfs(place.main).f_bavail * 4096, rel=0.5)
    assert "GB are free" in str(low.value)
    assert place.refs() == before


def test_main_checkout_head_and_tree_unchanged_by_run(place: Place) -> None:
    (place.main / "README").write_text("my own unfinished change\n", encoding="utf-8")
    (place.main / "note").write_text("untracked\n", encoding="utf-8")
    kept = ["HEAD", "index", "config", "refs/heads/main"]
    before = {name: (place.repo.common / name).read_bytes() for name in kept}
    files = {path: path.read_bytes() for path in place.main.rglob("*") if path.is_file() and ".git" not in path.parts}
    merge = _accepted(place, "DOCS-0", {"zero": "0\n"})
    run = place.create(merges=(merge,))
    (run.path / "new").write_text("x\n", encoding="utf-8")
    assert worktrees.commit_leftovers(run.path, "work")
    (run.path / "more").write_text("x\n", encoding="utf-8")
    worktrees.salvage(place.repo, run.path, "run-1", run.base_commit)
    worktrees.remove(place.repo, run.path, run.branch, salvaged=True)
    assert {name: (place.repo.common / name).read_bytes() for name in kept} == before
    assert {p: p.read_bytes() for p in place.main.rglob("*") if p.is_file() and ".git" not in p.parts} == files


def test_a_dirty_main_checkout_is_not_in_the_base(place: Place) -> None:
    (place.main / "README").write_text("unfinished\n", encoding="utf-8")
    assert (place.create().path / "README").read_text(encoding="utf-8") == "one\n"


def test_a_detached_main_checkout_works(place: Place) -> None:
    user_git(place.main, "checkout", "--quiet", "--detach")
    assert place.create().base_commit == worktrees.resolve(place.repo, "main")


def test_the_base_holds_the_accepted_commits_of_what_it_builds_on(place: Place) -> None:
    one = _accepted(place, "DOCS-1", {"one": "1\n"})
    two = _accepted(place, "DOCS-2", {"two": "2\n"})
    run = place.create(issue="DOCS-3", merges=(one, two))
    assert (run.path / "one").exists()
    assert (run.path / "two").exists()
    assert worktrees.status(run.path).clean
    for merge in (one, two):
        assert worktrees.is_ancestor(place.repo, merge.commit, run.base_commit)
    assert "HarnessOS <harness@localhost>" in user_git(run.path, "log", "-1", "--format=%an <%ae>")


def test_heads_contained_in_another_or_already_there_are_not_merged(place: Place) -> None:
    one = _accepted(place, "DOCS-1", {"one": "1\n"})
    two = _accepted(place, "DOCS-2", {"two": "2\n"}, onto=one.commit)
    there = Merge("DOCS-0", worktrees.resolve(place.repo, "main"))
    tip = commit_files(place.main, {"README": "moved\n"})
    run = place.create(issue="DOCS-3", merges=(there, one, two, two))
    assert user_git(run.path, "rev-parse", "HEAD^@").split("\n") == [tip, two.commit]
    assert (
        worktrees.create(
            place.repo,
            root=place.root,
            key="D",
            run_id="run-4",
            issue="I",
            target=two.commit,
            merges=(one, two),
            floor=0,
        ).base_commit
        == two.commit
    )


def test_a_conflict_leaves_nothing_behind(place: Place) -> None:
    one = _accepted(place, "DOCS-1", {"README": "first\n", "fine": "x\n"})
    two = _accepted(place, "DOCS-2", {"README": "second\n"})
    place.create("run-0")
    before = _traces(place)
    with pytest.raises(MergeConflict) as conflict:
        place.create(issue="DOCS-3", merges=(one, two))
    assert conflict.value.facts == {"issue": "DOCS-2", "files": ["README"]}
    assert _traces(place) == before


def test_a_conflict_in_a_file_whose_name_is_no_utf8_can_be_recorded(place: Place) -> None:
    one = _accepted(place, "DOCS-1", {"x\udcff": "first\n"})
    two = _accepted(place, "DOCS-2", {"x\udcff": "second\n"})
    with pytest.raises(MergeConflict) as conflict:
        place.create(issue="DOCS-3", merges=(one, two))
    assert conflict.value.facts["files"] == ["x\\udcff"]
    assert is_sayable(conflict.value.message)


@pytest.mark.parametrize("branch", ["harness", "harness/DOCS-1"])
def test_a_branch_in_the_way_is_named(place: Place, branch: str) -> None:
    user_git(place.main, "branch", branch)
    with pytest.raises(WorktreeProblem, match=f"branch named {branch} is in the way") as refused:
        place.create()
    assert f"git branch -m {branch}" in refused.value.hint
    assert list(place.root.rglob("run-1*")) == []


def test_an_unknown_commit_is_refused_before_anything_is_made(place: Place) -> None:
    before = place.refs()
    with pytest.raises(GitFailed, match="DOCS-9"):
        place.create(merges=(Merge("DOCS-9", "9" * 40),))
    with pytest.raises(GitFailed, match="nowhere"):
        place.create(target="nowhere")
    assert place.refs() == before
    assert not place.root.exists()


def test_users_hooks_do_not_run_in_harness_commits_and_merges(place: Place, tmp_path: Path) -> None:
    for hook in ("pre-commit", "commit-msg", "post-checkout", "pre-merge-commit", "post-merge", "post-commit"):
        script = place.repo.common / "hooks" / hook
        script.write_text(f"#!/bin/sh\necho {hook} >>{tmp_path}/ran\nexit 1\n", encoding="utf-8")
        script.chmod(0o755)
    commits = [user_git(place.main, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", name) for name in "AB"]
    merges = tuple(Merge(commit, commit) for commit in commits)
    run = place.create(merges=merges)
    (run.path / "new").touch()
    assert worktrees.commit_leftovers(run.path, "work")
    assert not (tmp_path / "ran").exists()


def test_users_settings_do_not_break_harness_commits(place: Place) -> None:
    for name, value in {
        "commit.gpgSign": "true",
        "merge.ff": "only",
        "core.hooksPath": "/nowhere",
        "status.showUntrackedFiles": "no",
        "core.quotePath": "true",
        "color.ui": "always",
        "commit.template": "/nowhere",
        "user.useConfigOnly": "true",
    }.items():
        user_git(place.main, "config", name, value)
    branches = [user_git(place.main, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", name) for name in "AB"]
    run = place.create(merges=tuple(Merge(commit, commit) for commit in branches))
    (run.path / "grün").touch()
    assert worktrees.status(run.path).untracked == ("grün",)
    assert worktrees.commit_leftovers(run.path, "work")


def test_a_configured_person_signs(place: Place) -> None:
    user_git(place.main, "config", "user.name", "Ada")
    user_git(place.main, "config", "user.email", "ada@example.org")
    run = place.create()
    (run.path / "new").touch()
    worktrees.commit_leftovers(run.path, "work")
    assert user_git(run.path, "log", "-1", "--format=%an <%ae>") == "Ada <ada@example.org>"


def test_a_half_made_worktree_of_the_same_run_is_made_anew(place: Place) -> None:
    run = place.create()
    mark = Path(user_git(run.path, "rev-parse", "--absolute-git-dir")) / "harness-base"
    mark.unlink()
    user_git(place.main, "worktree", "lock", "--reason", "initializing", str(run.path))
    (run.path / "README").unlink()
    assert place.create() == run
    assert worktrees.status(run.path).clean
    assert worktrees.list_salvage(place.repo) == ()


def test_a_whole_worktree_of_the_same_run_is_salvaged_before_it_is_made_anew(place: Place) -> None:
    run = place.create()
    (run.path / "work").write_text("precious\n", encoding="utf-8")
    place.create()
    (kept,) = worktrees.list_salvage(place.repo)
    assert user_git(place.main, "show", f"{kept.commit}:work") == "precious"


def test_work_is_kept_although_git_file_or_folder_of_the_same_run_are_gone(place: Place) -> None:
    for run_id in ("run-1", "run-2", "run-3"):
        run = place.create(run_id)
        commit_files(run.path, {"work": "precious\n"})
        (run.path / ".git").unlink()
        if run_id != "run-1":
            shutil.rmtree(run.path)
        if run_id == "run-3":
            user_git(place.main, "worktree", "prune")
        place.create(run_id)
        kept = worktrees.find_salvage(place.repo, run_id)
        assert kept is not None
        assert user_git(place.main, "show", f"{kept.commit}:work") == "precious"


def test_a_branch_left_alone_of_the_same_run_is_made_anew(place: Place) -> None:
    user_git(place.main, "branch", "harness/DOCS-1/run-1")
    user_git(place.main, "branch", "harness/DOCS-1/run-2")
    commit = commit_files(place.main, {"README": "two\n"})
    assert place.create().commit == commit
    assert "harness/DOCS-1/run-2" in place.refs()


def _make_many(repo: Repository, root: Path, number: int) -> str:
    made = worktrees.create(
        repo, root=root, key="DOCS", run_id=f"run-{number}", issue=f"DOCS-{number}", target="main", merges=(), floor=0
    )
    (made.path / f"file-{number}").touch()
    commit = worktrees.commit_leftovers(made.path, f"work {number}")
    worktrees.salvage(repo, made.path, f"run-{number}", made.base_commit)
    if number % 2:
        worktrees.remove(repo, made.path, made.branch, salvaged=True)
    return commit or ""


def test_32_parallel_worktree_adds_succeed(place: Place) -> None:
    with ProcessPoolExecutor(32, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_make_many, place.repo, place.root, number) for number in range(32)]
        commits = {job.result(timeout=100) for job in jobs}
    assert len(commits - {""}) == 32
    listed = {entry.branch for entry in worktrees.list_worktrees(place.repo)}
    assert listed == {"main"} | {f"harness/DOCS-{number}/run-{number}" for number in range(0, 32, 2)}
    assert len(worktrees.list_salvage(place.repo)) == 32
    user_git(place.main, "fsck", "--strict")


def test_includes_are_copied_only_when_ignored_and_never_over_others(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("outside\n", encoding="utf-8")
    commit_files(
        place.main,
        {
            ".gitignore": ".env*\nconfig/local*\ncache/\nlink*\nnested/\n",
            ".worktreeinclude": "# local settings\n.env*\n!.env.skip\nconfig/local.*\ncache/\nlink*\nREADME\nplain\nnested/\n",
        },
    )
    for name, content in {
        ".env": "KEY=1\n",
        ".env.skip": "no\n",
        "config/local.toml": "x\n",
        "cache/deep/file": "c\n",
        "plain": "untracked but not ignored\n",
        "link-target.txt": "t\n",
        "nested/file": "n\n",
        "-odd\nname/.env": "odd\n",
    }.items():
        (place.main / name).parent.mkdir(parents=True, exist_ok=True)
        (place.main / name).write_text(content, encoding="utf-8")
    (place.main / ".env").chmod(0o600)
    (place.main / "link-in").symlink_to("link-target.txt")
    (place.main / "link-out").symlink_to("../secret")
    (place.main / "link-absolute").symlink_to(place.main / ".env")
    user_git(place.main / "nested", "init", "--quiet")
    run = place.create()
    (run.path / "config").mkdir()
    (run.path / "config" / "local.toml").write_text("theirs\n", encoding="utf-8")
    copied = worktrees.copy_includes(place.repo, run.path)
    assert sorted(copied) == ["-odd\nname/.env", ".env", "cache/deep/file", "link-in", "link-target.txt"]
    assert (run.path / "config" / "local.toml").read_text(encoding="utf-8") == "theirs\n"
    assert (run.path / ".env").stat().st_mode & 0o777 == 0o600
    assert (run.path / "link-in").readlink() == Path("link-target.txt")
    assert worktrees.status(run.path).clean


def test_includes_do_not_leave_the_worktree_by_a_committed_link(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (place.main / "data").symlink_to(tmp_path / "elsewhere")
    commit_files(place.main, {".gitignore": ".env\n", ".worktreeinclude": ".env\n"})
    run = place.create()
    (place.main / "data").unlink()
    (place.main / "data").mkdir()
    (place.main / "data" / ".env").touch()
    assert worktrees.copy_includes(place.repo, run.path) == ()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_an_include_file_nothing_is_copied(place: Place) -> None:
    assert worktrees.copy_includes(place.repo, place.create().path) == ()


def test_a_hook_runs_in_the_worktree_with_exactly_its_environment(place: Place, tmp_path: Path) -> None:
    """SYM-9.4-01."""
    run = place.create()
    env = {"PATH": os.environ["PATH"], "WORD": "given", "GIT_DIR": "/nowhere"}
    log = tmp_path / "hook.log"
    done = worktrees.run_hook('pwd -P; echo "$WORD$GIT_DIR"; exit 3', worktree=run.path, env=env, timeout_s=20, log=log)
    assert done.exit_code == 3
    assert log.read_text(encoding="utf-8") == f"{run.path}\ngiven\n"


def test_a_hook_that_takes_too_long_is_ended_with_its_children(place: Place, tmp_path: Path) -> None:
    run = place.create()
    script = f"sleep 600 & echo $! >{tmp_path}/pid; sleep 600"
    env = {"PATH": os.environ["PATH"]}
    done = worktrees.run_hook(script, worktree=run.path, env=env, timeout_s=1, log=tmp_path / "log")
    assert done.ended_by is EndedBy.TIMEOUT
    assert worktrees.holders_of(run.path) == ()
    assert not Path("/proc", (tmp_path / "pid").read_text(encoding="utf-8").strip(), "cwd").exists()


def test_a_hook_without_its_worktree_does_not_run(place: Place, tmp_path: Path) -> None:
    with pytest.raises(WorktreeProblem, match="not there"):
        worktrees.run_hook("true", worktree=tmp_path / "gone", env={}, timeout_s=5, log=tmp_path / "log")
