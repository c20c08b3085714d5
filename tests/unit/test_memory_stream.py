"""One record is one line, and reads back as what it was."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.errors import BadUsage
from harnessos.memory import records, stream

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00+00:00
ANY = st.text(st.characters(exclude_categories=()), max_size=40)


def test_a_record_has_time_level_step_and_text() -> None:
    assert stream.line(NOON, "WARN", "3.1", "text") == b"[2026-01-01 12:00:00+00:00] [WARN] [Step: 3.1] text\n"


def test_a_leading_step_is_dropped() -> None:
    assert stream.line(NOON, "INFO", "Step 2.3", "x") == b"[2026-01-01 12:00:00+00:00] [INFO] [Step: 2.3] x\n"
    assert stream.clean_step(" step Step 4 ") == "4"
    assert stream.clean_step("Step") == "Step"
    assert stream.clean_step("Stepwise") == "Stepwise"


def test_a_step_that_is_empty_is_shown_as_a_dash() -> None:
    assert b"[Step: -] " in stream.line(NOON, "INFO", " ", "x")


def test_another_level_is_refused() -> None:
    with pytest.raises(BadUsage, match="no level"):
        stream.line(NOON, "DEBUG", "1", "x")


def test_b17_a_newline_in_the_text_or_step_forges_no_record() -> None:
    forged = "ok\n[2026-01-01 11:00:00+00:00] [ERROR] [Step: 1] forged\r\x85\u2028\u2029\x0b\x0c\x1c\x00\x7f"
    record = stream.line(NOON, "INFO", forged, forged)
    assert record.count(b"\n") == 1
    assert len(record.decode().splitlines()) == 1
    parsed = records.parse(record)
    assert parsed is not None
    assert (parsed.level, parsed.text[:4]) == ("INFO", "ok\\n")
    assert parsed.text.endswith("\\r\\u0085\\u2028\\u2029\\u000b\\f\\u001c\\u0000\\u007f")


def test_b17_brackets_in_a_step_open_no_other_field() -> None:
    record = stream.line(NOON, "INFO", "a] [ERROR] [Step: b", "x")
    assert b"[Step: a\\u005d \\u005bERROR\\u005d \\u005bStep: b] x" in record
    parsed = records.parse(record)
    assert parsed is not None
    assert parsed.level == "INFO"


def test_b23_b24_backslashes_and_backticks_stay_as_they_are() -> None:
    parsed = records.parse(stream.line(NOON, "INFO", "Step `2`", "saved to C:\\data\\reports | `x` \\1"))
    assert parsed is not None
    assert (parsed.step, parsed.text) == ("`2`", "saved to C:\\data\\reports | `x` \\1")


def test_b25_bytes_that_are_no_utf8_are_written_and_read() -> None:
    """An argument that is no UTF-8 comes in as lone surrogates."""
    assert stream.line(NOON, "INFO", "\udcff", "a\udcffb").endswith(b"[Step: \\udcff] a\\udcffb\n")
    parsed = records.parse(b"[2026-01-01 12:00:00+00:00] [INFO] [Step: 1] a\xffb\n")
    assert parsed is not None
    assert parsed.text == "a\ufffdb"
    assert parsed.raw == b"[2026-01-01 12:00:00+00:00] [INFO] [Step: 1] a\xffb"


def test_a_line_of_the_earlier_scripts_is_read_as_utc() -> None:
    parsed = records.parse(b"[2026-01-01 12:00:00] [ERROR] [Step: Step 2.3] old text\n")
    assert parsed is not None
    assert parsed[:4] == (NOON, "ERROR", "2.3", "old text")


def test_another_offset_is_understood() -> None:
    parsed = records.parse(b"[2026-01-01 14:00:00+02:00] [INFO] [Step: 1] x")
    assert parsed is not None
    assert parsed.at == NOON


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"# Execution Stream \xe2\x80\x94 Rotated 2026",
        b"a traceback's second line",
        b"[x] [INFO] [Step: 1] y",
        b"[2026-01-01 12:00:00] [LOUD] [Step: 1] y",
        b"[2026-01-01 12:00:00] [INFO] no step",
        b"[2026-01-01 12:00:00] [INFO] [Step: open",
    ],
)
def test_what_is_no_record_is_none(line: bytes) -> None:
    assert records.parse(line) is None


def test_a_time_that_is_none_leaves_the_record() -> None:
    parsed = records.parse(b"[2026-13-01 12:00:00] [INFO] [Step: 1] y")
    assert parsed is not None
    assert parsed.at is None


def test_a_very_long_step_is_cut() -> None:
    parsed = records.parse(stream.line(NOON, "INFO", "s" * 5000, "x"))
    assert parsed is not None
    assert len(parsed.step) == stream.LONGEST_STEP


@settings(max_examples=200)
@given(st.integers(0, 4_000_000_000_000), st.sampled_from(stream.LEVELS), ANY, ANY)
def test_any_record_is_one_line_and_is_read_back(now: int, level: str, step: str, text: str) -> None:
    record = stream.line(now, level, step, text)
    assert record.endswith(b"\n")
    said = record.decode()
    assert len(said.splitlines()) == 1
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in said[:-1])
    parsed = records.parse(record)
    assert parsed is not None
    assert (parsed.at, parsed.level) == (now // 1000 * 1000, level)
    assert parsed.text == stream.escaped(text)


@settings(max_examples=200)
@given(st.binary(max_size=120))
def test_any_bytes_are_parsed_or_none(data: bytes) -> None:
    records.parse(data)
    records.parse(b"[2026-01-01 12:00:00] [INFO] [Step: " + data)


@given(ANY)
def test_cleaning_a_step_twice_changes_nothing(text: str) -> None:
    once = stream.clean_step(text)
    assert stream.clean_step(once) == once
