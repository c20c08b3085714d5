"""The live table of `harness up`."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harnessos.commands import live


def test_a_mission_has_its_row_before_anything_happens_and_then_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(live, "console", lambda: Console(file=shown, width=100))
    table = live.LiveTable()
    with table:
        table.tell({"event": "up.serving_missions", "missions": ["MSN-1 digest", "MSN-2 watch"]})
        table.tell({"event": "run.claimed", "issue": "MSN-2", "data": {"set": {"status": "in_progress"}}})
    rows = [line.split() for line in shown.getvalue().splitlines() if line.startswith("MSN-")]
    assert ["MSN-1", "waiting", "waits", "for", "its", "schedule"] in rows
    assert ["MSN-2", "in_progress", "run.claimed"] in rows
