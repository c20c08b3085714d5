"""Each sentence of "One truth, documents around it" (missions) that no other test covers; the names say the sentences."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors
from harnessos.app.missions import booting, scheduling, verbs
from harnessos.app.missions.opening import At
from harnessos.kernel import mission_runs, missions, schedules
from harnessos.kernel.claims import ClaimRequest
from harnessos.mission import dreaming, judging, keeping, publishing, remembering, rendering, tidying, workspace
from harnessos.mission.dream.plan import Options
from harnessos.mission.tidying import Limits
from harnessos.model.mission import Mission
from harnessos.settings import default_store
from harnessos.store.transaction import Row, Transaction
from harnessos.testing.crashpoints import Died
from tests.support.agreement import disagreements
from tests.support.commands import Terminal
from tests.support.crew import Crew
from tests.support.labour import BY_OPERATOR
from tests.support.mission_documents import CRON_CONFIG, FILLED
from tests.support.mission_hands import prepared, there
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

OWNED = ("mission.md", "eval_criteria.md", "playbook.md", "cron_config.md")
BLOCK = re.compile(r"<!-- harness:dream begin -->.*?<!-- harness:dream end -->", re.DOTALL)
HOSTILE = "| `x` | \\| \n\x00\u2028 `' <!-- harness:progress begin --> \U0001f600 日本語 " * 40


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return prepared(tmp_path)


@pytest.fixture
def at(ws: Workspace) -> Iterator[At]:
    with there(ws) as opened:
        yield opened


def issue_of(at: At) -> Row:
    found = at.harness.read(lambda tx: tx.one("issue_by_id", id=at.row()["issue_id"]))
    assert found is not None
    return found


def one_run(at: At, word: str = "passed") -> None:
    """Start, say done, and have it judged."""
    verbs.start(at, None, None)
    report = at.place / "output" / "report.md"
    report.write_text("one\n" if word == "passed" else "", encoding="utf-8")
    verbs.done(at, None, "1", "made it")
    judging.judge(at.site)


# A mission is an issue


def test_a_firing_takes_it_from_pending_to_in_progress_in_one_transaction(at: At) -> None:
    (at.place / "cron_config.md").write_text(CRON_CONFIG, encoding="utf-8")
    scheduling.install(at, scheduling.look(at, None), "command:true")
    before = at.harness.read(_last_event)

    def fire(tx: Transaction) -> tuple[bool, str, str | None, str | None]:
        [schedule] = [row for row in tx.all("schedule_of_mission", mission=at.mission_id) if row["target"] == "mission"]
        ground = at.site.ground
        request = ClaimRequest(schedule["project_id"], ground.process, "t", "true", supervised=True, path="/w")
        made = mission_runs.fire(tx, schedule, tx.now, BY_OPERATOR, request)
        assert tx.one("issue_by_id", id=made[2] or "") is not None
        return made

    assert at.harness.write(fire)[0]
    assert issue_of(at)["status"] == "in_progress"
    kinds = [event["kind"] for event in at.harness.read(lambda tx: tx.all("event_after", after=before, most=99))]
    assert kinds == ["issue.promoted", "run.claimed", "mission.started"]


def _last_event(tx: Transaction) -> int:
    return max(int(event["seq"]) for event in tx.all("event_after", after=0, most=100_000))


def test_only_mission_complete_makes_it_done(at: At) -> None:
    for word in ("passed", "failed", "passed"):
        one_run(at, word)
        assert issue_of(at)["status"] == "pending"
    dreaming.dream(at.site, Options())
    tidying.clean(at.site, Limits(1))
    verbs.start(at, None, None)
    verbs.blocked(at, None, "a question")
    assert issue_of(at)["status"] == "blocked"
    at.harness.write(missions.resume, at.mission_id, BY_OPERATOR)
    assert issue_of(at)["status"] == "pending"
    one_run(at)
    judging.complete(at.site)
    assert (issue_of(at)["status"], at.row()["status"]) == ("done", Mission.MISSION_COMPLETE)


def test_attempts_do_not_apply(at: At) -> None:
    for word in ("failed", "failed", "passed", "failed", "passed"):
        one_run(at, word)
    assert (issue_of(at)["attempts"], issue_of(at)["status"], at.row()["failures"]) == (0, "pending", 0)


# The store of a mission command


def test_the_store_is_the_flags_then_the_environments_then_the_workspaces_then_the_default(
    ws: Workspace, tmp_path: Path
) -> None:
    """Each answers with what it knows: only the workspace's own ledger has the mission."""
    elsewhere = {}
    for name in ("flag", "environment"):
        (tmp_path / name).mkdir()
        elsewhere[name] = f"sqlite:///{tmp_path}/{name}.sqlite"
        ws.terminal.good("init", str(tmp_path / name), "--key", name[:4].upper(), "--store", elsewhere[name])

    def refused(*flags: str, **env: str) -> str:
        said = ws("mission show", *flags, "--json", **env)
        assert said.code == 65
        return str(said.error["facts"]["store"] if "facts" in said.error else said.error["store"])

    assert refused("--store", elsewhere["flag"], HARNESS_STORE=elsewhere["environment"]) == elsewhere["flag"]
    assert refused(HARNESS_STORE=elsewhere["environment"]) == elsewhere["environment"]
    other_home = Terminal(tmp_path / "other-home", tmp_path)
    assert other_home.good("mission", "show", str(ws.path))["mission"]["identifier"] == "MSN-1"
    assert not (tmp_path / "other-home" / "harness.sqlite").exists()


