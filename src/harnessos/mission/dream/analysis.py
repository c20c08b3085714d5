"""What a workspace's log says about the time since an instant: one pass, in memory bounded by distinct messages.

Recurring errors, warnings and successes are those seen `min_entries` times or more; a recovery is a success after
failures of the same step, in this order (B-18). Q9: a log of 500 MB that holds 30 days, in a second and 50 MB.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadDocument
from harnessos.memory import rotation, stream
from harnessos.mission.dream import fingerprints, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_MS = 86_400_000
MOST = 10_000
"""Distinct messages, and steps, that are counted at one time."""
MOST_FINDINGS = 200
"""Findings of a kind that are handed on, the most frequent first."""
OWN_STEP = "dream"
"""What a dream itself logs is no experience of the mission."""
KINDS = {"ERROR": "recurring error", "WARN": "recurring warning", "SUCCESS": "recurring success"}
RECOVERY = "recovery"

_RECORD = re.compile(
    rb"^\[(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)([+-]\d\d:\d\d)?\] \[(INFO|WARN|ERROR|SUCCESS)\] \[Step: ([^\]\n]*)\]([^\n]*)",
    re.MULTILINE,
)


class Finding(NamedTuple):
    """Something that the log shows. `first` and `last` are ms, `times` is of this analysis, `key` names it for ever.

    Of a recovery `times` is how often it happened, `failures` how many failures came before, `before` the last of them.
    """

    kind: str
    key: str
    step: str
    text: str
    times: int
    first: int
    last: int
    before: str = ""
    failures: int = 0


class Analysis(NamedTuple):
    """All that was found between two instants (ms); `notes` say what the figures leave out."""

    since: int
    until: int
    records: int
    errors: int
    warnings: int
    successes: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()


class Seen:
    """One distinct message while it is counted."""

    __slots__ = ("count", "failures", "first", "key", "last", "level", "step", "text")

    def __init__(self, level: str, step: str, key: bytes, at: int) -> None:
        self.level, self.step, self.key = level, step, key
        self.first = self.last = at
        self.count = self.failures = 0
        self.text = b""

    def see(self, at: int, text: bytes) -> None:
        """Count it once more."""
        self.count += 1
        self.text = text[: fingerprints.LONGEST]
        if at > self.last:
            self.last = at
        elif at < self.first:
            self.first = at


class Counting:
    """Counts the records of a log in the order in which they were written."""

    def __init__(self, since: int, until: int) -> None:
        self.since, self.until = since, until
        self.levels = dict.fromkeys((b"INFO", b"WARN", b"ERROR", b"SUCCESS"), 0)
        self.seen: dict[tuple[str, str, bytes], Seen] = {}
        self.recoveries: dict[tuple[str, bytes], tuple[Seen, bytes]] = {}
        self.crowded = False
        self._near: dict[tuple[bytes, bytes, bytes], Seen] = {}  # by what is cheap to tell
        self._failing: dict[str, tuple[Seen, int]] = {}  # the last failure of a step, and how many there were

    def read(self, block: bytes) -> None:
        """Count a block of whole lines."""
        since, until, levels, near, rough = self.since, self.until, self.levels, self._near, fingerprints.rough
        stamp = zone = None
        at: int | None = None
        for found in _RECORD.finditer(block):
            time, offset, level, step, text = found.groups()
            if time != stamp or offset != zone:
                stamp, zone, at = time, offset, _instant(time, offset)
            if at is None or at < since:
                continue
            levels[level] += 1
            if level == b"INFO":
                continue
            when = min(at, until)  # a clock that went ahead must not keep an insight for ever
            roughly = rough(text)
            one = near.get((level, step, roughly))
            if one is None:
                one = self._remember(level, step, roughly, when)
            one.see(when, text)
            if level != b"WARN":
                self._follow(one, when)

    def _remember(self, level: bytes, step: bytes, roughly: bytes, at: int) -> Seen:
        name, where, exact = (
            level.decode(),
            stream.clean_step(step.decode("utf-8", "replace")),
            fingerprints.exact(roughly),
        )
        one = self.seen.get((name, where, exact))
        if one is None:
            if len(self.seen) >= MOST:
                self._make_room()
            one = self.seen[name, where, exact] = Seen(name, where, exact, at)
        if len(self._near) >= MOST:
            self._near.clear()
        self._near[level, step, roughly] = one
        return one

    def _make_room(self) -> None:
        """Forget the half that was seen least: what recurs stays, and room for thousands costs one sorting."""
        kept = sorted(self.seen.items(), key=lambda item: (item[1].count, item[1].last))[MOST // 2 :]
        self.seen = dict(kept)
        self._near.clear()
        self.crowded = True

    def _follow(self, one: Seen, at: int) -> None:
        """Keep what fails, by step, until it succeeds; a success that came before is none."""
        step = one.step
        error, failures = self._failing.get(step, (None, 0))
        if one.level == "ERROR":
            if error is None and len(self._failing) >= MOST:
                del self._failing[next(iter(self._failing))]
                self.crowded = True
            self._failing[step] = (one, failures + 1)
        elif error is not None and at >= error.last:
            del self._failing[step]
            known, _ = self.recoveries.get((step, error.key), (None, b""))
            if known is None:
                if len(self.recoveries) >= MOST:
                    self.crowded = True
                    return
                known = Seen(RECOVERY, step, error.key, at)
            known.failures += failures
            known.see(at, one.text)
            self.recoveries[step, error.key] = (known, error.text)


def analyse(workspace: Path, now: int, *, lookback_ms: int = DAY_MS, min_entries: int = 3) -> Analysis:
    """Return what the log of the workspace says about the time from `now - lookback_ms` on. Reads only."""
    counting = Counting(now - lookback_ms, now)
    notes: list[str] = []
    for block in _since(workspace, counting.since, notes):
        counting.read(block)
    return conclude(counting, min_entries, notes)


def conclude(counting: Counting, min_entries: int, notes: list[str] | None = None) -> Analysis:
    """Return what was counted as values, in an order that only depends on them."""
    found = [
        Finding(
            KINDS[one.level], _key(KINDS[one.level], one), one.step, _text(one.text), one.count, one.first, one.last
        )
        for one in counting.seen.values()
        if one.count >= min_entries and one.step != OWN_STEP
    ]
    found += [
        Finding(
            RECOVERY, _key(RECOVERY, one), one.step, _text(one.text), one.count, one.first, one.last, _text(error),
            one.failures,
        )
        for one, error in counting.recoveries.values()
        if one.step != OWN_STEP
    ]  # fmt: skip
    found.sort(key=lambda one: (-one.times, -one.last, one.key))
    notes = notes or []
    if counting.crowded:
        notes.append(f"over {MOST:,} distinct messages: the rarest were forgotten, counts are lower bounds")
    findings: list[Finding] = []
    for kind in (KINDS["ERROR"], RECOVERY, KINDS["WARN"], KINDS["SUCCESS"]):
        of_kind = [one for one in found if one.kind == kind]
        if len(of_kind) > MOST_FINDINGS:
            notes.append(f"{len(of_kind):,} of kind {kind}: the {MOST_FINDINGS} most frequent are looked at")
        findings += of_kind[:MOST_FINDINGS]
    levels = counting.levels
    return Analysis(
        counting.since,
        counting.until,
        sum(levels.values()),
        levels[b"ERROR"],
        levels[b"WARN"],
        levels[b"SUCCESS"],
        tuple(findings),
        tuple(notes),
    )


def _since(workspace: Path, since: int, notes: list[str]) -> Iterator[bytes]:
    """Return blocks of the logs, oldest first, leaving out what is surely older than `since`."""
    handle, old = _opened(workspace)
    try:
        size = start = 0
        if handle is not None:
            size = os.fstat(handle).st_size
            start = reading.seek(handle, size, since)
            oldest = reading.first_instant(reading.head(handle, size)) if start == 0 else since - 1
            if oldest is not None and oldest < since - reading.JITTER_MS:
                old = []
        if start == 0:
            for path in reversed(_reaching(old, since, notes)):
                yield from _pieces(path, notes)
        if handle is not None:
            yield from reading.blocks(handle, start, size)
    finally:
        if handle is not None:
            os.close(handle)


def _opened(workspace: Path) -> tuple[int | None, list[Path]]:
    """Return the live log, open, and the rotated logs, newest first: no rotation came between the two."""
    while True:
        old = rotation.rotated(workspace)
        try:
            handle = os.open(stream.log_of(workspace), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError:
            handle = None
        if handle is not None and not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            handle = None
        if [_plain(path) for path in rotation.rotated(workspace)] == [_plain(path) for path in old]:
            return handle, old
        if handle is not None:
            os.close(handle)


def _plain(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _reaching(old: list[Path], since: int, notes: list[str]) -> list[Path]:
    """Return the rotated logs, newest first, down to the first that begins before `since`."""
    needed = []
    for path in old:
        needed.append(path)
        first = next(iter(_pieces(path, notes)), b"")
        instant = reading.first_instant(iter(first[: reading.WINDOW].split(b"\n")))
        if instant is not None and instant < since - reading.JITTER_MS:
            break
    return needed


def _pieces(path: Path, notes: list[str]) -> Iterator[bytes]:
    here = path if path.exists() else path.with_name(f"{path.name}.gz")  # compressed meanwhile
    try:
        yield from reading.whole_lines(rotation.pieces(here))
    except BadDocument as problem:
        if str(problem) not in notes:
            notes.append(str(problem))


def _instant(time: bytes, offset: bytes | None) -> int | None:
    """Return an instant in ms; a time without a zone was written by the earlier scripts and is read as UTC."""
    try:
        return (
            int(datetime.fromisoformat(f"{time.decode()}{offset.decode() if offset else '+00:00'}").timestamp()) * 1000
        )
    except (ValueError, OverflowError):
        return None


def _key(kind: str, one: Seen) -> str:
    return sha256(b"\0".join((kind.encode(), one.step.encode("utf-8", "replace"), one.key))).hexdigest()[:12]


def _text(message: bytes) -> str:
    return message.decode("utf-8", "replace").strip()
