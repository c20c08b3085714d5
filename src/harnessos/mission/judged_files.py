"""The hashes that an evaluation is bound to: what the contract asks for, and all that the agents made."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.errors import BadDocument
from harnessos.files import sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FILES = 100_000
MOST_BYTES = 2 << 30
CONTRACT = ("mission.md", "eval_criteria.md")


def hashes(workspace: Path) -> dict[str, str]:
    """Return relative path -> hash for mission.md, eval_criteria.md and every file below output/.

    Links are kept as where they lead, pipes and devices as what they are: neither is ever opened. BadDocument for an
    output/ that is a link, for more than 100,000 files or 2 GB (nobody could say later whether they are still the
    same; sizes are summed before anything is read), and for a file that cannot be read or goes away meanwhile.
    """
    found: dict[str, str] = {}
    total = 0
    try:
        paths = [path for name in CONTRACT if os.path.lexists(path := workspace / name)]
        for path in [*paths, *_below(workspace / "output")]:
            facts = path.lstat()
            total += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
            found[str(path.relative_to(workspace))] = _special(path, facts)
            if len(found) > MOST_FILES or total > MOST_BYTES:
                raise BadDocument(
                    f"{workspace / 'output'} holds more than {MOST_FILES:,} files or 2 GB",
                    hint="move what is finished out of it, or pack it",
                )
        return {name: told or sha256_file(workspace / name)[0] for name, told in found.items()}
    except OSError as problem:
        raise BadDocument(
            f"{problem.filename or workspace} cannot be judged: {problem.strerror}",
            hint="make it readable, and let nothing write there while it is judged",
        ) from problem


def _below(output: Path) -> Iterator[Path]:
    """Give every entry below a folder that is no folder itself. What a folder cannot be listed for is raised (OSError)."""
    if output.is_symlink():
        raise BadDocument(f"{output} is a link", hint="make it a folder: what is judged lies in the workspace")
    for folder, names, files in os.walk(output, onerror=_raise_unless_gone):
        names.sort()
        here = Path(folder)
        yield from (here / name for name in sorted(files))
        yield from (here / name for name in names if (here / name).is_symlink())


def _raise_unless_gone(problem: OSError) -> None:
    if not isinstance(problem, FileNotFoundError):
        raise problem


def _special(path: Path, facts: os.stat_result) -> str:
    """Return what a thing is that is no plain file, "" for one."""
    if stat.S_ISREG(facts.st_mode):
        return ""
    if stat.S_ISLNK(facts.st_mode):
        return f"link:{path.readlink()}"
    return f"special:{stat.S_IFMT(facts.st_mode):o}"
