"""The sentences of "One truth, documents around it" about writing: locks, crashes, everything at once, a disk that is full."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors
from harnessos.app.missions import booting, verbs
from harnessos.app.missions.opening import At
from harnessos.mission import dreaming, judging, keeping, publishing, remembering, tidying, workspace
from harnessos.mission.dream.plan import Options
from harnessos.mission.pointers import pointers
from harnessos.mission.tidying import Limits
from harnessos.testing.crashpoints import Died
from tests.support.agreement import disagreements
from tests.support.crew import Crew
from tests.support.mission_hands import at, one_run, ws
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

__all__ = ["at", "ws"]


def test_every_write_of_a_document_is_a_new_file_that_is_synced_and_renamed(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter itself announces what is opened and renamed; the stream is appended to, locks are empty."""
    seen: list[tuple[str, str]] = []
    mine, place = threading.get_ident(), str(at.place)
    watched = True

    def heard(event: str, words: tuple[Any, ...]) -> None:
        # Any: what the interpreter announces.
        if watched and event in ("open", "os.rename") and threading.get_ident() == mine:
            name = str(words[1] if event == "os.rename" else words[0])
            writes = event == "os.rename" or (isinstance(words[2], int) and bool(words[2] & (os.O_WRONLY | os.O_RDWR)))
            if writes and name.startswith(place):
                seen.append((event, f"{name[len(place) + 1 :]} {words[0]}"))

    sync = os.fsync

    def synced(handle: int) -> None:
        seen.append(("fsync", str(Path(f"/proc/self/fd/{handle}").readlink())))
        sync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    sys.addaudithook(heard)
    try:
        one_run(at)
        remembering.learn(at.site, None, "writing", "A document is written beside itself, and takes its place then.")
        for _ in range(3):
            at.site.note("ERROR", "1", "the very same problem")
        dreaming.dream(at.site, Options())
        tidying.clean(at.site, Limits(1))
        booting.look(at, None, [])
    finally:
        watched = False
    opened = {text.partition(" ")[0] for event, text in seen if event == "open"}
    in_place = {name for name in opened if not re.search(r"(^|/)\.[^/]*\.tmp$", name)}
    in_place -= {"output/report.md"}  # by the test, as the agent does
    assert in_place == {"logs/execution_stream.log", ".harness/lock"}
    renamed = [text.split(" ", 1) for event, text in seen if event == "os.rename"]
    assert {"heartbeat.md", "progress.md", "knowledge/writing.md", "playbook.md", "logs/eval_report.json"} <= {
        target for target, _ in renamed
    }
    for target, source in renamed:
        at_rename = seen.index(("os.rename", f"{target} {source}"))
        assert ("fsync", source) in seen[:at_rename], target


