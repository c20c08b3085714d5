"""What a checkout or a commit changed. Reads only; a poll of these never takes index.lock (P22)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from harnessos.worktrees.git import beginning, git, names
from harnessos.worktrees.repository import Head

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harnessos.worktrees.repository import Repository

_MARKER = re.compile(rb"^(<{7}|>{7}|\|{7})( |$)|^={7}$")
_HUNK = re.compile(rb"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class TreeState(NamedTuple):
    """A checkout's state. Paths are relative to its top, `/`-separated; a nested repository ends in `/`."""

    head: Head
    staged: tuple[str, ...]
    unstaged: tuple[str, ...]
    untracked: tuple[str, ...]
    ignored_present: bool

    @property
    def clean(self) -> bool:
        """True when nothing is staged, changed or untracked; ignored files do not count."""
        return not (self.staged or self.unstaged or self.untracked)


class Changed(NamedTuple):
    """One path that differs between two commits; `status` is git's letter: A, M, D or T. A rename is D and A."""

    path: str
    status: str


def status(path: Path) -> TreeState:
    """Read the state of the checkout at `path`. Before the first commit `head.commit` is empty."""
    return state_of(path, {})


def state_of(path: Path, env: Mapping[str, str]) -> TreeState:
    """Read a state with git variables that say which git dir and which index are meant."""
    answer = git(
        path,
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        "--untracked-files=all",
        "--ignored=matching",
        "--no-renames",
        "--ignore-submodules=none",
        env=env,
    )
    return parse_status(answer.output)


def parse_status(output: bytes) -> TreeState:
    """Turn `git status --porcelain=v2 -z --branch --no-renames` into a TreeState."""
    commit, branch = "", None
    staged, unstaged, untracked = [], [], []
    ignored = False
    for line in names(output):
        kind, _, rest = line.partition(" ")
        if kind == "#" and rest.startswith("branch.oid "):
            commit = rest.removeprefix("branch.oid ").replace("(initial)", "")
        elif kind == "#" and rest.startswith("branch.head "):
            branch = rest.removeprefix("branch.head ")
        elif kind == "1":
            place = rest.split(" ", 7)[-1]
            if rest[0] != ".":
                staged.append(place)
            if rest[1] != ".":
                unstaged.append(place)
        elif kind == "u":
            unstaged.append(rest.split(" ", 9)[-1])
        elif kind == "?":
            untracked.append(rest)
        elif kind == "!":
            ignored = True
    head = Head(None if branch == "(detached)" else branch, commit)
    return TreeState(head, tuple(staged), tuple(unstaged), tuple(untracked), ignored)


def changed_files(repo: Repository, base: str, commit: str) -> tuple[Changed, ...]:
    """Return every path that differs between `base` and `commit`, in git's order."""
    answer = git(repo.root, "diff-tree", "-r", "-z", "--no-renames", "--name-status", base, commit)
    fields = names(answer.output)
    return tuple(Changed(path, letter) for letter, path in zip(fields[::2], fields[1::2], strict=True))


def diff(repo: Repository, base: str, commit: str, limit: int) -> bytes:
    """Return the patch from `base` to `commit`, cut after `limit` bytes; binary files are named, not shown."""
    return beginning(repo.root, "diff", *_PLAIN, base, commit, "--", limit=limit)


def conflict_markers(repo: Repository, base: str, commit: str) -> tuple[str, ...]:
    """Return `path:line` of each line `commit` added that looks like a conflict marker.

    A lone `=======` counts only in a file that also gained `<<<<<<<` or `>>>>>>>`: it underlines headings too.
    """
    found: list[str] = []
    touched = [change.path for change in changed_files(repo, base, commit) if change.status != "D"]
    suspects = set(touched) & _with_markers(repo, commit)
    for path in (path for path in touched if path in suspects):
        patch = git(repo.root, "diff", *_PLAIN, "--unified=0", base, commit, "--", path).output
        lines = marker_lines(patch)
        if any(not text.startswith(b"=") for _, text in lines):
            found += [f"{path}:{number}" for number, _ in lines]
    return tuple(found)


def marker_lines(patch: bytes) -> list[tuple[int, bytes]]:
    """Return (line number in the new file, text) of the added marker lines of one file's patch without context."""
    found, number, removed, added = [], 0, 0, 0
    for line in patch.split(b"\n"):
        if removed == added == 0:
            if hunk := _HUNK.match(line):
                removed, number, added = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
        elif line.startswith(b"+"):
            if _MARKER.match(line[1:].rstrip(b"\r")):
                found.append((number, line[1:]))
            number, added = number + 1, added - 1
        elif line.startswith(b"-"):
            removed -= 1
    return found


def _with_markers(repo: Repository, commit: str) -> set[str]:
    """Return the text files of a commit that have any marker line, so only those are compared line by line."""
    answer = git(
        repo.root,
        "grep",
        "--no-color",
        "-z",
        "-l",
        "-I",
        "-E",
        r"^(<{7}|>{7}|\|{7})( |$)",
        commit,
        "--",
        accepts=(0, 1),
    )
    return {os.fsdecode(part).partition(":")[2] for part in answer.output.split(b"\0") if part}


_PLAIN = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
)
