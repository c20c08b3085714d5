"""Better summaries that an agent proposes (`--agent`): through the same checks, into the same changeset.

An agent may merge entries of a topic and put what nobody has verified into better words. It may not invent an entry, drop
one, touch hand-written text, or change the words of what was verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.memory import topics
from harnessos.memory.learning import refusal
from harnessos.mission.dream.consolidating import Removed, rank_of, verified
from harnessos.mission.dream.plan import BYTES, Change, path_of, topics_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.memory.topics import Entry, Topic
    from harnessos.mission.dream.plan import Given, Plan


def with_proposal(given: Given, plan: Plan, proposed: Mapping[str, str]) -> Plan:
    """Return the plan with these topics (file name without `.md` to its whole new text, based on the plan's) as an agent
    wants them. What cannot be taken over stays as the plan has it and is a problem of the new plan.
    """
    changes = {change.path: change for change in plan.changes}
    removed, problems = list(plan.removed), list(plan.problems)
    for topic in given.topics:
        text = proposed.get(topic.slug)
        if text is None:
            continue
        path = path_of(topic.slug)
        change = changes.get(path) or Change(path, topic.source.encode(*BYTES), topic.source.encode(*BYTES))
        base = topics.parse_topic(topic.slug, change.new.decode(*BYTES))
        new = topics.parse_topic(topic.slug, text)
        why = objection(base, new, given.facts.results)
        if why:
            problems.append(f"{topic.slug}: the agent's proposal was not taken over: {why}")
            continue
        changes[path] = change._replace(new=text.encode(*BYTES))
        removed += _gone(base, new)
    problems += [
        f"{name}: the agent proposed a topic that is not there"
        for name in sorted(proposed.keys() - {topic.slug for topic in given.topics})
    ]
    kept = tuple(change for change in changes.values() if change.new != change.old)
    texts = {topic.slug: topic.source for topic in given.topics}
    texts |= {name: changes[path_of(name)].new.decode(*BYTES) for name in texts if path_of(name) in changes}
    return plan._replace(
        changes=tuple(sorted(kept, key=lambda change: (not change.path.startswith("knowledge/"), change.path))),
        removed=tuple(removed),
        topics=topics_after(given, texts),
        problems=tuple(problems),
        skipped="" if kept or plan.pruned or plan.adopted else plan.skipped,
    )


def objection(base: Topic, new: Topic, results: Mapping[str, str | None]) -> str:
    """Return why a proposed topic cannot be taken over; empty when it can."""
    before = {entry.id: entry for entry in base.entries}
    after = {entry.id: entry for entry in new.entries}
    if topics.without_entries(base.source, before) != topics.without_entries(new.source, after):
        return "it changes text that was written by hand"
    if len(after) != len(new.entries) or len(before) != len(base.entries):
        return "an entry stands there twice"
    named = set(after).union(*(entry.supersedes for entry in new.entries))
    wanted = set(before).union(*(entry.supersedes for entry in base.entries))
    if missing := sorted(wanted - named):
        return f"it no longer names {missing[0]}"
    if strange := sorted(named - wanted):
        return f"it names {strange[0]}, which is not there"
    for entry in new.entries:
        if entry.id not in before:
            return f"{entry.id} is no entry of the topic"
        if why := _wrong(before, entry, results):
            return why
    return ""


def _wrong(before: Mapping[str, Entry], entry: Entry, results: Mapping[str, str | None]) -> str:
    old = before[entry.id]
    if (old.at, old.run, old.by) != (entry.at, entry.run, entry.by):
        return f"it changes where {entry.id} comes from"
    if not set(old.supersedes) <= set(entry.supersedes):
        return f"{entry.id} no longer names what it had replaced"
    if entry.text != old.text and verified(old, results):
        return f"it changes the words of {entry.id}, which was verified"
    if entry.text != old.text and (why := refusal("topic", entry.text, ())):
        return f"{entry.id}: {why[0]}"
    for name in entry.supersedes:
        if name in before and name not in old.supersedes and rank_of(before[name], results) > rank_of(old, results):
            return f"{name} is worth more than {entry.id}, into which it would be merged"
    return ""


def _gone(base: Topic, new: Topic) -> list[Removed]:
    """Return the entries that leave the topic; the archive also keeps the old words of those that were put better."""
    after = {entry.id: entry for entry in new.entries}
    into = {name: entry.id for entry in new.entries for name in entry.supersedes}
    return [
        Removed(base.slug, entry, "merged", into.get(entry.id, entry.id))
        for entry in base.entries
        if after.get(entry.id, entry._replace(text="")).text != entry.text
    ]
