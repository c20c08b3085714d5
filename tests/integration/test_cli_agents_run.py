"""Who executes tasks: nobody by itself (rule 13), and runners where `agents run` says so."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.agents import ended
from tests.support.coordinators import Crowd
from tests.support.waiting import eventually

AGENT = """\
import pathlib, sys
task = sys.stdin.read()
name = task.split("<id>")[1].split("</id>")[0]
where = pathlib.Path(task.split("Write the file `")[1].split("`")[0])
word = pathlib.Path("word.txt").read_text().strip() if pathlib.Path("word.txt").exists() else ""
pathlib.Path("seen").mkdir(exist_ok=True)
pathlib.Path("seen", name).write_text(task)
if word == "result":
    where.write_text(f"## Result: task_{name}\\n**Status**: success\\n**Output**:\\nby the agent\\n")
elif word == "half":
    where.write_text(f"## Result: task_{name}\\n")
print("worked at", name)
sys.exit(3 if word == "fail" else 75 if word == "wall" else 0)
"""
GUARD = """\
import os, sys
def refuse(event, args):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"):
        os.write(2, b"STARTED " + repr(args).encode())
        os._exit(99)
sys.addaudithook(refuse)
"""


@pytest.fixture
def crowd(tmp_path: Path) -> Crowd:
    return Crowd(tmp_path)


@pytest.fixture
def agent(crowd: Crowd) -> str:
    """An agent that keeps what it was told, and does what word.txt says."""
    (crowd.path.parent / "agent.py").write_text(AGENT)
    return f"command:{sys.executable} {crowd.path.parent / 'agent.py'}"


def test_rule_13_the_coordinator_executes_nothing(crowd: Crowd, tmp_path: Path) -> None:
    """A hook of the interpreter ends a command that starts any process: `run` meets it, no other verb does."""
    mark = tmp_path / "done"
    crowd.dispatch(f"touch {mark}; $(touch {mark}) `touch {mark}`")
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    path = f"{guard}{os.pathsep}{crowd.terminal.environment()['PYTHONPATH']}"
    assert crowd("mission agents dispatch", "--task", f"touch {mark}", PYTHONPATH=path).code == 0
    for verb in ("init", "status", "collect", "cleanup"):
        assert crowd(f"mission agents {verb}", PYTHONPATH=path).code == 0, verb
    said = crowd("mission agents run", "--agent", "command:true", PYTHONPATH=path)
    assert (said.code, "STARTED" in said.err) == (99, True)
    assert not mark.exists()


def test_runners_work_through_the_inboxes_and_the_queue(crowd: Crowd, agent: str) -> None:
    tasks = [crowd.dispatch(f"item {number}") for number in range(5)]
    answer = crowd.good("mission agents run", "--agent", agent, "--max", "3")
    ended = sorted((one["id"], one["verdict"]) for one in answer["tasks"])
    assert ended == sorted((task["id"], "done") for task in tasks)
    seen = {path.name: path.read_text() for path in (crowd.path / "seen").iterdir()}
    assert sorted(seen) == sorted(task["id"] for task in tasks)
    assert all(f"item {number}" in seen[task["id"]] for number, task in enumerate(tasks))
    status = crowd.agents("status")
    assert status["tasks"] == {"done": 5}
    assert sum(one["completed_tasks"] for one in status["workers"]) == 5
    assert "worked at" in status["results"][0]["summary"], "without a result of its own, what it printed is its output"
    assert crowd.busy() == {"worker-1": None, "worker-2": None, "worker-3": None}
    assert crowd.terminal("audit", "--verify").code == 0


def test_a_runner_takes_the_result_that_its_agent_left(crowd: Crowd, agent: str) -> None:
    (crowd.path / "word.txt").write_text("result")
    crowd.dispatch()
    assert crowd.good("mission agents run", "--agent", agent)["tasks"][0]["verdict"] == "done"
    assert crowd.agents("status")["results"][0]["summary"] == "by the agent"


def test_a_runner_replaces_a_result_that_its_agent_left_half_written(crowd: Crowd, agent: str) -> None:
    (crowd.path / "word.txt").write_text("half")
    task = crowd.dispatch()
    assert crowd.good("mission agents run", "--agent", agent)["tasks"][0]["verdict"] == "done"
    assert f"worker-1_result_{task['id']}.md" in crowd.archived()


def test_a_runner_that_fails_fails_the_task_three_times_and_then_asks_a_person(crowd: Crowd, agent: str) -> None:
    (crowd.path / "word.txt").write_text("fail")
    crowd.dispatch()
    answer = crowd.good("mission agents run", "--agent", agent)
    assert [one["verdict"] for one in answer["tasks"]] == ["retried", "retried", "failed"]
    assert crowd.agents("status")["tasks"] == {"failed": 1}
    assert "issue retry MSN-2" in json.dumps(crowd.terminal.good("attention", "list", "--project", "MSN"))


def test_a_runner_at_its_providers_wall_gives_the_task_back_and_stops(crowd: Crowd, agent: str) -> None:
    (crowd.path / "word.txt").write_text("wall")
    crowd.dispatch()
    answer = crowd.good("mission agents run", "--agent", agent)
    assert [one["verdict"] for one in answer["tasks"]] == ["provider_down"]
    assert answer["reason"]
    assert crowd.terminal.good("issue", "show", "MSN-2")["issue"]["attempts"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_when_the_runners_are_stopped_no_agent_survives_and_the_tasks_wait_again(crowd: Crowd, number: int) -> None:
    task = crowd.dispatch()
    claimed = crowd.box(1, "inbox") / "claimed" / f"task_{task['id']}.md"
    runners = crowd.start_runners("command:sh -c 'echo $$ > pid; exec sleep 600'")
    pid = eventually(lambda: (crowd.path / "pid").exists() and (crowd.path / "pid").read_text().strip(), within=30)
    assert claimed.exists()
    runners.send_signal(number)
    assert runners.wait(30) == (130 if number == signal.SIGINT else -signal.SIGKILL)
    eventually(lambda: ended(pid), what="the end of the agent", within=30)
    assert crowd.agents("status")["given"][0]["id"] == task["id"], "nobody waits for the lease of a dead runner"
    assert crowd.files(1, "inbox") == ["claimed", claimed.name]
    assert not claimed.exists()
    assert crowd.terminal.good("issue", "show", task["identifier"])["issue"]["attempts"] == 0
    crowd.result(task)
    assert crowd.agents("collect")["results"][0]["outcome"] == "done"


def test_without_an_agent_workers_or_tasks_nothing_runs(crowd: Crowd, tmp_path: Path) -> None:
    assert crowd("mission agents run").code == 65
    assert crowd("mission agents run", "--agent", "nobody").code == 2
    assert crowd("mission agents run", "--agent", "command:true", "--max", "0").code == 2
    (tmp_path / "b").mkdir()
    assert Crowd(tmp_path / "b", workers=0)("mission agents run", "--agent", "command:true").code == 65
    assert crowd.good("mission agents run", "--agent", "command:true") == {"tasks": [], "reason": ""}


def test_an_agent_that_is_not_there_is_no_fault_of_the_task(crowd: Crowd) -> None:
    crowd.dispatch()
    answer = crowd.good("mission agents run", "--agent", "command:/nowhere/agent")
    # On a slow machine its pause is over before the command is, and it is tried again.
    assert {one["verdict"] for one in answer["tasks"]} == {"harness_fault"}
    assert "/nowhere/agent" in answer["reason"]
    assert crowd.agents("status")["tasks"] == {"in_progress": 1}, "a worker has it again"
    assert crowd.terminal.good("issue", "show", "MSN-2")["issue"]["attempts"] == 0
