"""The page of the tools says what the tools are, and every action that is there is called by a test (P24)."""

from __future__ import annotations

from harnessos.mcp.reference import page
from tests.support.python import ROOT


def test_the_page_is_generated_from_the_tools() -> None:
    written = (ROOT / "docs" / "mcp-tools.md").read_text(encoding="utf-8")
    assert written == page(), "run `python -m harnessos.mcp.reference > docs/mcp-tools.md`"
