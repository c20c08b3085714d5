"""The part of a log that lies after an instant, found by seeking and handed out in blocks of whole lines.

Read with `pread` and not mapped: a log that shrinks meanwhile would kill the reader of a map.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harnessos.memory.records import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 20
WINDOW = 1 << 16
LONGEST_LINE = 1 << 16
"""Bytes of a line that are kept; a line may be larger than the memory."""
JITTER_MS = 600_000
"""How far lines may lie out of order: several processes write, and clocks are set."""
_WITNESSES = 8


def seek(handle: int, size: int, cutoff: int) -> int:
    """Return the start of a line before which all is older than `cutoff` (ms), found in about log2(size) steps.

    Somewhat too early rather than too late: who reads on compares each line. A single line that is out of order does
    not lead astray, as eight witnesses must agree that a place is too old.
    """
    low, high = 0, size
    while high - low > WINDOW:
        middle = (low + high) // 2
        first, instants = _witnesses(handle, middle, high)
        if instants and max(instants) < cutoff - JITTER_MS:
            low = first
        else:
            high = middle
    return low


def first_instant(lines: Iterator[bytes]) -> int | None:
    """Return the instant (ms) of the first line that has one."""
    return next((record.at for line in lines if (record := parse(line)) and record.at is not None), None)


def head(handle: int, size: int) -> Iterator[bytes]:
    """Return the lines at the beginning of a file, a window of them."""
    return iter(os.pread(handle, min(size, WINDOW), 0).split(b"\n"))


def blocks(handle: int, start: int, end: int) -> Iterator[bytes]:
    """Return the bytes from `start` to `end` in blocks that end where a line ends."""

    def parts() -> Iterator[bytes]:
        place = start
        while place < end and (part := os.pread(handle, min(BLOCK, end - place), place)):
            place += len(part)
            yield part

    return whole_lines(parts())


def whole_lines(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Return the parts of a file cut where lines end; of a line without end only a beginning is kept."""
    rest = b""
    for part in parts:
        cut = part.rfind(b"\n") + 1
        if cut:
            yield rest + part[:cut]
            rest = part[cut:]
        else:
            rest += part
        rest = rest[:LONGEST_LINE]
    if rest:
        yield rest


def _witnesses(handle: int, start: int, end: int) -> tuple[int, list[int]]:
    """Return where the first record that begins after `start` begins, and the instants of it and some after it.

    Only records that begin before `end` are looked at; so all probes of one search together read no byte twice over.
    """
    instants: list[int] = []
    first = end
    place, rest, started = start, b"", False
    while place < end and len(instants) < _WITNESSES:
        part = os.pread(handle, min(WINDOW, end - place), place)
        if not part:
            break
        begin = place - len(rest)
        lines = (rest + part).split(b"\n")
        place += len(part)
        rest = lines.pop()
        for line in lines:
            # What stands before the first newline began before `start`.
            if started and len(instants) < _WITNESSES and (record := parse(line)) and record.at is not None:
                first = min(first, begin)
                instants.append(record.at)
            started = True
            begin += len(line) + 1
        if len(rest) > LONGEST_LINE:
            rest, started = b"", False  # inside of a line without end: go on as at the beginning
    return first, instants
