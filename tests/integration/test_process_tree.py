"""The whole tree of a run is found and ended, and nothing else (P04, I29)."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from harnessos.processes import (
    RUN_MARKER,
    EndedBy,
    built_environment,
    cpu_seconds,
    identity_of,
    is_alive,
    kill_run,
    marked,
    marked_runs,
    run,
)
from harnessos.processes.handle import send
from tests.support.agents import SETSID_GRANDCHILD, agent, env, linux, pid_in, run_id, written
from tests.support.python import ROOT, run_python
from tests.support.waiting import eventually

__all__ = ["env", "run_id"]


def test_run_end_kills_whole_tree_including_setsid_grandchild_with_cwd_in_worktree(tmp_path: Path, run_id: str) -> None:
    child = agent(run_id, tmp_path, SETSID_GRANDCHILD)
    assert child.wait(30) == 0
    grandchild = pid_in(tmp_path / "grandchild")
    assert marked(run_id) == [grandchild]
    assert Path(f"/proc/{grandchild.pid}/cwd").resolve() == tmp_path
    assert kill_run(run_id, grace=5, group=child.identity) == []
    assert is_alive(grandchild) is False
    assert marked(run_id) == []


def test_a_tree_that_ignores_the_polite_signal_is_killed_after_the_grace(tmp_path: Path, run_id: str) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); open('deaf', 'w').write('x'); time.sleep(600)"
    child = agent(run_id, tmp_path, deaf)
    written(tmp_path / "deaf")
    child.terminate_tree(grace=0.2)
    assert child.poll() == -9


def test_a_process_that_cleans_up_when_asked_is_given_the_grace(tmp_path: Path, run_id: str) -> None:
    polite = (
        "import signal, sys, time\n"
        "def bye(*_): open('cleaned', 'w').close(); sys.exit(0)\n"
        "signal.signal(15, bye); open('ready', 'w').write('x'); time.sleep(600)"
    )
    child = agent(run_id, tmp_path, polite)
    written(tmp_path / "ready")
    child.terminate_tree(grace=30)
    assert child.poll() == 0
    assert (tmp_path / "cleaned").exists()


@linux
def test_a_child_without_the_marker_dies_with_its_group_or_its_parent(tmp_path: Path, run_id: str) -> None:
    script = (
        "import subprocess, time\n"
        "subprocess.Popen(['sh', '-c', 'echo $$ > member; sleep 600'], env={'PATH': '/usr/bin:/bin'})\n"
        "subprocess.Popen(['sh', '-c', 'echo $$ > away; sleep 600'], env={'PATH': '/usr/bin:/bin'}, start_new_session=True)\n"
        "time.sleep(600)"
    )
    child = agent(run_id, tmp_path, script)
    hidden = [pid_in(tmp_path / "member"), pid_in(tmp_path / "away")]
    assert kill_run(run_id, grace=5, group=child.identity) == []
    assert [is_alive(who) for who in hidden] == [False, False]


@linux
def test_an_unmarked_member_of_the_group_is_found_after_its_leader_was_waited_for(tmp_path: Path, run_id: str) -> None:
    script = "import subprocess; subprocess.Popen(['sh', '-c', 'echo $$ > member; sleep 600'], env={'PATH': '/usr/bin:/bin'})"
    child = agent(run_id, tmp_path, script)
    member = pid_in(tmp_path / "member")
    child.wait(30)
    assert identity_of(child.identity.pid) is None
    assert kill_run(run_id, grace=0, group=child.identity) == []
    assert is_alive(member) is False


def test_pid_reuse_never_signalled(tmp_path: Path, run_id: str) -> None:
    """P04: the same pid with another start time belongs to somebody else."""
    stranger = agent(run_id, tmp_path, "import time; time.sleep(600)")
    old = stranger.identity._replace(started=stranger.identity.started - 1)
    send(old, signal.SIGKILL)
    assert kill_run("a-run-long-gone", grace=0, group=old) == []
    assert kill_run("a-run-long-gone", grace=0, group=stranger.identity._replace(boot_id="before")) == []
    assert stranger.wait(0.1) is None


def test_the_calling_process_and_its_other_children_are_never_part_of_a_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_id: str
) -> None:
    code = f"""
import os; from pathlib import Path
from harnessos.processes import kill_run, marked, marked_runs, spawn, this_process
os.setsid()
p = Path({str(tmp_path)!r})
other = spawn(["sleep", "600"], cwd=p, env={{"PATH": os.environ["PATH"]}}, run_id={run_id + "-2"!r}, stdin=None,
    stdout=p / "out", stderr=p / "err")
