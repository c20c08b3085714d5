"""The pure parts of the isolation room: levels, views, verdicts, blacking out, copying, structural checks."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.errors import BadContent
from harnessos.isolation import Level, Limits, best_of
from harnessos.isolation.copying import NOWHERE, copy_workspace
from harnessos.isolation.inside.program import reason
from harnessos.isolation.inside.structural import judged
from harnessos.isolation.redaction import BLACK, known_secrets, redacted
from harnessos.isolation.verdicts import Story, judge, line, story_of
from harnessos.isolation.view import bubblewrap_arguments, view_of

# Levels


def test_levels_are_compared_best_first() -> None:
    assert Level.FULL.reaches(Level.LIMITS)
    assert Level.NAMESPACES.reaches(Level.NAMESPACES)
    assert not Level.LIMITS.reaches(Level.NAMESPACES)


def test_the_best_level_at_or_above_the_minimum_is_taken() -> None:
    assert best_of([Level.LIMITS, Level.NAMESPACES], Level.LIMITS) is Level.NAMESPACES
    assert best_of([Level.LIMITS], Level.NAMESPACES) is None
    assert best_of([], Level.LIMITS) is None


# Views


def test_the_workspace_keeps_its_path_and_what_is_hidden_in_it_is_covered(tmp_path: Path) -> None:
    work = tmp_path / "w"
    (work / ".harness").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    view = view_of(str(work), str(tmp_path / "p"), [], [str(work / ".harness"), str(tmp_path / "home")])
    assert (str(work), str(work)) in view.shown
    assert view.hidden == [str(work / ".harness")]  # the other one is not shown at all


def test_a_hidden_folder_that_is_a_link_is_covered_where_it_leads(tmp_path: Path) -> None:
    work = tmp_path / "w"
    (work / "state").mkdir(parents=True)
    (work / ".harness").symlink_to("state")
    assert view_of(str(work), "/p", [], [str(work / ".harness")]).hidden == [str(work / "state")]


def test_no_tree_is_shown_twice_and_nothing_of_the_rest_of_the_machine(tmp_path: Path) -> None:
    view = view_of(str(tmp_path), "/p", ["/usr/local", "/usr/local"], [])
    sources = [source for source, _ in view.shown]
    assert "/usr/local" not in sources
    assert len(set(sources)) == len(sources)
    assert not {"/", "/home", "/root", "/etc", "/var", "/run", "/tmp", "/etc/passwd", "/etc/shadow"} & set(sources)


def test_bubblewrap_is_told_to_share_nothing(tmp_path: Path) -> None:
    said = bubblewrap_arguments(view_of(str(tmp_path), "/p", [], []), 1000)
    for word in ("--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--as-pid-1"):
        assert word in said
    assert "--share-net" not in said
    assert "--bind" not in said


# Verdicts


def _judged(story: Story, wants_code: int | None = None) -> tuple[bool, str]:
    found = judge(story, Limits(), wants_code=wants_code)
    return found.passed, found.detail


@pytest.mark.parametrize(
    ("why", "detail"),
    [
        ("wall", "timed out after 60 s"),
        ("processes", "more than 64 processes"),
        ("output", "wrote more than 16 MB of output"),
        ("memory", "used more than 1024 MB of memory"),
    ],
)
def test_a_bound_that_was_crossed_is_the_reason_whatever_the_verdict_said(why: str, detail: str) -> None:
    assert _judged(Story(why=why, verdict=b'{"passed": true, "detail": ""}')) == (False, detail)


def test_a_program_without_a_verdict_has_not_passed() -> None:
    assert _judged(Story(why="exit"))[0] is False
    assert _judged(Story(why="exit", verdict=b"garbage"))[0] is False
    assert _judged(Story(why="exit", verdict=b'{"passed": 1}'))[0] is False
    assert _judged(Story(why="exit", code=1, verdict=b'{"passed": true}'))[0] is False
    assert _judged(Story(why="exit", verdict=b'{"passed": true, "detail": "fine"}')) == (True, "fine")


def test_signals_are_named() -> None:
    assert _judged(Story(why="exit", code=-signal.SIGXCPU)) == (False, "used more than 30 s of CPU time")
    assert _judged(Story(why="exit", code=-signal.SIGKILL, cpu=31.0)) == (False, "used more than 30 s of CPU time")
    assert _judged(Story(why="exit", code=-signal.SIGXFSZ)) == (False, "wrote a file of more than 256 MB")
    assert _judged(Story(why="exit", code=-signal.SIGKILL)) == (False, "ended by SIGKILL")


def test_a_script_is_judged_by_its_code() -> None:
    assert _judged(Story(why="exit"), 0) == (True, "")
    assert _judged(Story(why="exit", code=3), 3) == (True, "exit code 3")
    assert _judged(Story(why="exit", code=2, errors=b"a\nlast\n\n"), 0) == (False, "exit code 2: last")
    assert _judged(Story(why="exit"), 1) == (False, "exit code 0, 1 is wanted")


def test_a_box_that_was_not_made_gives_no_verdict() -> None:
    found = judge(Story(problem="mount: no"), Limits(), wants_code=None)
    assert (found.passed, found.detail, found.made) == (False, "not_isolated: mount: no", False)
    assert not judge(Story(why="exit", code=127, verdict=b'{"problem": "x"}'), Limits(), wants_code=0).made


def test_what_a_keeper_says_is_read_back_and_silence_is_none() -> None:
    said = {name: base64.b64encode(b"\xff").decode() for name in ("verdict", "output", "errors")}
    answer = {**said, "why": "exit", "code": 0, "cpu": 0.5, "truncated": False, "guards": ["copy"]}
    assert story_of(json.dumps(answer).encode()) == Story(
        "", "exit", 0, 0.5, b"\xff", b"\xff", b"\xff", False, ("copy",)
    )
    assert story_of(b"") is None
    assert story_of(b'{"problem": "x"}') == Story(problem="x")


@given(st.text())
@settings(max_examples=50)
def test_a_detail_is_one_short_line_of_printable_text(text: str) -> None:
    shown = line(text)
    assert len(shown) <= 600
    assert shown.splitlines() in ([], [shown])
    shown.encode()


# Blacking out


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + "a1B2c3D4" * 4,
        "ghp_" + "a1B2c3D4" * 5,
        "AKIA" + "ABCD1234" * 2,
        "hs_" + "0123456789abcdef" * 2,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\ncut off",
    ],
)
def test_a_secret_is_black_by_its_shape(text: str) -> None:
    shown = redacted(f"before {text} after")
    assert BLACK in shown
    assert shown.startswith("before ")
    assert text[8:20] not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:pa55word@host/db", f"postgresql://me:{BLACK}@host/db"),
        ('{"api_key": "abcd1234", "n": 3}', f'{{"api_key": {BLACK}, "n": 3}}'),
        ("DB_PASSWORD=hunter22 next", f"DB_PASSWORD={BLACK} next"),
        ("Authorization: Bearer abc.def-123456", f"Authorization: Bearer {BLACK}"),
        ("12 tokens in output/report.md, 3 keys", "12 tokens in output/report.md, 3 keys"),
        ("https://example.org/a@b", "https://example.org/a@b"),
    ],
)
def test_a_value_beside_a_telling_name_is_black_and_prose_is_not(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_values_the_caller_knows_are_black_the_longest_first() -> None:
    known = known_secrets({"MY_API_KEY": "abcdef-ghij", "SHORT_TOKEN": "abcdef", "HOME": "/somewhere", "X_TOKEN": "ab"})
    assert known == ["abcdef-ghij", "abcdef"]
    assert redacted("abcdef-ghij abcdef /somewhere", known) == f"{BLACK} {BLACK} /somewhere"


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=50)
def test_a_secret_is_black_whatever_stands_around_it(before: str, after: str) -> None:
    secret = "ghp_" + "a1B2c3D4" * 5
    assert secret not in redacted(f"{before} {secret} {after}")


# The copy


def _copy(source: Path, target: Path, *, hidden: frozenset[str] = frozenset(), files: int = 100) -> None:
    copy_workspace(str(source), str(target), most_bytes=1000, most_files=files, hidden=hidden)


def test_a_copy_has_files_folders_modes_and_times_and_no_harness_folder(tmp_path: Path) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    (source / "a" / ".harness").mkdir(parents=True)
    (source / ".harness").mkdir()
    (source / "secret").mkdir()
    (source / "a" / "run.sh").write_text("x")
    (source / "a" / "run.sh").chmod(0o750)
    os.utime(source / "a" / "run.sh", ns=(5_000_000_001, 5_000_000_002))
    os.mkfifo(source / "pipe")
    _copy(source, target, hidden=frozenset({str(source / "secret")}))
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*")) == ["a", "a/.harness", "a/run.sh"]
    about = (target / "a" / "run.sh").stat()
    assert (about.st_mode & 0o777, about.st_mtime_ns) == (0o555, 5_000_000_002)
    assert (target / "a").stat().st_mode & 0o777 == 0o555


def test_a_link_that_leads_out_leads_nowhere_in_the_copy(tmp_path: Path) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    (source / "d").mkdir(parents=True)
    (source / "d" / "file").touch()
    links = {"out": "/etc/passwd", "up": "../x", "in": "d/file", "whole": str(source / "d" / "file"), "loop": "loop"}
    for name, text in links.items():
        (source / name).symlink_to(text)
    _copy(source, target)
    found = {name: str((target / name).readlink()) for name in links}
    assert found["out"] == found["up"] == NOWHERE
    assert (found["in"], found["whole"]) == ("d/file", str(target / "d" / "file"))


def test_a_copy_stops_at_its_limits(tmp_path: Path) -> None:
    source = tmp_path / "s"
    source.mkdir()
    for number in range(3):
        (source / str(number)).write_bytes(bytes(400))
    with pytest.raises(BadContent, match="too much to copy"):
        _copy(source, tmp_path / "t")
    with pytest.raises(BadContent, match="too many to copy"):
        _copy(source, tmp_path / "u", files=2)


# Inside the box


def test_a_path_never_leaves_the_workspace(tmp_path: Path) -> None:
    work = tmp_path / "w"
    work.mkdir()
    (tmp_path / "w-beside").touch()
    (work / "out").symlink_to(tmp_path / "w-beside")
    for path in ("../w-beside", "/etc/passwd", "out", "a\0b"):
        passed, detail = judged({"kind": "file", "path": path}, work, 0)
        assert not passed
        assert "leads out" in detail or "cannot be resolved" in detail
    assert judged({"kind": "count", "path": "../*", "max": 0}, work, 0)[0]
    assert judged({"kind": "count", "path": "/etc/*", "max": 0}, work, 0) == (
        False,
        "/etc/* leads out of the workspace",
    )


def test_freshness_is_measured_from_the_given_now(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    os.utime(tmp_path / "f", (100, 100))
    fields = {"kind": "freshness", "path": "f", "max_age_s": 60}
    assert judged(fields, tmp_path, 160_000) == (True, "f is 60 s old")
    assert judged(fields, tmp_path, 161_000) == (False, "f is 61 s old, at most 60 s are allowed")
    assert judged(fields, tmp_path, 0)[0]  # written after `now`: fresh


def test_an_exception_that_cannot_be_shown_is_still_named() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert reason(Mute(), "x") == "Mute"
