"""The clean checkout: what a setup makes in it, what of that is kept for the next, and what a gate leaves to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from harnessos.dispatch.checkouts import CleanCheckout, _put
from harnessos.dispatch.place import find
from tests.support.repositories import commit_files, files_of, user_git, write_file
from tests.support.supervised import KEY, WORK, Site, issue, site

__all__ = ["site"]

ONE_BY_ONE = {"agent": {"max_concurrent_agents": 1}}


def clean(site: Site, commit: str) -> CleanCheckout:
    """A checkout for a run the ledger does not know, and so without a base."""
    ledger = site.ledger
    place = find(ledger.ground, ledger.project(KEY))
    return CleanCheckout(ledger.ground, place, "run-x", commit, site.environ, site.folder / "setup.log", lambda: False)


def caches(site: Site) -> list[Path]:
    """What is kept of setups."""
    return [kept for kept in site.home.glob(f"cache/{KEY}/*") if kept.is_dir()]


def test_what_the_setup_of_a_rejected_commit_made_is_never_used_for_another(site: Site) -> None:
    """Else one agent's edit of a setup script decides what the others are judged with."""
    commit_files(site.root, {"setup.sh": "mkdir ignored; echo exit 1 > ignored/tool\n"})
    forged, honest = site.plan(issue("forge"), issue("work"))
    site.workflow(
        f'if [ $HARNESS_ISSUE = {KEY}-1 ]; then echo "mkdir ignored; echo exit 0 > ignored/tool" > setup.sh; fi; {WORK}',
        gates=[
            {"name": "tool", "kind": "command", "shell": "sh ignored/tool"},
            {"name": "scope", "kind": "diff", "allowed": ["*.txt"]},
        ],
        checkout={"setup": ["sh setup.sh"]},
        front=ONE_BY_ONE,
        max_rejections=1,
        budget={"attempts": 1},
    )
    site.up()
    assert site.standing(forged, honest) == [("failed", None)] * 2
    assert {row["passed"] for row in site.evidence(site.run(honest)) if row["gate"] == "tool"} == {0}


def test_a_commit_with_another_lock_file_is_set_up_itself_and_nothing_of_that_is_kept(site: Site) -> None:
    base = commit_files(site.root, {"lock": "one\n"})
    locked, second, third = site.plan(issue("lock"), issue("second"), issue("third"))
    count = site.folder / "setups"
    site.workflow(
        f"if [ $HARNESS_ISSUE = {KEY}-1 ]; then echo two > lock; fi; {WORK}",
        gates=[{"name": "same", "kind": "command", "shell": "cmp loc* ignored/lock"}],
        checkout={
            "setup": [f"echo $HARNESS_SUBJECT $(cat lock) >> {count}; mkdir ignored; cp lock ignored/"],
            "cache_key": ["lock", "absent"],
        },
        front=ONE_BY_ONE,
    )
    assert site.up().code == 0
    assert site.standing(locked, second, third) == [("done", None)] * 3
    lines = count.read_text(encoding="utf-8").splitlines()
    assert lines == [f"{site.run(locked)['commit_id']} two", f"{base} one"]
    (kept,) = caches(site)
    assert (kept / "ignored" / "lock").read_text(encoding="utf-8") == "one\n"


def test_a_lock_file_that_is_a_link_counts_with_what_it_points_to(site: Site) -> None:
    (site.root / "lock").symlink_to("deps/lock")
    commit_files(site.root, {"deps/lock": "one\n"})
    (one,) = site.plan(issue("lock"))
    site.workflow(
        f"echo two > deps/lock; {WORK}",
        gates=[{"name": "same", "kind": "command", "argv": ["cmp", "lock", "ignored/lock"]}],
        checkout={"setup": ["mkdir ignored; cp lock ignored/"], "cache_key": ["lock"]},
    )
    assert site.up().code == 0
    assert site.standing(one) == [("done", None)]


