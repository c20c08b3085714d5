"""Instants as text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.model.instants import parse_stamp, stamp


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_a_stamp_says_what_the_calendar_says(instant: int) -> None:
    assert stamp(instant) == datetime.fromtimestamp(instant // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S+00:00").rjust(
        25, "0"
    )


@given(st.integers(min_value=0, max_value=4_102_444_800))
def test_a_stamp_is_read_back(seconds: int) -> None:
    assert parse_stamp(stamp(seconds * 1000)) == seconds * 1000


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01 12:00:00", "2026-13-01 12:00:00+00:00", "x" * 25])
def test_what_is_no_stamp_is_none(text: str) -> None:
    assert parse_stamp(text) is None


def test_another_offset_is_understood() -> None:
    assert parse_stamp("2026-01-01 13:00:00+01:00") == parse_stamp("2026-01-01 12:00:00+00:00")
