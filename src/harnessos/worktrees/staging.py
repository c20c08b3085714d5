"""Putting a whole working tree into an index, the real one or a temporary one, without nested repositories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harnessos.worktrees.git import git, joined, names, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_GITLINK = "160000"


def untracked(checkout: Path, env: Mapping[str, str] | None = None) -> list[str]:
    """Return untracked, not ignored paths; a nested repository is one path that ends in `/`."""
    return names(git(checkout, "ls-files", "-z", "--others", "--exclude-standard", env=env).output)


def nested_repositories(checkout: Path) -> tuple[str, ...]:
    """Return the repositories inside `checkout` that are no submodules; the harness never stages them."""
    top = top_of(checkout)
    strays = {path.rstrip("/") for path in untracked(top) if path.endswith("/")}
    return tuple(sorted(strays | set(_stray_gitlinks(top, None, "HEAD"))))


def unhide(top: Path, env: Mapping[str, str] | None = None) -> None:
    """Take the marks from index entries that have git pass over changes: skip-worktree and assume-unchanged.

    An agent can set them, and its changes would be in no status, no commit and no salvage. What a sparse checkout
    leaves out stays out.
    """
    listed = [(line[0], line[2:]) for line in names(git(top, "ls-files", "-v", "-z", env=env).output)]
    assumed = [path for tag, path in listed if tag.islower()]
    skipped = [path for tag, path in listed if tag in "sS"]
    if skipped and _is_sparse(top):
        skipped = [path for path in skipped if os.path.lexists(top / path)]
    for option, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if paths:
            git(top, "update-index", option, "-z", "--stdin", writes=True, env=env, stdin=joined(paths))


def _is_sparse(top: Path) -> bool:
    asked = git(top, "config", "--type=bool", "core.sparseCheckout", accepts=(0, 1))
    return asked.output.strip() == b"true"


def stage_everything(top: Path, env: Mapping[str, str] | None = None, head: str = "HEAD") -> None:
    """Stage every change, deletion and new file that is not ignored.

    Nested repositories stay out, even where somebody staged one: a link to a commit that this repository
    cannot fetch breaks every checkout of it.
    """
    unhide(top, env)
    git(top, "add", "--update", writes=True, env=env)
    fresh = [path for path in untracked(top, env) if not path.endswith("/")]
    if fresh:
        listed = ("--pathspec-from-file=-", "--pathspec-file-nul")
        git(top, "add", *listed, writes=True, env=env, stdin=joined(fresh))
    if strays := _stray_gitlinks(top, env, head):
        git(top, "update-index", "-z", "--force-remove", "--stdin", writes=True, env=env, stdin=joined(strays))


def top_of(checkout: Path) -> Path:
    """Return the top folder of the checkout a path lies in."""
    return checkout / text(checkout, "rev-parse", "--show-toplevel")


def _stray_gitlinks(top: Path, env: Mapping[str, str] | None, head: str) -> list[str]:
    """Return gitlinks in the index that `head` does not have and `.gitmodules` does not explain."""
    fields = names(git(top, "diff-index", "--cached", "--raw", "-z", "--no-renames", head, "--", env=env).output)
    pairs = zip(fields[::2], fields[1::2], strict=True)
    links = [path for described, path in pairs if described.split(" ")[1] == _GITLINK]
    if not links:
        return []
    modules = git(top, "config", "--file", ".gitmodules", "-z", "--get-regexp", r"\.path$", accepts=(0, 1, 128)).output
    known = {entry.partition("\n")[2] for entry in names(modules)}
    in_head = git(top, "ls-tree", "-r", "-z", head, env=env).output
    known |= {os.fsdecode(line).partition("\t")[2] for line in in_head.split(b"\0") if line.startswith(b"160000 ")}
    return [path for path in links if path not in known]
