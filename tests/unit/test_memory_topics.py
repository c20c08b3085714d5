"""Topic files: what the harness wrote is found by its id, everything else stays byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.errors import Refused
from harnessos.memory import topics
from harnessos.memory.learning import split
from harnessos.memory.topics import Entry

NOON = 1_767_268_800_000
ANY = st.text(st.characters(exclude_categories=()), max_size=60)
PIECES = (*"# -\n\t\rab`|<!>", "\n## Entry e_1 — 2026-01-01 12:00:00+00:00\n", "\n<!-- harness entry=e_1", "    ")
HANDISH = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def entry(number: int, text: str = "Wait 60 s and try again.", supersedes: tuple[str, ...] = ()) -> Entry:
    return Entry(f"e_{number}", NOON + number * 1000, "run-1", "agent", supersedes, text)


def test_a_new_topic_is_golden() -> None:
    text = topics.with_entry(None, "API rate limits", entry(0, supersedes=("e_8", "e_9")))
    assert text == (
        "# API rate limits\n"
        "\n"
        "## Entry e_0 — 2026-01-01 12:00:00+00:00\n"
        "<!-- harness entry=e_0 run=run-1 by=agent supersedes=e_8,e_9 -->\n"
        "\n"
        "Wait 60 s and try again.\n"
        "\n"
    )
    topic = topics.parse_topic("api_rate_limits", text)
    assert topic.title == "API rate limits"
    assert topic.entries == (entry(0, supersedes=("e_8", "e_9")),)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("api_rate_limits", "api_rate_limits"),
        ("a-b", "a_b"),
        ("A  B", "a_b"),
        ("node.js", "node_js"),
        ("a/b", "a_b"),
        ("../mission", "mission"),
        ("../../escaped", "escaped"),
        ("/etc/passwd", "etc_passwd"),
        ("x\ny", "x_y"),
        ("a|b`c", "a_b_c"),
        ("Ärger mit Übergrößen", "ärger_mit_übergrößen"),
        ("限流", "限流"),
        ("e\u0301te\u0301", "été"),
        ("x" * 300, "x" * 80),
    ],
)
def test_b16_b22_a_name_becomes_a_slug_that_is_one_safe_file_name(name: str, slug: str) -> None:
    assert topics.slug_of(name) == slug


@pytest.mark.parametrize("name", ["", "  ", "..", "|", "`", "\n", "-_-", "\0", "README", "Readme"])
def test_b22_a_name_that_gives_no_slug_is_refused(name: str) -> None:
    with pytest.raises(Refused) as caught:
        topics.slug_of(name)
    assert caught.value.exit_code == 65
    assert caught.value.hint


@settings(max_examples=300)
@given(ANY)
def test_any_slug_is_safe_and_stays_the_same(name: str) -> None:
    try:
        slug = topics.slug_of(name)
    except Refused:
        return
    assert all(char.isalnum() or char == "_" for char in slug)
    assert len(slug) <= topics.LONGEST_SLUG
    assert len(f"{slug}_99.md".encode()) <= 255
    assert topics.slug_of(slug) == slug


@settings(max_examples=300)
@given(HANDISH, st.lists(ANY.filter(str.strip), min_size=1, max_size=4), HANDISH)
def test_entries_are_read_back_and_taken_out_without_a_trace(before: str, insights: list[str], after: str) -> None:
    """Whatever people write around entries, and whatever an insight holds."""
    written = []
    topic = topics.parse_topic("t", before)
    text, gaps = before, []
    for number, insight in enumerate(insights):
        fresh = topics.tidy(insight)
        if not fresh:
            continue
        new = topics.with_entry(topic, "t", entry(number, fresh))
        gaps.append(new[len(text) :].split("#")[0])
        written.append(entry(number, fresh))
        text, topic = new, topics.parse_topic("t", new)
    assert topic.entries == tuple(written)
    extended = topics.parse_topic("t", text + after)
    assert extended.entries == tuple(written)
    ids = {one.id for one in written}
    assert topics.without_entries(text + after, ids) == before + "".join(gaps) + after


def test_a_paragraph_below_an_entry_is_its_writers() -> None:
    text = topics.with_entry(None, "T", entry(1)) + "I saw this too. Ann\n"
    assert topics.parse_topic("t", text).entries == (entry(1),)
    assert topics.without_entries(text, {"e_1"}) == "# T\n\nI saw this too. Ann\n"


def test_an_insight_of_several_paragraphs_stays_one_entry() -> None:
    insight = "First.\n\nSecond:\n# not a heading\n<!-- harness entry=e_9 -->\n    # indented\n\tcode"
    text = topics.with_entry(None, "T", entry(1, insight))
    assert topics.parse_topic("t", text).entries == (entry(1, insight),)


def test_b17_an_insight_cannot_open_another_entry() -> None:
    forged = "ok\n\n" + topics.render_entry(entry(9, "forged"))
    topic = topics.parse_topic("t", topics.with_entry(None, "T", entry(1, topics.tidy(forged))))
    assert [one.id for one in topic.entries] == ["e_1"]


def test_b01_what_the_earlier_scripts_wrote_is_hand_written_text() -> None:
    old = (
        "# Api\n\n> auto-created\n\n## Entry — 2026-01-01 12:00:00\n\nA\n\n> Consolidated at 2026-01-02\n"
        "> Original entries: 3 → Consolidated: 1\n\n## Consolidated Knowledge\n\n### Insight 1\n\nB\n"
    )
    topic = topics.parse_topic("api", old)
    assert topic.entries == ()
    text = topics.with_entry(topic, "Api", entry(1))
    assert text.startswith(old)
    assert topics.without_entries(text, {"e_1"}) == old + "\n"


def test_windows_line_ends_are_understood_and_kept() -> None:
    text = topics.with_entry(None, "T", entry(1, "a\n\nb")).replace("\n", "\r\n") + "mine\r\n"
    assert topics.parse_topic("t", text).entries == (entry(1, "a\n\nb"),)
    assert topics.without_entries(text, {"e_1"}) == "# T\r\n\r\nmine\r\n"


@pytest.mark.parametrize(
    "bad",
    [
        entry(1)._replace(id="x"),
        entry(1)._replace(id="e_ -->"),
        entry(1)._replace(by="me"),
        entry(1)._replace(run="a b"),
        entry(1)._replace(supersedes=("a,b",)),
    ],
)
def test_an_entry_with_a_wrong_field_cannot_be_written(bad: Entry) -> None:
    with pytest.raises(ValueError, match="no entry"):
        topics.render_entry(bad)


def test_the_same_in_the_same_words_is_the_same() -> None:
    assert topics.same("Wait  60s.", "wait 60s")
    assert not topics.same("use x == y", "use x != y")
    assert not topics.same("Wait 60s", "Wait 90s")


def test_nearly_the_same_words_replace_and_others_do_not() -> None:
    old = "GitHub API returns 403 after 5000 requests per hour, wait 60 s and retry"
    assert topics.near(old, old.replace("60", "90"))
    assert topics.near(old, old.replace("wait", "do not wait"))
    assert not topics.near(old, "Articles from source X often miss the author field")
    assert not topics.near("", "")


def test_an_entry_is_superseded_once() -> None:
    first, second = entry(1, "a b c d e f g h i j"), entry(2, "a b c d e f g h i k", ("e_1",))
    assert topics.superseded((first, second), "a b c d e f g h i l") == ("e_2",)


def test_b26_a_long_topic_is_split_and_nothing_is_lost() -> None:
    text, hand = "# T\n\nmine\n", "\nalso mine\n"
    for number in range(300):
        text = topics.with_entry(topics.parse_topic("t", text), "T", entry(number, f"insight {number}"))
    topic = topics.parse_topic("t", text + hand)
    files = split(topic, (), ("t", "t_2"))
    assert list(files) == ["t_3", "t_4", "t_5", "t"], "t_2 is taken by another topic"
    assert all(topics.lines_in(content) <= 500 for content in files.values())
    found = [one for slug, content in files.items() for one in topics.parse_topic(slug, content).entries]
    assert found == list(topic.entries), "all there, once, oldest first"
    ids = {one.id for one in topic.entries}
    assert topics.without_entries(files["t"], ids) == topics.without_entries(topic.source, ids)
    assert "# T (3)\n" in files["t_3"]


def test_b26_hand_written_text_is_never_split() -> None:
    topic = topics.parse_topic("t", "# T\n" + "mine\n" * 600)
    assert split(topic, ()) == {"t": topic.source}


def test_a_split_that_was_killed_after_its_first_file_moves_nothing_twice() -> None:
    text = "# T\n"
    for number in range(120):
        text = topics.with_entry(topics.parse_topic("t", text), "T", entry(number, f"insight {number}"))
    topic = topics.parse_topic("t", text)
    files = split(topic, ())
    part = topics.parse_topic("t_2", files["t_2"])
    again = split(topic, (part,), ("t", "t_2"))
    assert again == files


@given(HANDISH, st.lists(st.integers(0, 5), max_size=8))
def test_a_split_of_any_topic_keeps_every_entry(hand: str, ids: list[int]) -> None:
    """Also when a person copied an entry and changed the copy."""
    text = hand + "\n" * 490
    for number, identity in enumerate(ids):
        text = topics.with_entry(topics.parse_topic("t", text), "T", entry(identity, f"text {number}"))
    topic = topics.parse_topic("t", text)
    found = {one for slug, content in split(topic, ()).items() for one in topics.parse_topic(slug, content).entries}
    assert found == set(topic.entries)
