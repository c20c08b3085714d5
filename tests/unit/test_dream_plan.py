"""The plan of a dream: no insight and no provenance is lost, nothing verified gives way, twice changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.memory import topics
from harnessos.memory.topics import Entry, Topic
from harnessos.mission.dream import plan, similarity
from harnessos.mission.dream.analysis import Analysis, Finding
from harnessos.mission.dream.plan import Facts, Given, Plan
from harnessos.mission.dream.proposal import with_proposal
from harnessos.model.instants import DAY_MS

NOW = 1_767_312_000_000
QUIET = Analysis(NOW - DAY_MS, NOW, 0, 0, 0, 0, ())
RESULTS = {"good": "passed", "bad": "failed", "open": None}
LIMIT = "GitHub API returns 403 after 5000 requests per hour, wait 60s and retry"


def _entry(
    name: str, text: str, *, run: str = "good", at: int = NOW - DAY_MS, by: str = "agent", over: str = ""
) -> Entry:
    return Entry(f"e_{name}", at, run, by, tuple(filter(None, over.split(","))), text)


def _topic(slug: str, *entries: Entry, hand: str = "") -> Topic:
    topic = topics.parse_topic(slug, f"# {slug}\n{hand}")
    for entry in entries:
        topic = topics.parse_topic(slug, topics.with_entry(topic, slug, entry))
    return topic


def _given(*found: Topic, now: int = NOW, playbook: str | None = None, analysis: Analysis = QUIET) -> Given:
    return Given(Facts(now, RESULTS, frozenset(topic.slug for topic in found)), analysis, found, playbook)


def _after(given_: Given, made: Plan) -> Given:
    """What the next dream is given when this plan was applied."""
    new = {change.path: change.new.decode() for change in made.changes}
    found = tuple(
        topics.parse_topic(topic.slug, new.get(plan.path_of(topic.slug), topic.source)) for topic in given_.topics
    )
    return given_._replace(topics=found, playbook=new.get("playbook.md", given_.playbook))


def _ids(found: tuple[Topic, ...]) -> set[str]:
    return {name for topic in found for entry in topic.entries for name in (entry.id, *entry.supersedes)}


def _hand(topic: Topic) -> str:
    return topics.without_entries(topic.source, [entry.id for entry in topic.entries])


def _merged(*found: Topic) -> list[tuple[str, str]]:
    return [(one.entry.id, one.into) for one in plan.make(_given(*found)).removed if one.reason == "merged"]


_WORDS = st.sampled_from(
    [
        "wait",
        "retry",
        "api",
        "limit",
        "the",
        "a",
        "fails",
        "after",
        "60s",
        "30s",
        "not",
        "with",
        "x",
        "y",
        "fields",
        "is",
    ]
)
_SENTENCES = st.lists(_WORDS, min_size=1, max_size=12).map(" ".join) | st.sampled_from(
    [LIMIT, f"The {LIMIT}.", LIMIT.upper(), "", "## Entry e_x — y", "a\n\nb\n# c", "…", "x" * 50]
)


@st.composite
def _worlds(draw: st.DrawFn) -> Given:
    found = []
    number = 0
    for slug in ("alpha", "beta", "gamma")[: draw(st.integers(1, 3))]:
        entries = []
        for _ in range(draw(st.integers(0, 7))):
            number += 1
            over = f"e_{draw(st.integers(1, number))}" if draw(st.integers(0, 4)) == 0 else ""
            entries.append(
                _entry(
                    str(number),
                    draw(_SENTENCES) or "x",
                    run=draw(st.sampled_from(["good", "bad", "open", "-", "unknown"])),
                    at=NOW - draw(st.integers(0, 10)) * DAY_MS,
                    by=draw(st.sampled_from(["agent", "agent", "operator"])),
                    over="" if over == f"e_{number}" else over,
                )
            )
        hand = draw(
            st.sampled_from(
                ["", "\nBy hand.\r\n", "\n## Entry — 2026\n\nold\n", "\n<!-- harness x -->\n\n\n", "\ufeff"]
            )
        )
        topic = _topic(slug, *entries, hand=hand)
        found.append(
            topics.parse_topic(slug, topic.source + draw(st.sampled_from(["", "\nBelow.", "\n## Own\n\n- a\n"])))
        )
    return _given(*found)


@given(_worlds())
@settings(max_examples=120, deadline=None)
def test_b01_no_insight_is_ever_lost(world: Given) -> None:
    """Every id stays reachable: as an entry, named by one that superseded it, or in the archive."""
    made = plan.make(world)
    after = _after(world, made)
    archived = {name for one in made.removed for name in (one.entry.id, *one.entry.supersedes)}
    assert _ids(after.topics) | archived == _ids(world.topics)
    named = {name for topic in after.topics for entry in topic.entries for name in entry.supersedes}
    gone = {one.entry.id for topic in world.topics for one in made.removed if one.slug == topic.slug}
    assert {entry.id for topic in world.topics for entry in topic.entries} - gone == {
        entry.id for topic in after.topics for entry in topic.entries
    }
    merged = {one.entry.id for one in made.removed if one.reason == "merged"}
    assert merged <= named


@given(_worlds())
@settings(max_examples=80, deadline=None)
def test_text_written_by_hand_stays_byte_for_byte(world: Given) -> None:
    after = _after(world, plan.make(world))
    assert [_hand(topic) for topic in after.topics] == [_hand(topic) for topic in world.topics]


@given(_worlds())
@settings(max_examples=80, deadline=None)
def test_dreaming_twice_changes_nothing_the_second_time(world: Given) -> None:
    again = plan.make(_after(world, plan.make(world)))
    assert (again.changes, again.removed) == ((), ())
    assert again.skipped == plan.NOTHING_NEW


@given(_worlds())
@settings(max_examples=80, deadline=None)
def test_nothing_verified_is_merged_into_something_unverified(world: Given) -> None:
    from harnessos.mission.dream.consolidating import rank_of

    entries = {entry.id: entry for topic in world.topics for entry in topic.entries}
    for one in plan.make(world).removed:
        if one.reason == "merged":
            assert rank_of(entries[one.into], RESULTS) >= rank_of(one.entry, RESULTS)
        else:
            assert rank_of(one.entry, RESULTS) < 2
            assert one.entry.at <= NOW - 7 * DAY_MS


@given(_worlds())
@settings(max_examples=100, deadline=None)
def test_the_plan_depends_on_values_alone(world: Given) -> None:
    assert plan.make(world) == plan.make(world)


def test_b01_a_second_dream_keeps_what_the_first_consolidated() -> None:
    world = _given(_topic("k", *(_entry(name, f"insight number {name}") for name in "abc")))
    world = _after(world, plan.make(world))
    (topic,) = world.topics
    for name in "xyz":
        topic = topics.parse_topic("k", topics.with_entry(topic, "k", _entry(name, f"insight number {name}")))
    world = world._replace(topics=(topic,))
    after = _after(world, plan.make(world))
    assert [entry.id for entry in after.topics[0].entries] == [f"e_{name}" for name in "abcxyz"]


def test_near_duplicates_merge_within_and_across_topics_and_the_one_that_stays_names_them() -> None:
    made = plan.make(
        _given(
            _topic("api", _entry("1", LIMIT), _entry("2", f"The {LIMIT.lower()}!", at=NOW)),
            _topic("other", _entry("3", LIMIT, over="e_0"), _entry("4", "Something else entirely"), hand="\nMine.\n"),
        )
    )
    after = _after(_given(_topic("api"), _topic("other")), made)
    assert {topic.slug: [entry.id for entry in topic.entries] for topic in after.topics} == {
        "api": ["e_2"],
        "other": ["e_4"],
    }
    assert after.topics[0].entries[0].supersedes == ("e_1", "e_3", "e_0")
    assert {(one.entry.id, one.entry.run, one.entry.at) for one in made.removed} == {
        ("e_1", "good", NOW - DAY_MS),
        ("e_3", "good", NOW - DAY_MS),
    }
    assert "\nMine.\n" in after.topics[1].source


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LIMIT, LIMIT.replace("60s", "30s")),
        (LIMIT, LIMIT.replace("wait", "do not wait")),
        ("Turn the cache of the page on when it is slow", "Turn the cache of the page off when it is slow"),
        ("Articles of source X often miss the field author", "Articles of source Y often miss the field author"),
        (
            "Load the index of a page before the list of all items",
            "Load the list of all items before the index of a page",
        ),
        ("Retry when the count of all open pages is > 5", "Retry when the count of all open pages is < 5"),
        ("Enable caching for the large pages of that site", "Disable caching for the large pages of that site"),
    ],
)
def test_what_could_contradict_is_never_merged(one: str, other: str) -> None:
    assert _merged(_topic("a", _entry("1", one)), _topic("b", _entry("2", other))) == []


@pytest.mark.parametrize(
    "other",
    [
        LIMIT.upper(),
        f"  {LIMIT}.",
        f"The {LIMIT}",
        LIMIT.replace("returns", "returned"),
        LIMIT.replace(" per hour", "/hour"),
        f"{LIMIT} politely",
    ],
)
def test_what_says_the_same_is_merged(other: str) -> None:
    assert len(_merged(_topic("a", _entry("1", LIMIT)), _topic("b", _entry("2", other)))) == 1


def test_the_longer_of_two_stays() -> None:
    assert _merged(_topic("a", _entry("1", f"{LIMIT} politely")), _topic("b", _entry("2", LIMIT, at=NOW))) == [
        ("e_2", "e_1")
    ]


def test_a_verified_entry_stays_though_the_other_is_newer_and_longer() -> None:
    assert _merged(_topic("a", _entry("1", LIMIT), _entry("2", f"The {LIMIT}", run="open", at=NOW))) == [("e_2", "e_1")]


def test_an_unverified_one_that_says_more_stays_beside_the_verified_one() -> None:
    assert _merged(_topic("a", _entry("1", LIMIT), _entry("2", f"{LIMIT} politely", run="open"))) == []


@pytest.mark.parametrize(("run", "merges"), [("open", 1), ("other", 0)])
def test_while_runs_are_not_judged_only_entries_of_one_run_merge(run: str, merges: int) -> None:
    """Else the entry of a run that will pass would be archived with that of a run that fails."""
    assert len(_merged(_topic("a", _entry("1", LIMIT, run="open"), _entry("2", LIMIT, run=run)))) == merges


def test_what_replaced_another_on_purpose_is_not_merged_back() -> None:
    assert _merged(_topic("a", _entry("1", LIMIT), _entry("2", f"the {LIMIT}", run="open", over="e_1"))) == []


@pytest.mark.parametrize(("run", "by", "reason"), [
    ("bad", "agent", "failed"), ("open", "agent", "unverified"), ("-", "agent", "unverified"),
    ("good", "agent", ""), ("-", "operator", ""),
])  # fmt: skip
def test_what_nothing_verified_for_seven_days_is_archived(run: str, by: str, reason: str) -> None:
    young = plan.make(_given(_topic("a", _entry("1", LIMIT, run=run, by=by, at=NOW - 7 * DAY_MS + 1000))))
    old = plan.make(_given(_topic("a", _entry("1", LIMIT, run=run, by=by, at=NOW - 7 * DAY_MS))))
    assert young.removed == ()
    assert [one.reason for one in old.removed] == ([reason] if reason else [])


def test_pointers_that_lead_nowhere_are_pruned_and_topics_without_one_adopted() -> None:
    world = _given(_topic("here"), _topic("node.js"), _topic("---"))
    world = world._replace(
        facts=Facts(NOW, RESULTS, frozenset({"here", "gone", "damaged"})), unread=frozenset({"damaged"})
    )
    made = plan.make(world)
    assert (made.pruned, made.adopted) == (("gone",), ("node_js",))
    assert [(one.slug, one.path) for one in made.topics] == [
        ("here", "knowledge/here.md"),
        ("node_js", "knowledge/node.js.md"),
    ]


def test_an_entry_that_stands_twice_in_a_file_is_left_alone_and_said() -> None:
    made = plan.make(_given(_topic("a", _entry("1", LIMIT), _entry("1", LIMIT))))
    assert (made.changes, made.removed) == ((), ())
    assert "stands there twice" in made.problems[0]


def test_a_copied_topic_file_loses_its_copies_only() -> None:
    world = _given(_topic("a", _entry("1", LIMIT)), _topic("b", _entry("1", LIMIT)))
    after = _after(world, plan.make(world))
    assert [len(topic.entries) for topic in after.topics] in ([1, 0], [0, 1])


def test_an_entry_with_a_damaged_mark_is_left_alone() -> None:
    source = _topic("a", _entry("1", LIMIT, run="open", at=0)).source.replace("run=open", "run=a,b")
    made = plan.make(_given(topics.parse_topic("a", source)))
    assert made.changes == ()
    assert "damaged mark" in made.problems[0]


def _finding() -> Finding:
    return Finding("recurring error", "0" * 12, "3", "timeout", 3, NOW - 5000, NOW)


def test_the_playbook_is_renewed_or_left_alone() -> None:
    analysis = QUIET._replace(findings=(_finding(),))
    renewed = plan.make(_given(playbook="# P\n", analysis=analysis))
    assert [change.path for change in renewed.changes] == ["playbook.md"]
    assert plan.make(_given(playbook=None, analysis=analysis)).changes == ()
    damaged = plan.make(_given(playbook="# P\n<!-- harness:dream begin -->\n", analysis=analysis))
    assert damaged.changes == ()
    assert "damaged" in damaged.problems[0]


def test_a_thousand_entries_are_compared_by_their_rare_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each with each: that would be half a million comparisons."""
    asked: list[similarity.Words] = []
    real = similarity.says_no_more

    def watched(gone: similarity.Words, kept: similarity.Words) -> bool:
        asked.append(gone)
        return real(gone, kept)

    monkeypatch.setattr(similarity, "says_no_more", watched)
    entries = [_entry(str(n), f"page {n} of site s{n} needs header h{n} and the usual retry") for n in range(500)]
    copies = [entry._replace(id=f"{entry.id}x") for entry in entries]
    made = plan.make(_given(topics.parse_topic("a", "".join(map(topics.render_entry, [*entries, *copies])))))
    assert len(made.removed) == 500
    assert len(asked) < 10_000


