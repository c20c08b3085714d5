"""The documents in the one order in which they are read, within a limit: what hardly changes comes first (rule 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import HarnessError
from harnessos.files import read_bounded
from harnessos.mission import keeping
from harnessos.mission.documents import reading

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.mission.documents.reading import Loaded
    from harnessos.mission.site import Site

ORDER = ("mission.md", "eval_criteria.md", "playbook.md", "heartbeat.md")
"""Static first, so that the beginning of the prompt is the same bytes in every run; then the relevant topics."""
CHARACTERS_A_TOKEN = 4
MAX_TOKENS = 20_000
_LIMIT = 1 << 20


class Part(NamedTuple):
    """A document of the context, whole or cut to what fits."""

    name: str
    text: str
    cut: bool


def gather(site: Site, loaded: Loaded | None = None, max_tokens: int = MAX_TOKENS) -> list[Part]:
    """Return the documents in their order, then the topics that concern the current step, within a token limit."""
    loaded = loaded or reading.load(site.place)
    slugs = keeping.ranked(site, loaded, site.row()["step"])
    names = [*ORDER, *(f"knowledge/{slug}.md" for slug in slugs)]
    return fitted([(name, text) for name in names if (text := _text(site.place / name)) is not None], max_tokens)


def fitted(documents: list[tuple[str, str]], max_tokens: int) -> list[Part]:
    """Return the documents until the limit is reached; the one that does not fit is cut, what follows is left out."""
    left = max_tokens * CHARACTERS_A_TOKEN
    parts = []
    for name, text in documents:
        if left <= 0:
            break
        shown = text if len(text) <= left else text[:left]
        parts.append(Part(name, shown, len(shown) < len(text)))
        left -= len(shown)
    return parts


def joined(parts: list[Part]) -> str:
    """Return the parts as one text, each under its name."""
    return "\n\n".join(
        f"===== {part.name} =====\n{part.text.rstrip()}" + ("\n[cut here: read the file]" if part.cut else "")
        for part in parts
    )


def _text(path: Path) -> str | None:
    try:
        return read_bounded(path, _LIMIT).decode("utf-8", "replace")
    except HarnessError:
        return None
