"""What a search looks for, asked of a whole window of lines at once: finding is left to the interpreter's C loops.

A matcher's `spans(buffer, low, high)` yields the lines that match, newest first, as (start, end) in the buffer, without
their newline. `low` is the start of a line; `high` the end of one, or of the buffer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from harnessos.errors import BadUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Buffer = bytes | bytearray
    Span = tuple[int, int]

LONGEST_QUERY = 1000
_LOWER = bytes(range(256)).lower()
"""A table for `translate`, which makes small letters a fifth faster than `lower` does."""
_RARE = 1000
"""A byte that comes less than once in so many bytes is looked for alone, by the C library's fastest loop."""

_SHORT = 32
"""Bytes of a needle up to which looking backwards is twice as fast; a longer one may be made to cost its length a byte,
which looking forwards may not, and mostly that is the answer."""

_SPANNING = re.compile(r"\[\^|\\[sDWnrtfvAZzBx0-9uUN]|\(\?(?!:|P<|i\))|[*+?}]\+|[\x00-\x1f]")
"""What may make a pattern match over a line's end, or not match inside of a longer text."""

_UNSURE = re.compile(r"\\.|\[\^?\]?[^\]]*\]|.(?:[*?]|\{[^}]*\})", re.DOTALL)


class Matcher(Protocol):
    """Something to look for."""

    overlap: int
    """How many bytes two windows of one very long line must share."""

    def tune(self, sample: Buffer) -> int:
        """Fit the search to this log, of which `sample` is a part; return about how often the sample matches."""

    def spans(self, buffer: Buffer, low: int, high: int) -> Iterator[Span]:
        """Yield the matching lines, last first."""


class Every:
    """Matches every line."""

    overlap = 0

    def tune(self, sample: Buffer) -> int:
        """Return the number of lines."""
        return sample.count(b"\n") + 1

    def spans(self, buffer: Buffer, low: int, high: int) -> Iterator[Span]:
        """Yield every line."""
        while low < high:
            end = high - 1 if buffer[high - 1] == 10 else high
            start = max(low, buffer.rfind(b"\n", low, end) + 1)
            yield start, end
            high = start


class Literal:
    """A text as it is; without `exact` the letters A to Z match either case."""

    def __init__(self, needle: bytes, *, exact: bool) -> None:
        self._needle = needle if exact else needle.lower()
        self._exact = exact or needle.lower() == needle.upper()
        self._rare: tuple[tuple[bytes, ...], int] | None = None
        self.overlap = len(needle) - 1

    def tune(self, sample: Buffer) -> int:
        """Choose the needle's rarest byte when it is rare."""
        content = sample if self._exact else sample.translate(_LOWER)
        number, place = min((content.count(self._needle[at : at + 1]), at) for at in range(len(self._needle)))
        byte = self._needle[place : place + 1]
        forms = (byte,) if self._exact or byte == byte.upper() else (byte, byte.upper())
        self._rare = (forms, place) if number * _RARE < len(sample) else None
        return content.count(self._needle)

    def spans(self, buffer: Buffer, low: int, high: int) -> Iterator[Span]:
        """Yield the lines that hold the text."""
        find = self._finder(buffer, low, high)
        while (at := find(high)) >= 0:
            end = buffer.find(b"\n", at, high)
            start = max(low, buffer.rfind(b"\n", low, at) + 1)
            yield start, (high if end < 0 else end)
            high = start

    def _finder(self, buffer: Buffer, low: int, high: int) -> Callable[[int], int]:
        """Return what finds the last place of the needle that ends at or before an offset; -1 when there is none."""
        needle = self._needle
        if self._rare:
            forms, place = self._rare
            return _Alone(buffer, low, forms, place, needle, exact=self._exact)
        content = buffer if self._exact else buffer.translate(_LOWER)  # no slice: copying costs as much
        if len(needle) > _SHORT and content.find(needle, low, high) < 0:
            return lambda _: -1
        return lambda high: content.rfind(needle, low, high)


