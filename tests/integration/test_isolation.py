"""Checks that misbehave, at every level this machine offers: each fails for a clear reason, harms nothing, leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harnessos import processes
from harnessos.gates.manifest import manifest
from harnessos.isolation import Check, Level, Limits, Result, available, best, run
from harnessos.ports import SystemClock
from tests.support.python import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="boxes of the upper levels are Linux's")

QUICK = Limits(wall=20.0)
HASTY = Limits(wall=1.0)
Judge = Callable[..., Result]


@pytest.fixture(params=list(Level), ids=lambda level: level.value)
def level(request: pytest.FixtureRequest) -> Level:
    """Every level; one that does not work here is skipped, and says what would make it work."""
    wanted: Level = request.param
    if wanted not in available():
        cure = {
            Level.FULL: "install bubblewrap (Debian: `apt-get install bubblewrap`)",
            Level.NAMESPACES: "allow user namespaces (user.max_user_namespaces), or run as root",
            Level.LIMITS: "as root: install a Python 3.11 that other users may run, such as /usr/bin/python3",
        }[wanted]
        pytest.skip(f"LEVEL {wanted.value} IS NOT TESTED HERE: {cure}")
    return wanted


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace with a blank and a letter beyond ASCII in its name; whatever a check did, it is unchanged."""
    folder = tmp_path / "work space \u00fc"
    (folder / "output" / "deep").mkdir(parents=True)
    (folder / "output" / "report.md").write_text("# Report\n\n3 items\n", encoding="utf-8")
    (folder / "output" / "deep" / "data.json").write_text('{"items": [1, 2, 3]}', encoding="utf-8")
    (folder / "mission.md").write_text("# Mission\n", encoding="utf-8")
    (folder / ".harness").mkdir()
    (folder / ".harness" / "run.json").write_text('{"token": "hs_of-the-live-run"}', encoding="utf-8")
    before = manifest(folder)
    yield folder
    assert manifest(folder) == before
    assert (folder / ".harness" / "run.json").exists()


@pytest.fixture
def judge(level: Level, workspace: Path, tmp_path: Path) -> Judge:
    """Runs a check at the level; no process survives it and its folder is gone."""
    scratch = tmp_path / "boxes"

    def judged(check: Check | str, limits: Limits = QUICK, where: Path = workspace) -> Result:
        if isinstance(check, str):
            check = Check.python(check)
        result = run(check, where, level=level, limits=limits, clock=SystemClock(), scratch_root=scratch)
        assert result.level is level, result
        assert result.survivors == 0
        assert not scratch.exists() or list(scratch.iterdir()) == []
        return result

    return judged


def unheard_of() -> str:
    """Return a number of seconds to sleep that no other process of this machine sleeps."""
    return f"98765{time.monotonic_ns()}"


