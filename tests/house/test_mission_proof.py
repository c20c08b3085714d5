"""Each of the 13 rules, the 10 components and the 29 defects of the earlier scripts has a test named after it."""

from __future__ import annotations

import re

import pytest

from tests.support.python import ROOT

_NAME = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
WANTED = [
    *(f"rule_{number}_" for number in range(1, 14)),
    *(f"component_{number}_" for number in range(1, 11)),
    *(f"b{number:02}_" for number in range(1, 30)),
]


def _names() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in _NAME.findall(file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("part", WANTED)
def test_it_has_a_test_of_its_name(part: str) -> None:
    assert any(f"_{part}" in name for name in _names())
