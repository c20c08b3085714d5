"""Better summaries for a dream, proposed by an agent. What it proposes goes through the same checks and changeset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos.errors import HarnessError
from harnessos.files import read_bounded
from harnessos.mission import asking
from harnessos.mission.dream.plan import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.mission.agent import Runner
    from harnessos.mission.dream.plan import Given, Plan
    from harnessos.mission.site import Site

FILE = "proposal.json"
_LIMIT = 4 << 20
_MOST_CHARACTERS = 200_000


def propose(site: Site, runner: Runner, given: Given, plan: Plan) -> Mapping[str, str]:
    """Return what the agent proposes: a topic's file name without `.md` to its whole new text; nothing where it fails."""
    asked = asking.ask(site.ground, site.place, prompt(given, plan), runner)
    if asked.said:
        site.note("WARN", "dream", f"the agent that was asked for summaries failed: {asked.said}")
        return {}
    try:
        found = json.loads(read_bounded(asked.evidence / FILE, _LIMIT))
    except (HarnessError, ValueError, RecursionError) as problem:
        site.note("WARN", "dream", f"the agent left no proposal that can be read: {problem}")
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: text for name, text in found.items() if isinstance(name, str) and isinstance(text, str)}


def prompt(given: Given, plan: Plan) -> str:
    """Return what the agent is asked: the topics as the dream leaves them, and what it may do with them."""
    changed = {change.path: change.new.decode("utf-8", "replace") for change in plan.changes}
    texts = {topic.slug: changed.get(path_of(topic.slug), topic.source) for topic in given.topics}
    parts = [
        "Below are the topic files of a mission's memory. Where entries of a topic say the same, merge them, and put them",
        "into better words. Every entry you take away must be named in `supersedes` of the one that stays. Add no entry,",
        "leave what stands outside of entries as it is, and do not change what is verified.",
        f"Write a JSON object (topic name: whole new text), only of topics you changed, to $HARNESS_EVIDENCE_DIR/{FILE}.",
    ]
    room = _MOST_CHARACTERS
    for name, text in sorted(texts.items()):
        if len(text) <= room:
            parts += ["", f"===== {name} =====", text]
            room -= len(text)
    return "\n".join(parts) + "\n"
