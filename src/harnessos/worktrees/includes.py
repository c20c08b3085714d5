"""Copying ignored files (`.env`, local settings) from the operator's checkout into a new one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from harnessos.errors import WorktreeProblem
from harnessos.worktrees.git import git, joined, names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harnessos.worktrees.repository import Repository

INCLUDE_FILE = ".worktreeinclude"


def copy_includes(repo: Repository, worktree: Path) -> tuple[str, ...]:
    """Copy what `.worktreeinclude` of the main checkout names (gitignore patterns); return the copied paths.

    The rules of `copy_paths` hold. Without that file nothing is copied.
    """
    patterns = repo.root / INCLUDE_FILE
    if not patterns.is_file():
        return ()
    return _copy(repo.root, worktree, f"--exclude-from={patterns}")


def copy_paths(source: Path, patterns: Sequence[str], into: Path) -> tuple[str, ...]:
    """Copy files of the checkout `source` that match gitignore `patterns` into `into`; return their paths.

    Only files git ignores there; nothing is overwritten; nothing outside `source` is read or outside `into` written.
    A symlink is copied as one, and only a relative one that stays inside; a nested repository is left out.
    """
    if not patterns:
        return ()
    return _copy(source, into, *(f"--exclude={pattern}" for pattern in patterns))


def _copy(source: Path, into: Path, *chosen: str) -> tuple[str, ...]:
    matching = git(source, "ls-files", "-z", "--others", "--ignored", *chosen).output
    files = [path for path in names(matching) if not path.endswith("/")]
    if not files:
        return ()
    # check-ignore knows no literal pathspecs; behind "./" no name is one with magic
    asked, plain = joined([f"./{path}" for path in files]), {"GIT_LITERAL_PATHSPECS": "0"}
    answer = git(source, "check-ignore", "-z", "--stdin", stdin=asked, env=plain, accepts=(0, 1)).output
    ignored = [path.removeprefix("./") for path in names(answer)]
    top, target = source.resolve(), into.resolve()
    try:
        return tuple(path for path in ignored if _copy_one(top, target, path))
    except OSError as error:
        raise WorktreeProblem(
            f"{error.filename} could not be copied into {into}: {error.strerror}",
            hint=f"make it readable, or take it out of {INCLUDE_FILE}",
            path=str(error.filename),
        ) from error


def _copy_one(top: Path, target: Path, path: str) -> bool:
    origin, copy = top / path, target / path
    if not _inside(top, origin.parent.resolve()) or not _inside(target, copy.parent.resolve()):
        return False
    if os.path.lexists(copy):
        return False
    if origin.is_symlink() and (origin.readlink().is_absolute() or not _inside(top, origin.resolve())):
        return False
    if not origin.is_symlink() and not origin.is_file():
        return False
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(origin, copy, follow_symlinks=False)
    return True


def _inside(top: Path, place: Path) -> bool:
    return place == top or top in place.parents
