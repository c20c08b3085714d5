"""Searching the stream: newest first, through rotations, whatever the bytes."""

from __future__ import annotations

import json
import os
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.errors import BadDocument, BadUsage, NotAFile, Refused
from harnessos.memory import matching, records, rotation, stream, topics, windows
from harnessos.memory.search import Hit, search, tail
from tests.support.python import ROOT, run_python

NOON = 1_767_268_800_000
MINUTE = 60_000


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def _write(workspace: Path, *texts: str, level: str = "INFO", step: str = "1", at: int = NOON) -> None:
    for number, text in enumerate(texts):
        stream.append(workspace, stream.line(at + number * MINUTE, level, step, text))


def _texts(hits: object) -> list[str]:
    return [hit.text for hit in hits]  # type: ignore[attr-defined]  # an iterator of hits


def test_b19_the_newest_come_first_and_rotated_logs_are_searched(workspace: Path) -> None:
    for number in range(3):
        _write(workspace, f"timeout {2 * number}", "fine", f"Timeout {2 * number + 1}", at=NOON + number * 10 * MINUTE)
        if number < 2:
            rotation.rotate(workspace, 0, NOON + number)
    assert _texts(search(workspace, "timeout")) == [f"{'Tt'[n % 2 == 0]}imeout {n}" for n in (5, 4, 3, 2, 1, 0)]
    assert _texts(search(workspace, "timeout", most=2)) == ["Timeout 5", "timeout 4"]
    assert _texts(search(workspace, "timeout", case=True)) == ["timeout 4", "timeout 2", "timeout 0"]


def test_b19_twenty_are_shown_unless_more_are_asked_for(workspace: Path) -> None:
    _write(workspace, *(f"hit {number}" for number in range(30)))
    assert len(list(search(workspace, "hit"))) == 20
    assert len(list(search(workspace, "hit", most=25))) == 25
    rotation.rotate(workspace, 0, NOON)
    assert _texts(search(workspace, "hit", most=2)) == ["hit 29", "hit 28"]


def test_b28_none_at_all_cannot_be_asked_for(workspace: Path) -> None:
    with pytest.raises(BadUsage):
        search(workspace, "x", most=0)


def test_b29_a_workspace_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        search(tmp_path / "misspelt", "x")
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_without_a_log_has_no_hits(workspace: Path) -> None:
    assert list(search(workspace, "x", topics=True)) == []


def test_a_hit_says_when_where_and_what(workspace: Path) -> None:
    _write(workspace, "first")
    _write(workspace, "Rate limit hit", level="WARN", step="Step 3.1")
    log = workspace / "logs/execution_stream.log"
    offset = log.read_bytes().index(b"\n") + 1
    assert list(search(workspace, "rate")) == [Hit(NOON, "WARN", "3.1", "Rate limit hit", log, offset)]


def test_filters_narrow_the_search(workspace: Path) -> None:
    _write(workspace, "a b", "b", level="ERROR", step="Step 3.1")
    _write(workspace, "b", "says [ERROR] [Step: 3.1] only", level="INFO", step="3.1", at=NOON + 5 * MINUTE)
    _write(workspace, "b", level="ERROR", step="3.10", at=NOON + 9 * MINUTE)
    assert len(list(search(workspace, "b", level="ERROR"))) == 3
    assert _texts(search(workspace, "b", level="ERROR", step="step 3.1")) == ["b", "a b"]
    assert _texts(search(workspace, "", level="INFO", step="3.1")) == ["says [ERROR] [Step: 3.1] only", "b"]
    assert _texts(search(workspace, "b", since=NOON + 9 * MINUTE)) == ["b"]
    with pytest.raises(BadUsage):
        search(workspace, "b", level="LOUD")


def test_since_reads_no_log_that_was_rotated_days_before(workspace: Path) -> None:
    """A record with a time after that of its log's rotation would show that it was read."""
    _write(workspace, "old", at=NOON + 9 * 86_400_000)
    rotation.rotate(workspace, 0, NOON)
    _write(workspace, "new", at=NOON + 5 * 86_400_000)
    assert _texts(search(workspace, "", since=NOON + 4 * 86_400_000)) == ["new"]
    assert _texts(search(workspace, "", since=NOON)) == ["new", "old"]


