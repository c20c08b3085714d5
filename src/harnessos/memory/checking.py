"""What is wrong with a workspace's memory, on the side of its files, and which of it `--fix` can repair. Reads only."""

from __future__ import annotations

import os
from collections import Counter
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from harnessos.errors import HarnessError
from harnessos.memory import learning, rotation, shelf, stream, topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST_HEARTBEAT_BYTES = 2048
HEARTBEAT = "heartbeat.md"


class Repair(Enum):
    """How `--fix` mends a finding; NONE: a person has to look."""

    NONE = "none"
    FORGET_POINTER = "forget_pointer"
    """take the topic's row away: its file is gone"""
    ADOPT_TOPIC = "adopt_topic"
    """register the file as a topic"""
    RENDER_HEARTBEAT = "render_heartbeat"
    """render heartbeat.md anew"""
    ROTATE = "rotate"
    """`rotation.rotate`"""
    COMPRESS = "compress"
    """`rotation.finish`: a killed rotation left its log uncompressed"""
    END_LINE = "end_line"
    """`mend_torn`: end the line that a killed writer left"""
    SPLIT = "split"
    """`learning.write_split`"""


class Layer(Enum):
    """The layer of the memory a finding is about."""

    HEARTBEAT = 1
    KNOWLEDGE = 2
    STREAM = 3


class Finding(NamedTuple):
    """One thing that is wrong. `file` is relative to the workspace; `slug` is given where a topic is meant."""

    layer: Layer
    file: str
    text: str
    repair: Repair
    slug: str | None = None

    @property
    def fixable(self) -> bool:
        """Whether `--fix` can repair it."""
        return self.repair is not Repair.NONE


class TopicRow(Protocol):
    """A registered topic, as far as this room looks at it. `updated_at` is in ms."""

    @property
    def slug(self) -> str:
        """Its slug."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def updated_at(self) -> int:
        """When an entry was added or changed."""


def check(
    workspace: str | Path, registered: Mapping[str, TopicRow], *, max_stream_bytes: int = rotation.MOST_BYTES
) -> tuple[Finding, ...]:
    """Return everything that is wrong, layer by layer. `registered` are the ledger's topics by slug.

    Refused for what is no workspace, or when a folder of the memory leads out of it.
    """
    live = Path(stream.log_of(workspace))
    root = Path(os.path.realpath(workspace))
    return (*_heartbeat(root), *_topics(root, registered), *_stream(root, live, max_stream_bytes))


def relevant(rows: Iterable[TopicRow], step_text: str, most: int) -> list[TopicRow]:
    """Return the topics that matter for a step: those that share most words with its text first, then the newest."""
    words = topics.words_of(step_text)

    def rank(row: TopicRow) -> tuple[int, int, str]:
        own = topics.words_of(f"{row.title} {row.slug}".replace("_", " "))
        return -sum(word in words or _stem(word) in stems for word in own), -row.updated_at, row.slug

    stems = {_stem(word) for word in words}
    return sorted(rows, key=rank)[: max(0, most)]


def mend_torn(workspace: str | Path) -> bool:
    """End the live log's last line when a killed writer left it open; return whether it did."""
    handle = stream.lock(workspace)
    try:
        if not stream.is_torn(handle):
            return False
        os.write(handle, b"\n")
        return True
    finally:
        os.close(handle)


def _stem(word: str) -> str:
    """Return a word without the endings that mean nothing here: `limits` and `limit` are one word."""
    return word.removesuffix("s") if len(word) > 3 else word


def _heartbeat(root: Path) -> Iterator[Finding]:
    path = root / HEARTBEAT
    if not path.is_file():
        return
    size = path.stat().st_size
    if size >= MOST_HEARTBEAT_BYTES:
        text = f"has {size:,} bytes, and must stay under {MOST_HEARTBEAT_BYTES:,}"
        yield Finding(Layer.HEARTBEAT, HEARTBEAT, text, Repair.RENDER_HEARTBEAT)
    yield from _unreadable(Layer.HEARTBEAT, root, path, Repair.RENDER_HEARTBEAT)


