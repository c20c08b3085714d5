"""Which folder is a workspace, and what its own files say. Hot: `memory stream` needs no more than this."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.errors import BadDocument, NotAFile, NotReady
from harnessos.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PLACE = ".harness"
MISSION = "mission.json"
RUN = "run.json"
_LIMIT = 64 * 1024


def resolve(given: str | Path) -> Path:
    """Return the workspace as an absolute path without links. NotAFile when there is no such folder."""
    path = Path(given).expanduser()
    try:
        found = path.resolve(strict=True)
        if not found.is_dir():
            raise NotAFile(f"{path} is a file, not a workspace folder", hint="name the folder", path=str(path))
        os.listdir(found)  # noqa: PTH208 a folder that may not be read is found out here, with its reason
    except OSError as problem:
        raise NotAFile(
            f"the workspace {path} cannot be used: {problem.strerror}",
            hint=f"check the path; `harness mission boot {path} --init` makes a new workspace",
            path=str(path),
        ) from problem
    return found


def store_of(workspace: Path) -> str:
    """Return the address of the ledger a workspace belongs to. NotReady (12) says how it gets one."""
    document = read(workspace / PLACE / MISSION)
    if document is None:
        raise nobodys(workspace)
    return str(document.get("store", ""))


def token_of(workspace: Path) -> str | None:
    """Return the token of the run that an agent began here by itself, None without one."""
    document = read(workspace / PLACE / RUN)
    return None if document is None else str(document.get("token", "")) or None


def nobodys(workspace: Path) -> NotReady:
    """Return the error for a folder that is no mission's workspace yet."""
    return NotReady(
        f"{workspace} is no mission's workspace yet", hint=f"`harness mission boot {workspace} --init` makes it one"
    )


def read(path: Path) -> Mapping[str, Any] | None:
    """Return a file's JSON object, None when it is not there. Any: whatever it holds."""
    try:
        document = json.loads(read_bounded(path, _LIMIT))
    except NotAFile:
        if path.exists() or path.is_symlink():
            raise
        return None
    except (ValueError, RecursionError) as problem:
        raise BadDocument(
            f"{path} is no JSON: {problem}", hint="`harness mission adopt WS` writes it anew"
        ) from problem
    if not isinstance(document, dict):
        raise BadDocument(f"{path} is no JSON object", hint="`harness mission adopt WS` writes it anew")
    return document
