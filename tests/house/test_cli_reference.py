"""The reference page of the command line is what the table says."""

from __future__ import annotations

from harnessos.cli.reference import page
from tests.support.python import ROOT


def test_the_page_is_generated_from_the_table() -> None:
    written = (ROOT / "docs" / "cli-reference.md").read_text(encoding="utf-8")
    assert written == page(), "run `python -m harnessos.cli.reference > docs/cli-reference.md`"
