"""The stream log on a real disk, with several writers, rotations and kills."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from pathlib import Path

import pytest

from harnessos.errors import DiskLow, NotAFile, Refused
from harnessos.memory import records, rotation, stream
from tests.support.python import run_python, start_python
from tests.support.scale import SCALE

NOON = 1_767_268_800_000
WRITER = """
import os, sys
from harnessos.memory import stream
whole = os.write
os.write = lambda handle, data: whole(handle, data[:50_000])  # as a nearly full disk or a signal would
for number in range(int(sys.argv[3])):
    text = sys.argv[2] * (1_000_000 if number % 100 == 0 else 20_000 + number)
    stream.append(sys.argv[1], stream.line(number, "INFO", "1", f"{number} {text}"))
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def _record(text: str) -> bytes:
    return stream.line(NOON, "INFO", "1", text)


def test_the_folder_of_the_log_is_made(workspace: Path) -> None:
    stream.append(workspace, _record("one"))
    stream.append(str(workspace), _record("two"))
    assert (workspace / "logs/execution_stream.log").read_bytes() == _record("one") + _record("two")


def test_b29_a_workspace_that_does_not_exist_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not exist") as caught:
        stream.append(tmp_path / "misspelt", _record("x"))
    assert "boot" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="is a file"):
        stream.append(tmp_path / "file", _record("x"))


@pytest.mark.parametrize("what", ["log", "folder", "dangling"])
def test_a_log_that_is_a_link_out_of_the_workspace_is_refused(workspace: Path, tmp_path: Path, what: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "execution_stream.log").write_bytes(b"theirs\n")
    if what == "folder":
        (workspace / "logs").symlink_to(outside)
    else:
        (workspace / "logs").mkdir()
        target = outside / ("execution_stream.log" if what == "log" else "new.log")
        (workspace / "logs/execution_stream.log").symlink_to(target)
    with pytest.raises(Refused, match="leads outside"):
        stream.append(workspace, _record("x"))
    assert [path.name for path in outside.iterdir()] == ["execution_stream.log"]
    assert (outside / "execution_stream.log").read_bytes() == b"theirs\n"


def test_a_log_that_is_a_pipe_or_a_folder_is_said_to_be_no_file(workspace: Path) -> None:
    """And nobody waits for the pipe's other end."""
    (workspace / "logs").mkdir()
    os.mkfifo(workspace / "logs/execution_stream.log")
    with pytest.raises(NotAFile):
        stream.append(workspace, _record("x"))
    (workspace / "logs/execution_stream.log").unlink()
    (workspace / "logs/execution_stream.log").mkdir()
    with pytest.raises(NotAFile):
        stream.append(workspace, _record("x"))


def test_a_line_that_a_killed_writer_left_is_ended_first(workspace: Path) -> None:
    stream.append(workspace, _record("one"))
    log = workspace / "logs/execution_stream.log"
    log.write_bytes(log.read_bytes() + b"[2026-01-01 12:0")
    stream.append(workspace, _record("two"))
    assert log.read_bytes() == _record("one") + b"[2026-01-01 12:0\n" + _record("two")


def test_only_one_whole_line_is_a_record(workspace: Path) -> None:
    for wrong in (b"", b"x", b"a\nb\n"):
        with pytest.raises(ValueError, match="one line"):
            stream.append(workspace, wrong)


