"""Which entries of topics give way to which, and which have stood unverified for too long. Values in, values out.

An entry that leaves its topic is named by the one that stays (`supersedes`, with all it had superseded itself) or goes
to the archive whole; so no insight and no provenance is ever lost (B-01).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from harnessos.memory import topics
from harnessos.mission.dream import similarity
from harnessos.model.instants import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from harnessos.memory.topics import Entry, Topic

UNVERIFIED_MS = 7 * DAY_MS
PASSED = "passed"
OPERATOR = "operator"
_TRUSTED, _OPEN, _FAILED = 2, 1, 0

Place = tuple[str, str]
"""A topic's slug and an entry's id: a copied topic file has ids a second time."""


class Removed(NamedTuple):
    """An entry that leaves its topic: merged `into` another entry, or archived for its run (`failed`, `unverified`)."""

    slug: str
    entry: Entry
    reason: str
    into: str = ""


class Consolidated(NamedTuple):
    """What becomes of the topics: entries that name more than before, entries that leave, and what was left alone."""

    changed: Mapping[Place, Entry]
    removed: tuple[Removed, ...]
    problems: tuple[str, ...]


class Ranked(NamedTuple):
    """An entry and how much it is worth."""

    slug: str
    entry: Entry
    rank: int
    words: similarity.Words


def rank_of(entry: Entry, results: Mapping[str, str | None]) -> int:
    """Return 2 for what an operator wrote or a run that passed left, 1 for what is not judged, 0 for what failed."""
    if entry.by == OPERATOR:
        return _TRUSTED
    result = results.get(entry.run)
    return _TRUSTED if result == PASSED else _OPEN if result is None else _FAILED


def verified(entry: Entry, results: Mapping[str, str | None]) -> bool:
    """Whether the entry may be relied on."""
    return rank_of(entry, results) == _TRUSTED


def consolidate(found: Iterable[Topic], results: Mapping[str, str | None], now: int) -> Consolidated:
    """Return what to archive and what to merge, within and across topics.

    Nothing verified gives way to something unverified. Doing it twice changes nothing the second time.
    """
    problems: list[str] = []
    removed: list[Removed] = []
    staying: list[Ranked] = []
    for topic in found:
        twice = {one for one, number in Counter(entry.id for entry in topic.entries).items() if number > 1}
        if twice:
            problems.append(f"{topic.slug}: entry {min(twice)} stands there twice, such entries are left alone")
        for entry in topic.entries:
            rank = rank_of(entry, results)
            if entry.id in twice:
                continue
            if not _is_sound(entry):
                problems.append(f"{topic.slug}: entry {entry.id} has a damaged mark, it is left alone")
                continue
            if rank < _TRUSTED and entry.at <= now - UNVERIFIED_MS:
                removed.append(Removed(topic.slug, entry, "failed" if rank == _FAILED else "unverified"))
            else:
                staying.append(Ranked(topic.slug, entry, rank, similarity.words(entry.text)))
    changed, merged = _merge(staying)
    return Consolidated(changed, (*removed, *merged), tuple(problems))


def rewrite(topic: Topic, changed: Mapping[Place, Entry], gone: Collection[str]) -> str | None:
    """Return the topic's text with these entries changed and those gone; None when that would touch anything else."""
    parts, wanted, place = [], [], 0
    for span in topics.spans(topic.source):
        new = changed.get((topic.slug, span.entry.id), span.entry)
        if span.entry.id in gone:
            parts.append(topic.source[place : span.start])
            place = span.end
            continue
        wanted.append(new)
        if new != span.entry:
            parts += [topic.source[place : span.start], _renamed(topic.source[span.start : span.end], new)]
            place = span.end
    text = "".join((*parts, topic.source[place:]))
    after = topics.parse_topic(topic.slug, text)
    everything = {entry.id for entry in topic.entries}
    untouched = topics.without_entries(text, everything) == topics.without_entries(topic.source, everything)
    return text if untouched and list(after.entries) == wanted and after.title == topic.title else None


def _merge(staying: list[Ranked]) -> tuple[dict[Place, Entry], list[Removed]]:
    """Compare each entry with those that stay, the worthiest first; only such as share one of their rarest words."""
    staying = sorted(staying, key=lambda one: (-one.rank, -len(one.words.all), -one.entry.at, one.entry.id, one.slug))
    frequency = Counter(word for one in staying for word in one.words.all)
    kept: list[Ranked] = []
    by_word: dict[str, list[int]] = {}
    taken: dict[int, list[Ranked]] = {}
    removed: list[Removed] = []
    for one in staying:
        rare = similarity.prefix(one.words, frequency)
        near = {place for word in rare for place in by_word.get(word, ())}
        place = next((place for place in sorted(near) if _gives_way(one, kept[place])), None)
        if place is None or not one.words.all:
            for word in rare:
                by_word.setdefault(word, []).append(len(kept))
            kept.append(one)
            continue
        taken.setdefault(place, []).append(one)
        removed.append(Removed(one.slug, one.entry, "merged", kept[place].entry.id))
    changed = {}
    for place, gone in taken.items():
        stays = kept[place]
        names = [*stays.entry.supersedes]
        for one in sorted(gone, key=lambda one: (one.entry.at, one.entry.id, one.slug)):
            names += [one.entry.id, *one.entry.supersedes]
        named = tuple(name for name in dict.fromkeys(names) if name != stays.entry.id)
        if named != stays.entry.supersedes:
            changed[stays.slug, stays.entry.id] = stays.entry._replace(supersedes=named)
    return changed, sorted(removed, key=lambda one: (one.slug, one.entry.at, one.entry.id))


def _gives_way(one: Ranked, other: Ranked) -> bool:
    """Whether an entry may be merged into another.

    What replaces another on purpose is not merged back into it. While runs are not judged only entries of one run
    merge: else what a good run will have verified would hang on another run that fails.
    """
    if other.entry.id in one.entry.supersedes:
        return False
    sure = other.rank == _TRUSTED or other.entry.run == one.entry.run
    return sure and similarity.says_no_more(one.words, other.words)


def _renamed(text: str, entry: Entry) -> str:
    """Return an entry's text with what its mark names renewed, and nothing else."""
    mark = text.find(" supersedes=")
    end = text.find(" -->", mark)
    return f"{text[:mark]} supersedes={','.join(entry.supersedes)}{text[end:]}"


def _is_sound(entry: Entry) -> bool:
    """Whether the entry could be written again as it is."""
    try:
        topics.render_entry(entry)
    except ValueError:
        return False
    return True
