"""Real git repositories for tests; the user's own git configuration has no say in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from harnessos import worktrees
from harnessos.worktrees import Repository, Worktree

_AUTHOR = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.org",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


ODD_NAMES = ["line\nbreak", 'quo"te', "-dash", "grün-日本", "back\\slash", " space ", "*star", ":(glob)x"]
"""Names that a careless parser of git's output gets wrong."""


def user_git(cwd: Path, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    """Run git as a person would and return what it says, without the last newline."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=cwd,
        env={**os.environ, **_AUTHOR, **(env or {})},
        capture_output=True,
        check=False,
        timeout=60,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"git {arguments}: {done.stderr.decode(errors='replace')}")
    return os.fsdecode(done.stdout).removesuffix("\n")


def make_repository(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Make a repository on branch `main` with one commit."""
    folder.mkdir(parents=True)
    user_git(folder, "init", "--quiet", "--initial-branch=main")
    commit_files(folder, files or {"README": "one\n", "src/app.py": "print(1)\n"}, "start")
    return folder


def commit_files(checkout: Path, files: Mapping[str, str], message: str = "change") -> str:
    """Write and commit files; return the commit."""
    for name, content in files.items():
        place = checkout / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    user_git(checkout, "add", "--all")
    user_git(checkout, "commit", "--quiet", "-m", message)
    return user_git(checkout, "rev-parse", "HEAD")


def write_file(folder: Path, name: str, content: str) -> None:
    """Write a file, and the folders it lies in."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")


def leave_work(run: Worktree) -> None:
    """Leave one commit, staged, unstaged, untracked and ignored work."""
    commit_files(run.path, {"committed": "c\n", ".gitignore": "cache/\n", "both": "0\n"}, "own commit")
    write_file(run.path, "staged", "s\n")
    write_file(run.path, "both", "1\n")
    user_git(run.path, "add", "staged", "both")
    user_git(run.path, "rm", "--quiet", "src/app.py")
    write_file(run.path, "both", "2\n")
    write_file(run.path, "README", "unstaged\n")
    write_file(run.path, "new/untracked", "u\n")
    write_file(run.path, "cache/ignored", "i\n")


def porcelain(folder: Path) -> str:
    """Return what git says has changed, file by file."""
    return user_git(folder, "status", "--porcelain", "--untracked-files=all")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a worktree by its path."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".git")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@contextmanager
def running(*argv: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a process in its own group run while the block does; its input stays open and empty."""
    process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def git_accepts_branch(name: str) -> bool:
    """Ask git whether a branch may have this name."""
    return subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False).returncode == 0


def without_rights(code: str, *arguments: str) -> str:
    """Run Python code as somebody whom file modes bind, which root is not; return what it prints."""
    command = [sys.executable, "-c", code, *arguments]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv (util-linux) is needed to give up root's rights")
        command = [setpriv, "--inh-caps=-all", "--bounding-set=-all", *command]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Place(NamedTuple):
    """A repository, and a folder outside for its worktrees."""

    repo: Repository
    root: Path

    @property
    def main(self) -> Path:
        """The main checkout."""
        return self.repo.root

    def create(
        self,
        run_id: str = "run-1",
        issue: str = "DOCS-1",
        merges: tuple[worktrees.Merge, ...] = (),
        start: str | None = None,
        target: str = "main",
    ) -> Worktree:
        """Make a worktree as the supervisor would."""
        return worktrees.create(
            self.repo,
            root=self.root,
            key="DOCS",
            run_id=run_id,
            issue=issue,
            target=target,
            merges=merges,
            start=start,
            floor=0,
        )

    def refs(self) -> str:
        """Every ref with its commit."""
        return user_git(self.main, "for-each-ref", "--format=%(refname) %(objectname)")


@pytest.fixture
def quiet_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without git configuration, and no GIT_ variable from outside."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def place(tmp_path: Path, quiet_git: None) -> Place:
    """A repository with one commit, opened."""
    return Place(worktrees.open_repository(make_repository(tmp_path / "project")), tmp_path / "worktrees")
