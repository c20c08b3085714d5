"""Names of folders, branches and refs. Every one of a run carries the run id, so a late act hits only its own (I18)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from harnessos import files
from harnessos.errors import WorktreeProblem

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.worktrees.repository import Repository

SALVAGE = "refs/harness/salvage/"
ACCEPTED = "refs/harness/accepted/"
BRANCHES = "harness/"

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|^[.-]|\.(?=\.)|\.$|\.(?=lock$)", re.IGNORECASE)


def ref_part(name: str) -> str:
    """Return `name` as one component of a ref; what git refuses there is percent-encoded, so it can be read back."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)


def from_ref_part(part: str) -> str:
    """Undo ref_part."""
    return unquote(part)


def branch_name(issue: str, run_id: str) -> str:
    """Return the run's branch, a short name: `harness/<issue>/<run>`."""
    return f"{BRANCHES}{ref_part(issue)}/{ref_part(run_id)}"


def salvage_ref(run_id: str) -> str:
    """Return the full ref that keeps a run's work."""
    return SALVAGE + ref_part(run_id)


def accepted_ref(issue: str) -> str:
    """Return the full ref that keeps an issue's accepted commit."""
    return ACCEPTED + ref_part(issue)


def worktree_path(repo: Repository, root: Path, key: str, run_id: str) -> Path:
    """Return `<root>/<key>/<run>`, resolved and inside `root`; WorktreeProblem when `root` lies in the repository."""
    top = outside(repo, root)
    return files.contained(top, top / files.safe_name(key) / files.safe_name(run_id))


def outside(repo: Repository, folder: Path) -> Path:
    """Return `folder` resolved; WorktreeProblem when it lies in the main checkout or in the git dir."""
    resolved = folder.resolve()
    for forbidden in (repo.root, repo.common):
        if resolved == forbidden or forbidden in resolved.parents:
            raise WorktreeProblem(
                f"{folder} lies inside the repository {repo.root}, where its own checkouts may not be",
                hint="set `workspace.root` in WORKFLOW.md to a folder outside",
                path=str(resolved),
            )
    if "\n" in str(resolved):
        raise WorktreeProblem("a worktree's path may not hold a line break", path=str(resolved))
    return resolved
