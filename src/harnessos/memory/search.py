"""Searching the stream, live and rotated, newest first, and the topics of a workspace (B-19, B-25)."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadDocument, BadUsage, NotAFile
from harnessos.files import contained, read_bounded
from harnessos.memory import records, rotation, stream
from harnessos.memory.matching import Every, Literal, Narrowed, matcher
from harnessos.memory.windows import Found, Search, backwards, last_of
from harnessos.model.instants import parse_stamp, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harnessos.memory.matching import Buffer, Matcher

MOST = 20
KNOWLEDGE = "knowledge"
LONGEST_TOPIC = 16 << 20
_SLACK_MS = 86_400_000
"""How far a clock may have been set back, and records still be found by `since`."""


class Hit(NamedTuple):
    """A line that was found. `at` (ms), `level` and `step` are None, "" and "" for a line that is no record.

    A line of more than 4 kB is cut; when the match lies further on, what is around it is shown. `offset` counts the
    bytes before the line in the uncompressed log.
    """

    at: int | None
    level: str
    step: str
    text: str
    file: Path
    offset: int


class Filters(NamedTuple):
    """What a record must be besides matching."""

    level: str | None
    step: str | None
    since: int | None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != (None, None, None)

    def keeps(self, found: Found) -> bool:
        """Whether this line is wanted; what is no record is not, as soon as anything is asked for."""
        if not self:
            return True
        record = records.parse(found.line)
        if record is None or (self.level and record.level != self.level):
            return False
        if self.step is not None and record.step.casefold() != self.step:
            return False
        return self.since is None or (record.at is not None and record.at >= self.since)

    def ends(self, buffer: Buffer, low: int, high: int) -> bool:
        """Whether three records of this window, its first and last among them, are a day older than wanted."""
        if self.since is None:
            return False
        times = []
        for place in (low, (low + high) // 2, high - 1):
            start = max(low, buffer.rfind(b"\n", low, place) + 1)
            end = buffer.find(b"\n", start, high)
            record = records.parse(bytes(buffer[start : min(start + 4096, high if end < 0 else end)]))
            times.append(record.at if record else None)
        return all(at is not None and at < self.since - _SLACK_MS for at in times)


def search(
    workspace: str | Path,
    query: str,
    *,
    regex: bool = False,
    case: bool = False,
    level: str | None = None,
    step: str | None = None,
    since: int | None = None,
    most: int = MOST,
    topics: bool = False,
) -> Iterator[Hit]:
    """Find the newest `most` lines that hold `query`, in the live log and every rotated one; an empty query holds for all.

    Letters match either case unless `case`. With `regex` the query is a regular expression, asked of each line. `since`
    is in ms. With `topics` lines of topic files come first, at most `most` of them as well, filtered by nothing else.
    BadUsage for a wrong pattern or level, Refused for what is no workspace. What cannot be read of a damaged log is
    passed over here, and reported by `checking.check`.
    """
    if most < 1:
        raise BadUsage(f"{most} lines cannot be shown", hint="ask for at least 1")
    if level is not None and level not in stream.LEVELS:
        raise BadUsage(f"{level!r} is no level", hint=f"use one of {', '.join(stream.LEVELS)}")
    text = query if regex else stream.escaped(query)
    filters = Filters(level, None if step is None else stream.clean_step(step).casefold(), since)
    wanted = Search(*_matchers(text, filters, regex=regex, case=case), filters.keeps, filters.ends)
    stream.log_of(workspace)
    return _found(Path(workspace), wanted, filters, most, topics)


def tail(workspace: str | Path, most: int) -> list[records.Record]:
    """Return the newest records, newest first."""
    wanted = Search(Every(), Every(), lambda found: records.parse(found.line) is not None, lambda *_: False)
    lines = _in_stream(Path(workspace), wanted, Filters(None, None, None), most)
    return [record for _, found in islice(lines, max(0, most)) if (record := records.parse(found.line))]


def _matchers(text: str, filters: Filters, *, regex: bool, case: bool) -> tuple[Matcher, Matcher]:
    query = matcher(text, regex=regex, exact=case)
    others: list[Matcher] = []
    if filters.level:
        others.append(Literal(f"] [{filters.level}] [Step: ".encode(), exact=True))
    if filters.step and filters.step.isascii() and filters.step.isprintable() and not {"[", "]"} & set(filters.step):
        others.append(Literal(f"{filters.step}]".encode(), exact=False))
    return (Narrowed(query, *others) if others else query), query


def _found(workspace: Path, wanted: Search, filters: Filters, most: int, topics: bool) -> Iterator[Hit]:
    if topics:
        yield from islice(_in_topics(workspace, wanted.query), most)
    for file, found in islice(_in_stream(workspace, wanted, filters, most), most):
        yield _hit(found, file)


def _in_stream(workspace: Path, wanted: Search, filters: Filters, most: int) -> Iterator[tuple[Path, Found]]:
    live, handle, others = _opened(workspace)
    if handle is not None:
        try:
            for found in backwards(handle, wanted):
                yield live, found
        finally:
            os.close(handle)
    oldest = "" if filters.since is None else _compact(filters.since - _SLACK_MS)
    for path in others:
        place = rotation.place_of(path.name)
        if place.time and place.time < oldest:
            continue
        yield from _in_rotated(path, wanted, most)


def _opened(workspace: Path) -> tuple[Path, int | None, list[Path]]:
    """Return the live log, opened, and the rotated ones, as they were at one moment: no record is missed or met twice."""
    live = Path(stream.log_of(workspace))
    before = rotation.rotated(workspace)
    while True:
        handle = rotation.open_log(live)
        after = rotation.rotated(workspace)
        if len(after) == len(before):  # no rotation in between: their number only grows
            return live, handle, after
        if handle is not None:
            os.close(handle)
        before = after


def _in_rotated(path: Path, wanted: Search, most: int) -> Iterator[tuple[Path, Found]]:
    if path.suffix != ".gz":
        try:
            handle = rotation.open_log(path)
        except NotAFile:
            return
        if handle is None:  # it was compressed meanwhile
            path = path.with_name(f"{path.name}.gz")
        else:
            try:
                for found in backwards(handle, wanted):
                    yield path, found
            finally:
                os.close(handle)
            return
    for found in last_of(_readable(path), wanted, most):
        yield path, found


def _readable(path: Path) -> Iterator[bytes]:
    try:
        yield from rotation.pieces(path)
    except (BadDocument, NotAFile):
        return


def _hit(found: Found, file: Path) -> Hit:
    record = records.parse(found.line)
    if record is None:
        return Hit(None, "", "", found.line.rstrip(b"\r\n").decode("utf-8", "replace"), file, found.offset)
    return Hit(record.at, record.level, record.step, record.text, file, found.offset)


def _in_topics(workspace: Path, query: Matcher) -> Iterator[Hit]:
    try:
        folder = contained(workspace, Path(KNOWLEDGE))
        files = [path for path in folder.iterdir() if path.suffix == ".md" and path.is_file() and not path.is_symlink()]
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in sorted(files, key=lambda path: (-path.stat().st_mtime_ns, path.name)):
        content = read_bounded(path, LONGEST_TOPIC)
        for start, end in sorted(query.spans(content, 0, len(content))):
            text = content[start:end].decode("utf-8", "replace").rstrip("\r")
            yield Hit(_time_before(content, start), "", path.stem, text, path, start)


def _time_before(content: bytes, place: int) -> int | None:
    """Return the time of the entry that a place of a topic lies in; None outside of entries."""
    heading = content.rfind(b"\n## ", 0, place) + 1
    _, found, time = content[heading : content.find(b"\n", heading)].decode("utf-8", "replace").partition(" — ")
    return parse_stamp(time.strip()) if found else None


def _compact(instant: int) -> str:
    return "".join(char for char in stamp(instant)[:19] if char.isdigit())
