"""Real processes: how they are started, watched and ended (P04, I28, I29)."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from harnessos.errors import RunnerProblem
from harnessos.ports import SystemIds
from harnessos.processes import (
    RUN_MARKER,
    Child,
    EndedBy,
    Finished,
    boot_id,
    built_environment,
    identity,
    identity_of,
    is_alive,
    machine_id,
    marked,
    marked_runs,
    run,
    spawn,
    this_process,
)
from tests.support.agents import SETSID_GRANDCHILD, agent, env, linux, pid_in, run_id, written
from tests.support.python import ROOT, run_python, start_python
from tests.support.waiting import eventually

__all__ = ["env", "run_id"]


def shell(script: str, folder: Path, *, timeout: float = 30, stdin: bytes = b"", limit: int = 1_000_000) -> Finished:
    environment = built_environment(os.environ, {})
    return run(["sh", "-c", script], cwd=folder, env=environment, timeout=timeout, stdin=stdin, output_limit=limit)


# Identity


def test_a_process_knows_itself_and_a_dead_one_is_known_as_dead(tmp_path: Path) -> None:
    me = this_process()
    assert is_alive(me) is True
    assert identity_of(os.getpid()) == me
    done = shell("echo $$", tmp_path)
    assert identity_of(int(done.output)) is None
    assert is_alive(me._replace(pid=int(done.output))) is False


def test_another_start_time_or_boot_is_dead_and_another_machine_unknown() -> None:
    me = this_process()
    assert is_alive(me._replace(started=me.started + 1)) is False
    assert is_alive(me._replace(boot_id="another")) is False
    assert is_alive(me._replace(machine_id="another")) is None


def test_another_pid_namespace_of_this_boot_is_unknown() -> None:
    me = this_process()
    assert is_alive(me._replace(boot_id=me.boot_id.partition("+")[0] + "+4026532999")) is None


def test_a_zombie_is_not_alive(tmp_path: Path, run_id: str) -> None:
    child = agent(run_id, tmp_path, "pass")
    eventually(lambda: is_alive(child.identity) is False, what="it ended")
    assert identity_of(child.identity.pid) == child.identity  # not waited for: still in the table
    assert child.wait(0) == 0


def test_one_computer_can_play_two_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    me = this_process()
    monkeypatch.setenv("HARNESS_MACHINE_ID", "other-machine")
    assert machine_id() == "other-machine"
    assert is_alive(me) is None
    monkeypatch.delenv("HARNESS_MACHINE_ID")
    monkeypatch.setenv("HARNESS_BOOT_ID", "other-boot")
    assert boot_id() == "other-boot"
    assert is_alive(me) is False


def test_a_machine_without_an_id_keeps_one_that_all_processes_share(tmp_path: Path) -> None:
    code = (
        "import sys; from harnessos.processes import identity as i; sys.stdin.read()\n"
        "print(i._kept_machine_id(), end='')"
    )
    found: list[bytes] = []
    start = threading.Barrier(6)

    def ask() -> None:
        start.wait()
        environment = built_environment(
            os.environ, {"HARNESS_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT / "src")}
        )
        found.append(run([sys.executable, "-c", code], cwd=ROOT, env=environment, timeout=60).output)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(found[0]) == 16
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["machine-id"]


def test_of_two_processes_that_make_the_machine_id_the_first_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherWasFirst(SystemIds):
        def token(self) -> str:
            (tmp_path / "machine-id").write_text("theirs")
            return super().token()

    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    monkeypatch.setattr(identity, "SystemIds", OtherWasFirst)
    assert identity._kept_machine_id() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["machine-id"]


# The environment


def test_the_environment_is_built_not_inherited(tmp_path: Path) -> None:
    base = {"PATH": os.environ["PATH"], "LC_ALL": "C", "AWS_SECRET": "s3cret", "PYTHONPATH": "x", "HARNESS_STORE": "pg"}
    environment = built_environment(base, {"HARNESS_TURN": "1"})
    assert environment == {"PATH": base["PATH"], "LC_ALL": "C", "HARNESS_TURN": "1"}
    done = run(["env"], cwd=tmp_path, env=environment, timeout=30, run_id="r-1")
    names = {line.partition(b"=")[0] for line in done.output.splitlines()}
    assert names == {b"PATH", b"LC_ALL", b"HARNESS_TURN", b"HARNESS_RUN_ID", b"HARNESS_CALL_ID"}


# Commands that end


def test_a_command_gives_its_output_errors_and_exit_code(tmp_path: Path) -> None:
    done = shell("pwd; echo no >&2; exit 3", tmp_path)
    assert done[:1] + done[2:] == (3, f"{tmp_path}\n".encode(), b"no\n", EndedBy.EXIT, False)


def test_a_command_ended_by_a_signal_says_so(tmp_path: Path) -> None:
    assert shell("kill -9 $$", tmp_path).exit_code == -9


def test_what_is_in_the_pipe_when_the_command_ends_is_not_lost(tmp_path: Path, env: dict[str, str]) -> None:
    """The first question whether to stop waits until the command has filled its pipe and ended."""
    script = "echo $$ > pid; until [ -e go ]; do :; done; head -c 60000 /dev/zero"

    def seen_through() -> bool:
        who = identity_of(int(written(tmp_path / "pid")))
        (tmp_path / "go").touch()
        eventually(lambda: who is None or is_alive(who) is False, what="the command ended")
        return False

    done = run(["sh", "-c", script], cwd=tmp_path, env=env, timeout=60, stop=seen_through)
    assert (done.ended_by, len(done.output)) == (EndedBy.EXIT, 60000)


def test_merged_output_keeps_the_order(tmp_path: Path, env: dict[str, str]) -> None:
    done = run(["sh", "-c", "echo 1; echo 2 >&2; echo 3"], cwd=tmp_path, env=env, timeout=30, merge=True)
    assert (done.output, done.errors) == (b"1\n2\n3\n", b"")


def test_stdin_closed_for_headless_children(tmp_path: Path, run_id: str) -> None:
    assert shell("cat; echo end", tmp_path).output == b"end\n"
    child = agent(run_id, tmp_path, "import sys; print(repr(sys.stdin.read()))")
    assert child.wait(30) == 0
    assert (tmp_path / "out").read_text() == "''\n"


def test_a_large_stdin_arrives_whole_and_ends(tmp_path: Path) -> None:
    data = os.urandom(1_000_000)
    assert shell("cat", tmp_path, stdin=data).output == data


def test_a_stdin_nobody_reads_does_not_block(tmp_path: Path) -> None:
    assert shell("exit 0", tmp_path, stdin=b"x" * 3_000_000).exit_code == 0


def test_a_grandchild_that_holds_stdout_does_not_hang_the_command(
    tmp_path: Path, run_id: str, env: dict[str, str]
) -> None:
    """P04, cpython #119710: the pipe stays open for ten minutes, the command is over at once."""
    script = "echo before; sleep 600 & echo $! > sleeper"
    done = run(["sh", "-c", script], cwd=tmp_path, env=env, timeout=60, run_id=run_id)
    assert (done.ended_by, done.exit_code, done.output) == (EndedBy.EXIT, 0, b"before\n")
    assert [who.pid for who in marked(run_id)] == [int((tmp_path / "sleeper").read_text())]


