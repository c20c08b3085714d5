"""The pure parts of the worktrees room."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.worktrees.changes import marker_lines, parse_status
from harnessos.worktrees.listing import parse
from harnessos.worktrees.naming import branch_name, from_ref_part, ref_part
from harnessos.worktrees.retention import Entry, plan_gc
from tests.support.repositories import git_accepts_branch


def _entry(
    run: str, *, size: int = 10, accepted: bool = True, salvaged: bool = True, live: bool = False, ended: int | None = 0
) -> Entry:
    return Entry(run, Path(f"/worktrees/{run}"), size, accepted, salvaged, live, ended)


def test_gc_meets_size_cap_by_oldest_merged_first() -> None:
    entries = [
        _entry("young", ended=30),
        _entry("old-salvaged", accepted=False, ended=1),
        _entry("old", ended=10),
        _entry("middle", ended=20),
    ]
    assert [removal.entry.run for removal in plan_gc(entries, cap=20)] == ["old", "middle"]
    assert [removal.entry.run for removal in plan_gc(entries, cap=0)] == ["old", "middle", "young", "old-salvaged"]


def test_gc_removes_nothing_under_the_cap() -> None:
    assert plan_gc([_entry("a"), _entry("b")], cap=20) == []


def test_gc_never_takes_live_or_unkept_work_even_over_the_cap() -> None:
    entries = [_entry("live", live=True), _entry("unkept", accepted=False, salvaged=False)]
    assert plan_gc(entries, cap=0) == []


def test_gc_says_why() -> None:
    (removal,) = plan_gc([_entry("a", size=3 * 1024**3)], cap=1024**3)
    assert removal.reason == "accepted; 3.0 GB of worktrees are over the cap of 1.0 GB"


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()))
def test_ref_parts_can_be_read_back(name: str) -> None:
    assert from_ref_part(ref_part(name)) == name


@pytest.mark.parametrize(
    "name", ["..", ".x", "x.", "a..b", "a.lock", "A.LOCK", "a/b", "-x", "@{", "a b", "ä~^:?*[\\", "x\n"]
)
def test_any_issue_makes_a_branch_name_that_git_accepts(name: str) -> None:
    branch = branch_name(name, "run-1")
    assert branch.count("/") == 2
    assert git_accepts_branch(branch)


def test_plain_names_stay_as_they_are() -> None:
    assert branch_name("DOCS-12", "run-01j9") == "harness/DOCS-12/run-01j9"


def test_status_of_every_kind_is_read() -> None:
    oid = "a" * 40
    output = b"\0".join(
        [
            b"# branch.oid " + oid.encode(),
            b"# branch.head (detached)",
            f"1 A. N... 000000 100644 100644 {oid} {oid} new file".encode(),
            f"1 .M N... 100644 100644 100644 {oid} {oid} changed\nname".encode(),
            f"u UU N... 100644 100644 100644 100644 {oid} {oid} {oid} torn".encode(),
            b"? -dash",
            b"! cache/",
            b"",
        ]
    )
    state = parse_status(output)
    assert state.head == (None, oid)
    assert state.staged == ("new file",)
    assert state.unstaged == ("changed\nname", "torn")
    assert state.untracked == ("-dash",)
    assert state.ignored_present
    assert not state.clean


def test_worktree_listing_is_read() -> None:
    first, second = parse(
        b"worktree /a b\0HEAD 1\0branch refs/heads/main\0\0worktree /c\0HEAD 2\0detached\0locked why\0prunable gone\0\0"
    )
    assert first == (Path("/a b"), "1", "main", False, False)
    assert second == (Path("/c"), "2", None, True, True)


def test_only_added_marker_lines_count() -> None:
    patch = b"--- a/x\n+++ b/x\n@@ -3 +3,4 @@\n-<<<<<<< old\n+<<<<<<< HEAD\n+++++++ plus\n+=======\r\n+<<<<<<<< eight\n"
    assert [number for number, _ in marker_lines(patch)] == [3, 5]
