"""What a log says: messages that recur, and failures that were overcome, in order and wherever the lines were written."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harnessos.memory import records, stream
from harnessos.mission.dream import analysis, fingerprints, reading
from harnessos.mission.dream.analysis import Analysis, Counting, analyse
from harnessos.model.instants import DAY_MS, stamp

NOW = 1_767_312_000_000
MINUTE = 60_000


def _line(level: str, step: str, text: str, at: int = NOW - MINUTE) -> bytes:
    return stream.line(at, level, step, text)


def _analysed(*lines: bytes, min_entries: int = 3) -> Analysis:
    counting = Counting(NOW - DAY_MS, NOW)
    counting.read(b"".join(lines))
    return analysis.conclude(counting, min_entries)


def _workspace(folder: Path, *lines: bytes) -> Path:
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "logs" / "execution_stream.log").write_bytes(b"".join(lines))
    return folder


def _kinds(found: Analysis) -> list[tuple[str, str, int]]:
    return [(one.kind, one.step, one.times) for one in found.findings]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 12s", "took 7s"),
        ("took 12s", "took 1234s"),
        ("run run-01JABC9 failed", "run run-01JXYZ2 failed"),
        ("commit deadbeef12 missing", "commit 0123abcdef missing"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-0000-4000-8000-000000000000"),
        ("cannot open /srv/data/a/b.json", "cannot open /tmp/x/y.txt"),
        ("GET https://example.com/a/1 failed", "GET http://127.0.0.1:80/b failed"),
        ("Rate  limit\thit", "rate limit hit"),
        ("1.5 of 3.25", "2 of 4"),
        ("C:\\data\\reports\\x", "D:\\other\\place\\y"),
    ],
)
def test_messages_that_differ_in_numbers_identifiers_or_paths_are_one(one: str, other: str) -> None:
    assert fingerprints.fingerprint(one.encode()) == fingerprints.fingerprint(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [("disk full", "disk slow"), ("read and/or write", "read or write"), ("field 'author'", "field 'title'")],
)
def test_messages_that_say_something_else_are_two(one: str, other: str) -> None:
    assert fingerprints.fingerprint(one.encode()) != fingerprints.fingerprint(other.encode())


@given(st.binary(max_size=500))
@settings(max_examples=80)
@example(b"-" * 400)
@example(b"a" * 400)
@example(b"/" * 400)
def test_any_bytes_have_a_fingerprint_that_the_rough_one_decides(message: bytes) -> None:
    exact = fingerprints.fingerprint(message)
    assert exact == fingerprints.exact(fingerprints.rough(message.replace(b"7", b"3")))
    assert b"\n" not in exact


def test_a_message_counts_from_the_third_time_on() -> None:
    twice = [_line("ERROR", "1", f"timeout after {n} s") for n in range(2)]
    assert _kinds(_analysed(*twice)) == []
    assert _kinds(_analysed(*twice, _line("ERROR", "1", "timeout after 99 s"))) == [("recurring error", "1", 3)]
    assert _kinds(_analysed(*twice, min_entries=2)) == [("recurring error", "1", 2)]


def test_each_level_and_step_is_counted_by_itself() -> None:
    lines = [_line(level, step, "same text") for level in stream.LEVELS for step in ("1", "2") for _ in range(3)]
    found = _analysed(*lines)
    assert (found.records, found.errors, found.warnings, found.successes) == (24, 6, 6, 6)
    assert {one for one in _kinds(found) if one[0] != "recovery"} == {
        (kind, step, 3) for kind in analysis.KINDS.values() for step in "12"
    }


def test_b18_a_success_before_the_failures_is_no_recovery() -> None:
    failures = [_line("ERROR", "3", "no answer")] * 2
    success = _line("SUCCESS", "3", "fetched")
    assert _kinds(_analysed(success, *failures)) == []
    (found,) = _analysed(*failures, success).findings
    assert (found.kind, found.step, found.times, found.failures) == ("recovery", "3", 1, 2)
    assert (found.before, found.text) == ("no answer", "fetched")


def test_b18_a_success_of_another_step_is_no_recovery() -> None:
    assert _analysed(_line("ERROR", "3", "no answer"), _line("SUCCESS", "4", "fetched")).findings == ()


def test_b18_a_step_that_succeeds_twice_recovered_once() -> None:
    lines = [_line("ERROR", "3", "no"), _line("SUCCESS", "3", "ok"), _line("SUCCESS", "3", "ok")]
    assert _kinds(_analysed(*lines)) == [("recovery", "3", 1)]


def test_b18_lines_of_other_zones_are_read_by_their_offset() -> None:
    """Twelve hours ago in Los Angeles is within a day, wherever the dream is."""
    line = b"[2026-01-01 16:00:00-08:00] [ERROR] [Step: 1] timeout\n"
    (found,) = _analysed(line * 3).findings
    assert (found.times, found.first) == (3, NOW)
    late = b"[2025-12-31 15:59:59-08:00] [ERROR] [Step: 1] timeout\n"  # a second more than a day
    assert _analysed(late * 3).records == 0


def test_a_time_without_a_zone_is_read_as_utc_and_a_leading_step_is_dropped() -> None:
    line = b"[2026-01-01 23:00:00] [ERROR] [Step: Step 2.3] timeout\n"
    assert _kinds(_analysed(line * 2, _line("ERROR", "Step 2.3", "timeout"))) == [("recurring error", "2.3", 3)]


def test_b17_a_quoted_record_inside_of_a_message_is_no_record() -> None:
    forged = "x\n[2026-01-01 12:00:00+00:00] [ERROR] [Step: Z] forged"
    lines = [_line("INFO", "a] [ERROR] [Step: b", f"saw [ERROR] [Step: Z] {forged}")] * 5
    found = _analysed(*lines)
    assert (found.records, found.errors, found.findings) == (5, 0, ())


def test_b25_invalid_bytes_never_break_an_analysis() -> None:
    line = b"[2026-01-01 23:00:00+00:00] [ERROR] [Step: \xff\xfe] broken \xff byte \x00 here\n"
    found = _analysed(
        b"\xff\xfe\n", line * 3, b"[nonsense\n", b"\n", b"[2026-99-99 99:99:99+00:00] [ERROR] [Step: 1] x\n"
    )
    assert _kinds(found) == [("recurring error", "��", 3)]
    assert found.findings[0].text == "broken � byte \x00 here"


@given(st.lists(st.binary(max_size=60) | st.sampled_from([_line("ERROR", "1", "x"), _line("SUCCESS", "1", "y")])))
@settings(max_examples=80)
def test_b25_no_bytes_break_an_analysis(parts: list[bytes]) -> None:
    found = _analysed(b"".join(parts))
    assert found.records >= found.errors + found.warnings + found.successes


_PIECES = st.sampled_from(
    [
        b"[",
        b"]",
        b"] [",
        b"] [Step: ",
        b"ERROR",
        b"INFO",
        b"2026-01-01 23:00:00",
        b"+00:00",
        b"-05:30",
        b"Step ",
        b" ",
        b"x",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=4), max_size=14))
@settings(max_examples=120)
@example([b"[", b"2026-01-01 23:00:00", b"+00:00", b"] [", b"ERROR", b"] [Step: ", b"Step ", b"1", b"]"])
def test_the_fast_reading_and_the_parser_of_the_log_agree(parts: list[bytes]) -> None:
    line = b"".join(parts).replace(b"\n", b"")
    record = records.parse(line)
    inside = record is not None and record.at is not None and record.at >= NOW - DAY_MS
    assert _analysed(line + b"\n").records == int(inside)


def test_what_dreams_log_themselves_is_no_experience() -> None:
    assert _analysed(*[_line("SUCCESS", "dream", "dreamt")] * 5).findings == ()


def test_a_clock_that_went_ahead_keeps_nothing_alive() -> None:
    (found,) = _analysed(*[_line("WARN", "1", "slow", NOW + 400 * DAY_MS)] * 3).findings
    assert found.last == NOW


def test_b27_thousands_of_failing_steps_cost_a_bounded_memory_and_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What recurs survives in a crowd of messages that do not; linear time is the benchmark's to show."""
    monkeypatch.setattr(analysis, "MOST", 100)
    counting = Counting(NOW - DAY_MS, NOW)
    for number in range(5_000):
        counting.read(_line("ERROR", f"s{number}", "gone") + _line("ERROR", "often", "here"))
        assert len(counting.seen) <= 100
        assert len(counting._failing) <= 100
    found = analysis.conclude(counting, 3)
    assert _kinds(found) == [("recurring error", "often", 5_000)]
    assert found.errors == 10_000
    assert "the rarest were forgotten" in found.notes[0]