@pytest.mark.parametrize("command", ["start", "show", "eval", "done", "cleanup", "dream"])
def test_no_other_command_creates_the_default_store(ws: Workspace, tmp_path: Path, command: str) -> None:
    (ws.path / ".harness" / "mission.json").unlink()
    fresh = Terminal(tmp_path / "fresh", tmp_path)
    assert fresh("mission", command, str(ws.path)).code == 12
    assert not (tmp_path / "fresh" / "harness.sqlite").exists()


@pytest.mark.parametrize("words", [["mission", "boot", "WS"], ["mission", "adopt", "WS"]])
def test_boot_and_adopt_may_create_the_default_store(ws: Workspace, tmp_path: Path, words: list[str]) -> None:
    (ws.path / ".harness" / "mission.json").unlink()
    fresh = Terminal(tmp_path / "fresh", tmp_path)
    assert fresh(*[str(ws.path) if word == "WS" else word for word in words]).code == 0
    assert (tmp_path / "fresh" / "harness.sqlite").exists()


# Documents that are owned, and documents that are rendered


def test_the_harness_only_reads_what_people_and_agents_own(ws: Workspace, at: At) -> None:
    """A whole life, every verb of it; the dream may write between its two marks of the playbook."""
    (ws.path / "playbook.md").write_bytes(FILLED["playbook.md"].replace("\n", "\r\n").encode() + b"\n\xff mine\n")
    ws.fill(playbook=FILLED["playbook.md"])
    (ws.path / "mission.md").write_bytes(
        b"\xef\xbb\xbf" + (ws.path / "mission.md").read_bytes().replace(b"\n", b"\r\n")
    )
    before = {name: (ws.path / name).read_bytes() for name in OWNED}
    scheduling.install(at, scheduling.look(at, None), "command:true")
    for _ in range(3):
        verbs.start(at, None, None)
        remembering.learn(
            at.site, verbs.held(at, None), "sources", f"Source {os.urandom(8).hex()} answers in a second."
        )
        for _ in range(3):
            at.site.note("ERROR", "2", "the source timed out")
        verbs.done(at, None, "2", "x")
        judging.judge(at.site)
    assert dreaming.dream(at.site, Options()).dream_id
    tidying.clean(at.site, Limits(1, 100))
    remembering.check(at.site, fix=True)
    booting.look(at, None, [])
    judging.judge(at.site)
    after = {name: (ws.path / name).read_bytes() for name in OWNED}
    assert "timed out" in after["playbook.md"].decode()
    for name in OWNED:
        assert BLOCK.sub("", after[name].decode()) == BLOCK.sub("", before[name].decode()), name