def running_with(word: str) -> list[str]:
    """Return the command lines of all processes of this machine that contain a word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if word in line:
                found.append(line)
    return found


# What passes


def test_a_snippet_that_comes_to_its_end_passes(judge: Judge) -> None:
    result = judge(
        "import json\nassert len(json.loads((workspace / 'output/deep/data.json').read_text())['items']) == 3"
    )
    assert (result.passed, result.detail) == (True, "")


def test_the_check_works_in_the_workspace(judge: Judge, workspace: Path) -> None:
    assert judge(
        "import pathlib\nassert pathlib.Path('mission.md').exists()\nassert workspace == pathlib.Path.cwd()"
    ).passed
    assert judge(Check.sh("grep -q '3 items' output/report.md")).passed


def test_scratch_is_writable_and_empty_each_time(judge: Judge) -> None:
    snippet = "import pathlib, tempfile\nf = pathlib.Path.home() / 'x'\nassert not f.exists()\nf.write_text('x')\ntempfile.mkdtemp()"
    assert judge(snippet).passed
    assert judge(snippet).passed


def test_a_program_can_be_started_and_serve_on_the_box_s_own_loopback(judge: Judge, level: Level) -> None:
    snippet = "import subprocess, sys\nassert subprocess.run([sys.executable, '-I', '-c', 'print(1)'], capture_output=True).stdout == b'1\\n'\n"
    serve = (
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(s.getsockname()).close()"
    )
    assert judge(snippet + (serve if level is not Level.LIMITS else "")).passed


# What fails, with its one reason


@pytest.mark.parametrize(
    ("snippet", "detail"),
    [
        ("x = 1\nassert x == 2", "AssertionError: assert x == 2 (line 2)"),
        ("assert False, 'only 3 rows'", "AssertionError: only 3 rows (line 1)"),
        ("import json\n\njson.loads('{')", "(line 3)"),
        ("x = (\n", "SyntaxError: '(' was never closed (line 1)"),
        ("a\0b", "null bytes"),
        ("def f():\n    return f()\nf()", "RecursionError: maximum recursion depth exceeded (line 2)"),
        ("import sys\nsys.exit(3)", "the snippet ended itself with: 3"),
        ("import os\nos._exit(0)", "ended with exit code 0 before it had a verdict"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("x = bytearray(2**30)", "MemoryError: x = bytearray(2**30) (line 1)"),
        ("import os\nif os.fork() == 0:\n    pass\nelse:\n    os.wait()\n    assert 0, 'parent'", "AssertionError: parent"),
    ],
)  # fmt: skip
def test_a_snippet_fails_with_its_last_line_and_where_it_was(judge: Judge, snippet: str, detail: str) -> None:
    result = judge(snippet)
    assert result.passed is False
    assert detail in result.detail


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("false\ntrue", "exit code 1"),
        ("echo $UNHEARD_OF", "UNHEARD_OF: parameter not set"),
        ("echo nothing found >&2\nexit 7", "exit code 7: nothing found"),
    ],
)
def test_a_script_stops_at_its_first_failure(judge: Judge, script: str, detail: str) -> None:
    result = judge(Check.sh(script))
    assert result.passed is False
    assert detail in result.detail


def test_b14_a_loop_without_end_a_fork_bomb_a_deletion_and_a_call_out_are_executed_and_judged(judge: Judge) -> None:
    """Each of them passed with the earlier scripts, because nothing was executed."""
    assert judge("assert False").detail == "AssertionError: assert False (line 1)"
    assert judge("while True: pass", HASTY).detail == "timed out after 1 s"
    assert (
        judge("import os\nfor _ in range(10):\n    os.fork()\nimport time\ntime.sleep(60)").detail
        == "more than 64 processes"
    )
    deletion = judge("import shutil\nshutil.rmtree(workspace)")
    assert deletion.passed is False
    assert "Error" in deletion.detail
    assert judge(Check.sh('rm -rf "$PWD"/* .[a-z]*')).passed is False
    assert judge("import socket\nsocket.create_connection(('192.0.2.1', 80), 0.5)").passed is False


def test_two_thousand_forks_in_a_row_are_ended_at_the_limit(judge: Judge) -> None:
    snippet = "import os, time\nfor _ in range(2000):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(60)\n        os._exit(0)"
    assert judge(snippet).detail == "more than 64 processes"


def test_cpu_time_has_a_limit_of_its_own(judge: Judge) -> None:
    assert judge("while True: pass", Limits(wall=20.0, cpu=1)).detail == "used more than 1 s of CPU time"


def test_memory_of_many_processes_counts_together(judge: Judge) -> None:
    snippet = "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = os.urandom(40 << 20)\n        time.sleep(60)\nos.wait()"
    assert judge(snippet, QUICK._replace(memory_together=100 << 20)).detail == "used more than 100 MB of memory"


def test_endless_output_ends_its_producer_and_reaches_no_disk(judge: Judge, tmp_path: Path) -> None:
    result = judge(Check.sh("yes 'all work and no play'"))
    assert result.detail == "wrote more than 16 MB of output"
    assert 900_000 < len(result.output) <= 1_000_000
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 1_000_000


def test_a_script_that_floods_quickly_and_ends_has_failed_too(judge: Judge) -> None:
    assert judge(Check.sh("head -c 17000000 /dev/zero")).detail == "wrote more than 16 MB of output"


def test_files_in_scratch_have_a_size_and_a_sum(judge: Judge) -> None:
    small = QUICK._replace(file=1 << 20, scratch=4 << 20)
    one = judge("import pathlib\n(pathlib.Path.home() / 'x').write_bytes(bytes(2 << 20))", small)
    assert one.passed is False
    assert "File too large" in one.detail
    many = "import pathlib, time\nfor n in range(16):\n    (pathlib.Path.home() / str(n)).write_bytes(bytes(1 << 20))\ntime.sleep(60)"
    result = judge(many, small)
    assert result.passed is False
    assert (
        "No space left" in result.detail
        or result.detail == "wrote more than 4 MB or 20,000 files, or folders too deep to look at"
    )


def test_folders_nested_beyond_every_recursion_are_removed(judge: Judge) -> None:
    snippet = "import os\nos.chdir(os.environ['HOME'])\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\n    os.chmod('.', 0o500) if _ == 2999 else None"
    result = judge(snippet)
    assert result.passed or "too deep to look at" in result.detail


def test_the_box_of_a_killed_process_goes_with_a_later_check(judge: Judge, tmp_path: Path) -> None:
    left = tmp_path / "boxes" / "harness-check-left"
    (left / "root" / "deep").mkdir(parents=True)
    os.utime(left, (1, 1))
    judge("pass")
    assert not left.exists()


# What it cannot see or reach


def test_the_environment_holds_four_names_and_no_secret(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", "planted-in-the-environment")
    result = judge("import os\nfor name, value in os.environ.items():\n    print(name, value)")
    assert result.passed
    assert "planted" not in result.output
    names = {line.split()[0] for line in result.output.splitlines()}
    assert names - {"HARNESS_CHECK_ID"} == {"PATH", "HOME", "TMPDIR", "LANG"}


def test_standard_input_is_empty(judge: Judge) -> None:
    assert judge("import sys\nassert sys.stdin.read() == ''").passed


def test_secrets_that_a_check_prints_are_black(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", "planted-in-the-environment")
    secret = "ghp_" + "a1B2" * 9
    result = judge(
        f"print('{secret}')\nprint('planted-in-the-environment')\nassert False, 'password=correct-horse {secret}'"
    )
    assert result.passed is False
    for word in (secret, "planted", "correct-horse"):
        assert word not in result.output + result.detail
    assert "[redacted]" in result.output
    assert "[redacted]" in result.detail


def test_output_that_is_no_text_is_shown_safely(judge: Judge) -> None:
    result = judge("import sys\nsys.stdout.buffer.write(b'\\xff\\xfe\\x1b[2J ok\\n')")
    assert result.passed
    assert result.output == "\ufffd\ufffd\ufffd[2J ok\n"
    assert "\x1b" not in judge("raise ValueError('\\x1b[2J\\nsecond line')").detail


def test_a_call_out_fails_where_that_is_promised(judge: Judge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        result = judge(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)")
        if {"no_network", "no_tcp"} & set(result.guards):
            assert result.passed is False
            with pytest.raises(BlockingIOError):
                server.accept()
        if result.level is not Level.LIMITS:
            assert "no_network" in result.guards


def test_the_workspace_is_read_only_at_every_level(judge: Judge) -> None:
    for attempt in (
        "(workspace / 'new').touch()",
        "(workspace / 'mission.md').write_text('')",
        "(workspace / 'output/report.md').unlink()",
    ):
        result = judge(attempt)
        assert result.passed is False
        assert "Read-only" in result.detail or "Permission denied" in result.detail


def test_tokens_and_the_ledger_are_hidden(
    judge: Judge, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home of the ledger"
    home.mkdir()
    (home / "harness.sqlite").write_text("the ledger", encoding="utf-8")
    monkeypatch.setenv("HARNESS_HOME", str(home))
    for path in (home / "harness.sqlite", workspace / ".harness" / "run.json"):
        assert judge(f"import pathlib\npathlib.Path({str(path)!r}).read_text()").passed is False
    assert judge("assert not (workspace / '.harness/run.json').exists()").passed


def test_a_ledger_inside_of_the_workspace_is_hidden_too(
    judge: Judge, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / ".harness" / "home").mkdir()
    monkeypatch.setenv("HARNESS_HOME", str(workspace / "output" / "deep"))
    assert judge("assert not (workspace / 'output/deep/data.json').exists()").passed


def test_links_out_of_the_workspace_lead_nowhere(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text("hs_secret", encoding="utf-8")
    monkeypatch.setenv("HARNESS_HOME", str(home))
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "real").write_text("inside", encoding="utf-8")
    for name, target in (
        ("users", "/etc/passwd"),
        ("home", str(home)),
        ("good", "real"),
        ("whole", str(linked / "real")),
    ):
        (linked / name).symlink_to(target)
    real = Path("/etc/passwd").read_text(encoding="utf-8")
    assert judge(
        f"assert not (workspace / 'home/token').exists()\nu = workspace / 'users'\nassert not u.exists() or u.read_text() != {real!r}",
        where=linked,
    ).passed
    assert judge(
        "assert (workspace / 'good').read_text() == 'inside'\nassert (workspace / 'whole').read_text() == 'inside'",
        where=linked,
    ).passed
    for path in ("users", "home/token"):
        assert judge(Check.structural({"kind": "file", "path": path}), where=linked).passed is False


def test_no_right_is_left_to_a_check(judge: Judge) -> None:
    snippet = "import pathlib\nlines = dict(l.split(':\\t', 1) for l in pathlib.Path('/proc/self/status').read_text().splitlines() if ':\\t' in l)\n"
    snippet += (
        "assert int(lines['CapEff'], 16) == int(lines['CapPrm'], 16) == 0, lines\nassert lines['NoNewPrivs'] == '1'"
    )
    assert judge(snippet).passed


# What it starts, and whom it attacks


def test_what_a_check_leaves_behind_is_ended(judge: Judge) -> None:
    seconds = unheard_of()
    snippet = f"import os, subprocess\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.environ.clear()\n        subprocess.Popen(['sleep', '{seconds}'], env={{}}, start_new_session=True)\n    os._exit(0)\nos.wait()"
    result = judge(snippet)
    assert result.passed
    assert running_with(seconds) == []


def test_a_check_that_kills_its_parent_ends_nobody_else(judge: Judge) -> None:
    seconds = unheard_of()
    snippet = f"import os, signal, subprocess\nsubprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\nos.kill(os.getppid(), signal.SIGKILL)\n"
    result = judge(snippet)
    if result.level is Level.LIMITS:
        assert result.passed is False
    assert running_with(seconds) == []


def test_processes_of_the_harness_cannot_be_signalled(judge: Judge) -> None:
    result = judge(f"import os\nos.kill({os.getpid()}, 0)")
    if {"own_processes", "other_user", "no_signals_out"} & set(result.guards):
        assert result.passed is False


# Structural checks


@pytest.mark.parametrize(
    ("fields", "passed", "detail"),
    [
        ({"kind": "file", "path": "output/report.md", "min_bytes": 5}, True, "output/report.md has 18 bytes"),
        ({"kind": "file", "path": "output/none.md"}, False, "output/none.md does not exist"),
        ({"kind": "file", "path": "output/none.md", "exists": False}, True, "output/none.md does not exist"),
        ({"kind": "file", "path": "mission.md", "exists": False}, False, "mission.md exists"),
        ({"kind": "file", "path": "mission.md", "max_bytes": 3}, False, "mission.md has 10 bytes, at most 3 are allowed"),
        ({"kind": "file", "path": "../../etc/passwd"}, False, "leads out of the workspace"),
        ({"kind": "json_schema", "path": "output/deep/data.json", "schema": {"required": ["items"]}}, True, "fits its schema"),
        ({"kind": "json_schema", "path": "output/deep/data.json", "schema": {"required": ["x"]}}, False, "$.x: is missing"),
        ({"kind": "json_schema", "path": "mission.md", "schema": {}}, False, "mission.md is no JSON"),
        ({"kind": "count", "path": "**/*.md", "min": 2, "max": 2}, True, "**/*.md finds 2 files"),
        ({"kind": "count", "path": "output/*.csv", "min": 1}, False, "output/*.csv finds 0 files, at least 1 are wanted"),
        ({"kind": "count", "path": "output/*.md", "pattern": r"^\d items$", "min": 1}, True, "has 1 matches"),
        ({"kind": "regex", "path": "output/report.md", "pattern": r"^\d+ items"}, True, "contains the pattern"),
        ({"kind": "regex", "path": "output/report.md", "pattern": "ERROR", "present": False}, True, "does not contain"),
        ({"kind": "regex", "path": "output/report.md", "pattern": "("}, False, "no regular expression"),
        ({"kind": "freshness", "path": "output/*.md", "max_age_s": 3600}, True, "s old"),
        ({"kind": "freshness", "path": "output/none", "max_age_s": 3600}, False, "does not exist"),
        ({"kind": "command", "run": "test -s output/report.md"}, True, ""),
        ({"kind": "command", "run": "exit 3", "exit": 3}, True, "exit code 3"),
        ({"kind": "command", "run": "sleep 60", "timeout_s": 1}, False, "timed out after 1 s"),
        ({"kind": "spell"}, False, "'spell' is not one of"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_structural_checks_say_what_they_found(
    judge: Judge, fields: dict[str, object], passed: bool, detail: str
) -> None:
    result = judge(Check.structural(fields))
    assert result.passed is passed, result
    assert detail in result.detail


def test_what_is_too_old_fails(judge: Judge, workspace: Path) -> None:
    os.utime(workspace / "mission.md", (1_000_000, 1_000_000))
    result = judge(Check.structural({"kind": "freshness", "path": "mission.md", "max_age_s": 60}))
    assert "at most 60 s are allowed" in result.detail


def test_a_pattern_that_backtracks_for_ever_is_ended(judge: Judge, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    (folder / "text").write_text("a" * 64 + "b", encoding="utf-8")
    result = judge(Check.structural({"kind": "regex", "path": "text", "pattern": "(a+)+$"}), HASTY, folder)
    assert result.detail == "timed out after 1 s"


# Levels


def test_below_the_minimum_nothing_runs(workspace: Path, tmp_path: Path) -> None:
    result = run(Check.python("pass"), workspace, level=None, clock=SystemClock(), scratch_root=tmp_path / "boxes")
    assert result.passed is False
    assert result.detail.startswith("not_isolated: ")
    assert result.level is None


def test_a_level_that_does_not_work_here_runs_nothing(workspace: Path, tmp_path: Path) -> None:
    missing = [level for level in Level if level not in available()]
    for level in missing:
        result = run(Check.python("pass"), workspace, level=level, clock=SystemClock(), scratch_root=tmp_path / "boxes")
        assert result.detail.startswith("not_isolated: ")
        assert best(level) is None or best(level) in list(Level)[: list(Level).index(level)]


def test_the_best_level_that_works_is_taken() -> None:
    assert best() == next(iter(available()), None)


@pytest.mark.parametrize("limits", [Limits(copy_files=2), Limits(copy_bytes=10)], ids=["files", "bytes"])
def test_a_workspace_too_large_to_copy_is_refused_with_a_reason(
    workspace: Path, tmp_path: Path, limits: Limits
) -> None:
    if Level.LIMITS not in available():
        pytest.skip("level limits does not work here")
    result = run(
        Check.python("pass"),
        workspace,
        level=Level.LIMITS,
        limits=limits,
        clock=SystemClock(),
        scratch_root=tmp_path / "b",
    )
    assert result.passed is False
    assert result.detail.startswith("not_run: ")
    assert "holds more than" in result.detail
    assert list((tmp_path / "b").glob("*")) == []


def test_a_workspace_that_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file", Path("/")):
        result = run(Check.python("pass"), path, level=best(), clock=SystemClock(), scratch_root=tmp_path)
        assert result.detail.startswith("not_run: ")


# Without rights

_AS_NOBODY = """
import json, os, pathlib, shutil, sys, tempfile
sys.path.insert(0, sys.argv[1])
from harnessos.isolation import Check, Limits, available, run
from harnessos.ports import SystemClock
top = pathlib.Path(tempfile.mkdtemp())
workspace = top / "ws"
workspace.mkdir()
(workspace / "kept").write_text("x")
tries = {
    "good": Check.python("assert (workspace / 'kept').read_text() == 'x'"),
    "loop": Check.python("while True: pass"),
    "bomb": Check.python("import os, time\\nfor _ in range(10): os.fork()\\ntime.sleep(60)"),
    "delete": Check.python("import shutil\\nshutil.rmtree(workspace)"),
    "loud": Check.sh("yes"),
    "killer": Check.python("import os, subprocess\\nsubprocess.Popen(['sleep', '%s'], start_new_session=True)\\nos.kill(os.getppid(), 9)" % sys.argv[2]),
    "original": Check.python("import shutil\\nshutil.rmtree(%r)" % str(workspace)),
}
answers = {}
for level in available():
    for name, check in tries.items():
        limits = Limits(wall=1.0 if name == "loop" else 20.0)
        result = run(check, workspace, level=level, limits=limits, clock=SystemClock(), scratch_root=top / "boxes")
        kept = (workspace / "kept").exists()
        workspace.mkdir(exist_ok=True)
        (workspace / "kept").write_text("x")
        answers[f"{level.value} {name}"] = [result.passed, result.detail, result.survivors, kept, list(result.guards)]
