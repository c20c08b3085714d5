"""The briefing stays under 1,500 tokens whatever the ledger holds, and keeps what matters most."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.model.briefing import MOST_BYTES, Dependency, Material, briefing

SMALL = Material("DOCS-1", "do it", "in detail", 1, [], None, [], [], {"attempts": 3}, None)


def _size(document: object) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode())


def test_a_small_briefing_is_whole() -> None:
    made = briefing(SMALL._replace(dependencies=[Dependency("DOCS-2", "before", "verified", "abc", "went well")]))
    assert made["dependencies"][0]["commit"] == "abc"
    assert made["description"] == "in detail"
    assert made["shortened"] is False


def test_a_long_description_is_cut_and_said_to_be() -> None:
    made = briefing(SMALL._replace(description="x" * 100_000))
    assert made["shortened"] is True
    assert made["description"].endswith("…")
    assert len(made["description"]) >= 2000
    assert made["task"] == "do it"


def test_the_worktree_is_never_cut() -> None:
    path = "/tmp/" + "deep/" * 300
    made = briefing(SMALL._replace(description="x" * 100_000, worktree=path))
    assert made["worktree"] == path
    assert _size(made) <= MOST_BYTES


def test_of_many_dependencies_the_last_are_kept() -> None:
    many = [Dependency(f"DOCS-{n}", "t" * 200, "verified", "c" * 40, "s" * 500) for n in range(1000)]
    made = briefing(SMALL._replace(dependencies=many))
    assert made["dependencies"][-1]["identifier"] == "DOCS-999"
    assert _size(made) <= MOST_BYTES


_texts = st.text(max_size=3000)


@settings(max_examples=60, deadline=None)
@given(
    description=_texts,
    task=_texts,
    held=st.lists(st.tuples(_texts, _texts), max_size=50),
    summaries=st.lists(_texts, max_size=50),
    resume=st.one_of(st.none(), st.dictionaries(st.sampled_from(["summary", "plan"]), st.lists(_texts, max_size=40))),
)
def test_the_briefing_is_under_1500_tokens(
    description: str,
    task: str,
    held: list[tuple[str, str]],
    summaries: list[str],
    resume: dict[str, list[str]] | None,
) -> None:
    made = briefing(
        SMALL._replace(
            description=description,
            task=task,
            held=held,
            dependencies=[Dependency("DOCS-2", "t", None, None, text) for text in summaries],
            resume=resume,
        )
    )
    assert _size(made) <= MOST_BYTES