class _Alone:
    """Finds a needle by its one rare byte, in each of the forms it has."""

    def __init__(
        self, buffer: Buffer, low: int, forms: tuple[bytes, ...], place: int, needle: bytes, *, exact: bool
    ) -> None:
        self._buffer = buffer
        self._low = low
        self._forms = forms
        self._place = place
        self._needle = needle
        self._exact = exact
        self._next = [len(buffer)] * len(forms)

    def __call__(self, high: int) -> int:
        buffer, first, after = self._buffer, self._low + self._place, len(self._needle) - self._place - 1
        until = high - after
        while True:
            for number, form in enumerate(self._forms):
                if self._next[number] >= until:
                    self._next[number] = buffer.rfind(form, first, until) if until > first else -1
            until = max(self._next)
            if until < 0:
                return -1
            at = until - self._place
            found = buffer[at : at + len(self._needle)]
            if (found if self._exact else found.lower()) == self._needle:
                return at


class Pattern:
    """Lines of which a question about their text is true; `whole` says that it is also true of any text they lie in."""

    overlap = 4096

    def __init__(self, asks: Callable[[str], object], *, whole: bool) -> None:
        self._asks = asks
        self._whole = whole

    def tune(self, sample: Buffer) -> int:
        """Return the most there can be: asking each line is slow, and never leads a search that a text can lead."""
        return len(sample) + 1

    def spans(self, buffer: Buffer, low: int, high: int) -> Iterator[Span]:
        """Yield the lines that answer yes."""
        if self._whole and not self._asks(buffer[low:high].decode("utf-8", "replace")):
            return
        for start, end in Every().spans(buffer, low, high):
            if self._asks(buffer[start:end].decode("utf-8", "replace")):
                yield start, end


def matcher(query: str, *, regex: bool, exact: bool) -> Matcher:
    """Return what finds `query`. BadUsage for a pattern that is none, or a query of more than 1,000 characters."""
    if len(query) > LONGEST_QUERY:
        raise BadUsage(f"the query has {len(query):,} characters, at most {LONGEST_QUERY:,} are looked for", hint="")
    if not query:
        return Every()
    if regex:
        return _pattern(query, exact=exact)
    if exact or all(char.isascii() or char.lower() == char.upper() for char in query):
        return Literal(query.encode(), exact=exact)
    folded = query.casefold()
    found = Pattern(lambda text: folded in text.casefold(), whole=True)
    return _led(found, re.findall(r"[\x20-\x7e]+", query), exact=False)


def _pattern(query: str, *, exact: bool) -> Matcher:
    try:
        found = re.compile(query, re.MULTILINE | (0 if exact else re.IGNORECASE))
    except (re.error, RecursionError, OverflowError) as problem:
        raise BadUsage(
            f"{query!r} is no regular expression: {problem}", hint="leave --regex out to find the text as it is"
        ) from problem
    asks = Pattern(found.search, whole=not _SPANNING.search(query))
    if {"(", "|"} & set(query):
        return asks
    # What is left of a pattern without choices when escapes, classes and what may come no times are taken out.
    return _led(asks, re.findall(r"[A-Za-z0-9 _:;,/@#%&=<>\"'-]+", _UNSURE.sub("\0", query)), exact=exact)


def _led(pattern: Pattern, parts: list[str], *, exact: bool) -> Matcher:
    """Return the pattern, led by the longest text that each matching line holds: finding that is much faster."""
    part = max(parts, key=len, default="")
    return Narrowed(pattern, Literal(part.encode(), exact=exact)) if len(part) > 1 else pattern


class Narrowed:
    """A query together with texts that each wanted line holds as well; whichever is rarest in this log leads the search."""

    def __init__(self, query: Matcher, *others: Matcher) -> None:
        self._all: list[Matcher] = [query, *others]
        self.overlap = query.overlap

    def tune(self, sample: Buffer) -> int:
        """Put the rarest first."""
        counts = [(one.tune(sample), number) for number, one in enumerate(self._all)]
        self._all = [self._all[number] for _, number in sorted(counts)]
        return min(counts)[0]

    def spans(self, buffer: Buffer, low: int, high: int) -> Iterator[Span]:
        """Yield the lines in which all are."""
        first, *others = self._all
        for start, end in first.spans(buffer, low, high):
            line = buffer[start:end]
            if all(next(other.spans(line, 0, len(line)), None) is not None for other in others):
                yield start, end
