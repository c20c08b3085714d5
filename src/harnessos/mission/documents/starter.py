"""`boot --init`: the folders of a workspace and the templates of the documents that its owner fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import skills
from harnessos.errors import NotAFile
from harnessos.files import atomic_write
from harnessos.mission.workspace import DOCUMENTS, FOLDERS

if TYPE_CHECKING:
    from pathlib import Path

SKILL = "harness-24h"
_OTHERS = {"knowledge/README.md": "knowledge_README.md"}


def template(name: str) -> str:
    """Return our template of a document."""
    return (skills.folder(SKILL) / "templates" / name).read_text(encoding="utf-8")


def lay_out(workspace: Path) -> list[str]:
    """Make the folders, and each document that is missing from its template; return what was made. Repeatable."""
    made = []
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        for folder in FOLDERS:
            if not (workspace / folder).is_dir():
                (workspace / folder).mkdir()
                made.append(f"{folder}/")
    except OSError as problem:
        raise NotAFile(
            f"{problem.filename} cannot be made: {problem.strerror}",
            hint="name a folder that you may write to",
            path=str(workspace),
        ) from problem
    for name, source in ({name: name for name in DOCUMENTS} | _OTHERS).items():
        path = workspace / name
        if not path.exists() and not path.is_symlink():
            atomic_write(path, template(source).encode())
            made.append(name)
    return made