def test_only_the_time_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of 60 days is entered near its end: few of its bytes are ever looked at."""
    monkeypatch.setattr(reading, "WINDOW", 1 << 12)
    lines = [_line("ERROR", "1", "x" * 80, NOW - (60 * 1440 - minute) * MINUTE) for minute in range(60 * 1440)]
    workspace = _workspace(tmp_path, *lines)
    size = (workspace / "logs" / "execution_stream.log").stat().st_size
    read: list[int] = []
    pread = os.pread

    def watched(handle: int, length: int, place: int) -> bytes:
        read.append(length)
        return pread(handle, length, place)

    monkeypatch.setattr(os, "pread", watched)
    assert analyse(workspace, NOW).records == 1440
    assert sum(read) < size / 10


@given(
    st.lists(st.integers(0, 3 * 1440), min_size=1, max_size=400),
    st.integers(1, 3 * 1440),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([b"", b"junk", b"\xff" * 300, b"[2026-"])), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_seeking_finds_all_that_reading_from_the_beginning_finds(
    tmp_path_factory: pytest.TempPathFactory, ages: list[int], lookback: int, junk: list[tuple[int, bytes]]
) -> None:
    lines = [_line("ERROR", "1", "timeout", NOW - age * MINUTE) for age in sorted(ages, reverse=True)]
    for place, noise in junk:
        lines.insert(place, noise + b"\n")
    workspace = _workspace(tmp_path_factory.mktemp("w"), *lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "WINDOW", 256)
        found = analyse(workspace, NOW, lookback_ms=lookback * MINUTE)
    assert found.records == sum(1 for age in ages if age <= lookback)


def test_lines_that_came_a_little_out_of_order_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WINDOW", 256)
    ages = [age + (7 if age % 2 else 0) for age in range(3_000, 0, -1)]
    workspace = _workspace(tmp_path, *[_line("ERROR", "1", "x", NOW - age * MINUTE) for age in ages])
    assert analyse(workspace, NOW).records == sum(1 for age in ages if age <= 1440)


def test_single_lines_of_another_time_do_not_lead_astray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was wrong for a moment: every fifth line of the day says last year, or next year."""
    monkeypatch.setattr(reading, "WINDOW", 256)
    wrong = [_line("ERROR", "1", "x", NOW - 365 * DAY_MS), _line("ERROR", "1", "x", NOW + 365 * DAY_MS)]
    lines = []
    for age in range(4_000, 0, -1):
        lines.append(_line("ERROR", "1", "x", NOW - age * MINUTE))
        if age % 5 == 0:
            lines.append(wrong[age % 2])
    workspace = _workspace(tmp_path, *lines)
    ahead = sum(1 for line in lines if line == wrong[1])
    assert 1440 <= analyse(workspace, NOW).records <= 1440 + ahead


