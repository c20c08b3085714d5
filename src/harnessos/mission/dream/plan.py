"""What a dream would change, decided from values alone: the same given always gives the same plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import Refused
from harnessos.memory.shelf import KNOWLEDGE
from harnessos.memory.topics import parse_topic, slug_of
from harnessos.mission.dream import playbook_block
from harnessos.mission.dream.analysis import DAY_MS, RECOVERY
from harnessos.mission.dream.consolidating import Removed, consolidate, rewrite, verified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.memory.topics import Topic
    from harnessos.mission.dream.analysis import Analysis
    from harnessos.mission.dream.consolidating import Consolidated
    from harnessos.mission.dream.playbook_block import Insight

BYTES = ("utf-8", "surrogateescape")
"""How documents are read and written: bytes that are no text survive."""
NOTHING_NEW = "nothing new since the last dream"


class Options(NamedTuple):
    """How to dream: how far back the log is read, how often a message must recur, whether the playbook stays as it is."""

    lookback_ms: int = DAY_MS
    min_entries: int = 3
    skip_playbook: bool = False


class Facts(NamedTuple):
    """What the ledger knows: the instant (ms), the result of each run (`passed`, `failed`, None while it is not judged),
    and the slugs that have a pointer.
    """

    now: int
    results: Mapping[str, str | None]
    pointers: frozenset[str]


class Given(NamedTuple):
    """All that a plan depends on. The slug of each topic here is its file's name without `.md`. `playbook` is None when it must stay as it is; `problems` arose while reading, `unread`
    are the slugs of topics that could not be read.
    """

    facts: Facts
    analysis: Analysis
    topics: tuple[Topic, ...]
    playbook: str | None
    problems: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()


class Change(NamedTuple):
    """A file, relative to the workspace, and its bytes before and after."""

    path: str
    old: bytes
    new: bytes


class TopicAfter(NamedTuple):
    """A topic as the dream leaves it; `verified` when it has entries and all of them are."""

    slug: str
    path: str
    title: str
    entries: int
    verified: bool


class Plan(NamedTuple):
    """What a dream changes. `skipped` says why it is not worth a changeset; it is empty otherwise.

    `pruned` pointers lead to no topic, `adopted` topics have no pointer: both are for the ledger to follow.
    """

    analysis: Analysis
    changes: tuple[Change, ...]
    removed: tuple[Removed, ...]
    pruned: tuple[str, ...]
    adopted: tuple[str, ...]
    insights: tuple[Insight, ...]
    left_out: int
    topics: tuple[TopicAfter, ...]
    problems: tuple[str, ...]
    skipped: str

    def summary(self) -> dict[str, object]:
        """Return the plan in figures and names, as JSON values."""
        analysis = self.analysis
        return {
            "since": analysis.since,
            "until": analysis.until,
            "records": analysis.records,
            "errors": analysis.errors,
            "warnings": analysis.warnings,
            "successes": analysis.successes,
            "recurring": sum(1 for one in analysis.findings if one.kind != RECOVERY),
            "recoveries": sum(1 for one in analysis.findings if one.kind == RECOVERY),
            "files": [one.path for one in self.changes],
            "merged": [
                {"topic": one.slug, "entry": one.entry.id, "into": one.into}
                for one in self.removed
                if one.reason == "merged"
            ],
            "archived": [
                {"topic": one.slug, "entry": one.entry.id, "reason": one.reason}
                for one in self.removed
                if one.reason != "merged"
            ],
            "pruned": list(self.pruned),
            "adopted": list(self.adopted),
            "insights": [one._asdict() for one in self.insights],
            "insights_left_out": self.left_out,
            "problems": [*self.problems, *analysis.notes],
            "skipped": self.skipped,
        }


def make(given: Given) -> Plan:
    """Return the plan of a dream."""
    facts = given.facts
    done = consolidate(given.topics, facts.results, facts.now)
    texts, removed, problems = _rewritten(given, done)
    changes = [
        Change(path_of(topic.slug), topic.source.encode(*BYTES), texts[topic.slug].encode(*BYTES))
        for topic in given.topics
        if texts[topic.slug] != topic.source
    ]
    insights, left_out, change, problem = _playbook(given)
    changes += [change] if change else []
    after = topics_after(given, texts)
    there = {one.slug for one in after}
    adopted = tuple(sorted(there - facts.pointers))
    pruned = tuple(sorted(facts.pointers - there - given.unread))
    return Plan(
        given.analysis,
        tuple(changes),
        removed,
        pruned,
        adopted,
        insights,
        left_out,
        after,
        (*given.problems, *done.problems, *problems, *problem),
        "" if changes or pruned or adopted else NOTHING_NEW,
    )


def path_of(name: str) -> str:
    """Return where the topic of a file's name lies, relative to the workspace."""
    return f"{KNOWLEDGE}/{name}.md"