shutil.rmtree(top)
print(json.dumps(answers))
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root, with setpriv, can become another user"
)
def test_a_user_without_rights_is_protected_as_well(tmp_path: Path) -> None:
    python, seconds = "/usr/bin/python3", unheard_of()
    argv = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        python,
        "-I",
        "-B",
        "-c",
        _AS_NOBODY,
        str(ROOT / "src"),
        seconds,
    ]
    readable = f"import os, sys; sys.exit(sys.version_info < (3, 11) or not os.path.isdir({str(ROOT / 'src' / 'harnessos')!r}))"
    probe = processes.run(
        [*argv[:6], python, "-c", readable],
        cwd=Path("/"),
        env={"PATH": os.defpath},
        timeout=20,
    )
    if probe.exit_code != 0:
        pytest.skip("another user has no Python 3.11 here, or cannot read this checkout")
    finished = processes.run(argv, cwd=Path("/"), env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"}, timeout=110)
    assert finished.exit_code == 0, finished.errors.decode()
    answers = json.loads(finished.output)
    assert answers, "no level works for a user without rights"
    expected = {
        "good": (True, ""),
        "loop": (False, "timed out after 1 s"),
        "bomb": (False, "more than 64 processes"),
        "loud": (False, "wrote more than 16 MB of output"),
    }
    for name, (passed, detail, survivors, kept, guards) in answers.items():
        level, attempt = name.split()
        assert survivors == 0, name
        if attempt in expected:
            assert (passed, detail) == expected[attempt], name
        if attempt == "delete":
            assert passed is False, name
        assert kept or (attempt == "original" and level == "limits" and "files_limited" not in guards), name
    assert running_with(seconds) == []
