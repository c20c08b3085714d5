"""When two insights say the same: four fifths of their words, in one order, and nothing in which they could contradict.

A merge leaves one text of two. So the text that goes must not hold a word that matters and is missing in the one that
stays, and numbers, comparisons and negations must be the same in both.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

NEAR = 0.8

_WORD = re.compile(r"(?<!\w)-?\d[\w]*(?:[.,:]\d\w*)*|\w+(?:'\w+)?|[<>=]=?|!=|[≠≤≥]")
_STRICT = frozenset(
    re.findall(
        r"\S+",
        """
    < > = <= >= == != ≠ ≤ ≥
    no not never none nothing neither nor without cannot cant can't dont don't doesnt doesn't isnt isn't wont won't
    arent aren't nicht kein keine nie ohne pas jamais sans
    or on off in out up down to from before after until unless except only if always
        """,
    )
)
_FILLERS = frozenset(
    re.findall(
        r"\S+",
        """
    a an the and then so also that this these it its is are was were be been of for per will please just very using with
        """,
    )
)
_STEM = 4
_ENDINGS = frozenset(("", "s", "es", "d", "ed", "ing", "e", "y", "ies", "ied", "'s"))


class Words(NamedTuple):
    """A text as the comparison sees it: its words in order of their first appearance, and those that must be equal."""

    order: tuple[str, ...]
    all: frozenset[str]
    strict: frozenset[str]


def words(text: str) -> Words:
    """Return the normalised words of a text."""
    order = tuple(dict.fromkeys(_WORD.findall(unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'"))))
    strict = frozenset(word for word in order if word in _STRICT or any(map(str.isdigit, word)))
    return Words(order, frozenset(order), strict)


def overlap(one: Words, other: Words) -> float:
    """Return the share of their words that both have, 0 to 1."""
    either = len(one.all | other.all)
    return len(one.all & other.all) / either if either else 1.0


def says_no_more(gone: Words, kept: Words) -> bool:
    """Whether a text may give way to another that stays: near to it, no contradiction, and nothing of it is lost."""
    if gone.strict != kept.strict or overlap(gone, kept) < NEAR:
        return False
    both = gone.all & kept.all
    if [word for word in gone.order if word in both] != [word for word in kept.order if word in both]:
        return False
    extra = kept.all - both
    return all(word in _FILLERS or _inflected(word, extra) for word in gone.all - both)


def prefix(found: Words, frequency: dict[str, int]) -> list[str]:
    """Return the rarest words, so many that two near texts always share one of them: only such pairs need a look."""
    ordered = sorted(found.all, key=lambda word: (frequency[word], word))
    needed = -(-len(ordered) * 4 // 5)
    return ordered[: len(ordered) - needed + 1]


def _inflected(word: str, others: frozenset[str]) -> bool:
    """Whether one of the others is the same word with another ending."""
    for other in others:
        pairs = zip(word, other, strict=False)
        stem = next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(word), len(other)))
        if stem >= _STEM and word[stem:] in _ENDINGS and other[stem:] in _ENDINGS:
            return True
    return False
