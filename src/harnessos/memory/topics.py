"""Topic files, layer 2: what is text of people and what are entries of the harness. Pure; a text is a whole file's.

    # Title

    ## Entry e_<id> — 2026-01-01 12:00:00+00:00
    <!-- harness entry=e_<id> run=<run id or -> by=<operator|agent> supersedes=<e_id,...> -->

    the insight

An entry ends at the first empty line after its text, so that a paragraph written below it is its writer's. Inside of an
entry an empty line, and a line that begins like a heading or a mark of the harness, is indented by four spaces.
Everything else is hand-written, also what earlier scripts wrote (`## Entry — <time>`, `### Insight k`): it stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import Refused
from harnessos.memory.stream import escaped
from harnessos.model.instants import parse_stamp, stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LONGEST_SLUG = 80
LONGEST_SLUG_BYTES = 200
"""A file's name has at most 255 bytes on most file systems; a number and `.md` come behind the slug."""
LONGEST_TITLE = 200
NEAR = 0.8
BY = ("operator", "agent")

_ID = re.compile(r"e_[A-Za-z0-9_-]{1,80}")
_HEADING = re.compile(r"## Entry (e_[A-Za-z0-9_-]{1,80}) — (.{25})")
_MARK = re.compile(r"<!-- harness entry=(\S+) run=(\S+) by=(operator|agent) supersedes=(\S*) -->")
_WORD = re.compile(r"\w+")
_INDENT = "    "
_INDENTED = re.compile(r"(?:    )*(?:#|<!-- harness|$)")


class Entry(NamedTuple):
    """One insight the harness wrote. `at` is in ms, whole seconds once it was written; `run` is `-` for no run."""

    id: str
    at: int
    run: str
    by: str
    supersedes: tuple[str, ...]
    text: str


class Topic(NamedTuple):
    """A topic file: `source` is all of it, `entries` in the order of the file."""

    slug: str
    title: str
    source: str
    entries: tuple[Entry, ...]


class Span(NamedTuple):
    """An entry and the characters it takes in the source, the empty line behind it included."""

    start: int
    end: int
    entry: Entry


def slug_of(text: str) -> str:
    """Return the slug of a topic's name: one safe part of a file name. Refused when nothing of the name is left (B-16, B-22)."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    slug = "_".join(filter(None, "".join(char if char.isalnum() else "_" for char in plain).split("_")))
    slug = slug[:LONGEST_SLUG].encode("utf-8", "replace")[:LONGEST_SLUG_BYTES].decode("utf-8", "ignore").strip("_")
    if not slug:
        raise Refused(f"{text!r} names no topic: it has no letter and no digit", hint="use a few plain words")
    if slug == "readme":
        raise Refused("README.md of the knowledge folder is no topic", hint="use another name for the topic")
    return slug


def title_of(text: str) -> str:
    """Return a topic's name as its first line shows it: one line, at most 200 characters."""
    return " ".join(escaped(" ".join(text.split())).split())[:LONGEST_TITLE].strip()


def parse_topic(slug: str, text: str) -> Topic:
    """Read a topic file; whatever is no entry of the harness is hand-written text. The title is the slug when there is none."""
    titles = (line[2:].strip() for line in text.removeprefix("\ufeff").split("\n") if line.startswith("# "))
    return Topic(slug, next(titles, "") or slug, text, tuple(span.entry for span in spans(text)))


def spans(text: str) -> Iterator[Span]:
    """Yield the entries of a topic file with their places."""
    place = 0
    while 0 <= place < len(text):
        second = _after(text, place)
        heading = (
            _HEADING.fullmatch(text[place:second].rstrip("\r\n")) if text.startswith("## Entry e_", place) else None
        )
        mark = _MARK.fullmatch(text[second : _after(text, second)].rstrip("\r\n")) if heading else None
        at = parse_stamp(heading[2]) if heading else None
        if heading is None or mark is None or at is None or mark[1] != heading[1]:
            place = second
            continue
        end, content = _content(text, _after(text, second))
        earlier = tuple(filter(None, mark[4].split(",")))
        yield Span(place, end, Entry(heading[1], at, mark[2], mark[3], earlier, content))
        place = end


def render_entry(entry: Entry) -> str:
    """Return an entry as the file holds it, the empty line behind it included. ValueError for an id, run or writer that is none."""
    words = (entry.run, *entry.supersedes)
    if not _ID.fullmatch(entry.id) or entry.by not in BY or any(not word or set(word) & set(" ,>\n") for word in words):
        raise ValueError(f"this is no entry: {entry!r}")
    lines = [f"{_INDENT}{line}" if _INDENTED.match(line) else line for line in tidy(entry.text).split("\n")]
    mark = f"<!-- harness entry={entry.id} run={entry.run} by={entry.by} supersedes={','.join(entry.supersedes)} -->"
    return "\n".join((f"## Entry {entry.id} — {stamp(entry.at)}", mark, "", *lines, "", ""))


def tidy(text: str) -> str:
    """Return an insight as an entry holds it: no blanks around it, lines that end with a newline, nothing invisible."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    return "\n".join("\t".join(map(escaped, line.split("\t"))).rstrip() for line in lines).strip()


def with_entry(topic: Topic | None, title: str, entry: Entry) -> str:
    """Return the topic's text with the entry at its end; None is a new topic, which begins with the title."""
    before = topic.source if topic else f"# {title_of(title)}\n"
    gap = "" if not before or before.endswith(("\n\n", "\n\r\n")) else "\n" if before.endswith("\n") else "\n\n"
    return f"{before}{gap}{render_entry(entry)}"


def without_entries(text: str, ids: Collection[str]) -> str:
    """Return the text without these entries, the rest as it was, character for character."""
    kept, place = [], 0
    for span in spans(text):
        if span.entry.id in ids:
            kept.append(text[place : span.start])
            place = span.end
    return "".join((*kept, text[place:]))


def same(one: str, other: str) -> bool:
    """Whether two insights say the same in the same words; case, blanks and a full stop at the end do not count."""
    return _plain(one) == _plain(other)


def near(one: str, other: str) -> bool:
    """Whether the words of two insights overlap so much (Jaccard, 0.8) that the newer one replaces the older one.

    One word too many is enough to say the opposite, which is why the newer one counts.
    """
    return overlap(words_of(one), words_of(other)) >= NEAR


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of common words; 0 when neither has any."""
    return len(one & other) / len(one | other) if one or other else 0.0


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text, in one case."""
    return frozenset(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def superseded(entries: Collection[Entry], text: str) -> tuple[str, ...]:
    """Return the ids of the entries a new insight replaces: near ones that no other has replaced already."""
    gone = {old for entry in entries for old in entry.supersedes}
    return tuple(entry.id for entry in entries if entry.id not in gone and near(entry.text, text))


def lines_in(text: str) -> int:
    """Return the number of lines, a last one without a newline included."""
    return text.count("\n") + (text[-1:] not in ("", "\n"))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".!")


def _after(text: str, place: int) -> int:
    """Return where the next line begins."""
    return text.find("\n", place) + 1 or len(text)


def _content(text: str, place: int) -> tuple[int, str]:
    """Return the end of an entry whose mark ends at `place`, and its text."""
    if text[place : _after(text, place)].strip("\r\n") == "":
        place = _after(text, place)
    lines = []
    while place < len(text) and not text.startswith(("#", "<!-- harness"), place):
        end = _after(text, place)
        line = text[place:end].rstrip("\r\n")
        place = end
        if not line:
            break
        lines.append(line.removeprefix(_INDENT) if _INDENTED.match(line) else line)
    return place, "\n".join(lines)
