"""Going over a log's lines in constant memory: from its end in windows, or through a compressed one in pieces.

A window is read, not mapped: mapped pages count as memory, and a file that is cut short would kill the reader. A line
longer than a window is looked at piece by piece; of it only the head, and what lies around the first match, is kept.
"""

from __future__ import annotations

import os
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harnessos.memory.matching import Buffer, Matcher

WINDOW = 1 << 17
"""Bytes looked at at once: what fits into the processor's cache, and is small enough for the allocator to give again."""
HEAD = 4096
"""Bytes kept of a line."""
AROUND = 200
"""Bytes shown before and after a match beyond the head."""
_GAP = " … ".encode()


class Found(NamedTuple):
    """A line that matches: where it begins in the (uncompressed) log, and its bytes, cut when it is long."""

    offset: int
    line: bytes


class Search(NamedTuple):
    """`finds` looks for wanted lines; `query` alone is asked of pieces of one line; `keeps` has the last word;
    `ends(buffer, low, high)` says after each window that nothing wanted lies before it.
    """

    finds: Matcher
    query: Matcher
    keeps: Callable[[Found], bool]
    ends: Callable[[Buffer, int, int], bool]


class _Long:
    """A line that is too long to be kept, fed in pieces."""

    def __init__(self, query: Matcher) -> None:
        self._query = query
        self._head = b""
        self._tail = b""
        self._shown = b""
        self.matches = False

    def feed(self, data: Buffer) -> None:
        """Look at the next piece."""
        piece = self._tail + data
        if len(self._head) < HEAD:
            self._head += bytes(data[: HEAD - len(self._head)])
        if not self.matches and self._in(piece):
            self.matches = True
            self._shown = b"" if self._in(self._head) else self._around(piece)
        self._tail = bytes(piece[-self._query.overlap - AROUND :])

    def line(self) -> bytes:
        """Return what is kept of the line."""
        return self._head + _GAP + (self._shown + _GAP if self._shown else b"")

    def _in(self, piece: Buffer) -> bool:
        return next(self._query.spans(piece, 0, len(piece)), None) is not None

    def _around(self, piece: bytes) -> bytes:
        """Return the part of the piece that matches: halved as long as one half matches alone."""
        while len(piece) > 4 * AROUND:
            half = len(piece) // 2
            part = next((part for part in (piece[: half + AROUND], piece[half - AROUND :]) if self._in(part)), b"")
            if not part:
                return b""
            piece = part
        return piece


def backwards(handle: int, search: Search) -> Iterator[Found]:
    """Yield the wanted lines of an open log, last first."""
    end = os.fstat(handle).st_size
    buffer = bytearray(min(WINDOW, end))
    tuned = False
    while end > 0:
        begin = max(0, end - WINDOW)
        high = os.preadv(handle, [memoryview(buffer)[: end - begin]], begin)
        low = buffer.find(b"\n", 0, high) + 1 if begin else 0
        if begin and (not low or low >= high):
            end, found = _long_line(handle, end, buffer, search)
            yield from found
            continue
        if not tuned:
            search.finds.tune(buffer[low:high])
            tuned = True
        yield from _kept(buffer, low, high, begin, search)
        if search.ends(buffer, low, high):
            return
        end = begin + low


def last_of(pieces: Iterable[bytes], search: Search, most: int) -> list[Found]:
    """Return the last `most` wanted lines, last first, of a log that can only be read forwards."""
    kept: deque[Found] = deque(maxlen=most)
    tuned = False
    for offset, lines in _whole_lines(pieces, search):
        if isinstance(lines, Found):
            kept.append(lines)
            continue
        if not tuned:
            search.finds.tune(lines)
            tuned = True
        kept.extend(reversed(list(islice(_kept(lines, 0, len(lines), offset, search), most))))
    return list(reversed(kept))


def _whole_lines(pieces: Iterable[bytes], search: Search) -> Iterator[tuple[int, bytes | Found]]:
    """Yield (offset, whole lines) in their order, and each very long line that is wanted as what is kept of it."""
    rest, offset, passed = b"", 0, 0
    long: _Long | None = None
    for piece in pieces:
        data = rest + piece
        if long:
            end = data.find(b"\n") + 1
            long.feed(data[: end - 1] if end else data)
            passed += end or len(data)
            if not end:
                continue
            yield from _wanted(long, offset, search)
            long, offset, data = None, passed, data[end:]
        cut = data.rfind(b"\n") + 1
        if cut:
            yield offset, data[:cut]
            offset += cut
        rest = data[cut:]
        if len(rest) > WINDOW:
            long, passed = _Long(search.query), offset + len(rest)
            long.feed(rest)
            rest = b""
    if long:
        yield from _wanted(long, offset, search)
    elif rest:
        yield offset, rest


def _wanted(long: _Long, offset: int, search: Search) -> Iterator[tuple[int, Found]]:
    found = Found(offset, long.line())
    if long.matches and search.keeps(found):
        yield offset, found


def _kept(buffer: Buffer, low: int, high: int, offset: int, search: Search) -> Iterator[Found]:
    """Yield the wanted lines of a window, which begins at `offset`."""
    for start, end in search.finds.spans(buffer, low, high):
        if end - start <= HEAD:
            found = Found(offset + start, bytes(buffer[start:end]))
        else:
            long = _Long(search.query)
            long.feed(buffer[start:end])
            found = Found(offset + start, long.line())
        if search.keeps(found):
            yield found


def _long_line(handle: int, end: int, buffer: bytearray, search: Search) -> tuple[int, list[Found]]:
    """Return where the line that ends at `end` begins, and the line when it is wanted."""
    begin = _start_of(handle, end, buffer)
    long = _Long(search.query)
    at = begin
    while at < end and (size := os.preadv(handle, [memoryview(buffer)[: min(WINDOW, end - at)]], at)):
        piece = buffer[:size]
        long.feed(piece[:-1] if at + size == end and piece.endswith(b"\n") else piece)
        at += size
    return begin, [found for _, found in _wanted(long, begin, search)]


def _start_of(handle: int, end: int, buffer: bytearray) -> int:
    """Return where the line that ends at `end` (its newline included) begins."""
    end -= 1
    while end > 0:
        begin = max(0, end - WINDOW)
        size = os.preadv(handle, [memoryview(buffer)[: end - begin]], begin)
        if (at := buffer.rfind(b"\n", 0, size)) >= 0:
            return begin + at + 1
        end = begin
    return 0
