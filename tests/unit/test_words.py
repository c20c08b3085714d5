"""Text that every ledger can hold."""

from __future__ import annotations

import pytest

from harnessos.model.words import is_sayable, sayable


@pytest.mark.parametrize(
    ("text", "said"),
    [("a\0b", "a\\0b"), ("x\udcff", "x\\udcff"), ("\ud800", "\\ud800"), ("ü\0\udcff", "ü\\0\\udcff")],
)
def test_what_no_ledger_holds_is_written_out(text: str, said: str) -> None:
    assert not is_sayable(text)
    assert sayable(text) == said
    assert is_sayable(said)


@pytest.mark.parametrize("text", ["", "plain", "\x1b\n", "ünïcode \U0001f600", "\\udcff"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert is_sayable(text)
    assert sayable(text) == text
