"""`harness` as a person or an agent types it: a process of its own, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.python import ROOT
from tests.support.repositories import make_repository

PLAN = {
    "plan_key": "p",
    "milestones": [
        {
            "milestone_key": "m1",
            "description": "first",
            "issues": [
                {"key": "a", "task": "do a", "gates": [{"kind": "file", "name": "made", "path": "a.txt"}]},
                {"key": "b", "task": "do b", "depends_on_keys": ["a"]},
                {"key": "c", "task": "do c", "priority": "low", "files": ["src/"]},
            ],
        }
    ],
}
NO_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""As root every file can be read and written; a child without capabilities meets modes like anybody else."""


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on standard output. Any: a test looks into it."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error document on standard error, the last line there. Any: a test looks into it."""
        return json.loads(self.err.strip().splitlines()[-1])["error"]


def run_words(words: Sequence[str], env: Mapping[str, str], stdin: str = "", timeout: float = 120) -> Said:
    """Run any program with that environment and nothing else, and return how it ended."""
    done = subprocess.run(
        words, env=env, input=stdin, capture_output=True, text=True, encoding="utf-8", timeout=timeout, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Terminal:
    """Types commands in a folder. `home` is HARNESS_HOME; `env` is what the environment has beside PATH."""

    def __init__(self, home: Path, cwd: Path, **env: str) -> None:
        self.home = home
        self.cwd = cwd
        self.env = env

    def __call__(self, *words: str, stdin: str = "", wrap: Sequence[str] = (), **env: str) -> Said:
        """Run `harness WORDS` and return how it ended."""
        done = subprocess.run(
            [*wrap, sys.executable, "-m", "harnessos", *words],
            cwd=self.cwd,
            env={**self.environment(), **env},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def good(self, *words: str, **env: str) -> Any:
        """Run a command that must succeed, with --json, and return its document. Any: a test looks into it."""
        said = self(*words, "--json", **env)
        assert said.code == 0, said.err
        return said.json

    def unread(self, *words: str) -> tuple[int, str]:
        """Run a command whose output nobody reads; return its exit code and what it says on standard error."""
        command = [sys.executable, "-m", "harnessos", *words]
        with subprocess.Popen(
            command, cwd=self.cwd, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            said = process.stderr.read().decode()
            return process.wait(60), said

    def at(self, cwd: Path, **env: str) -> Terminal:
        """Return the same user in another folder."""
        return Terminal(self.home, cwd, **{**self.env, **env})

    def environment(self) -> Mapping[str, str]:
        """Return the environment of a command: built, so that the tests' own cannot leak in."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home.parent),
            "USER": "someone",
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HARNESS_HOME": str(self.home),
            "GIT_AUTHOR_NAME": "A Person",
            "GIT_AUTHOR_EMAIL": "person@example.org",
            "GIT_COMMITTER_NAME": "A Person",
            "GIT_COMMITTER_EMAIL": "person@example.org",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **self.env,
        }

    def plan(self, document: object = PLAN) -> Path:
        """Write a plan file and return it."""
        file = self.home.parent / "plan.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        return file


def registered(tmp_path: Path, key: str = "DOCS") -> Terminal:
    """Return a terminal in a new repository that is registered in a new ledger and has the plan above."""
    terminal = Terminal(tmp_path / "home", make_repository(tmp_path / "repo"))
    terminal.good("init", ".", "--key", key)
    terminal.good("plan", "apply", str(terminal.plan()))
    return terminal


def require_modes(tmp_path: Path) -> None:
    """Prove that a child without capabilities is refused a mode-000 file here, or skip loudly."""
    closed = tmp_path / "closed"
    closed.write_text("x", encoding="utf-8")
    closed.chmod(0)
    try:
        done = subprocess.run([*NO_CAPABILITIES, "cat", str(closed)], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("setpriv is not installed: modes cannot be tested as root")
    assert done.returncode != 0, "a mode-000 file could be read; this test would prove nothing"
