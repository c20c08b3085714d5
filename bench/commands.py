"""The installed command line as a child process: with compiled byte code, timed from the outside."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.measure import Spent

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
HARNESS = Path(sys.executable).with_name("harness")
_SILENT = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONWARNDEFAULTENCODING", "PYTHONPATH")


def compile_source() -> None:
    """Write the byte code of the source tree, as an installation has it."""
    compileall.compile_dir(ROOT / "src", quiet=2)


class Usage(NamedTuple):
    """What a child took: seconds on the wall and of CPU, the largest resident size in megabytes, its exit code and output."""

    wall: float
    cpu: float
    megabytes: float
    code: int
    output: bytes

    @property
    def spent(self) -> Spent:
        """Return the time alone."""
        return Spent(self.wall, self.cpu)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a user whose harness lives in `home`."""
    kept = {
        name: value for name, value in os.environ.items() if name not in _SILENT and not name.startswith("HARNESS_")
    }
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "b"), ("EMAIL", "b@b"))
    }
    return {**kept, **who, "HARNESS_HOME": str(home), "PATH": f"{HARNESS.parent}{os.pathsep}{kept.get('PATH', '')}"}


def call(words: Sequence[str | Path], cwd: Path, env: dict[str, str], *, check: bool = True) -> Usage:
    """Run the command to its end and return what it took, all its own children included."""
    with (cwd / ".bench-output").open("w+b") as output:
        begun = time.perf_counter()
        child = subprocess.Popen(
            [str(word) for word in words],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        told = output.read()
    if check and child.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, words))} ended with {child.returncode}: {told.decode(errors='replace')[-500:]}"
        )
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, child.returncode, told)


class Repository:
    """A git repository with a registered project, in a folder of its own."""

    def __init__(self, folder: Path, *, store: str | None = None) -> None:
        self.folder = folder / "repository"
        self.env = environment(folder / "home")
        self.store = store or f"sqlite:///{folder / 'ledger.sqlite'}"
        self.folder.mkdir(parents=True)
        for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "start")):
            call(("git", *words), self.folder, self.env)
        (self.folder / ".git" / "info" / "exclude").write_text(".bench-output\n", encoding="utf-8")
        self.harness("init", ".", "--key", "BENCH", "--store", self.store)

    def harness(self, *words: str | Path, check: bool = True) -> Usage:
        """Run `harness` with these words here."""
        return call((HARNESS, *words), self.folder, self.env, check=check)

    def json(self, *words: str | Path) -> Any:
        """Run `harness ... --json` and return its answer. Any: a JSON document."""
        return json.loads(self.harness(*words, "--json").output)

    def plan(self, document: dict[str, Any]) -> None:
        """Apply a plan. Any: its document."""
        file = self.folder.parent / "plan.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        self.harness("plan", "apply", file, "--json")

    def unlimited(self) -> None:
        """Lift the caps that a new project has."""
        for dimension in ("runs", "wall_ms"):
            self.harness("budget", "set", "BENCH", dimension, "unlimited")


def plan_of(size: int, *, chain: bool = False) -> dict[str, Any]:
    """Return a plan document with `size` issues in one milestone, each depending on the one before when `chain`. Any: JSON."""
    issues: list[dict[str, Any]] = [
        {
            "key": f"k{number}",
            "task": f"task number {number}",
            "description": "What is to be done, in a sentence of usual length.",
        }
        for number in range(size)
    ]
    if chain:
        for number in range(1, size):
            issues[number]["depends_on_keys"] = [f"k{number - 1}"]
    return {"plan_key": "bench", "milestones": [{"milestone_key": "m", "description": "all", "issues": issues}]}
