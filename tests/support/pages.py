"""Pages whose examples can be run.

A comment on the line before a fence says what to do with it: `<!-- run -->` runs its commands, `<!-- file: NAME -->`
writes it to a file, `<!-- shows -->` says what must have been printed so far, line by line, `…` standing for anything.
The examples of a page run in order in one shell, in an empty folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_EXAMPLE = re.compile(r"^<!-- (run|shows|file): ?(\S*) ?-->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"^<!-- (?:run|shows|file)\b", re.MULTILINE)


class Example(NamedTuple):
    """A fence and what its comment says."""

    verb: str
    name: str
    text: str


def examples(page: Path) -> list[Example]:
    """Return the marked fences of a page, in order; a mark that no fence follows is an error."""
    text = re.sub(r"^<!-- (run|shows) -->$", r"<!-- \1: -->", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = [Example(*match) for match in _EXAMPLE.findall(text)]
    assert len(found) == len(_MARK.findall(text)), f"{page.name}: a mark without a fence"
    return found


def script(page: Path) -> str:
    """Return a page's commands and files as one shell script that stops at the first failure."""
    parts = ["set -eu"]
    for example in examples(page):
        if example.verb == "run":
            parts.append(example.text)
        elif example.verb == "file":
            parts.append(f"cat > {example.name} <<'END_OF_FILE'\n{example.text}END_OF_FILE\n")
    return "\n".join(parts)


def missing(page: Path, output: str) -> list[str]:
    """Return the lines that a page says are shown and the output does not have."""
    lines = [line for example in examples(page) if example.verb == "shows" for line in example.text.splitlines()]
    return [line for line in lines if not re.search(".*".join(map(re.escape, line.split("…"))), output)]