def test_a_rotation_in_the_middle_of_a_search_shows_no_record_twice(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(workspace, "one", "two")
    opens = rotation.open_log

    def then_rotates(path: Path) -> int | None:
        handle = opens(path)
        monkeypatch.setattr(rotation, "open_log", opens)
        rotation.rotate(workspace, 0, NOON)
        return handle

    monkeypatch.setattr(rotation, "open_log", then_rotates)
    assert _texts(search(workspace, "")) == ["two", "one"]


def test_a_log_that_is_compressed_in_the_middle_of_a_search_is_still_read(workspace: Path) -> None:
    _write(workspace, "old")
    path = rotation.rotate(workspace, 0, NOON)
    assert path is not None
    left = path.with_suffix("")
    left.write_bytes(b"".join(rotation.pieces(path)))
    _write(workspace, "new")
    hits = search(workspace, "")
    assert next(hits).text == "new"
    left.unlink()
    assert _texts(hits) == ["old"]


def test_a_pipe_or_a_link_among_the_rotated_logs_is_passed_over(workspace: Path, tmp_path: Path) -> None:
    """And nobody waits for the pipe's other end, or shows a file from elsewhere."""
    _write(workspace, "one")
    rotation.rotate(workspace, 0, NOON)
    archive = workspace / "logs/archive"
    (tmp_path / "secret.log").write_bytes(b"elsewhere\n")
    for number, suffix in ((2, "log"), (3, "log.gz")):
        (archive / f"execution_stream_20260101T120000Z_{number}.{suffix}").symlink_to(tmp_path / "secret.log")
    os.mkfifo(archive / "execution_stream_20260101T120000Z_4.log.gz")
    os.mkfifo(archive / "execution_stream_20260101T120000Z_5.log")
    assert _texts(search(workspace, "")) == ["one"]


def test_since_finds_records_before_a_clock_was_set_back(workspace: Path) -> None:
    _write(workspace, "later", at=NOON + 3_600_000)
    _write(workspace, *("now" for _ in range(5000)), at=NOON - 86_400_000)
    assert _texts(search(workspace, "later", since=NOON)) == ["later"]


def test_records_of_the_earlier_scripts_are_found_by_step_and_time(workspace: Path) -> None:
    (workspace / "logs").mkdir()
    (workspace / "logs/execution_stream.log").write_bytes(
        b"# Execution Stream \xe2\x80\x94 Rotated 2026-01-01\n[2026-01-01 12:00:00] [WARN] [Step: Step 2.3] old\nsecond line\n"
    )
    assert _texts(search(workspace, "old", step="2.3", since=NOON)) == ["old"]
    assert _texts(search(workspace, "line")) == ["second line"]
    assert _texts(search(workspace, "line", level="WARN")) == []


def test_b25_bytes_that_are_no_utf8_are_passed_over(workspace: Path) -> None:
    _write(workspace, "before")
    log = workspace / "logs/execution_stream.log"
    log.write_bytes(log.read_bytes() + b"[2026-01-01 12:00:00] [INFO] [Step: 1] br\xffken \x00 \xf0\x9f\n")
    _write(workspace, "after")
    assert _texts(search(workspace, "")) == ["after", "br\ufffdken \x00 \ufffd", "before"]
    assert _texts(search(workspace, "KEN")) == ["br\ufffdken \x00 \ufffd"]
    assert _texts(search(workspace, r"ken\b", regex=True)) == ["br\ufffdken \x00 \ufffd"]
    rotation.rotate(workspace, 0, NOON)
    assert len(_texts(search(workspace, ""))) == 3


def test_a_last_line_without_its_end_is_found(workspace: Path) -> None:
    _write(workspace, "one")
    log = workspace / "logs/execution_stream.log"
    log.write_bytes(log.read_bytes() + b"[2026-01-01 12:00:00] [INFO] [Step: 1] to")
    assert _texts(search(workspace, "")) == ["to", "one"]
    assert _texts(search(workspace, "to")) == ["to"]


def test_what_a_record_escapes_is_found_as_it_was_said(workspace: Path) -> None:
    _write(workspace, "two\nlines\tand C:\\data")
    assert len(_texts(search(workspace, "two\nlines\tand c:\\DATA"))) == 1


def test_letters_beyond_ascii_match_either_case(workspace: Path) -> None:
    _write(workspace, "Übergröße erreicht", "ÜBERGRÖSSE", "Ärger", "限流 60s", "straße")
    assert _texts(search(workspace, "übergrösse")) == ["ÜBERGRÖSSE", "Übergröße erreicht"]
    assert _texts(search(workspace, "ä")) == ["Ärger"]
    assert _texts(search(workspace, "限流 60S")) == ["限流 60s"]
    assert _texts(search(workspace, "Ü", case=True)) == ["ÜBERGRÖSSE", "Übergröße erreicht"]


def test_a_regular_expression_is_asked_of_each_line_alone(workspace: Path) -> None:
    _write(workspace, "fetched 50 articles", "fetched no articles", "end", "start")
    assert _texts(search(workspace, r"FETCHED \d+", regex=True)) == ["fetched 50 articles"]
    assert _texts(search(workspace, r"fetched \d+|end$", regex=True)) == ["end", "fetched 50 articles"]
    assert _texts(search(workspace, r"articles\s+\[", regex=True)) == [], "a blank is no line's end"
    assert _texts(search(workspace, r"(?-i:E)", regex=True)) == []
    assert _texts(search(workspace, r"\Z(?<=d)", regex=True)) == ["end"]
    assert _texts(search(workspace, r"en[^x]*d?$", regex=True)) == ["end"]


@pytest.mark.parametrize("pattern", ["(", "[", "*", "(?P<a>", "\\"])
def test_a_pattern_that_is_none_is_refused(workspace: Path, pattern: str) -> None:
    with pytest.raises(BadUsage, match="no regular expression"):
        search(workspace, pattern, regex=True)


def test_a_query_without_bounds_is_refused(workspace: Path) -> None:
    with pytest.raises(BadUsage, match="1,000"):
        search(workspace, "x" * 1001)


@pytest.mark.parametrize("rotated", [False, True], ids=["live", "rotated"])
@pytest.mark.parametrize("newline", [b"\n", b""], ids=["ended", "open"])
@pytest.mark.parametrize("before", [29_993, *range(9_946, 9_962, 3), *range(8_085, 8_101, 3)])
def test_a_line_of_many_windows_is_found_once_and_shown_in_part(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, rotated: bool, newline: bytes, before: int
) -> None:
    """Wherever the match lies, also when two windows or two pieces share it."""
    monkeypatch.setattr(windows, "WINDOW", 5000)
    monkeypatch.setattr(rotation, "PIECE", 4096)
    _write(workspace, "before needle")
    log = workspace / "logs/execution_stream.log"
    long = b"[2026-01-01 12:00:00] [WARN] [Step: 2] " + b"x" * before + b" the needle " + b"y" * 30_000 + newline
    log.write_bytes(log.read_bytes() + long)
    if newline:
        _write(workspace, "after needle")
    if rotated:
        rotation.rotate(workspace, 0, NOON)
    for asked in ({}, {"case": True}, {"regex": True}):
        hits = list(search(workspace, "needle", **asked))  # type: ignore[arg-type]  # flags
        after = hits[: len(newline)]
        hit, earlier = hits[len(newline) :]
        assert _texts([*after, earlier]) == (["after needle"] if newline else []) + ["before needle"]
        assert (hit.level, hit.step) == ("WARN", "2")
        assert " the needle" in hit.text
        assert len(hit.text) < 6000
        assert hit.offset == len(_line("before needle"))
    assert _texts(search(workspace, "needle", level="WARN"))[0].startswith("xxx")
    assert len(_texts(search(workspace, ""))) == 2 + len(newline)


def _line(text: str) -> bytes:
    return stream.line(NOON, "INFO", "1", text)


def test_a_line_of_200_mb_is_searched_in_little_memory(workspace: Path, tmp_path: Path) -> None:
    (workspace / "logs").mkdir()
    with (workspace / "logs/execution_stream.log").open("wb") as log:
        log.write(_line("first"))
        log.write(b"[2026-01-01 12:00:00] [WARN] [Step: 2] ")
        for _ in range(200):
            log.write(b"a" * 999_999 + b" ")
        log.write(b" needle\n" + _line("last"))
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from harnessos.memory.search import search\n"
        "hits = [len(hit.text) for query in ('needle', 'first', 'nothing') for hit in search(sys.argv[1], query)]\n"
        "assert len(hits) == 2 and max(hits) < 6000, hits\n",
        encoding="utf-8",
    )
    # Started by a small process: a child's peak includes what it was forked from.
    parent = ROOT / "bench" / "small_parent.py"
    answer = run_python("-S", str(parent), sys.executable, str(program), str(workspace))
    used = json.loads(answer.stdout)
    assert used["code"] == 0, answer.stderr
    assert used["megabytes"] < 50