def _proposed(old: Topic, text: str) -> Plan:
    world = _given(old)
    return with_proposal(world, plan.make(world), {old.slug: text})


def test_an_agent_may_merge_entries_and_put_unverified_ones_better() -> None:
    old = _topic("a", _entry("1", "one thing", run="open"), _entry("2", "another matter", run="open"), hand="\nMine.\n")
    new = _topic("a", _entry("1", "both in one", run="open", over="e_2"), hand="\nMine.\n")
    made = _proposed(old, new.source)
    assert made.problems == ()
    assert [change.new.decode() for change in made.changes] == [new.source]
    assert {(one.entry.id, one.entry.text) for one in made.removed} == {("e_1", "one thing"), ("e_2", "another matter")}
    assert (made.skipped, made.topics[0].entries) == ("", 1)


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (_topic("a", _entry("1", "one thing", run="open")), "no longer names e_2"),
        (_topic("a", _entry("1", "one thing", run="open", over="e_2,e_9")), "e_9"),
        (_topic("a", _entry("1", "x", run="good", over="e_2")), "comes from"),
        (_topic("a", _entry("1", "x", run="open", over="e_2")), "worth more"),
        (_topic("a", _entry("2", "other words", over="e_1")), "verified"),
        (_topic("a", _entry("3", "one", over="e_1,e_2")), "e_3"),
        (_topic("a", _entry("1", "y" * 2001, run="open"), _entry("2", "another matter")), "2,001"),
        (_topic("a", _entry("2", "another matter", over="e_1"), hand="\nNot mine.\n"), "by hand"),
    ],
)  # fmt: skip
def test_what_an_agent_may_not_do_is_not_taken_over(new: Topic, why: str) -> None:
    old = _topic("a", _entry("1", "one thing", run="open"), _entry("2", "another matter"))
    made = _proposed(old, new.source)
    assert (made.changes, made.removed) == ((), ())
    assert why in made.problems[0]


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=80)
def test_any_texts_can_be_compared(one: str, other: str) -> None:
    words = similarity.words(one)
    assert similarity.says_no_more(words, words)
    assert 0 <= similarity.overlap(words, similarity.words(other)) <= 1