def test_a_full_disk_leaves_no_half_record(workspace: Path) -> None:
    """A limit on the size of files stands for the disk."""
    stream.append(workspace, _record("one"))
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(DiskLow):
            stream.append(workspace, _record("two" * 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (workspace / "logs/execution_stream.log").read_bytes() == _record("one")


def test_b06_two_writers_of_long_lines_mix_nothing_and_lose_nothing(workspace: Path) -> None:
    """800 records, some of 1 MB, written in pieces of 50,000 bytes."""
    writers = [start_python("-c", WRITER, str(workspace), name, "400") for name in "ab"]
    assert [writer.wait(100) for writer in writers] == [0, 0]
    seen = set()
    with (workspace / "logs/execution_stream.log").open("rb") as log:
        for line in log:
            record = records.parse(line)
            assert record is not None
            number, text = record.text.split(" ")
            assert text in ("a" * len(text), "b" * len(text))
            assert len(text) == (1_000_000 if int(number) % 100 == 0 else 20_000 + int(number))
            seen.add((text[0], number))
    assert len(seen) == 800


def test_a_log_that_is_rotated_between_being_opened_and_locked_is_let_go(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the record would go into a log that was compressed already."""
    stream.append(workspace, _record("one"))
    lock = fcntl.flock

    def late(handle: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        rotation.rotate(workspace, 0, NOON)
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    stream.append(workspace, _record("two"))
    assert (workspace / "logs/execution_stream.log").read_bytes() == _record("two")


@pytest.mark.scales
@pytest.mark.timeout(3600)
def test_kill_9_of_writers_and_rotations_between_any_two_lines_loses_and_doubles_no_record(tmp_path: Path) -> None:
    answer = run_python("-m", "tests.support.rotating", str(tmp_path), str(SCALE.kills), within=3600)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_a_small_log_is_not_rotated(workspace: Path) -> None:
    stream.append(workspace, _record("one"))
    assert rotation.rotate(workspace, 1000, NOON) is None
    assert rotation.logs(workspace) == [workspace / "logs/execution_stream.log"]


def test_b03_two_rotations_in_one_second_get_two_names(workspace: Path) -> None:
    names = []
    for number in range(11):
        stream.append(workspace, _record(str(number)))
        path = rotation.rotate(workspace, 0, NOON)
        assert path is not None
        names.append(path.name)
    assert names[0] == "execution_stream_20260101T120000Z_1.log.gz"
    assert names[10] == "execution_stream_20260101T120000Z_11.log.gz"
    newest_first = [path.name for path in rotation.logs(workspace)]
    assert newest_first == ["execution_stream.log", *reversed(names)]


def test_a_clock_set_back_does_not_change_the_order_of_rotated_logs(workspace: Path) -> None:
    for number, now in enumerate((NOON, NOON - 3_600_000, NOON + 1000)):
        stream.append(workspace, _record(str(number)))
        rotation.rotate(workspace, 0, now)
    contents = [b"".join(rotation.pieces(path)) for path in rotation.rotated(workspace)]
    assert contents == [_record("2"), _record("1"), _record("0")]


def test_a_rotated_log_of_the_earlier_scripts_is_listed(workspace: Path) -> None:
    archive = workspace / "logs/archive"
    archive.mkdir(parents=True)
    (archive / "execution_stream_20250101_120000.log").write_bytes(b"[2025-01-01 12:00:00] [INFO] [Step: Step 1] old\n")
    (archive / "progress_archive_20250101_120000.md").touch()
    stream.append(workspace, _record("new"))
    rotation.rotate(workspace, 0, NOON)
    assert [path.name for path in rotation.rotated(workspace)] == [
        "execution_stream_20260101T120000Z_1.log.gz",
        "execution_stream_20250101_120000.log",
    ]


def test_a_killed_rotation_is_ended_by_the_next(workspace: Path) -> None:
    """One was killed after the rename, one before its uncompressed log was dropped, one left a damaged compressed log."""
    archive = workspace / "logs/archive"
    archive.mkdir(parents=True)
    stream.append(workspace, _record("whole"))
    rotation.rotate(workspace, 0, NOON)
    names = [f"execution_stream_20260101T120000Z_{number}.log" for number in (1, 2, 3)]
    (archive / names[0]).write_bytes(_record("whole"))
    (archive / names[1]).write_bytes(_record("renamed"))
    (archive / names[2]).write_bytes(_record("damaged"))
    (archive / f"{names[2]}.gz").write_bytes((archive / f"{names[0]}.gz").read_bytes()[:-4])
    assert [path.name for path in rotation.rotated(workspace)] == list(reversed(names))
    assert rotation.rotate(workspace, 1000, NOON) is None
    assert sorted(path.name for path in archive.iterdir()) == [f"{name}.gz" for name in names]
    contents = [b"".join(rotation.pieces(path)) for path in rotation.rotated(workspace)]
    assert contents == [_record("damaged"), _record("renamed"), _record("whole")]


def test_an_archive_that_is_a_link_out_of_the_workspace_is_refused(workspace: Path, tmp_path: Path) -> None:
    stream.append(workspace, _record("x"))
    (tmp_path / "outside").mkdir()
    (workspace / "logs/archive").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused, match="leads outside"):
        rotation.rotate(workspace, 0, NOON)
    assert (workspace / "logs/execution_stream.log").read_bytes() == _record("x")
