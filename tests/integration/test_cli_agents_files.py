"""Inboxes, outboxes and the queue from the command line: what is kept, what is refused, and what is written where."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harnessos.app.missions import agents
from harnessos.kernel.tasks import Wanted
from tests.support.coordinators import Crowd, opened, outcomes, unlimited


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    return Crowd(tmp_path)


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
