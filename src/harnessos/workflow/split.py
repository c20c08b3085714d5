"""Front matter and body of a Markdown file."""

from __future__ import annotations

from typing import NamedTuple

FENCE = "---"


class Split(NamedTuple):
    """`front` is the YAML between the fences, None without; the body is trimmed and begins in line `body_line`."""

    front: str | None
    body: str
    body_line: int


def split(text: str) -> Split | None:
    """Divide a text without BOM; None when the front matter is opened and never closed.

    A fence is a line of exactly `---`, blanks after it allowed; only the first line of the file can open one. Line
    ends of Windows are read. The specification leaves an unterminated block undefined: here it is an error, because a
    missing fence would turn the whole prompt into configuration, or the other way round.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].rstrip() != FENCE:
        return Split(None, *_trimmed(lines, 0))
    for at in range(1, len(lines)):
        if lines[at].rstrip() == FENCE:
            return Split("\n".join([*lines[1:at], ""]), *_trimmed(lines, at + 1))
    return None


def _trimmed(lines: list[str], first: int) -> tuple[str, int]:
    while first < len(lines) and not lines[first].strip():
        first += 1
    return "\n".join(lines[first:]).strip(), min(first + 1, len(lines))
