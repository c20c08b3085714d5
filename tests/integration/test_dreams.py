"""What a dream promises (P20): a changeset that can be undone, nothing removed, nothing of a person's touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.mission_documents import FILLED
from tests.support.workspaces import Workspace

SAME = ("Wait 60 seconds after the API answers 403.", "After the API answers 403, wait 60 seconds.")


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """A workspace with something to dream of."""
    workspace = Workspace(tmp_path)
    for number in range(3):
        workspace("memory stream", "--step", "2", "--event", f"fetch {number} timed out", "--level", "ERROR")
    for text in SAME:
        workspace("memory learn", "--topic", "waits", "--insight", text)
    return workspace


def _documents(ws: Workspace) -> dict[str, bytes]:
    paths = [*ws.path.glob("*.md"), *(ws.path / "knowledge").glob("*.md")]
    return {path.name: path.read_bytes() for path in paths if path.name not in ("heartbeat.md", "progress.md")}


def test_dream_undo_restores_bytes(ws: Workspace) -> None:
    before = _documents(ws)
    ws.good("mission dream")
    assert _documents(ws) != before
    ws.good("mission dream", "--undo")
    assert _documents(ws) == before


def test_dream_never_removes_only_archives(ws: Workspace) -> None:
    before = _documents(ws)
    ws.good("mission dream")
    kept = b"".join(path.read_bytes() for path in (ws.path / "logs" / "archive").rglob("*") if path.is_file())
    kept += b"".join(_documents(ws).values())
    assert set(before) <= set(_documents(ws))
    for text in SAME:
        assert text.encode() in kept


def test_dream_no_new_events_writes_nothing_and_says_so(ws: Workspace) -> None:
    ws.good("mission dream")
    before = _documents(ws)
    said = ws("mission dream")
    assert "nothing new" in said.out
    assert _documents(ws) == before
    assert [one["state"] for one in ws.good("mission show")["dreams"]] == ["skipped", "applied"]


def test_dream_refuses_while_mission_running_or_lock_held(ws: Workspace) -> None:
    before = _documents(ws)
    ws.start()
    assert ws("mission dream").code == 13
    assert _documents(ws) == before


def test_dream_deterministic_without_model(ws: Workspace) -> None:
    first = ws.good("mission dream", "--dry-run")
    second = ws.good("mission dream", "--dry-run")
    assert first["diff"] == second["diff"]
    assert first["files"] == second["files"] != []


def test_playbook_user_sections_untouched(ws: Workspace) -> None:
    ws.good("mission dream")
    begin, end = "<!-- harness:dream begin -->", "<!-- harness:dream end -->"
    now = ws.text("playbook.md")
    assert "timed out" in now
    assert now.partition(begin)[0] == FILLED["playbook.md"].partition(begin)[0]
    assert now.partition(end)[2] == FILLED["playbook.md"].partition(end)[2]


def test_mission_md_hash_unchanged(ws: Workspace) -> None:
    for name in ("mission.md", "eval_criteria.md", "cron_config.md"):
        (ws.path / name).write_text(FILLED[name])
    ws.good("mission dream")
    assert all(ws.text(name) == FILLED[name] for name in ("mission.md", "eval_criteria.md", "cron_config.md"))


def test_a_dream_that_a_crash_cut_off_is_ended_by_the_next_boot(ws: Workspace) -> None:
    before = _documents(ws)
    dreamt = ws.good("mission dream")
    after = _documents(ws)
    folder = ws.path / "logs" / "archive" / f"dream_{dreamt['dream']}"
    assert folder.is_dir()
    (folder / "done").unlink()
    (ws.path / "playbook.md").write_bytes(before["playbook.md"])
    assert ws("mission boot").code == 0
    assert _documents(ws) in (before, after)


def test_an_agents_summaries_go_through_the_same_checks_and_the_same_changeset(ws: Workspace, tmp_path: Path) -> None:
    before = _documents(ws)
    text = ws.text("knowledge/waits.md")
    better = text.replace(SAME[0], "After a 403 of the API wait 60 seconds.")
    (tmp_path / "proposal.json").write_text(json.dumps({"waits": better, "nowhere": "# x"}))
    agent = tmp_path / "agent.sh"
    agent.write_text(f"#!/bin/sh\ncat > /dev/null\ncp {tmp_path}/proposal.json $HARNESS_EVIDENCE_DIR/proposal.json\n")
    agent.chmod(0o755)
    dreamt = ws.good("mission dream", "--agent", f"command:{agent}")
    assert any("nowhere" in problem for problem in dreamt["problems"])
    ws.good("mission dream", "--undo")
    assert _documents(ws) == before


def test_an_agent_that_drops_an_insight_is_not_followed(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "proposal.json").write_text(json.dumps({"waits": "# waits\n"}))
    agent = tmp_path / "agent.sh"
    agent.write_text(f"#!/bin/sh\ncat > /dev/null\ncp {tmp_path}/proposal.json $HARNESS_EVIDENCE_DIR/proposal.json\n")
    agent.chmod(0o755)
    dreamt = ws.good("mission dream", "--agent", f"command:{agent}")
    assert any("was not taken over" in problem for problem in dreamt["problems"])
    assert "60 seconds" in ws.text("knowledge/waits.md")