def _topics(root: Path, registered: Mapping[str, TopicRow]) -> Iterator[Finding]:
    files: dict[str, list[Path]] = {}
    for path in shelf.files(root):
        slug = shelf.slug_of_file(path)
        if slug is None:
            yield _topic(root, path, "its name gives no slug: rename it", Repair.NONE, None)
        else:
            files.setdefault(slug, []).append(path)
    for slug in registered:
        if slug not in files:
            text = "is registered as a topic, but there is no such file"
            yield Finding(Layer.KNOWLEDGE, f"{shelf.KNOWLEDGE}/{slug}.md", text, Repair.FORGET_POINTER, slug)
    for slug, paths in files.items():
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            yield _topic(root, paths[0], f"{names} share the slug {slug}: put them into one file", Repair.NONE, slug)
        if slug not in registered and not _is_part(paths[0], slug, files):
            yield _topic(root, paths[0], "is not registered as a topic", Repair.ADOPT_TOPIC, slug)
        for path in paths:
            yield from _inside(root, path, slug)


def _is_part(path: Path, slug: str, files: Mapping[str, list[Path]]) -> bool:
    """Whether a file was split off another topic: it is found through that one."""
    base, _, number = slug.rpartition("_")
    return base in files and number.isdecimal() and any(part.slug == path.stem for part in _parts_of(files[base][0]))


def _parts_of(path: Path) -> list[topics.Topic]:
    try:
        return shelf.parts(path.parent.parent, path.stem)
    except HarnessError:
        return []


def _inside(root: Path, path: Path, slug: str) -> Iterator[Finding]:
    try:
        text = shelf.read_text(path)
    except HarnessError as problem:
        yield _topic(root, path, problem.message, Repair.NONE, slug)
        return
    entries = [span.entry for span in topics.spans(text)]
    lines = topics.lines_in(text)
    if lines > learning.MOST_LINES:
        can = len(learning.split(topics.parse_topic(slug, text), ())) > 1
        what = "" if can else ", and they are hand-written: split it by hand"
        repair = Repair.SPLIT if can else Repair.NONE
        yield _topic(root, path, f"has {lines:,} lines, more than {learning.MOST_LINES}{what}", repair, slug)
    for identity, number in Counter(entry.id for entry in entries).items():
        if number > 1:
            yield _topic(root, path, f"has the entry {identity} {number} times", Repair.NONE, slug)
    yield from _unreadable(Layer.KNOWLEDGE, root, path, Repair.NONE, slug)


def _stream(root: Path, live: Path, limit: int) -> Iterator[Finding]:
    name = stream.LOG
    if live.is_file():
        size = live.stat().st_size
        if size > limit:
            yield Finding(Layer.STREAM, name, f"has {size:,} bytes, more than {limit:,}", Repair.ROTATE)
        if _torn(live):
            yield Finding(Layer.STREAM, name, "its last line was not written to its end", Repair.END_LINE)
    for path in rotation.rotated(root):
        where = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
        if rotation.is_left(path):
            yield Finding(Layer.STREAM, where, "a rotation was killed before it was compressed", Repair.COMPRESS)
        elif problem := rotation.damage(path):
            yield Finding(Layer.STREAM, where, problem, Repair.NONE)


def _torn(live: Path) -> bool:
    with live.open("rb") as file:
        return stream.is_torn(file.fileno())


def _unreadable(layer: Layer, root: Path, path: Path, repair: Repair, slug: str | None = None) -> Iterator[Finding]:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as problem:
        text = f"has bytes that are no UTF-8, the first at byte {problem.start:,}"
        yield Finding(layer, path.relative_to(root).as_posix(), text, repair, slug)
    except OSError as problem:
        text = f"cannot be read: {problem.strerror}"
        yield Finding(layer, path.relative_to(root).as_posix(), text, Repair.NONE, slug)


def _topic(root: Path, path: Path, text: str, repair: Repair, slug: str | None) -> Finding:
    return Finding(Layer.KNOWLEDGE, path.relative_to(root).as_posix(), text, repair, slug)