def test_a_grandchild_that_writes_without_end_does_not_hang_the_command(
    tmp_path: Path, run_id: str, env: dict[str, str]
) -> None:
    done = run(
        ["sh", "-c", "echo begin; yes & exit 0"], cwd=tmp_path, env=env, timeout=60, run_id=run_id, output_limit=100
    )
    assert (done.ended_by, done.exit_code) == (EndedBy.EXIT, 0)
    assert 0 < len(done.output) <= 100


def test_a_timeout_kills_the_whole_tree(tmp_path: Path) -> None:
    script = SETSID_GRANDCHILD + "\nimport signal; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    environment = built_environment(os.environ, {})
    done = run([sys.executable, "-c", script], cwd=tmp_path, env=environment, timeout=1.0)
    assert (done.ended_by, done.exit_code) == (EndedBy.TIMEOUT, None)
    grandchild = identity_of(int((tmp_path / "grandchild").read_text()))
    assert grandchild is None or is_alive(grandchild) is False


def test_a_stop_ends_the_command(tmp_path: Path, env: dict[str, str]) -> None:
    done = run(
        ["sh", "-c", "touch started; sleep 600"],
        cwd=tmp_path,
        env=env,
        timeout=60,
        stop=(tmp_path / "started").exists,
    )
    assert (done.ended_by, done.exit_code) == (EndedBy.STOPPED, None)


def test_a_stop_that_fails_leaves_no_process(tmp_path: Path, env: dict[str, str], run_id: str) -> None:
    def broken() -> bool:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(["sleep", "600"], cwd=tmp_path, env=env, timeout=60, stop=broken, run_id=run_id)
    assert marked(run_id) == []


def test_memory_keeps_the_end_of_a_long_output(tmp_path: Path) -> None:
    done = shell("seq 200000; echo last", tmp_path, limit=1000)
    assert (done.ended_by, done.exit_code, done.truncated, len(done.output)) == (EndedBy.EXIT, 0, True, 1000)
    assert done.output.endswith(b"200000\nlast\n")


def test_a_log_takes_everything_up_to_the_limit_then_the_command_is_killed(tmp_path: Path, env: dict[str, str]) -> None:
    log = tmp_path / "log"
    done = run(["yes"], cwd=tmp_path, env=env, timeout=60, log=log, output_limit=100_000)
    assert (done.ended_by, done.exit_code, done.truncated) == (EndedBy.OUTPUT_LIMIT, None, True)
    assert log.read_bytes() == b"y\n" * 50_000


