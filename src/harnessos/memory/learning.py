"""Writing down an insight: refused when it is none, recognised when it is known, with history when it replaces another.

Callers hold the workspace's lock. Nothing here can write outside of `knowledge/` (rule 5, B-16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadUsage, Refused
from harnessos.memory import records, shelf, stream, topics
from harnessos.memory.secrets import secret_in
from harnessos.memory.topics import Entry, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

LONGEST_INSIGHT = 2000
MOST_INSIGHT_LINES = 100
MOST_LINES = 500
MOST_REPEATED = 3
_SHORTEST_REPEATED = 8
"""A record's text of fewer characters ("done") says nothing when it comes again in an insight."""


class Learned(NamedTuple):
    """What came of an insight.

    `entry_id` is the new entry's, or the one of which it is an exact duplicate (then `duplicate_of` too, and `created`
    is False). `superseded` are the entries it replaces; they stay. `shared_with` is the title of the topic when that was
    begun under another name with the same slug. `written` are the files that changed.
    """

    slug: str
    title: str
    entry_id: str
    created: bool
    duplicate_of: str | None
    superseded: tuple[str, ...]
    shared_with: str | None
    path: Path
    written: tuple[Path, ...]


def learn(
    workspace: str | Path,
    topic: str,
    insight: str,
    *,
    entry_id: str,
    now: int,
    run: str | None,
    by: str,
    stream_tail: Iterable[records.Record] = (),
) -> Learned:
    """Add an insight to a topic. `now` is in ms, `run` None outside of a run; `stream_tail` are the newest records.

    Refused (65) for a name that gives no topic, a text that is no insight (`refusal`), and a file that is a link out.
    """
    stream.log_of(workspace)  # refuses what is no workspace
    if by not in topics.BY:
        raise BadUsage(f"{by!r} is no writer", hint=f"use one of {', '.join(topics.BY)}")
    slug = topics.slug_of(topic)
    insight = topics.tidy(insight)
    if why := refusal(topic, insight, stream_tail):
        raise Refused(why[0], hint=why[1])  # no facts: the topic's name may be the secret
    path = shelf.find(workspace, slug)
    before = shelf.read(path)
    known = [part for part in (*shelf.parts(workspace, path.stem), before) if part]
    entries = [entry for part in known for entry in part.entries]
    title = before.title if before else topics.title_of(topic)
    shared = title if before and before.title not in (topics.title_of(topic), slug, path.stem) else None
    for entry in reversed(entries):
        if topics.same(entry.text, insight):
            return Learned(slug, title, entry.id, False, entry.id, (), shared, path, ())
    identity = entry_id if entry_id.startswith("e_") else f"e_{entry_id}"
    replaced = topics.superseded(entries, insight)
    text = topics.with_entry(before, topic, Entry(identity, now, run or "-", by, replaced, insight))
    written = write_split(workspace, path, text)
    return Learned(slug, title, identity, True, None, replaced, shared, path, tuple(written))


def refusal(topic: str, insight: str, tail: Iterable[records.Record]) -> tuple[str, str] | None:
    """Return why a text cannot be written down as an insight, and what to do instead; None when it can (rule 9)."""
    if not insight:
        return "the insight is empty", "say in a sentence or two what was learned"
    if len(insight) > LONGEST_INSIGHT or insight.count("\n") >= MOST_INSIGHT_LINES:
        lines = topics.lines_in(insight)
        return (
            f"the insight has {len(insight):,} characters in {lines} lines, more than {LONGEST_INSIGHT:,} in {MOST_INSIGHT_LINES}",
            "distil it: what would you want to know the next time? details belong into the stream or a file in output/",
        )
    if kind := secret_in(insight) or secret_in(topic):
        return f"the text seems to hold {kind}", "leave the value out; say where it is kept instead"
    if repeats(insight, tail):
        return (
            "the insight repeats lines of the stream log",
            "the stream keeps them already: say what follows from them",
        )
    return None


def repeats(insight: str, tail: Iterable[records.Record]) -> bool:
    """Whether a line of the text is a stream record, or the text holds what at least three recent records say."""
    if any(records.parse(line.strip().encode("utf-8", "replace")) for line in insight.split("\n")):
        return True
    plain = " ".join(insight.split()).casefold()
    said = {" ".join(record.text.split()).casefold() for record in tail}
    return sum(len(text) >= _SHORTEST_REPEATED and text in plain for text in said) >= MOST_REPEATED


def write_split(workspace: str | Path, path: Path, text: str) -> list[Path]:
    """Write a topic, its oldest entries to further files when it has over 500 lines; return the files that changed.

    The further files are written first: a kill in between leaves entries twice, never nowhere, and the next call mends it.
    """
    topic = topics.parse_topic(path.stem, text)
    changes = split(topic, shelf.parts(workspace, path.stem), {file.stem for file in shelf.files(workspace)})
    written = []
    for slug, content in changes.items():
        target = path.with_name(f"{slug}.md")
        if slug == path.stem or topics_differ(target, content):
            shelf.write_text(target, content)
            written.append(target)
    return written


def topics_differ(path: Path, content: str) -> bool:
    """Whether a file is missing or holds another text."""
    return not path.exists() or shelf.read_text(path) != content


def split(topic: Topic, parts: Sequence[Topic], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return the texts of a topic's files, the topic itself last, with at most 500 lines where entries can be moved.

    Oldest entries move to the last part while it has room, then to `<slug>_<n>` with the next number that is not taken.
    Hand-written text stays, and so does the newest entry.
    """
    texts = {part.slug: part for part in parts}
    there = {entry for part in parts for entry in part.entries}
    names = {*taken, topic.slug}
    source = topic.source
    newest = topic.entries[-1].id if topic.entries else ""
    for identity in dict.fromkeys(entry.id for entry in topic.entries if entry.id != newest):
        # Half at once, so that the next insights do not move an entry each.
        if topics.lines_in(source) <= (MOST_LINES if source == topic.source else MOST_LINES // 2):
            break
        for entry in topic.entries:
            if entry.id == identity and entry not in there:
                part = _roomy(topic, texts, names, entry)
                texts[part.slug] = topics.parse_topic(part.slug, topics.with_entry(part, part.title, entry))
        source = topics.without_entries(source, {identity})
    changed = {slug: part.source for slug, part in texts.items()} if source != topic.source else {}
    return {**changed, topic.slug: source}


def _roomy(topic: Topic, texts: dict[str, Topic], names: set[str], entry: Entry) -> Topic:
    """Return the last part when the entry fits in, else a new one."""
    last = next(reversed(texts.values()), None)
    if last and topics.lines_in(last.source) + topics.lines_in(topics.render_entry(entry)) < MOST_LINES:
        return last
    number = 2
    while f"{topic.slug}_{number}" in names:
        number += 1
    slug = f"{topic.slug}_{number}"
    names.add(slug)
    return topics.parse_topic(slug, f"# {topic.title} ({number})\n")