def test_a_damaged_rotated_log_is_read_as_far_as_it_goes(workspace: Path) -> None:
    for number in range(2):
        _write(workspace, *(f"hit {number} {os.urandom(50).hex()}" for _ in range(2000)))
        rotation.rotate(workspace, 0, NOON)
    path = rotation.rotated(workspace)[0]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    hits = _texts(search(workspace, "hit", most=10_000))
    assert 500 < len([text for text in hits if text.startswith("hit 1")]) < 2000
    assert len([text for text in hits if text.startswith("hit 0")]) == 2000
    path.write_bytes(content[:100] + b"\0" * 100 + content[200:])
    assert len(list(search(workspace, "hit 0", most=10_000))) == 2000
    with pytest.raises(BadDocument, match="damaged"):
        list(rotation.pieces(path))


def test_logs_compressed_in_several_parts_are_read_whole(workspace: Path) -> None:
    archive = workspace / "logs/archive"
    archive.mkdir(parents=True)
    parts = [zlib.compressobj(wbits=31) for _ in range(2)]
    data = [part.compress(_line(f"part {number}")) + part.flush() for number, part in enumerate(parts)]
    (archive / "execution_stream_20260101T120000Z_1.log.gz").write_bytes(b"".join(data))
    assert _texts(search(workspace, "part")) == ["part 1", "part 0"]


