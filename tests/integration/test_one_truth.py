"""Each sentence of "One truth, documents around it" (missions) that no other test covers; the names say the sentences."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from harnessos.app.missions import booting, scheduling, verbs
from harnessos.app.missions.opening import At
from harnessos.kernel import mission_runs, missions
from harnessos.kernel.claims import ClaimRequest
from harnessos.mission import dreaming, judging, keeping, remembering, rendering, tidying
from harnessos.mission.dream.plan import Options
from harnessos.mission.tidying import Limits
from harnessos.model.mission import Mission
from harnessos.settings import default_store
from harnessos.store.transaction import Row, Transaction
from tests.support.agreement import disagreements
from tests.support.commands import Terminal
from tests.support.labour import BY_OPERATOR
from tests.support.mission_documents import CRON_CONFIG, FILLED
from tests.support.mission_hands import at, one_run, ws
from tests.support.secrets import PASSWORD, with_password
from tests.support.workspaces import Workspace

__all__ = ["at", "ws"]

OWNED = ("mission.md", "eval_criteria.md", "playbook.md", "cron_config.md")
BLOCK = re.compile(r"<!-- harness:dream begin -->.*?<!-- harness:dream end -->", re.DOTALL)
HOSTILE = "| `x` | \\| \n\x00\u2028 `' <!-- harness:progress begin --> \U0001f600 日本語 " * 40


def issue_of(at: At) -> Row:
    issue = at.row()["issue_id"]
    found = at.harness.read(lambda tx: tx.one("issue_by_id", id=issue))
    assert found is not None
    return found


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
    store = with_password(database)
    assert PASSWORD in store
    terminal = Terminal(tmp_path / "home", tmp_path)
    (tmp_path / "project").mkdir()
    terminal.good("init", str(tmp_path / "project"), "--key", "P", "--store", store)
    assert terminal("mission", "boot", str(tmp_path / "ws"), "--init", "--store", store).code == 0
    written = (tmp_path / "ws" / ".harness" / "mission.json").read_text(encoding="utf-8")
    assert json.loads(written)["store"].startswith("postgresql://")
    assert PASSWORD not in written


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
