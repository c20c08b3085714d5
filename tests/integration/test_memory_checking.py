"""The check of a memory: every layer's damage is found, and each finding says how it can be mended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from harnessos.errors import Refused
from harnessos.memory import rotation, shelf, stream, topics
from harnessos.memory.checking import Layer, Repair, check, mend_torn, relevant
from harnessos.memory.learning import learn, write_split

NOON = 1_767_268_800_000


class Row(NamedTuple):
    """A registered topic."""

    slug: str
    title: str
    updated_at: int = NOON


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with one registered topic and a log."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    stream.append(folder, stream.line(NOON, "INFO", "1", "x"))
    learn(folder, "api", "an insight", entry_id="e_1", now=NOON, run=None, by="agent")
    (folder / "knowledge/README.md").write_text("# how this works\n", encoding="utf-8")
    (folder / "heartbeat.md").write_text("# Heartbeat\n", encoding="utf-8")
    return folder


ROWS = {"api": Row("api", "api")}


def _found(workspace: Path, rows: dict[str, Row] | None = None, **more: int) -> list[tuple[str, Repair]]:
    return [(finding.file, finding.repair) for finding in check(workspace, ROWS if rows is None else rows, **more)]


def test_a_sound_memory_has_no_findings(workspace: Path) -> None:
    assert check(workspace, ROWS) == ()


def test_what_is_no_workspace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        check(tmp_path / "misspelt", {})


def test_a_pointer_without_a_file_and_a_file_without_a_pointer_are_found(workspace: Path) -> None:
    assert _found(workspace, {"gone": Row("gone", "Gone")}) == [
        ("knowledge/gone.md", Repair.FORGET_POINTER),
        ("knowledge/api.md", Repair.ADOPT_TOPIC),
    ]


def test_b22_a_topic_with_a_point_in_its_name_is_adopted_and_then_found(workspace: Path) -> None:
    (workspace / "knowledge/node.js.md").write_text("# node.js\n", encoding="utf-8")
    [finding] = check(workspace, ROWS)
    assert (finding.slug, finding.repair, finding.fixable) == ("node_js", Repair.ADOPT_TOPIC, True)
    assert check(workspace, {**ROWS, "node_js": Row("node_js", "node.js")}) == ()


def test_b22_a_file_whose_name_gives_no_slug_and_two_that_share_one_are_found(workspace: Path) -> None:
    (workspace / "knowledge/--.md").touch()
    (workspace / "knowledge/API.md").touch()
    assert _found(workspace) == [("knowledge/--.md", Repair.NONE), ("knowledge/API.md", Repair.NONE)]


def test_b26_a_heartbeat_of_2_kb_is_found(workspace: Path) -> None:
    (workspace / "heartbeat.md").write_bytes(b"x" * 2047)
    assert _found(workspace) == []
    (workspace / "heartbeat.md").write_bytes(b"x" * 2048)
    assert _found(workspace) == [("heartbeat.md", Repair.RENDER_HEARTBEAT)]


def test_b26_a_long_topic_is_found_and_split(workspace: Path) -> None:
    path = workspace / "knowledge/api.md"
    text = path.read_text(encoding="utf-8")
    for number in range(2, 120):
        entry = topics.Entry(f"e_{number}", NOON, "-", "agent", (), f"insight {number}")
        text = topics.with_entry(topics.parse_topic("api", text), "", entry)
    path.write_text(text, encoding="utf-8")
    assert _found(workspace) == [("knowledge/api.md", Repair.SPLIT)]
    write_split(workspace, path, text)
    assert [file.name for file in shelf.files(workspace)] == ["api.md", "api_2.md"]
    assert _found(workspace) == [], "what was split off needs no pointer of its own"


def test_a_long_topic_of_hand_written_text_is_for_its_writer(workspace: Path) -> None:
    (workspace / "knowledge/api.md").write_text("line\n" * 501, encoding="utf-8")
    [finding] = check(workspace, ROWS)
    assert (finding.repair, finding.fixable) == (Repair.NONE, False)
    assert "501 lines" in finding.text


def test_an_entry_that_was_copied_is_found(workspace: Path) -> None:
    path = workspace / "knowledge/api.md"
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    [finding] = check(workspace, ROWS)
    assert "e_1 2 times" in finding.text


def test_b25_bytes_that_are_no_utf8_are_found_in_topics_and_heartbeat(workspace: Path) -> None:
    for name in ("heartbeat.md", "knowledge/api.md"):
        (workspace / name).write_bytes((workspace / name).read_bytes() + b"\xff\n")
    assert _found(workspace) == [("heartbeat.md", Repair.RENDER_HEARTBEAT), ("knowledge/api.md", Repair.NONE)]


def test_a_large_stream_and_a_torn_line_are_found_and_mended(workspace: Path) -> None:
    log = workspace / "logs/execution_stream.log"
    log.write_bytes(log.read_bytes() + b"[2026-01-01 1")
    name = "logs/execution_stream.log"
    assert _found(workspace, max_stream_bytes=20) == [(name, Repair.ROTATE), (name, Repair.END_LINE)]
    assert mend_torn(workspace)
    assert not mend_torn(workspace)
    rotation.rotate(workspace, 20, NOON)
    assert _found(workspace, max_stream_bytes=20) == []


def test_rotated_logs_that_are_damaged_or_were_left_are_found(workspace: Path) -> None:
    rotation.rotate(workspace, 0, NOON)
    archive = workspace / "logs/archive"
    whole = archive / "execution_stream_20260101T120000Z_1.log.gz"
    (archive / "execution_stream_20260101T120000Z_2.log").write_bytes(b"x\n")
    (archive / "execution_stream_20260101T120000Z_3.log.gz").write_bytes(whole.read_bytes()[:-1])
    os.mkfifo(archive / "execution_stream_20260101T120000Z_4.log.gz")
    (archive / "execution_stream_20260101T120000Z_5.log.gz").symlink_to(whole)
    (archive / "execution_stream_20250101_120000.log").touch()
    assert _found(workspace) == [
        ("logs/archive/execution_stream_20260101T120000Z_5.log.gz", Repair.NONE),
        ("logs/archive/execution_stream_20260101T120000Z_4.log.gz", Repair.NONE),
        ("logs/archive/execution_stream_20260101T120000Z_3.log.gz", Repair.NONE),
        ("logs/archive/execution_stream_20260101T120000Z_2.log", Repair.COMPRESS),
    ]
    rotation.finish(workspace)
    assert len(_found(workspace)) == 3
    assert {finding.layer for finding in check(workspace, ROWS)} == {Layer.STREAM}


def test_the_topics_that_share_words_with_the_step_come_first_then_the_newest() -> None:
    rows = [
        Row("old", "Old things", 1),
        Row("new", "New things", 3),
        Row("api_rate_limits", "api_rate_limits", 2),
        Row("data_validation", "Validating data", 2),
    ]
    assert [row.slug for row in relevant(rows, "Step 3: respect the API's rate limit", 2)] == ["api_rate_limits", "new"]
    assert [row.slug for row in relevant(rows, "", 10)] == ["new", "api_rate_limits", "data_validation", "old"]
    assert relevant(rows, "x", 0) == []
