"""What one supervised run asks of git, recorded by a `git` that comes first on PATH, and its like asked bare."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from bench.commands import Repository, call

_RUN = re.compile(r"run-[0-9a-z]{26}")
_INDEX = "GIT_INDEX_FILE"
_worktrees = threading.Lock()

_WRAPPER = """#!{python} -S
import json, os, subprocess, sys
data = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
done = subprocess.run([{git!r}, *sys.argv[1:]], input=data)
kept = {{name: value for name, value in os.environ.items() if name.startswith("GIT_")}}
line = dict(cwd=os.getcwd(), argv=sys.argv[1:], env=kept, stdin=data.decode("latin-1"), code=done.returncode)
with open({log!r}, "a") as log:
    log.write(json.dumps(line) + "\\n")
sys.exit(done.returncode)
"""


class Asked(NamedTuple):
    """One git command as it was given."""

    cwd: str
    argv: tuple[str, ...]
    env: dict[str, str]
    stdin: str
    code: int

    @property
    def words(self) -> list[str]:
        """Return the arguments without the settings before them."""
        words = list(self.argv)
        while words[:1] == ["-c"]:
            del words[:2]
        return [word for word in words if word != "--no-optional-locks"]

    @property
    def verb(self) -> str:
        """Return git's own command."""
        return " ".join(self.words[:2]) if self.words[0] == "worktree" else self.words[0]

    @property
    def shape(self) -> tuple[str, ...]:
        """Return the arguments without what differs between two repositories."""
        return tuple(_RUN.sub("run", word) for word in self.words)


class Recorded(NamedTuple):
    """The commands of one run in their order, in which repository and under which commit they were given."""

    commands: list[Asked]
    place: str
    head: str


def record(repository: Repository, log: Path) -> Recorded:
    """Let the supervisor work until it is idle and return what it asked of git."""
    folder = log.with_suffix(".bin")
    folder.mkdir()
    wrapper = folder / "git"
    wrapper.write_text(_WRAPPER.format(python=sys.executable, git=shutil.which("git"), log=str(log)), encoding="utf-8")
    wrapper.chmod(0o755)
    log.touch()
    head = call(("git", "rev-parse", "HEAD"), repository.folder, repository.env).output.decode().strip()
    repository.env["PATH"] = f"{folder}{os.pathsep}{repository.env['PATH']}"
    repository.harness("up", "--until-idle", "--max-agents", "1", "--json")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    asked = [Asked(one["cwd"], tuple(one["argv"]), one["env"], one["stdin"], one["code"]) for one in lines]
    return Recorded(asked, str(repository.folder.parent), head)


def replay(place: Path, recorded: Recorded, runs: int, slots: int) -> float:
    """Ask the same of git for so many runs, `slots` at a time, in a new repository; return the seconds it took."""
    repository = Repository(place)
    (repository.folder / "WORKFLOW.md").write_text("---\n---\n", encoding="utf-8")
    for words in (("add", "WORKFLOW.md"), ("commit", "-q", "-m", "workflow")):
        call(("git", *words), repository.folder, repository.env)
    head = call(("git", "rev-parse", "HEAD"), repository.folder, repository.env).output.decode().strip()
    (place / "home" / "worktrees" / "BENCH").mkdir(parents=True, exist_ok=True)
    swap = {recorded.place: str(place), recorded.head: head}
    begun = time.perf_counter()
    with ThreadPoolExecutor(slots) as pool:
        for done in [pool.submit(_one, recorded, repository, swap, number) for number in range(1, runs + 1)]:
            done.result()
    return time.perf_counter() - begun


def _one(recorded: Recorded, repository: Repository, swap: dict[str, str], number: int) -> None:
    """One run's commands, with the agent where its worktree was ready."""
    with tempfile.TemporaryDirectory(prefix="bench-index-") as folder:
        agent = False
        for place, asked in enumerate(recorded.commands):
            if not agent and _worktree_was_ready(recorded, place):
                agent = True
                subprocess.run(["true"], check=True)
            _ask(asked, repository, {**swap, "BENCH-1": f"BENCH-{number}"}, f"run-{number:026d}", Path(folder))


def _worktree_was_ready(recorded: Recorded, place: int) -> bool:
    """Say whether the command after the agent's turn comes next: the first look at what it left."""
    return recorded.commands[place].verb == "add"


def _ask(asked: Asked, repository: Repository, swap: dict[str, str], run: str, folder: Path) -> None:
    def ours(text: str) -> str:
        for old, new in swap.items():
            text = text.replace(old, new)
        return _RUN.sub(run, text)

    env = {**repository.env, **{name: ours(value) for name, value in asked.env.items()}}
    if _INDEX in env:
        env[_INDEX] = str(folder / "index")
        if not (folder / "index").exists():
            shutil.copy(Path(env["GIT_DIR"]) / "index", folder / "index")
    # Git reads half-made worktrees of others when it lists them, so a bare program needs this lock as well.
    with _worktrees if asked.words[0] == "worktree" else nullcontext():
        done = _git([ours(word) for word in asked.argv], ours(asked.cwd), env, ours(asked.stdin))
    if done.returncode != asked.code:
        raise RuntimeError(
            f"bare {' '.join(asked.words)} ended with {done.returncode}, not {asked.code}: {done.stderr.decode()}"
        )


def _git(argv: list[str], cwd: str, env: dict[str, str], stdin: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *argv],
        cwd=cwd,
        env=env,
        input=stdin.encode("latin-1"),
        capture_output=True,
        check=False,
    )