def test_a_log_is_appended_and_a_command_that_ends_itself_over_the_limit_is_over_it_too(
    tmp_path: Path, env: dict[str, str]
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    script = ["sh", "-c", "echo 1; echo 2 >&2"]
    assert run(script, cwd=tmp_path, env=env, timeout=60, log=log, output_limit=4).ended_by is EndedBy.EXIT
    assert sorted(log.read_bytes().split()) == [b"1", b"2", b"before"]
    assert run(script, cwd=tmp_path, env=env, timeout=60, log=log, output_limit=3).ended_by is EndedBy.OUTPUT_LIMIT


def test_a_missing_folder_fails_closed(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(RunnerProblem) as refused:
            run(["true"], cwd=folder, env=env, timeout=30)
        assert (refused.value.facts["argv0"], refused.value.facts["cause"]) == ("true", "no_folder")


def test_what_cannot_be_executed_is_named(tmp_path: Path, env: dict[str, str], run_id: str) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "rotten").write_text("no program")
    (tmp_path / "rotten").chmod(0o755)
    for argv, cause in [
        (["no-such-program"], "not_found"),
        ([str(tmp_path / "plain")], "not_executable"),
        ([str(tmp_path / "rotten")], "not_executable"),
        ([str(tmp_path)], "not_executable"),
        (["true", "nul\0byte"], "not_executable"),
        ([], "not_found"),
    ]:
        with pytest.raises(RunnerProblem) as refused:
            run(argv, cwd=tmp_path, env=env, timeout=30)
        assert (refused.value.facts["argv0"], refused.value.facts["cause"]) == (argv[0] if argv else "", cause)
        assert refused.value.hint
        with pytest.raises(RunnerProblem):
            spawn(argv, cwd=tmp_path, env=env, run_id=run_id, stdin=None, stdout=tmp_path / "o", stderr=tmp_path / "e")


# Agents


def test_an_agent_reads_its_prompt_and_appends_to_its_files(tmp_path: Path, run_id: str) -> None:
    (tmp_path / "prompt").write_text("do it")
    (tmp_path / "out").write_text("turn 1\n")
    script = f"import os, sys; print(sys.stdin.read(), os.environ[{RUN_MARKER!r}]); print('!', file=sys.stderr); sys.exit(75)"
    child = agent(run_id, tmp_path, script, stdin=tmp_path / "prompt")
    assert (child.wait(30), child.poll()) == (75, 75)
    assert (tmp_path / "out").read_text() == f"turn 1\ndo it {run_id}\n"
    assert (tmp_path / "err").read_text() == "!\n"


def test_waiting_for_an_agent_ends_at_the_timeout(tmp_path: Path, run_id: str) -> None:
    child = agent(run_id, tmp_path, "import time; time.sleep(600)")
    assert child.wait(0.05) is None
    assert child.poll() is None
    assert is_alive(child.identity) is True
    child.terminate_tree(grace=10)
    assert child.wait(0) == -15


@linux
def test_an_agent_survives_the_end_of_the_thread_that_spawned_it(tmp_path: Path, run_id: str) -> None:
    """The parent-death signal is sent at the end of a thread, not of a process."""
    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(agent(run_id, tmp_path, "import time; time.sleep(600)")))
    thread.start()
    thread.join()
    assert children[0].wait(0.3) is None


@linux
@pytest.mark.parametrize("in_thread", [False, True])
def test_agent_dies_with_its_supervisor(tmp_path: Path, run_id: str, in_thread: bool) -> None:
    code = f"""
import os, sys, threading; from pathlib import Path
from harnessos import processes
def work():
    p = Path({str(tmp_path)!r})
    c = processes.spawn(["sleep", "600"], cwd=p, env={{"PATH": os.environ["PATH"]}}, run_id={run_id!r}, stdin=None,
        stdout=p / "out", stderr=p / "err")
    (p / "pid.new").write_text(str(c.identity.pid)); (p / "pid.new").rename(p / "pid")
    return c
if {in_thread}:
    threading.Thread(target=work).start()
else:
    kept = work()
threading.Event().wait()
"""
    supervisor = start_python("-c", code)
    try:
        who = pid_in(tmp_path / "pid")
        assert marked_runs()[run_id] == [who]
    finally:
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()
    eventually(lambda: is_alive(who) is False, what="the agent ended with its supervisor")


def test_the_room_is_cheap_to_import() -> None:
    code = (
        "import sys, harnessos.processes, harnessos.files\n"
        "heavy = {'asyncio', 'dataclasses', 'inspect', 'subprocess', 'psutil', 'ctypes', 'tempfile', 'shutil', 'logging', 'hashlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run_python("-c", code).stdout == "[]\n"