def test_hand_written_sections_of_a_topic_stay_byte_for_byte(at: At) -> None:
    mine = b"# Sources\r\n\r\nmy own \xff words  \r\n\r\n## A heading of mine\n\tand a tab\n"
    topic = at.place / "knowledge" / "sources.md"
    topic.write_bytes(mine)
    remembering.check(at.site, fix=True)
    for number in range(3):
        remembering.learn(at.site, None, "sources", f"Source number {number * 17} answers after {number + 2} seconds.")
    assert topic.read_bytes().startswith(mine)
    dreaming.dream(at.site, Options())
    assert topic.read_bytes().startswith(mine)


def test_the_hashes_of_what_a_run_began_with_are_recorded(at: At) -> None:
    verbs.start(at, None, None)
    [run] = at.harness.read(_runs, at.mission_id)
    wanted = {name: hashlib.sha256((at.place / name).read_bytes()).hexdigest() for name in OWNED}
    assert json.loads(run["documents_json"]) == wanted


def _runs(tx: Transaction, mission_id: str) -> list[Row]:
    return tx.all("mission_run_list", mission=mission_id, kind="run", before=1 << 40, most=100)


def test_the_rendered_documents_say_inside_that_they_are(ws: Workspace) -> None:
    assert "Rendered by HarnessOS" in ws.text("heartbeat.md")
    assert "Rendered by HarnessOS" in ws.text("progress.md")


def test_heartbeat_has_its_four_sections_and_is_idle_at_step_0_and_off_at_first(ws: Workspace) -> None:
    text = ws.text("heartbeat.md")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "System Status", "Execution Pointer", "Knowledge Index", "Active Alerts",
    ]  # fmt: skip
    fields = (
        "Task Name", "Current Status", "Last Execution Time", "Last Execution Result", "Total Executions",
        "Consecutive Failures", "Next Scheduled Execution", "Current Step", "Completed Steps", "Pending Steps",
        "Blocking Reason", "Last Successful Artifact", "Circuit Breaker", "Compaction Failures", "Stuck Detection",
    )  # fmt: skip
    for field in fields:
        assert len(re.findall(rf"^\| {field} \| `[^`]*` \|", text, re.MULTILINE)) == 1, field
    assert [rendering.field(text, field) for field in ("Current Status", "Current Step", "Circuit Breaker")] == [
        "idle", "Step 0", "off",
    ]  # fmt: skip


@pytest.mark.parametrize("status", list(Mission))
def test_heartbeat_says_each_status_in_its_own_word(at: At, status: Mission) -> None:
    row = {**at.row(), "status": str(status)}
    assert f"| Current Status | `{status}` |" in rendering.heartbeat(rendering.State(row))
    assert {str(word) for word in Mission} == {
        "idle", "running", "completed", "failed", "blocked", "mission_complete",
    }  # fmt: skip


def test_heartbeat_stays_under_2048_bytes_with_1000_topics_and_hostile_long_values(ws: Workspace, at: At) -> None:
    def many(tx: Transaction) -> None:
        for number in range(1000):
            slug = f"{'long_' * 14}{number:04d}"
            title = f"Ünï | `{number}` {HOSTILE}" if number % 2 else f"Report {number}"
            values = {"slug": slug, "title": title, "entries": 1, "verified": number % 2, "run": None}
            mission_runs.note_topic(tx, at.mission_id, values, BY_OPERATOR)

    at.harness.write(many)
    at.harness.write(missions.configure, at.mission_id, BY_OPERATOR, name=HOSTILE.replace("\x00", ""))
    verbs.start(at, None, None)
    verbs.done(at, None, HOSTILE.replace("\x00", "")[:2000], HOSTILE.replace("\x00", "")[:2000])
    judging.judge(at.site)
    verbs.start(at, None, None)
    verbs.blocked(at, None, HOSTILE.replace("\x00", "")[:3000])
    data = (ws.path / "heartbeat.md").read_bytes()
    assert 0 < len(data) < 2048
    text = data.decode()
    assert "`harness memory topics`" in text
    for line in text.split("\n"):
        if line.startswith("| "):
            assert line.replace("\\|", "").count("|") in (3, 4), line
    assert rendering.field(text, "Current Status") == "blocked"
    assert rendering.field(text, "Circuit Breaker") == "off"


