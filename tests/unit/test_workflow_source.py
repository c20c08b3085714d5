"""Hot reload: the last good version counts, and what is wrong with the file is seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harnessos.errors import BadWorkflow
from harnessos.testing.clock import FakeClock
from harnessos.workflow import source as module
from harnessos.workflow.source import WorkflowSource

LATER = 4_000_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "WORKFLOW.md"
    file.write_text("---\nagent: {max_turns: 1}\n---\nhello")
    return file


@pytest.fixture
def source(path: Path) -> WorkflowSource:
    """A source whose clock is far ahead of every stamp, so that a stamp is trusted at once."""
    return WorkflowSource(path, FakeClock(LATER), {}, Path("/home"))


def turns(source: WorkflowSource) -> int:
    return source.current().workflow.agent.max_turns


def test_a_change_is_seen_without_a_restart(path: Path, source: WorkflowSource) -> None:
    """SYM-6.2-01, 6.2-02."""
    assert turns(source) == 1
    path.write_text("---\nagent: {max_turns: 22}\n---\nbye")
    assert turns(source) == 22
    assert source.current().workflow.prompt == "bye"


def test_a_file_renamed_over_it_is_seen(path: Path, source: WorkflowSource) -> None:
    """SYM-6.2-01: how editors save."""
    assert turns(source) == 1
    other = path.with_name("new")
    other.write_text("---\nagent: {max_turns: 3}\n---\nhello")
    other.rename(path)
    assert turns(source) == 3


def test_an_edit_of_equal_size_with_an_unchanged_stamp_is_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SYM-6.2-01: within one tick of a coarse file system clock size and stamps stay as they were."""
    stamp = path.stat()
    clock = FakeClock(stamp.st_ctime_ns // 1_000_000 + 1000)
    frozen = module._Stamp(stamp.st_ctime_ns, stamp.st_size, stamp.st_ino, stamp.st_dev)
    monkeypatch.setattr(WorkflowSource, "_look", lambda _self: frozen)
    source = WorkflowSource(path, clock, {}, Path("/home"))
    assert turns(source) == 1
    path.write_text("---\nagent: {max_turns: 2}\n---\nhello")
    assert turns(source) == 2
    clock.advance(module.SETTLED_MS)
    assert turns(source) == 2
    path.write_text("---\nagent: {max_turns: 3}\n---\nhello")
    assert turns(source) == 2, "an old stamp is trusted"


@pytest.mark.parametrize(
    "content",
    [
        b"---\nagent: {max_turns: 0}\n---\n",
        b"---\na: [\n---\n",
        b"---\nopen",
        b"{{ nope }}",
        b"\xff",
        b"---\n- a\n---\n",
    ],
)
def test_an_invalid_edit_keeps_the_last_good_version_and_is_visible(
    path: Path, source: WorkflowSource, content: bytes
) -> None:
    """SYM-6.2-08, 5.4-05, 5.5-01."""
    good = path.read_bytes()
    source.current()
    path.write_bytes(content)
    for _ in range(3):
        loaded = source.current()
        assert loaded.workflow.agent.max_turns == 1
        assert loaded.error is not None
        assert str(path) in str(loaded.error)
    path.write_bytes(good)
    assert source.current().error is None


def test_a_file_that_vanishes_is_visible_and_comes_back(path: Path, source: WorkflowSource) -> None:
    good = path.read_bytes()
    source.current()
    path.unlink()
    for _ in range(2):
        loaded = source.current()
        assert loaded.workflow.agent.max_turns == 1
        assert loaded.error is not None
        assert loaded.error.facts["kind"] == "missing_workflow_file"
    path.mkdir()
    assert source.current().error is not None
    path.rmdir()
    path.write_bytes(good)
    assert source.current().error is None


def test_the_first_load_must_be_good(path: Path, source: WorkflowSource) -> None:
    """SYM-6.3-01."""
    path.write_text("{{ nope }}")
    with pytest.raises(BadWorkflow):
        source.current()
    path.write_text("fine")
    assert source.current().error is None


def test_an_unchanged_file_is_not_read_again(source: WorkflowSource, monkeypatch: pytest.MonkeyPatch) -> None:
    first = source.current()
    monkeypatch.setattr(module, "read_workflow", None)
    assert source.current() is first


def test_an_unchanged_text_is_not_parsed_again(
    path: Path, source: WorkflowSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = source.current()
    monkeypatch.setattr(module, "parse_workflow", None)
    os.utime(path)
    assert source.current() is first
