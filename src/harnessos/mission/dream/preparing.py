"""Reading a workspace for a dream. Nothing is written here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.errors import BadUsage, HarnessError
from harnessos.files import contained, read_bounded
from harnessos.memory import shelf
from harnessos.memory.topics import parse_topic
from harnessos.mission.dream import plan
from harnessos.mission.dream.analysis import analyse
from harnessos.mission.dream.playbook_block import PLAYBOOK

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.memory.topics import Topic
    from harnessos.mission.dream.plan import Facts, Given, Options, Plan


def prepare(workspace: Path, facts: Facts, options: Options | None = None) -> Plan:
    """Return what a dream would change here. Reads only: `--dry-run` ends here, with `changeset.diff`."""
    return plan.make(given(workspace, facts, options))


def given(workspace: Path, facts: Facts, options: Options | None = None) -> Given:
    """Return all that a plan depends on. BadUsage for options that ask for nothing."""
    asked = options or plan.Options()
    if asked.min_entries < 1 or asked.lookback_ms < 1:
        raise BadUsage(
            "a dream looks back some time and for messages that were seen at least once",
            hint="leave --min-entries and --lookback-hours out, or give them positive numbers",
        )
    problems: list[str] = []
    analysis = analyse(workspace, facts.now, lookback_ms=asked.lookback_ms, min_entries=asked.min_entries)
    playbook = None if asked.skip_playbook else _playbook(workspace, problems)
    topics, unread = _topics(workspace, problems)
    return plan.Given(facts, analysis, tuple(topics), playbook, tuple(problems), frozenset(unread))


def _playbook(workspace: Path, problems: list[str]) -> str | None:
    """Return the playbook, every byte of it; None when it cannot be read."""
    try:
        return read_bounded(contained(workspace, workspace / PLAYBOOK), shelf.LONGEST).decode(*plan.BYTES)
    except HarnessError as problem:
        problems.append(f"{PLAYBOOK} is left alone: {problem}")
        return None


def _topics(workspace: Path, problems: list[str]) -> tuple[list[Topic], list[str]]:
    """Return the topics in the order of their files, each under its file's own name, and the slugs of those left alone."""
    found: list[Topic] = []
    unread: list[str] = []
    for path in shelf.files(workspace):
        slug = shelf.slug_of_file(path)
        if slug is None:
            problems.append(f"{shelf.KNOWLEDGE}/{path.name} names no topic: rename it, and it will be in the index")
        try:
            found.append(parse_topic(path.stem, shelf.read_text(path)))
        except HarnessError as problem:
            problems.append(f"{shelf.KNOWLEDGE}/{path.name} is left alone: {problem}")
            unread.append(slug or path.stem)
    return found, unread