def test_the_index_shows_the_most_relevant_topics_and_how_to_list_the_rest(at: At) -> None:
    for number in range(40):
        remembering.learn(at.site, None, f"weather {number}", f"Cloud {number * 7} came from the west at {number} h.")
    remembering.learn(at.site, None, "plain text", "A control character hides in line ends of this kind of text.")
    remembering.learn(at.site, None, "zebras", "Zebras are striped in black and in white all over their body.")
    at.harness.write(missions.import_step, at.mission_id, "Step 3", BY_OPERATOR)  # Check: plain text
    keeping.refresh(at.site)
    text = (at.place / "heartbeat.md").read_text(encoding="utf-8")
    index = text.partition("## Knowledge Index")[2].partition("## Active Alerts")[0]
    shown = re.findall(r"`knowledge/(\S+)\.md`", index)
    assert shown[0] == "plain_text"
    rest = re.search(r"^\| (\d+) more \| `harness memory topics`", index, re.MULTILINE)
    assert rest is not None
    assert len(shown) + int(rest[1]) == 42


# Hand edits


@pytest.mark.parametrize(
    ("field", "was", "now"),
    [
        ("Current Status", "failed", "completed"),
        ("Circuit Breaker", "off", "tripped"),
        ("Consecutive Failures", "1", "0"),
        ("Total Executions", "1", "99"),
        ("Completed Steps", "none", "1, 2, 3, 4"),
    ],
)
def test_of_a_hand_edit_nothing_but_the_step_is_taken(ws: Workspace, at: At, field: str, was: str, now: str) -> None:
    verbs.start(at, None, None)
    verbs.fail(at, None, None, "no luck")
    before = at.row()
    edited = ws.text("heartbeat.md").replace(f"| {field} | `{was}`", f"| {field} | `{now}`")
    assert edited != ws.text("heartbeat.md")
    (ws.path / "heartbeat.md").write_text(edited, encoding="utf-8")
    found = booting.look(at, None, [])
    assert any("edited by hand" in note for note in found.boot.notes)
    assert ws.text("heartbeat.md.bak") == edited
    columns = [name for name in before if name not in ("revision", "rendered_json")]
    assert {name: at.row()[name] for name in columns} == {name: before[name] for name in columns}
    assert disagreements(at) == []


def test_a_generated_part_of_progress_that_was_edited_is_kept_aside_and_rendered_again(ws: Workspace, at: At) -> None:
    one_run(at)
    edited = ws.text("progress.md").replace("`Success`", "`A triumph`")
    (ws.path / "progress.md").write_text(edited, encoding="utf-8")
    assert "edited by hand" in ws("mission boot").out
    assert ws.text("progress.md.bak") == edited
    assert "A triumph" not in ws.text("progress.md")


def test_a_second_edit_does_not_take_the_place_of_the_first(ws: Workspace, at: At) -> None:
    one_run(at)
    for word in ("first", "second"):
        (ws.path / "heartbeat.md").write_text(f"{word} edit\n", encoding="utf-8")
        booting.look(at, None, [])
    kept = {path.read_text(encoding="utf-8") for path in ws.path.glob("heartbeat.md*.bak")}
    assert kept == {"first edit\n", "second edit\n"}


# Whose workspace it is


def test_the_workspace_holds_mission_ledger_store_and_host(ws: Workspace, at: At) -> None:
    path = ws.path / ".harness" / "mission.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    ledger = at.harness.read(lambda tx: tx.one("ledger_read", one=1))
    assert ledger is not None
    assert document == {
        "mission": at.mission_id,
        "identifier": "MSN-1",
        "ledger": ledger["id"],
        "store": default_store(ws.terminal.home),
        "host": at.machine,
    }