def pointer_of(name: str) -> str | None:
    """Return the slug by which a topic's file is reached; None when its name gives none."""
    try:
        return slug_of(name)
    except Refused:
        return None


def _rewritten(given: Given, done: Consolidated) -> tuple[dict[str, str], tuple[Removed, ...], list[str]]:
    """Return each topic's text, the entries that left, and why a topic is left alone.

    An entry leaves only when the one that names it stands in a text that could be written: otherwise all stays.
    """
    texts: dict[str, str] = {}
    alone: set[str] = set()
    gone: dict[str, set[str]] = {topic.slug: set() for topic in given.topics}
    for one in done.removed:
        gone[one.slug].add(one.entry.id)
    for topic in given.topics:
        text = rewrite(topic, done.changed, gone[topic.slug])
        if text is None:
            alone.add(topic.slug)
        texts[topic.slug] = topic.source if text is None else text
    if not alone:
        return texts, done.removed, []
    rest = given._replace(topics=tuple(topic for topic in given.topics if topic.slug not in alone))
    again = consolidate(rest.topics, given.facts.results, given.facts.now)
    more, removed, problems = _rewritten(rest, again)
    said = [f"{slug}: its entries cannot be changed without touching other text, it is left alone" for slug in alone]
    return {**{topic.slug: topic.source for topic in given.topics}, **more}, removed, [*sorted(said), *problems]


def _playbook(given: Given) -> tuple[tuple[Insight, ...], int, Change | None, tuple[str, ...]]:
    """Return the insights of the block, how many found no room, the change, and what is wrong with the block."""
    text = given.playbook
    parts = playbook_block.divide(text or "")
    insights, left_out = playbook_block.renew(parts.insights, given.analysis.findings, given.facts.now)
    if text is None or parts.problem:
        return tuple(insights), left_out, None, (f"playbook.md: {parts.problem}",) if parts.problem else ()
    new = playbook_block.write(text, insights)
    change = Change(playbook_block.PLAYBOOK, text.encode(*BYTES), new.encode(*BYTES)) if new != text else None
    strange = (f"playbook.md: {parts.strange} lines of the dream block were not written by a dream, they leave it",)
    return tuple(insights), left_out, change, strange if parts.strange and change else ()


def topics_after(given: Given, texts: Mapping[str, str]) -> tuple[TopicAfter, ...]:
    """Return the topics that can be pointed to. Of two files with one slug the plainly named one is meant."""
    found: dict[str, TopicAfter] = {}
    for name, text in texts.items():
        slug = pointer_of(name)
        if slug is None or (slug in found and slug != name):
            continue
        topic = parse_topic(name, text)
        sure = bool(topic.entries) and all(verified(entry, given.facts.results) for entry in topic.entries)
        found[slug] = TopicAfter(slug, path_of(name), topic.title, len(topic.entries), sure)
    return tuple(found[slug] for slug in sorted(found))