assert marked({run_id!r}) == [] and {run_id!r} not in marked_runs()
assert kill_run({run_id!r}, grace=0, group=this_process()) == []
assert other.wait(0.05) is None
other.terminate_tree(grace=0)
print("alive")
"""
    monkeypatch.setenv(RUN_MARKER, run_id)
    done = run_python("-c", code)
    assert done.stdout == "alive\n", done.stderr


def test_all_runs_are_told_apart_in_one_scan(tmp_path: Path, run_id: str) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    one = agent(run_id, folders[0], "import time; time.sleep(600)")
    two = agent(run_id + "-2", folders[1], "import time; time.sleep(600)")
    try:
        found = marked_runs()
        assert (found[run_id], found[run_id + "-2"]) == ([one.identity], [two.identity])
        assert kill_run(run_id, grace=5, group=one.identity) == []
        assert is_alive(two.identity) is True
    finally:
        two.terminate_tree(grace=0)


@linux
def test_a_killed_gate_leaves_the_agent_of_its_run_alone(tmp_path: Path, run_id: str, env: dict[str, str]) -> None:
    child = agent(run_id, tmp_path, "import time; time.sleep(600)")
    assert run(["sleep", "600"], cwd=tmp_path, env=env, timeout=0.1, run_id=run_id).ended_by is EndedBy.TIMEOUT
    assert child.poll() is None


@linux
def test_work_shows_as_cpu_time_of_the_whole_tree(tmp_path: Path, run_id: str) -> None:
    worker = "i = 0\nwhile True: i += 1"
    script = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}], start_new_session=True, env={{}})"
    child = agent(run_id, tmp_path, script)
    eventually(lambda: cpu_seconds(run_id, child.identity) > 0.5, within=60, what="half a second of CPU in the tree")
    child.terminate_tree(grace=0)
    assert cpu_seconds(run_id, child.identity) == 0.0


@linux
def test_children_that_have_ended_still_count_as_work(tmp_path: Path, run_id: str) -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    script = (
        f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}])\n"
        "open('burnt', 'w').write('x'); time.sleep(600)"
    )
    child = agent(run_id, tmp_path, script)
    written(tmp_path / "burnt")
    assert cpu_seconds(run_id, child.identity) >= 0.4


@linux
def test_orphans_are_reaped_and_the_exit_codes_of_own_children_stay(tmp_path: Path, run_id: str) -> None:
    code = f"""
import os, sys; from pathlib import Path
from harnessos import processes
from harnessos.processes.table import all_rows
from tests.support.waiting import eventually
processes.become_subreaper()
p, env = Path({str(tmp_path)!r}), {{"PATH": os.environ["PATH"]}}
def zombies():
    return {{row.pid for row in all_rows().values() if row.parent == os.getpid() and row.dead}}
files = dict(stdin=None, stdout=p / "out", stderr=p / "err")
child = processes.spawn(["sh", "-c", "exit 7"], cwd=p, env=env, run_id={run_id!r}, **files)
processes.run(["sh", "-c", "(exec sh -c 'exit 0') & sleep 0 & exit 0"], cwd=p, env=env, timeout=30, run_id={run_id!r})
eventually(lambda: len(zombies()) == 3, what="two orphans and a child to wait for")
processes.reap_orphans()
assert zombies() == {{child.identity.pid}}, zombies()
assert child.poll() == 7
"""
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr


@linux
@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="needs root and setpriv")
def test_a_process_of_another_user_that_cannot_be_ended_is_reported_not_hidden(tmp_path: Path, run_id: str) -> None:
    """A survivor is in the answer, so that nobody removes the worktree under it."""
    child = agent(run_id, tmp_path, "import time; time.sleep(600)")
    code = (
        "from harnessos.processes import tree; from harnessos.processes.identity import identity_of\n"
        "tree._PATIENCE = 0.1\n"
        "tree.environment_entry = lambda pid, name: 'r' if pid == " + str(child.identity.pid) + " else None\n"
        "print([who.pid for who in tree.kill_run('r', grace=0)])"
    )
    done = run(
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code],
        cwd=ROOT,
        env=built_environment(os.environ, {"PYTHONPATH": str(ROOT / "src")}),
        timeout=60,
    )
    if b"Permission denied" in done.errors or b"No module named" in done.errors:
        pytest.skip("the interpreter is not readable for other users")
    assert done.output.decode() == f"[{child.identity.pid}]\n", done.errors.decode()


def test_a_process_that_adopts_and_is_alone_still_ends_what_another_supervisor_left(tmp_path: Path) -> None:
    """Nothing below this process says nothing about a run that a dead one had started."""
    script = """
import os, subprocess, sys
from pathlib import Path
from harnessos import processes
left = subprocess.Popen(["sleep", "600"], env={**os.environ, "HARNESS_RUN_ID": "run-left"}, start_new_session=True)
identity = processes.identity_of(left.pid)
successor = os.fork()
if successor == 0:
    processes.become_subreaper()
    processes.kill_run("run-left", grace=0.0, group=identity)
    os._exit(0)
os.waitpid(successor, 0)
print("alive" if left.poll() is None else "ended")
"""
    done = run_python("-c", script, cwd=tmp_path)
    assert done.stdout.strip() == "ended", done.stderr