@pytest.mark.postgres
def test_the_workspace_never_holds_the_password_of_its_store(tmp_path: Path, database: str) -> None:
    store = re.sub(r"//([^@/]*)@", "//postgres:se%20cret@", database) if "@" in database else database
    terminal = Terminal(tmp_path / "home", tmp_path)
    (tmp_path / "project").mkdir()
    made = terminal("init", str(tmp_path / "project"), "--key", "P", "--store", store)
    if made.code:
        pytest.skip(f"the server takes no address with a password: {made.err}")
    assert terminal("mission", "boot", str(tmp_path / "ws"), "--init", "--store", store).code == 12
    assert "cret" not in (tmp_path / "ws" / ".harness" / "mission.json").read_text(encoding="utf-8")


def test_boot_adopt_imports_the_state_that_the_documents_show(ws: Workspace, at: At, tmp_path: Path) -> None:
    one_run(at)
    one_run(at, "failed")
    other = Terminal(tmp_path / "elsewhere", tmp_path)
    store = f"sqlite:///{other.home}/harness.sqlite"
    (tmp_path / "p").mkdir()
    other.good("init", str(tmp_path / "p"), "--key", "P")
    for command in (["mission", "boot"], ["mission", "start"], ["memory", "learn", "--topic", "a", "--insight", "b"]):
        refused = other(*command[:2], str(ws.path), *command[2:], "--store", store, "--json")
        assert (refused.code, "another ledger" in refused.error["message"]) == (65, True), refused.err
    assert other("mission", "boot", str(ws.path), "--adopt", "--store", store).code == 0
    shown = other.good("mission", "show", str(ws.path))["mission"]
    assert (shown["runs"], shown["failures"], shown["step"]) == (2, 1, at.row()["step"])
    assert ws("mission start", "--store", default_store(ws.terminal.home)).code == 65, "now the first one is the other"


# Writing


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

    def dies(*words: Any) -> None:
        # Any: as publishing._write takes them.
        if not left[0]:
            raise Died("between the intent and the file")
        left[0] -= 1
        real(*words)

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
    known = remembering.pointers(at.site)
    assert (known["unknown"].entries, known["unknown"].verified) == (0, False)
    assert ws("memory learn", "--topic", "a", "--insight", "What is said outside of a run.").code == 0


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
        try:
            CHANGED = FULL[name](at)
            assert CHANGED is not NotImplemented
            over = True
        except errors.DiskLow as problem:
            assert "no room" in problem.message or "no space" in problem.message
            over = False
        finally:
            monkeypatch.setattr(os, "write", real)
        _end_what_is_live(at)
        booting.look(at, None, [])
        assert disagreements(at) == [], number
        assert not list(ws.path.rglob("*.tmp")), number
        if over:
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
    assert said.code == 69, said
    assert said.error["code"] == "disk_low"
    assert topic.read_bytes() == before
    assert not list(ws.path.rglob("*.tmp"))
    eventually(lambda: ws("mission boot").code == 0, within=20, what="a boot with room again")


def test_a_schedule_of_the_mission_is_taken_out_of_use_with_it(at: At) -> None:
    """Its own schedules: they carry its id, and no other mission's."""
    (at.place / "cron_config.md").write_text(CRON_CONFIG, encoding="utf-8")
    scheduling.install(at, scheduling.look(at, None), "command:true")
    rows = at.harness.read(lambda tx: tx.all("schedule_of_mission", mission=at.mission_id))
    assert {row["target"] for row in rows} == {"mission", "dream"}
    at.harness.write(schedules.remove_of_mission, at.mission_id, BY_OPERATOR)
    rows = at.harness.read(lambda tx: tx.all("schedule_of_mission", mission=at.mission_id))
    assert all(schedules.is_removed(row) for row in rows)
