"""The wheel is the source: what users install has every file, and works without the checkout (P24)."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from harnessos import processes
from tests.support.commands import Terminal
from tests.support.python import ROOT, tracked_files
from tests.support.repositories import make_repository


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, made without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = processes.run(command, cwd=ROOT, env=dict(os.environ), timeout=100)
    assert done.exit_code == 0, done.errors
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Terminal:
    """A terminal of a user who has what the wheel holds, and not the source."""
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return Terminal(tmp_path / "home", make_repository(tmp_path / "repo"), PYTHONPATH=str(place))


def test_wheel_contents_match_source_behaviour(wheel: Path) -> None:
    """Byte for byte: SQL, the quickstart's data and the marker of types included, and nothing else."""
    source = ROOT / "src"
    linked = [file for file in (source / "harnessos" / "quickstart").rglob("*.txt") if file.is_symlink()]
    files = [file for file in (*tracked_files(), *linked) if source in file.parents]
    wanted = {file.relative_to(source).as_posix(): file.read_bytes() for file in files}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
        (entry,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "harness = harnessos.cli.main:main" in archive.read(entry).decode()
        assert "harness-scheduler-inject = harnessos.cli.inject:main" in archive.read(entry).decode()
    assert sorted(packed) == sorted(wanted)
    assert [name for name, content in packed.items() if content != wanted[name]] == []
    assert any(name.endswith(".sql") for name in packed)
    assert {"harnessos/skills/harness-24h/SKILL.md", "harnessos/skills/harness-24h/scripts/_launch.py"} <= set(packed)


def test_what_is_installed_works_without_the_checkout(installed: Terminal, tmp_path: Path) -> None:
    told = _python(installed, "import harnessos; print(harnessos.__file__)", tmp_path)
    assert Path(told.strip()).is_relative_to(tmp_path / "site")
    assert installed("--version").out.strip()
    installed.good("init", ".", "--key", "DOCS", "--workflow")
    installed.good("plan", "apply", str(installed.plan()))
    begun = installed.good("session", "begin", "--worktree")
    installed.good("session", "close", "--session", begun["session"]["token"], "--outcome", "released")
    assert installed.good("doctor", "--replay")["ok"]


def test_the_skill_of_what_is_installed_runs_by_an_interpreter_that_has_nothing(
    installed: Terminal, tmp_path: Path
) -> None:
    installed.good("skill", "install", "harness-24h", "--to", str(tmp_path / "skills"))
    script = tmp_path / "skills" / "harness-24h" / "scripts" / "harness_boot.py"
    done = processes.run(
        [sys.executable, "-I", "-S", str(script), "--help"], cwd=tmp_path, env=dict(installed.environment()), timeout=60
    )
    assert (done.exit_code, done.errors) == (0, b"")
    assert done.output.startswith(b"usage: harness mission boot ")


def test_the_quickstart_of_what_is_installed_finds_its_project_and_its_agent(
    installed: Terminal, tmp_path: Path
) -> None:
    program = (
        "from pathlib import Path; from harnessos.quickstart.project import make_project;"
        f"make_project(Path({str(tmp_path / 'quick')!r}))"
    )
    _python(installed, program, tmp_path)
    assert {"plan.yaml", "WORKFLOW.md", "scripted_agent.py"} <= {file.name for file in (tmp_path / "quick").rglob("*")}


def _python(installed: Terminal, program: str, cwd: Path) -> str:
    done = processes.run([sys.executable, "-c", program], cwd=cwd, env=dict(installed.environment()), timeout=60)
    assert done.exit_code == 0, done.errors
    return done.output.decode()