def test_a_log_that_is_no_file_is_refused(workspace: Path) -> None:
    (workspace / "logs/execution_stream.log").mkdir(parents=True)
    with pytest.raises(NotAFile):
        list(search(workspace, "x"))


def test_lines_of_topics_are_found_when_asked_for(workspace: Path) -> None:
    _write(workspace, "a timeout in the stream")
    (workspace / "knowledge").mkdir()
    entry = topics.Entry("e_1", NOON, "-", "agent", (), "Timeout after 60 s.\nThen retry.")
    text = topics.with_entry(None, "Api", entry)
    (workspace / "knowledge/api.md").write_text(text + "\nmy own timeout\n", encoding="utf-8")
    (workspace / "outside.md").write_text("timeout", encoding="utf-8")
    (workspace / "knowledge/link.md").symlink_to(workspace / "outside.md")
    hits = list(search(workspace, "timeout", topics=True))
    assert [(hit.text, hit.step, hit.at) for hit in hits] == [
        ("Timeout after 60 s.", "api", NOON),
        ("my own timeout", "api", NOON),
        ("a timeout in the stream", "1", NOON),
    ]
    assert _texts(search(workspace, "timeout")) == ["a timeout in the stream"]


def test_the_tail_is_the_newest_records(workspace: Path) -> None:
    _write(workspace, "one", "two")
    log = workspace / "logs/execution_stream.log"
    log.write_bytes(log.read_bytes() + b"no record\n")
    rotation.rotate(workspace, 0, NOON)
    _write(workspace, "three")
    assert [record.text for record in tail(workspace, 2)] == ["three", "two"]
    assert records.parse(tail(workspace, 1)[0].raw) == tail(workspace, 1)[0]


LINES = st.lists(st.text("aAbBzZ ö.", max_size=12), max_size=40)


@settings(max_examples=150, deadline=None)
@given(LINES, st.text("aAbBzZ.", min_size=1, max_size=3), st.booleans(), st.booleans(), st.integers(2, 60))
def test_any_search_finds_what_looking_at_each_line_finds(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], query: str, case: bool, regex: bool, window: int
) -> None:
    """With windows so small that every border is met."""
    folder = tmp_path_factory.mktemp("w")
    (folder / "logs/archive").mkdir(parents=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    (folder / "logs/execution_stream.log").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW", window + 64)
        patch.setattr(rotation, "PIECE", window)
        patch.setattr(matching, "_RARE", window // 4)
        fold = str if case else str.lower
        wanted = [line for line in reversed(lines) if fold(query) in fold(line)]
        asked = query.replace(".", r"\.") if regex else query
        assert _texts(search(folder, asked, case=case, regex=regex, most=100)) == wanted
        rotation.rotate(folder, 0, NOON)
        assert _texts(search(folder, asked, case=case, regex=regex, most=100)) == wanted
        assert _texts(search(folder, "", most=100)) == list(reversed(lines))
