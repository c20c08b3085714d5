"""Which repository a path lies in, read from the files git itself reads, without starting git.

Hot commands find their ledger by the git common dir; a process for that would cost more than the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_POINTER_LIMIT = 1 << 16


def find_common_dir(path: Path) -> Path | None:
    """Return the resolved git common dir of the repository `path` lies in, or None outside of any.

    Agrees with `git rev-parse --git-common-dir` for main checkouts, linked worktrees, submodules, their
    subfolders and bare repositories. Like git it does not cross into another file system and does not look
    behind a `.git` file that leads nowhere. GIT_* variables have no say.
    """
    try:
        return _search(path.resolve(strict=True))
    except OSError:  # missing, or a folder on the way may not be read: git finds nothing there either
        return None


def branch_tip(common: Path, branch: str) -> str | None:
    """Return the commit a branch is at, from its loose or packed ref; None where only git itself could tell."""
    name = f"refs/heads/{branch}"
    found = _first_text(common / name)
    if not found:
        packed = _text(common / "packed-refs")
        found = next((line.split(" ")[0] for line in packed.split("\n") if line.endswith(" " + name)), "")
    return found if len(found) in (40, 64) and set(found) <= set("0123456789abcdef") else None


def _search(folder: Path) -> Path | None:
    if not folder.is_dir():
        folder = folder.parent
    device = folder.stat().st_dev
    for place in (folder, *folder.parents):
        if place.stat().st_dev != device:
            return None
        entry = place / ".git"
        if entry.is_file():
            git_dir = _pointed_at(entry)
            return _common(git_dir) if git_dir is not None else None
        for git_dir in (entry, place):
            if _is_git_dir(git_dir):
                return _common(git_dir)
    return None


def _pointed_at(entry: Path) -> Path | None:
    """Follow a `.git` file (`gitdir: <path>`, relative to its folder)."""
    word, _, target = _first_text(entry).partition("gitdir: ")
    git_dir = entry.parent / target
    return git_dir if not word and target and _is_git_dir(git_dir) else None


def _common(git_dir: Path) -> Path:
    """Follow the `commondir` file that a linked worktree's git dir has."""
    pointer = git_dir / "commondir"
    return ((git_dir / _first_text(pointer)) if pointer.is_file() else git_dir).resolve()


def _is_git_dir(folder: Path) -> bool:
    """Tell a git dir by the signs git uses: HEAD, and objects and refs in it or in its common dir."""
    head = folder / "HEAD"
    if not head.is_symlink() and not head.is_file():
        return False
    shared = _common(folder)
    return (shared / "objects").is_dir() and (shared / "refs").is_dir()


def _first_text(file: Path) -> str:
    return _text(file, _POINTER_LIMIT).rstrip("\r\n")


def _text(file: Path, limit: int = -1) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(limit).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