def test_a_lock_file_that_git_ignores_counts_with_what_is_included(site: Site) -> None:
    one, two = site.plan(issue("a"), issue("b"))
    (site.root / "ignored").mkdir()
    (site.root / "ignored" / "lock").write_text("one\n", encoding="utf-8")
    site.workflow(
        f"echo $HARNESS_ISSUE > {site.root}/ignored/lock; {WORK}",
        gates=[{"name": "same", "kind": "command", "shell": "cmp ignored/lock ignored/copy"}],
        checkout={
            "setup": [f"echo x >> {site.folder}/setups; cp ignored/lock ignored/copy"],
            "cache_key": ["ignored/lock"],
            "include": ["ignored/lock"],
        },
        front=ONE_BY_ONE,
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2
    assert (site.folder / "setups").read_text(encoding="utf-8") == "x\nx\n"


def test_a_setup_that_fails_at_the_base_runs_at_the_commit_in_a_checkout_as_new(site: Site) -> None:
    (one,) = site.plan(issue("the first source"))
    site.workflow(
        WORK,
        gates=[
            {
                "name": "new",
                "kind": "command",
                "shell": "test -e ignored/made && test ! -e ignored/half && test ! -e half",
            }
        ],
        checkout={
            "setup": [
                "mkdir ignored; if test -e *-1.txt; then touch ignored/made; else touch ignored/half half; false; fi"
            ]
        },
    )
    assert site.up().code == 0
    assert site.standing(one) == [("done", None)]
    assert caches(site) == []


def test_without_a_known_base_the_setup_runs_at_the_commit_and_nothing_is_kept(site: Site) -> None:
    site.workflow(WORK, checkout={"setup": ["mkdir ignored; echo $HARNESS_SUBJECT > ignored/at"]})
    head = site.git("rev-parse", "HEAD")
    with clean(site, head) as checkout:
        assert (checkout.path / "ignored" / "at").is_file()
    assert caches(site) == []


def test_what_is_kept_goes_neither_through_a_link_nor_over_a_tracked_file(site: Site) -> None:
    """The first verification fills the cache and moves on to the commit, the second copies; both must hold."""
    outside = site.folder / "outside"
    outside.mkdir()
    one, two = site.plan(issue("a"), issue("b"))
    site.workflow(
        f"mkdir deep; ln -s {outside} out; ln -s {outside} deep/inner; ln -s {outside}/file one; echo new > gen; {WORK}",
        gates=[
            {"name": "new", "kind": "command", "shell": "test $(cat gen) = new && test -e deep/beside && test -h out"}
        ],
        checkout={
            "setup": [
                "mkdir -p out deep/inner; for f in out/lib deep/inner/lib deep/beside one gen; do echo old > $f; done"
            ]
        },
        front=ONE_BY_ONE,
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2
    assert list(outside.iterdir()) == []
    assert len(caches(site)) == 1


def test_copying_follows_no_link_in_the_target_and_leaves_what_is_tracked(tmp_path: Path) -> None:
    kept, into, outside = tmp_path / "kept", tmp_path / "into", tmp_path / "outside"
    for name in ("top/lib", "deep/inner/lib", "deep/file", "deep/own", "deep/taken"):
        write_file(kept, name, "kept\n")
    write_file(into, "deep/own", "own\n")
    write_file(into, "deep/taken", "included\n")
    write_file(outside, "file", "outside\n")
    (into / "top").symlink_to(outside)
    (into / "deep" / "inner").symlink_to(outside)
    (into / "deep" / "file").symlink_to(outside / "file")
    for name in ("top", "deep"):
        _put(kept / name, into, name, {"deep/own"})
    assert files_of(outside) == {"file": b"outside\n"}
    assert (into / "top").is_symlink()
    assert files_of(into / "deep") == {"own": b"own\n", "taken": b"kept\n", "file": b"kept\n"}


def test_a_folder_of_the_commit_stands_where_the_setup_made_a_link(site: Site) -> None:
    outside = site.folder / "outside"
    outside.mkdir()
    one, two = site.plan(issue("a"), issue("b"))
    site.workflow(
        f"mkdir out; touch out/own; {WORK}",
        gates=[{"name": "own", "kind": "command", "shell": "test -f out/own && test ! -h out"}],
        checkout={"setup": [f"ln -s {outside} out"]},
        front=ONE_BY_ONE,
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2
    assert list(outside.iterdir()) == []


def test_empty_folders_are_kept_and_pipes_are_not(site: Site) -> None:
    one, two = site.plan(issue("a"), issue("b"))
    site.workflow(
        WORK,
        gates=[{"name": "into", "kind": "command", "shell": "touch build/out ignored/deep/out"}],
        checkout={"setup": ["mkdir -p build ignored/deep; mkfifo ignored/pipe"]},
        front=ONE_BY_ONE,
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2


def test_what_setup_made_is_there_for_every_gate_and_what_a_gate_made_for_none_after_it(site: Site) -> None:
    """Names are taken as they are, also those that mean something in a pattern."""
    one, two = site.plan(issue("a"), issue("b"))
    made = ["tool/run", "a*b", "c[d]", "e?", "back\\slash", "!bang", "#hash", " space ", "src/gen"]
    strange = ["axb", "cd", "ef", "sub/tool", "src/other"]
    setup = "mkdir tool; touch " + " ".join(f"'{name}'" for name in made)
    there = " && ".join(f"test -e '{name}'" for name in made)
    gone = " && ".join(f"test ! -e '{name}'" for name in strange)
    shell = f"{there} && {gone} && mkdir sub && touch {' '.join(strange)}"
    commit_files(site.root, {"src/app": "x\n"})
    site.workflow(
        WORK,
        gates=[{"name": name, "kind": "command", "shell": shell} for name in ("first", "second")],
        checkout={"setup": [setup]},
        front=ONE_BY_ONE,
        max_rejections=1,
        budget={"attempts": 1},
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2


def test_tracked_files_that_setup_changed_are_the_commits_again_before_any_gate(site: Site) -> None:
    one, two = site.plan(issue("a"), issue("b"))
    site.workflow(
        f"echo changed > lock; {WORK}",
        gates=[{"name": "own", "kind": "command", "shell": "test $(cat README) = one && test $(cat lock) = changed"}],
        checkout={"setup": ["echo changed >> README; git update-index --skip-worktree README"], "cache_key": ["lock"]},
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2


@pytest.mark.parametrize("mark", ["--skip-worktree", "--assume-unchanged"])
@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("looked", [False, True])
def test_a_gate_cannot_hide_a_changed_file_from_the_next(site: Site, mark: str, gone: bool, looked: bool) -> None:
    """Looking shows it, and putting back undoes it without a look."""
    head = commit_files(site.root, {"check.sh": "exit 1\n", "other": "x\n"})
    with clean(site, head) as checkout:
        assert checkout.state() == "clean"
        check, other = checkout.path / "check.sh", checkout.path / "other"
        written = other.stat().st_mtime_ns
        user_git(checkout.path, "update-index", mark, "check.sh")
        check.unlink() if gone else check.write_text("exit 0\n", encoding="utf-8")
        assert user_git(checkout.path, "status", "--porcelain") == ""
        if looked:
            assert checkout.state() == "tracked files were changed"
        checkout.reset()
        assert check.read_text(encoding="utf-8") == "exit 1\n"
        assert user_git(checkout.path, "ls-files", "-v", "check.sh") == "H check.sh"
        assert checkout.state() == "clean"
        assert other.stat().st_mtime_ns == written, "make would build again"


def test_files_a_sparse_checkout_leaves_out_are_not_taken_for_changed(site: Site) -> None:
    head = commit_files(site.root, {"in/a": "x\n", "out/b": "x\n"})
    with clean(site, head) as checkout:
        user_git(checkout.path, "sparse-checkout", "set", "in")
        for _ in range(2):
            assert not (checkout.path / "out").exists()
            assert checkout.state() == "clean"
            checkout.reset()


def test_a_branch_a_gate_stood_on_stays_where_it_is(site: Site) -> None:
    first = site.git("rev-parse", "HEAD")
    write_file(site.root, "ignored/other", "x\n")
    site.git("add", "--force", "ignored/other")
    head = commit_files(site.root, {})
    with clean(site, first) as checkout:
        user_git(checkout.path, "checkout", "--quiet", "-B", "gates", head)
        assert checkout.state() == f"HEAD is {head[:12]}"
        checkout.reset()
        assert checkout.state() == "clean"
        assert not (checkout.path / "ignored").exists()
    assert site.git("rev-parse", "gates") == head
