"""Reading the stream log: what a line says."""

from __future__ import annotations

from typing import NamedTuple

from harnessos.memory.stream import LEVELS, clean_step
from harnessos.model.instants import parse_stamp

_NAIVE = len("2026-01-01 12:00:00")


class Record(NamedTuple):
    """One line. `at` is in ms, None when the time is none; `step` is without a leading `Step `; `raw` is the line."""

    at: int | None
    level: str
    step: str
    text: str
    raw: bytes


def parse(line: bytes) -> Record | None:
    """Return the record of a line, with or without its newline; None for what is none. Bytes that are no UTF-8 become U+FFFD.

    Lines of the earlier scripts are understood: `[Step: Step 2.3]`, and a time without a zone, which is read as UTC.
    """
    raw = line.rstrip(b"\r\n")
    if raw[:1] != b"[":
        return None
    time, found, rest = raw[1:].decode("utf-8", "replace").partition("] [")
    level, also, rest = rest.partition("] [Step: ")
    if not found or not also or level not in LEVELS or len(time) < _NAIVE or time[4] != "-":
        return None
    step, closed, text = rest.partition("]")
    if not closed:
        return None
    at = parse_stamp(time + "+00:00" if len(time) == _NAIVE else time)
    return Record(at, level, clean_step(step), text.removeprefix(" "), raw)
