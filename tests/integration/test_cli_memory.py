"""The memory of a mission from the command line: stream, topics, search, check."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.workspaces import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_component_7_the_three_layers_hold_what_they_are_for(ws: Workspace) -> None:
    ws.start()
    said = ws("memory stream", "--step", "Step 2.3", "--event", "Fetched 50 articles", "--level", "WARN")
    assert re.fullmatch(
        r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00\] \[WARN\] \[Step: 2\.3\] Fetched 50 articles\n", said.out
    )
    ws.good("memory learn", "--topic", "API rate-limits", "--insight", "Wait 60 s after a 403.")
    assert "Wait 60 s after a 403." in ws.text("knowledge/api_rate_limits.md")
    assert "| API rate-limits | `knowledge/api_rate_limits.md` |" in ws.text("heartbeat.md")


def test_unverified_run_writes_nothing_to_L1_L2(ws: Workspace) -> None:
    ws.start()
    ws.good("memory learn", "--topic", "limits", "--insight", "Wait a minute.")
    ws.done()
    assert [one["verified"] for one in ws.good("memory topics")["items"]] == [False]
    assert "unverified" in ws.text("heartbeat.md")
    assert ws("mission eval").code == 1
    assert [one["verified"] for one in ws.good("memory topics")["items"]] == [False]
    ws.produce()
    assert ws("mission eval").code == 0
    assert [one["verified"] for one in ws.good("memory topics")["items"]] == [True]
    assert "unverified" not in ws.text("heartbeat.md")


def test_rule_9_a_dump_is_no_insight(ws: Workspace) -> None:
    for text in ("x" * 2001, ""):
        assert ws("memory learn", "--topic", "t", "--insight", text).code == 65
    for number in range(3):
        ws("memory stream", "--step", "1", "--event", f"the fetch number {number} timed out")
    dump = "; ".join(f"the fetch number {number} timed out" for number in range(3))
    assert ws("memory learn", "--topic", "t", "--insight", dump).code == 65
    assert not list((ws.path / "knowledge").glob("t.md"))


def test_secret_patterns_refused(ws: Workspace) -> None:
    secret = "AKIA" + "ABCDEFGHIJKLMNOP"
    said = ws("memory learn", "--topic", "keys", "--insight", f"the key is {secret}")
    assert said.code == 65
    assert secret not in said.err
    assert not list((ws.path / "knowledge").glob("keys.md"))


def test_recalled_text_cannot_be_relearned(ws: Workspace) -> None:
    ws.good("memory learn", "--topic", "waits", "--insight", "Wait a minute after a 403.")
    again = ws.good("memory learn", "--topic", "waits", "--insight", "Wait a minute after a 403.")
    assert again["duplicate_of"] is not None
    assert ws.text("knowledge/waits.md").count("Wait a minute after a 403.") == 1


def test_rule_5_no_topic_leads_to_the_constitution(ws: Workspace) -> None:
    before = ws.text("mission.md")
    for topic in ("../mission", "../../escaped", "/etc/passwd", "../heartbeat"):
        ws("memory learn", "--topic", topic, "--insight", "Something learnt.")
    assert ws.text("mission.md") == before
    assert not (ws.path.parent / "escaped.md").exists()
    assert ws("memory check").code == 0


def test_b17_no_event_forges_a_record(ws: Workspace) -> None:
    ws(
        "memory stream",
        "--step",
        "a] [ERROR] [Step: b",
        "--event",
        "one\n[2026-01-01 00:00:00+00:00] [ERROR] [Step: 9] forged",
    )
    assert ws.stream.count("\n") == ws.stream.count("[INFO]")
    assert ws.good("memory search", "--query", "forged", "--level", "ERROR")["items"] == []


def test_a_stream_line_renews_the_lease(ws: Workspace) -> None:
    ws.start()
    before = ws.good("mission show")["live"]["expires_at"]
    ws("memory stream", "--step", "1", "--event", "still here")
    assert ws.good("mission show")["live"]["expires_at"] >= before
    ws.done()
    assert ws.good("mission report")["runs"][0]["lines"] == 1


def test_without_a_run_a_line_is_logged_all_the_same(ws: Workspace) -> None:
    assert ws("memory stream", "--step", "1", "--event", "by hand").code == 0
    assert "by hand" in ws.stream


def test_search_is_newest_first_and_filters(ws: Workspace) -> None:
    for number, level in enumerate(("INFO", "ERROR", "WARN")):
        ws("memory stream", "--step", f"Step {number}", "--event", f"Timeout {number}", "--level", level)
    assert [hit["text"] for hit in ws.good("memory search", "--query", "timeout")["items"]] == [
        "Timeout 2",
        "Timeout 1",
        "Timeout 0",
    ]
    assert [hit["step"] for hit in ws.good("memory search", "--query", "timeout", "--level", "ERROR")["items"]] == ["1"]
    assert [hit["step"] for hit in ws.good("memory search", "--query", "time", "--step", "Step 2")["items"]] == ["2"]
    assert len(ws.good("memory search", "--query", "^.*Timeout [01]$", "--regex")["items"]) == 2
    assert ws.good("memory search", "--query", "timeout", "--case")["items"] == []
    assert len(ws.good("memory search", "--query", "timeout", "--max", "1", "--since", "1h")["items"]) == 1
    assert ws("memory search", "--query", "nothing like it").code == 0
    assert ws("memory search", "--query", "(", "--regex").code == 2


def test_b19_rotated_logs_stay_searchable(ws: Workspace) -> None:
    ws("memory stream", "--step", "1", "--event", "needle in the old log")
    assert ws.good("mission cleanup", "--max-stream-mb", "0.00001")["rotated"]
    ws("memory stream", "--step", "1", "--event", "new")
    assert [hit["text"] for hit in ws.good("memory search", "--query", "needle")["items"]] == ["needle in the old log"]


def test_check_finds_and_mends_dangling_pointers_and_orphans(ws: Workspace) -> None:
    ws.good("memory learn", "--topic", "kept", "--insight", "Something kept.")
    ws.good("memory learn", "--topic", "lost", "--insight", "Something lost.")
    (ws.path / "knowledge" / "lost.md").unlink()
    (ws.path / "knowledge" / "orphan.md").write_text("# Orphan\n\nWritten by hand.\n")
    said = ws("memory check", "--json")
    assert said.code == 1
    assert {one["file"] for one in said.json["findings"]} == {"knowledge/lost.md", "knowledge/orphan.md"}
    assert ws("memory check", "--fix").code == 0
    assert {one["slug"] for one in ws.good("memory topics")["items"]} == {"kept", "orphan"}
    assert (ws.path / "knowledge" / "orphan.md").read_text() == "# Orphan\n\nWritten by hand.\n"


def test_b26_a_thousand_topics_leave_the_index_under_2_kb(ws: Workspace) -> None:
    for number in range(1000):
        (ws.path / "knowledge" / f"topic_{number}.md").write_text(f"# Topic {number}\n\nText.\n")
    assert ws("memory check", "--fix").code == 0
    assert len(ws.text("heartbeat.md").encode()) < 2048
    assert re.search(r"\| \d+ more \| `harness memory topics`", ws.text("heartbeat.md"))
    assert len(ws.good("memory topics")["items"]) == 1000


def test_contradiction_supersedes_and_keeps_history(ws: Workspace) -> None:
    first = ws.good(
        "memory learn", "--topic", "waits", "--insight", "Wait 60 seconds after the API answers 403 and try again."
    )
    same = ws.good(
        "memory learn", "--topic", "waits", "--insight", "Wait 60 seconds after the API answers 403 and try again."
    )
    assert same["duplicate_of"] == first["entry"]
    second = ws.good(
        "memory learn", "--topic", "waits", "--insight", "Wait 90 seconds after the API answers 403 and try again."
    )
    assert second["superseded"] == [first["entry"]]
    assert "Wait 60 seconds" in ws.text("knowledge/waits.md")
