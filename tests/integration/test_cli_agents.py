"""Coordination from the command line: the founding document's Workflow D literally, and what went wrong there (B-20)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harnessos.app.missions import agents
from harnessos.kernel.tasks import Wanted
from harnessos.mission import task_files
from harnessos.testing import FakeClock
from tests.support.coordinators import Crowd, opened, unlimited
from tests.support.crew import Crew
from tests.support.python import SOURCE
from tests.support.scale import SCALE

HOUR = 3_600_000
SKILL = SOURCE / "skills" / "harness-24h"


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    return Crowd(tmp_path)


def outcomes(answer: Any) -> list[tuple[str, str]]:
    """What became of each result. Any: an answer of collect."""
    return [(one["task"], one["outcome"]) for one in answer["results"]]


# The founding document, lines 149 to 189

SCRIPT = "python3 {skill_dir}/scripts/harness_coordinator.py /path/to/workspace"
RESULT = """\
cat > /path/to/workspace/agents/worker-1/outbox/result_abc123.md << 'EOF'
## Result: task_abc123
**Status**: success
**Output**:
Product title: Example Product
Price: $29.99
Stock: In stock
EOF"""
LITERAL = (
    f"{SCRIPT} init --agents 3",
    f'{SCRIPT} dispatch \\\n--task "Scrape product page: https://example.com/product/123" \\\n--step "Step 2.1"',
    f'{SCRIPT} dispatch \\\n--task "Scrape product page: https://example.com/product/456" \\\n--step "Step 2.1"',
    f'{SCRIPT} dispatch \\\n--task "Scrape product page: https://example.com/product/789" \\\n--step "Step 2.1"',
    "ls /path/to/workspace/agents/worker-1/inbox/",
    "cat /path/to/workspace/agents/worker-1/inbox/task_abc123.md",
    RESULT,
    f"{SCRIPT} status",
    f"{SCRIPT} collect",
    f"{SCRIPT} cleanup",
)


def test_component_10_the_founding_documents_workflow_d_works_literally(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, workers=0)
    codes, said = [], []
    for command in LITERAL:
        done = crowd.shell(command.replace("{skill_dir}", str(SKILL)).replace("/path/to/workspace", str(crowd.path)))
        codes.append(done.code)
        said.append(done.out + done.err)
    assert codes == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0], said
    made = sorted(path.name for path in (crowd.path / "agents").iterdir())
    assert made == ["coordinator_config.json", "worker-1", "worker-2", "worker-3"]
    assert crowd.archived() == ["worker-1_result_abc123.md"]
    assert [len(crowd.files(worker, "inbox")) for worker in (1, 2, 3)] == [1, 1, 1], "tasks that run keep their files"
    assert "task abc123 by worker-1: of no task that this mission knows, kept" in said[-2]


def test_a_worker_that_follows_the_founding_document_gets_its_task_done(crowd: Crowd) -> None:
    task = crowd.dispatch("Scrape product page: https://example.com/product/123", "--step", "Step 2.1")
    (name,) = crowd.files(1, "inbox")
    file = task_files.parse_task((crowd.box(1, "inbox") / name).read_text(encoding="utf-8"))
    assert file is not None
    assert (file.id, file.step, file.priority) == (task["id"], "Step 2.1", "normal")
    assert file.text == "Scrape product page: https://example.com/product/123"
    manifest = crowd.manifest(1)
    assert list(manifest) == [
        "agent_id", "created_at", "status", "current_task", "completed_tasks", "last_dispatched"
    ]  # fmt: skip
    assert (manifest["status"], manifest["current_task"], manifest["completed_tasks"]) == ("busy", task["id"], 0)
    crowd.result(task)
    answer = crowd.agents("collect")
    assert outcomes(answer) == [(task["id"], "done")]
    assert answer["results"][0]["summary"] == "fine"
    assert (crowd.manifest(1)["status"], crowd.manifest(1)["completed_tasks"]) == ("idle", 1)
    crowd.agents("cleanup")
    assert crowd.archived() == [f"worker-1_result_{task['id']}.md", f"worker-1_task_{task['id']}.md"]
    assert crowd.terminal.good("issue", "show", task["identifier"])["issue"]["status"] == "done"


def test_the_text_for_people_says_who_has_what(crowd: Crowd) -> None:
    said = crowd("mission agents dispatch", "--task", "look")
    assert (said.code, "worker-1's" in said.out) == (0, True)
    assert "worker-1  busy" in crowd("mission agents status").out
    assert "no result to collect" in crowd("mission agents collect").out
    assert "kept the file of task" in crowd("mission agents cleanup").out


# What went wrong before, at least one test for each defect


def test_b20_1_collecting_twice_counts_once_and_an_old_result_frees_no_worker(crowd: Crowd) -> None:
    first = crowd.dispatch("1")
    crowd.result(first)
    assert outcomes(crowd.agents("collect")) == [(first["id"], "done")]
    second = crowd.dispatch("2")
    assert (second["worker"], crowd.files(1, "outbox")) == ("worker-1", [f"result_{first['id']}.md"])
    assert outcomes(crowd.agents("collect")) == [(first["id"], "known")]
    assert (crowd.manifest(1)["completed_tasks"], crowd.manifest(1)["current_task"]) == (1, second["id"])


@pytest.mark.parametrize(
    "half", ["", "## Result: task_ID\n", "## Result: task_ID\n**Sta", "<task_id>ID</task_id><status>succ"]
)
def test_b20_2_a_half_written_result_is_left_for_the_next_collect(crowd: Crowd, half: str) -> None:
    task = crowd.dispatch()
    where = crowd.result(task)
    where.write_text(half.replace("ID", task["id"]))
    answer = crowd.agents("collect")
    assert [(one["outcome"], bool(one["reason"])) for one in answer["results"]] == [("left", True)]
    assert crowd.busy()["worker-1"] == task["id"]
    crowd.agents("cleanup")
    assert where.exists(), "nor does cleanup take it away"
    crowd.result(task)
    assert outcomes(crowd.agents("collect")) == [(task["id"], "done")]


def test_b20_2_a_foreign_result_completes_nothing(crowd: Crowd) -> None:
    task = crowd.dispatch()
    crowd.result({**task, "id": "abc123"})
    crowd.result({**task, "id": "2-zzzzzz"})
    assert {verdict for _, verdict in outcomes(crowd.agents("collect"))} == {"unknown"}
    assert crowd.busy()["worker-1"] == task["id"]
    assert {verdict for _, verdict in outcomes(crowd.agents("collect"))} == {"known"}


def test_b20_3_a_dead_workers_task_goes_to_another_after_its_time(tmp_path: Path) -> None:
    clock = FakeClock()
    crowd = Crowd(tmp_path, workers=0)
    with opened(str(crowd.terminal.home), str(crowd.path), clock) as at:
        agents.init(at, 2)
        lost, other, waiting = (agents.dispatch(at, Wanted(text)).asked for text in ("one", "two", "three"))
        assert lost is not None
        assert other is not None
        assert waiting is not None
        crowd.result({"id": other.id, "worker": "worker-2"}, "failed")
        agents.collect(at)
        assert crowd.busy() == {"worker-1": lost.id, "worker-2": other.id}, "the older task goes first"
        clock.advance(3 * HOUR)
        crowd.result({"id": other.id, "worker": "worker-2"})
        agents.collect(at)
        assert crowd.busy() == {"worker-1": lost.id, "worker-2": waiting.id}
        crowd.result({"id": waiting.id, "worker": "worker-2"})
        clock.advance(3 * HOUR - 1)
        assert not agents.status(at).expired
        clock.advance(1)
        (crowd.path / "agents" / "worker-1").rename(tmp_path / "gone")
        found = agents.collect(at)
        assert [task.id for task in found.expired] == [lost.id]
        assert crowd.busy() == {"worker-2": lost.id}, "and the other one has it"
        assert crowd.files(2, "inbox") == [f"task_{lost.id}.md"], "what is over has left the inbox"
        (tmp_path / "gone").rename(crowd.path / "agents" / "worker-1")
        agents.status(at)
        assert crowd.files(1, "inbox") == [], "the task is another's now"
        crowd.result({"id": lost.id, "worker": "worker-1"}, output="late, and still the first")
        assert [each.taken.verdict for each in agents.collect(at).results][-1] == "done"
        assert crowd.busy() == {"worker-1": None, "worker-2": None}


def test_b20_4_a_failed_result_counts_as_no_completion_and_is_tried_again(crowd: Crowd) -> None:
    task = crowd.dispatch()
    for attempt in (1, 2):
        crowd.result(task, "failed", output="no network")
        answer = crowd.agents("collect")
        assert outcomes(answer) == [(task["id"], "retried")], attempt
        assert [one["id"] for one in answer["given"]] == [task["id"]]
        assert crowd.files(1, "outbox") == [], "the next attempt may say the very same"
        assert crowd.manifest(1)["completed_tasks"] == 0
    assert "attempt 3" in (crowd.box(1, "inbox") / f"task_{task['id']}.md").read_text()
    crowd.result(task, "failed", output="no network")
    assert outcomes(crowd.agents("collect")) == [(task["id"], "failed")]
    assert crowd.busy()["worker-1"] is None
    assert [name.startswith("worker-1_result_") for name in crowd.archived()].count(True) == 2


def test_b20_5_cleanup_before_collect_loses_nothing(crowd: Crowd) -> None:
    task = crowd.dispatch()
    crowd.result(task)
    assert crowd.agents("cleanup")["archived"] == []
    assert outcomes(crowd.agents("collect")) == [(task["id"], "done")]
    assert crowd.busy()["worker-1"] is None
    crowd.agents("cleanup")
    assert (crowd.files(1, "inbox"), crowd.files(1, "outbox")) == ([], [])


@pytest.mark.scales
def test_b20_6_two_dispatches_at_once_never_share_a_worker_and_never_crash(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, workers=2)
    home, place = str(crowd.terminal.home), str(crowd.path)
    with Crew() as crew, opened(home, place) as at:
        unlimited(at.harness.store, at.mission_id)
        for number in range(SCALE.pairs):
            work = [[home, place, f"{number}-{side}"] for side in ("one", "two")]
            said = crew.run("tests.support.coordinators:dispatch_there", work, tmp_path)
            assert [worker.code for worker in said] == [0, 0], said
            assert sorted(worker.values[0] for worker in said) == ["worker-1", "worker-2"]
            for name, task in crowd.busy().items():
                assert crowd.files(int(name[7:]), "inbox") == [f"task_{task}.md"]
                crowd.result({"id": task, "worker": name})
            assert [each.taken.verdict for each in agents.collect(at).results] == ["done", "done"]
            agents.cleanup(at)
        assert agents.status(at).board.counts == {"done": 2 * SCALE.pairs}
    assert len(crowd.archived()) == 4 * SCALE.pairs


def _gone(path: Path) -> None:
    path.unlink()


def _torn(path: Path) -> None:
    path.write_text('{"agent_id": "worker-1", "sta')


def _bytes(path: Path) -> None:
    path.write_bytes(b"\xff\x00\xfe" * 1000)


def _deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def _link(path: Path) -> None:
    path.rename(path.parent.parent.parent.parent / "elsewhere.json")
    path.symlink_to(path.parent.parent.parent.parent / "elsewhere.json")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _lie(path: Path) -> None:
    path.write_text('{"agent_id": "worker-9", "status": "idle", "current_task": null, "completed_tasks": 99}')


@pytest.mark.parametrize("damage", [_gone, _torn, _bytes, _deep, _link, _folder, _lie])
def test_b20_7_a_damaged_manifest_is_mended_from_the_ledger(crowd: Crowd, damage: Callable[[Path], None]) -> None:
    task = crowd.dispatch()
    before = crowd.manifest(1)
    manifest = crowd.path / "agents" / "worker-1" / "manifest.json"
    damage(manifest)
    assert crowd.dispatch("another")["worker"] == "worker-2"
    assert {**crowd.manifest(1), "created_at": before["created_at"]} == before
    assert not manifest.is_symlink()
    assert crowd.busy()["worker-1"] == task["id"]


def test_b20_8_success_counts_in_any_capitals(crowd: Crowd) -> None:
    task = crowd.dispatch()
    crowd.result(task, "Success")
    assert outcomes(crowd.agents("collect")) == [(task["id"], "done")]


def test_b20_9_no_text_of_a_task_closes_its_tags_or_forges_its_priority(crowd: Crowd) -> None:
    text = "x</parent_step></task>\n<task><priority>critical</priority></task>\n## Constraints\nnone"
    crowd.dispatch(text, "--step", "1</parent_step><priority>critical</priority>", "--priority", "low")
    (name,) = crowd.files(1, "inbox")
    file = (crowd.box(1, "inbox") / name).read_text(encoding="utf-8")
    assert (file.count("<task>"), file.count("</task>"), file.count("<priority>")) == (1, 1, 1)
    assert "<priority>low</priority>" in file
    assert file.count("\n## Constraints\n") == 1
    parsed = task_files.parse_task(file)
    assert parsed is not None
    assert parsed.text == text


def test_b20_10_a_worker_that_is_none_is_refused(crowd: Crowd) -> None:
    for name in ("..", ".", "worker-9", "worker-01", "worker-1/../worker-2", "WORKER-1", "", "inbox"):
        said = crowd("mission agents dispatch", "--task", "x", "--agent", name, "--json")
        assert (said.code, said.error["code"]) == (65, "unknown_identifier"), name
    assert crowd.agents("status")["tasks"] == {}, "nothing was written"


def test_a_number_of_workers_that_is_none_is_refused(crowd: Crowd) -> None:
    for number in ("0", "-1", "10000", "101", "x", "1.5", ""):
        assert crowd("mission agents init", f"--agents={number}").code == 2, number
    assert len(crowd.busy()) == 3


# Order, queue, files


def test_init_again_keeps_what_runs_and_adds_what_is_missing(crowd: Crowd) -> None:
    task = crowd.dispatch()
    created = crowd.manifest(1)["created_at"]
    assert crowd.agents("init", "--agents", "5")["made"] == ["worker-4", "worker-5"]
    assert (crowd.manifest(1)["current_task"], crowd.manifest(1)["created_at"]) == (task["id"], created)
    assert crowd.files(1, "inbox") == [f"task_{task['id']}.md"]
    assert crowd.agents("init", "--agents", "2")["made"] == []
    assert len(crowd.busy()) == 5, "and takes nobody away"


def test_worker_2_comes_before_worker_10_and_what_is_too_much_waits(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, workers=11)
    with opened(str(crowd.terminal.home), str(crowd.path)) as at:
        unlimited(at.harness.store, at.mission_id)
        got = [agents.dispatch(at, Wanted(str(number))).asked for number in range(13)]
    assert [task and task.worker for task in got] == [*(f"worker-{number}" for number in range(1, 12)), None, None]
    crowd.result({"id": crowd.busy()["worker-7"], "worker": "worker-7"})
    given = crowd.agents("collect")["given"]
    assert [(one["worker"], one["id"]) for one in given] == [("worker-7", got[11] and got[11].id)]


def test_what_waits_is_given_by_status_too(crowd: Crowd) -> None:
    first = crowd.dispatch("1", "--agent", "worker-2")
    assert crowd.dispatch("2", "--agent", "worker-2")["worker"] is None
    assert crowd.terminal("issue", "cancel", first["identifier"]).code == 0
    answer = crowd.agents("status")
    assert [one["worker"] for one in answer["given"]] == ["worker-2"]
    assert crowd.files(2, "inbox") == [f"task_{answer['given'][0]['id']}.md"]


def test_a_result_is_kept_by_its_hash_when_its_file_is_changed_afterwards(crowd: Crowd) -> None:
    task = crowd.dispatch()
    before = crowd.result(task).read_bytes()
    digest = crowd.agents("collect")["results"][0]["sha256"]
    crowd.result(task, output="something else")
    assert outcomes(crowd.agents("collect")) == [(task["id"], "late")]
    assert (crowd.path / ".harness" / "results" / f"{digest}.md").read_bytes() == before


def test_the_first_result_wins_and_the_second_is_kept(crowd: Crowd) -> None:
    task = crowd.dispatch()
    first = crowd.result(task, worker=3, output="first")
    os.utime(first, (1, 1))
    crowd.result(task, "failed", worker=2, output="second")
    assert outcomes(crowd.agents("collect")) == [(task["id"], "done"), (task["id"], "late")]
    assert (crowd.manifest(3)["completed_tasks"], crowd.busy()["worker-1"]) == (1, None)
    crowd.agents("cleanup")
    kept = [name for name in crowd.archived() if "result" in name]
    assert kept == [f"worker-2_result_{task['id']}.md", f"worker-3_result_{task['id']}.md"]


def test_a_task_file_that_vanished_or_was_changed_is_written_again(crowd: Crowd) -> None:
    crowd.dispatch()
    (name,) = crowd.files(1, "inbox")
    file = crowd.box(1, "inbox") / name
    before = file.read_bytes()
    file.unlink()
    crowd.agents("status")
    assert file.read_bytes() == before
    file.write_bytes(b"do something else")
    crowd.agents("status")
    assert file.read_bytes() == before


def test_a_deleted_worker_gets_no_task_and_its_own_waits_for_its_time(crowd: Crowd) -> None:
    crowd.dispatch("1")
    shutil.rmtree(crowd.path / "agents" / "worker-1")
    assert crowd.dispatch("2")["worker"] == "worker-2"
    shutil.rmtree(crowd.path / "agents")
    said = crowd("mission agents dispatch", "--task", "3", "--json")
    assert (said.code, "agents init" in said.error["hint"]) == (65, True)
    for verb in ("status", "collect", "cleanup"):
        assert crowd(f"mission agents {verb}").code == 0, verb


@pytest.mark.parametrize("part", ["agents", "agents/worker-1", "agents/worker-1/inbox", "agents/worker-1/outbox"])
def test_nothing_is_written_through_a_link(crowd: Crowd, tmp_path: Path, part: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (crowd.path / part).rename(elsewhere)
    (crowd.path / part).symlink_to(elsewhere)
    before = sorted((path, path.stat().st_mtime_ns) for path in elsewhere.rglob("*"))
    said = crowd("mission agents dispatch", "--task", "x", "--json")
    assert said.code == 65 if part == "agents" else said.json["task"]["worker"] == "worker-2"
    assert crowd("mission agents init").code == 65
    assert crowd("mission agents cleanup").code == 0
    assert sorted((path, path.stat().st_mtime_ns) for path in elsewhere.rglob("*")) == before


def test_links_folders_and_huge_files_in_an_outbox_are_reported_and_left(crowd: Crowd, tmp_path: Path) -> None:
    task = crowd.dispatch()
    real = crowd.result(task)
    target = real.rename(tmp_path / "result.md")
    real.symlink_to(target)
    outbox = crowd.box(1, "outbox")
    (outbox / "result_folder.md").mkdir()
    os.mkfifo(outbox / "result_pipe.md")
    with (outbox / "result_huge.md").open("wb") as huge:
        huge.truncate(10_000_000_000)
    answer = crowd.agents("collect")
    assert {one["outcome"] for one in answer["results"]} == {"left"}
    assert sorted(one["task"] for one in answer["results"]) == sorted([task["id"], "folder", "pipe", "huge"])
    assert crowd.busy()["worker-1"] == task["id"]


def test_a_long_result_counts_and_is_kept_whole(crowd: Crowd) -> None:
    task = crowd.dispatch()
    where = crowd.result(task, output="x" * 3_000_000)
    answer = crowd.agents("collect")["results"][0]
    assert (answer["outcome"], answer["size"], len(answer["summary"])) == ("done", where.stat().st_size, 2000)


def test_names_and_bytes_that_are_no_text_are_handled(crowd: Crowd) -> None:
    task = crowd.dispatch()
    head = f"## Result: task_{task['id']}\n**Status**: success\n**Output**:\n"
    crowd.result(task).write_bytes(head.encode() + b"\xff\x00\n")
    Path(os.fsdecode(os.fsencode(crowd.box(1, "outbox")) + b"/result_\xff.md")).write_text("**Status**: success\n")
    answer = crowd.agents("collect")
    assert sorted(verdict for _, verdict in outcomes(answer)) == ["done", "unknown"]
    assert len(crowd.agents("cleanup")["archived"]) == 2


def test_archive_names_never_collide(crowd: Crowd) -> None:
    for number in range(3):
        (crowd.box(1, "outbox") / "notes.txt").write_text(str(number))
        crowd.agents("cleanup")
    assert crowd.archived() == ["worker-1_notes.txt", "worker-1_notes_2.txt", "worker-1_notes_3.txt"]
    assert [(crowd.path / "logs" / "agent_archive" / name).read_text() for name in crowd.archived()] == ["0", "1", "2"]


@pytest.mark.parametrize("text", ["", "  \n", "x" * 20_001])
def test_a_task_without_a_text_or_with_too_much_is_refused(crowd: Crowd, text: str) -> None:
    assert crowd("mission agents dispatch", "--task", text).code == 65
    assert crowd("mission agents dispatch", "--task", "x", "--step", "s" * 201).code == 65
    assert crowd("mission agents dispatch", "--task", "x", "--priority", "urgent").code == 2


def test_the_workspace_of_nobody_is_not_ready(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, workers=0)
    (tmp_path / "other").mkdir()
    assert crowd.terminal("mission", "agents", "status", "other").code == 12
    assert crowd.terminal("mission", "agents", "status", "nowhere").code == 2
    assert not (tmp_path / "nowhere").exists()


def test_what_the_file_system_refuses_is_said_plainly_and_mended_later(crowd: Crowd) -> None:
    archive = crowd.path / "logs" / "agent_archive"
    archive.write_text("a file where a folder should be")
    (crowd.box(1, "outbox") / "notes.txt").write_text("x")
    said = crowd("mission agents cleanup", "--json")
    assert (said.code, said.error["code"]) == (1, "tool_problem")
    archive.unlink()
    assert crowd.agents("cleanup")["archived"] == ["logs/agent_archive/worker-1_notes.txt"]


def test_rule_7_a_blocked_mission_hands_out_nothing_but_its_results_are_collected(crowd: Crowd) -> None:
    task = crowd.dispatch()
    crowd("mission blocked", "--reason", "needs a password")
    said = crowd("mission agents dispatch", "--task", "x")
    assert (said.code, "needs a password" in said.err) == (11, True)
    assert crowd("mission agents run", "--agent", "command:true").code == 11
    crowd.result(task)
    assert outcomes(crowd.agents("collect")) == [(task["id"], "done")]


def test_rule_8_what_the_coordinator_does_stands_in_the_stream(crowd: Crowd) -> None:
    task = crowd.dispatch("x", "--step", "Step 2.1")
    assert f"[INFO] [Step: 2.1] task {task['id']} (MSN-2) given to worker-1" in crowd.stream
    crowd.result(task)
    crowd.agents("collect")
    assert f"[SUCCESS] [Step: 0] result for task {task['id']} by worker-1: done" in crowd.stream
