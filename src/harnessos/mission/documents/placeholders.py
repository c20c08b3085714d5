"""Rule 2: nothing of our templates is left in a document that somebody was to fill in."""

from __future__ import annotations

import re
from functools import lru_cache

from harnessos.mission.documents.markdown import normal
from harnessos.mission.documents.playbook import DREAM_BEGIN, DREAM_END
from harnessos.mission.documents.problems import Problem

_SLOT = re.compile(r"\[[A-Z][^\[\]\n]{3,}\](?!\()")
_DREAM = re.compile(rf"^{re.escape(DREAM_BEGIN)}$.*?^{re.escape(DREAM_END)}$", re.MULTILINE | re.DOTALL)


@lru_cache(maxsize=32)
def slots_of(template_text: str) -> frozenset[str]:
    """Return the texts of a template that wait to be replaced, with their brackets."""
    return frozenset(_SLOT.findall(template_text))


def unfilled(file: str, text: str, template_text: str) -> tuple[Problem, ...]:
    """Return what is left to fill in: each of the template's slots, an empty document, or the template as it is.

    Any other bracket passes: links, check boxes, code, `[e.g., ...]`. What dream wrote into its block does not count,
    so no message from a log can stop a mission.
    """
    source = normal(text)
    if not source.strip():
        return (Problem(file, 1, "is empty"),)
    found = []
    if source.split() == normal(template_text).split():
        found.append(Problem(file, 1, "is the template, nothing is filled in yet"))
    pattern = _any_of(slots_of(template_text))
    if pattern is not None:
        own = _DREAM.sub(lambda block: "\n" * block[0].count("\n"), source)
        for match in pattern.finditer(own):
            slot = " ".join(match[0].split())
            found.append(Problem(file, own.count("\n", 0, match.start()) + 1, f"the slot {slot} is not filled in"))
    return tuple(found)


@lru_cache(maxsize=32)
def _any_of(slots: frozenset[str]) -> re.Pattern[str] | None:
    """Match any of the slots, also where an editor has broken the line within one."""
    if not slots:
        return None
    return re.compile("|".join(r"\s+".join(map(re.escape, slot.split())) for slot in sorted(slots)))
