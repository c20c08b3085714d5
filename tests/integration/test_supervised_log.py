"""`up --logs-root`: what is told is also kept, and the log can neither forge lines nor stop the service (SYM-13.1, 13.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harnessos.services import logfile
from harnessos.testing import FakeClock
from tests.support.supervised import WORK, Site, issue, site

__all__ = ["site"]

FULL = Path("/dev/full")


def test_each_event_is_a_line_that_names_the_issue_and_the_run(site: Site) -> None:
    (one,) = site.plan(issue("work"))
    site.workflow(WORK)
    logs = site.folder / "logs" / "deep"
    assert site.call("up", "--until-idle", "--logs-root", str(logs)).code == 0
    lines = (logs / logfile.NAME).read_text(encoding="utf-8").splitlines()
    ended = [text for text in lines if " event=run.ended " in text]
    assert len(ended) == 1
    assert f" issue={one} " in ended[0]
    assert f" run={site.run(one)['id']} " in ended[0]
    assert all(text.startswith("at=2") for text in lines)


def test_a_folder_that_is_a_file_is_refused_before_anything_starts(site: Site) -> None:
    (one,) = site.plan(issue("work"))
    site.workflow(WORK)
    file = site.folder / "file"
    file.touch()
    said = site.call("up", "--until-idle", "--logs-root", str(file))
    assert said.code == 65
    assert "is no folder" in said.err
    assert site.runs(one) == []


def test_text_of_agents_cannot_forge_a_line_and_is_cut() -> None:
    told = logfile.line({"event": "run.ended", "reason": "a\nevent=run.claimed \x1b[2J", "output": "x" * 5_000_000})
    assert "\n" not in told
    assert "\x1b" not in told
    assert len(told) < 2 * logfile.LONGEST
    assert told.startswith('event=run.ended reason="a\\nevent=run.claimed \\u001b[2J" output=xxx')


@pytest.mark.skipif(not FULL.exists(), reason="/dev/full is Linux's")
def test_a_full_disk_stops_the_log_and_not_the_service(tmp_path: Path) -> None:
    (tmp_path / logfile.NAME).symlink_to(FULL)
    told: list[Mapping[str, object]] = []
    with logfile.logged(tmp_path, told.append, FakeClock()) as tell:
        for number in (1, 2):
            tell({"event": "up.looked", "number": number})
    assert [event["event"] for event in told] == ["up.cannot_log", "up.looked", "up.looked"]
    assert "No space left" in str(told[0]["reason"])