CHANGES: dict[str, Callable[[At], object]] = {
    "render": lambda at: keeping.refresh(at.site),
    "learn": lambda at: remembering.learn(at.site, None, "a", "What one learns while another holds the lock of it."),
    "start": lambda at: verbs.start(at, None, None),
    "dream": lambda at: dreaming.dream(at.site, Options()),
    "cleanup": lambda at: tidying.clean(at.site, Limits(0)),
    "check --fix": lambda at: remembering.check(at.site, fix=True),
    "eval": lambda at: judging.judge(at.site),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_documents_change_under_the_workspaces_lock_only(at: At, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    one_run(at)
    (at.place / "knowledge" / "orphan.md").write_text("# Orphan\n", encoding="utf-8")
    names = [path for path in at.place.rglob("*.md") if path.is_file()] + [at.place / "logs" / "eval_report.json"]
    before = {path: path.read_bytes() for path in names}
    with workspace.lock(at.place):
        monkeypatch.setattr(workspace, "LOCK_SECONDS", 0.05)
        with pytest.raises(errors.Busy):
            CHANGES[name](at)
        assert {path: path.read_bytes() for path in names} == before
        assert {path for path in at.place.rglob("*.md") if path.is_file()} <= set(names)


@pytest.mark.parametrize("written", [0, 1])
def test_a_crash_between_the_intent_and_the_rendering_is_not_taken_for_an_edit(
    ws: Workspace, at: At, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The ledger knows what it was about to write, and what was there before: either may lie there."""
    one_run(at)
    real, left = publishing._write, [written]

    def dies(place: Path, name: str, before: str | None, text: str) -> None:
        if before != text:
            if not left[0]:
                raise Died("between the intent and the file")
            left[0] -= 1
        real(place, name, before, text)

    monkeypatch.setattr(publishing, "_write", dies)
    with pytest.raises(Died):
        verbs.start(at, None, None)
    monkeypatch.undo()
    found = booting.look(at, None, [])
    assert not [note for note in found.boot.notes if "edited" in note]
    assert not list(ws.path.glob("*.bak"))
    assert disagreements(at) == []


def test_boot_repairs_a_missing_rendering(ws: Workspace, at: At) -> None:
    one_run(at)
    before = {name: ws.text(name) for name in workspace.RENDERED}
    for name in workspace.RENDERED:
        (ws.path / name).unlink()
    assert ws("mission boot").code == 0
    assert {name: ws.text(name) for name in workspace.RENDERED} == before


def test_boot_forgets_the_run_whose_end_was_cut_off_and_registers_what_was_learnt(ws: Workspace, at: At) -> None:
    """Killed between the ledger and the file of the run, and between a topic and its pointer."""
    verbs.start(at, None, None)
    kept = (ws.path / ".harness" / "run.json").read_bytes()
    verbs.fail(at, None, None, "no luck")
    (ws.path / ".harness" / "run.json").write_bytes(kept)
    (ws.path / "knowledge" / "unknown.md").write_text("# Unknown\n", encoding="utf-8")
    assert ws("memory topics").code == 0
    assert ws("memory learn", "--topic", "a", "--insight", "What is said outside of a run.").code == 75
    assert ws("mission boot").code == 0
    assert not (ws.path / ".harness" / "run.json").exists()
    known = pointers(at.site)
    assert (known["unknown"].entries, known["unknown"].verified) == (0, False)
    assert ws("memory learn", "--topic", "a", "--insight", "What is said outside of a run.").code == 0


def test_a_topic_that_cannot_be_read_keeps_no_boot_from_its_work(ws: Workspace, at: At) -> None:
    remembering.learn(at.site, None, "mine", "What was learnt before the file grew beyond all bounds.")
    for name in ("mine", "unknown"):
        with (ws.path / "knowledge" / f"{name}.md").open("r+b" if name == "mine" else "wb") as file:
            file.truncate(17 << 20)
    (ws.path / "knowledge" / "new.md").write_text("# New\n", encoding="utf-8")
    assert booting.look(at, None, []).boot.code == 0
    assert set(pointers(at.site)) == {"mine", "new"}


# Two of everything at once, and a disk that is full


def test_all_commands_may_run_at_the_same_time(ws: Workspace, at: At, tmp_path: Path) -> None:
    """Two of each, all beginning at one moment: each ends with a code of its own, and everything agrees."""
    verbs.start(at, None, None)
    place = str(ws.path)
    allowed = {
        "done": {0, 65, 75}, "fail": {0, 65, 75}, "blocked": {0, 11, 13, 75}, "boot": {0, 11, 13}, "start": {0, 11, 13, 75},
        "eval": {0, 1}, "cleanup": {0}, "dream": {0, 11, 13}, "schedule": {0}, "lint": {0}, "context": {0}, "show": {0},
        "report": {0}, "pause": {0}, "resume": {0, 13}, "stream": {0, 75}, "learn": {0, 75}, "search": {0}, "topics": {0},
        "check": {0, 1},
    }  # fmt: skip
    flags = {"blocked": ["--reason", "why?"], "stream": ["--step", "1", "--event", "something"], "check": ["--fix"]}
    commands = []
    for number, name in enumerate([*allowed, *allowed]):
        noun = "memory" if name in ("stream", "learn", "search", "topics", "check") else "mission"
        more = flags.get(name, [])
        if name == "learn":
            more = ["--topic", f"topic {number}", "--insight", f"Insight {number} of {number * 31} was learnt at once."]
        if name == "search":
            more = ["--query", "something"]
        commands.append([noun, name, place, *more])
    with Crew() as crew:
        said = crew.run(
            "tests.support.mission_hands:types", [[place, str(ws.terminal.home), words] for words in commands], tmp_path
        )
    for one in said:
        assert one.code == 0, one.values
        [[name, code]] = one.values
        assert code in allowed[name], (name, code)
    booting.look(at, None, [])
    assert disagreements(at) == []
    learnt = sum(one.values == [["learn", 0]] for one in said)
    assert len(list((ws.path / "knowledge").glob("topic_*.md"))) == learnt


FULL: dict[str, Callable[[At], object]] = {
    "start": lambda at: verbs.start(at, None, None),
    "learn": CHANGES["learn"],
    "stream": lambda at: at.site.note("INFO", "1", "no room for this"),
    "eval": CHANGES["eval"],
    "dream": CHANGES["dream"],
    "cleanup": CHANGES["cleanup"],
    "boot --init": lambda at: booting.open_or_take(at.harness, str(at.place), lambda _: None, init=True),
}


@pytest.mark.parametrize("name", list(FULL))
def test_a_full_disk_tears_nothing_says_so_and_the_next_boot_mends_it(
    ws: Workspace, at: At, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The n-th write to the workspace and all after it find no room, for every n until the command succeeds."""
    one_run(at)
    for _ in range(3):
        at.site.note("ERROR", "1", "the very same problem")
    place, real = str(at.place), os.write
    for number in range(60):
        if name == "boot --init":
            shutil.rmtree(at.place / "knowledge")
        left = [number]

        def full(handle: int, data: bytes, left: list[int] = left) -> int:
            if str(Path(f"/proc/self/fd/{handle}").readlink()).startswith(place):
                left[0] -= 1
                if left[0] < 0:
                    real(handle, bytes(data[:1]))
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(handle, data)

        monkeypatch.setattr(os, "write", full)
        told: list[str] = []
        try:
            FULL[name](at)
        except errors.DiskLow as problem:
            told.append(problem.message)
        finally:
            monkeypatch.setattr(os, "write", real)
        assert all("no room" in text or "no space" in text for text in told), told
        _end_what_is_live(at)
        booting.look(at, None, [])
        assert disagreements(at) == [], number
        assert not list(ws.path.rglob("*.tmp")), number
        if not told:
            assert number or name in ("cleanup", "boot --init")
            return
    pytest.fail("it needs more than 60 writes")


def _end_what_is_live(at: At) -> None:
    booting.look(at, None, [])
    if workspace.live(at.place) is not None:
        verbs.fail(at, None, None, "makes room")


def test_a_full_disk_is_told_in_a_sentence_on_the_command_line(ws: Workspace) -> None:
    """A file-size limit of one process stands for the disk: the ledger has room, the long document has none."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed")
    topic = ws.path / "knowledge" / "big.md"
    topic.write_text("# Big\n" + "a line by hand\n" * 200_000, encoding="utf-8")
    before = topic.read_bytes()
    limit = max(path.stat().st_size for path in ws.terminal.home.glob("harness.sqlite*")) * 4
    assert limit < len(before)
    said = ws.terminal(
        "memory", "learn", str(ws.path), "--topic", "big", "--insight", "There is no room for this one.", "--json",
        wrap=["prlimit", f"--fsize={limit}"],
    )  # fmt: skip
    assert said.code == 1, said
    assert said.error["code"] == "disk_low"
    assert topic.read_bytes() == before
    assert not list(ws.path.rglob("*.tmp"))
    eventually(lambda: ws("mission boot").code == 0, within=20, what="a boot with room again")