def test_one_line_of_two_hundred_megabytes_worth_of_windows_costs_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1 << 14)
    monkeypatch.setattr(reading, "LONGEST_LINE", 1 << 10)
    huge = b"[2026-01-01 23:00:00+00:00] [ERROR] [Step: 1] " + b"y" * (8 << 20) + b"\n"
    workspace = _workspace(tmp_path, huge, *[_line("ERROR", "2", "after it")] * 3)
    del huge
    tracemalloc.start()
    found = analyse(workspace, NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.records, _kinds(found)) == (4, [("recurring error", "2", 3)])
    assert peak < 1 << 20


def test_rotated_logs_are_read_as_far_as_the_time_goes(tmp_path: Path) -> None:
    from harnessos.memory import rotation

    workspace = _workspace(tmp_path)
    for hours in (50, 30, 20, 10):
        for _ in range(2):
            stream.append(workspace, _line("ERROR", "1", "timeout", NOW - hours * 60 * MINUTE))
        rotation.rotate(workspace, 0, NOW - hours * 60 * MINUTE)
    stream.append(workspace, _line("ERROR", "1", "timeout"))
    (found,) = analyse(workspace, NOW).findings
    assert (found.times, found.first, found.last) == (5, NOW - 20 * 60 * MINUTE, NOW - MINUTE)
    assert analyse(workspace, NOW, lookback_ms=31 * 60 * MINUTE).records == 7


def test_rotated_logs_stay_closed_when_the_live_one_reaches_back_far_enough(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, _line("INFO", "1", "x", NOW - 2 * DAY_MS), _line("INFO", "1", "x"))
    (workspace / "logs" / "archive").mkdir()
    (workspace / "logs" / "archive" / "execution_stream_20260101T000000Z_1.log.gz").write_bytes(b"damaged")
    found = analyse(workspace, NOW)
    assert (found.records, found.notes) == (1, ())


def test_a_damaged_rotated_log_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, _line("INFO", "1", "x"))
    (workspace / "logs" / "archive").mkdir()
    (workspace / "logs" / "archive" / "execution_stream_20260101T000000Z_1.log.gz").write_bytes(b"damaged")
    found = analyse(workspace, NOW)
    assert found.records == 1
    assert "is damaged" in found.notes[0]


def test_a_workspace_without_a_log_has_nothing_to_say(tmp_path: Path) -> None:
    found = analyse(tmp_path, NOW)
    assert (found.records, found.findings, list(tmp_path.iterdir())) == (0, (), [])


def test_the_same_log_gives_the_same_findings_in_the_same_order() -> None:
    lines = [_line("ERROR", str(step), "timeout", NOW - step * MINUTE) for step in range(9) for _ in range(3)]
    found = _analysed(*lines)
    assert found == _analysed(*lines)
    assert all(len(one.key) == 12 for one in found.findings)
    assert stamp(found.since) == "2026-01-01 00:00:00+00:00"
