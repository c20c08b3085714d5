"""What the views derive, without a ledger."""

from __future__ import annotations

import json
import re

import pytest

from harnessos import errors
from harnessos.inspector import remedies, sentences, views
from harnessos.inspector.chains import Chain
from harnessos.inspector.situation import overlap
from harnessos.inspector.status import DayBudget
from harnessos.inspector.views import Host, lacking, span
from harnessos.model.event import Event, chained
from harnessos.store.transaction import Row
from tests.support.python import SOURCE

_KIND = re.compile(r'"((?:issue|run|approval|artifact|budget|campaign|project|ledger)\.[a-z_]+)"')


def _kinds() -> set[str]:
    """Return every kind of event that the kernel writes."""
    return {kind for file in (SOURCE / "kernel").glob("*.py") for kind in _KIND.findall(file.read_text("utf-8"))}


def test_every_event_the_kernel_writes_reads_as_a_sentence() -> None:
    assert {"issue.planned", "run.ended", "campaign.paused"} <= _kinds()
    for kind in _kinds():
        text = sentences.sentence({"kind": kind, "data_json": json.dumps({"set": {"status": "ready"}})})
        assert text
        assert "{" not in text


def test_a_sentence_gives_the_reason() -> None:
    data = {
        "outcome": "agent_fault",
        "reason": "tests fail",
        "turns": 2,
        "commit": "c0ffee",
        "set": {"status": "ready"},
    }
    told = sentences.sentence({"kind": "run.ended", "data_json": json.dumps(data)})
    assert told == "run ended agent_fault after 2 turns at c0ffee, issue now ready: tests fail"


@pytest.mark.parametrize(
    ("ms", "text"),
    [(-5, "0 s"), (999, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (7_199_999, "119 min"), (7_200_000, "2 h"),
     (172_800_000, "2 d")],
)  # fmt: skip
def test_a_length_of_time_has_one_unit(ms: int, text: str) -> None:
    assert span(ms) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 issues"), (1, "1 issue"), (2, "2 issues")])
def test_one_thing_is_not_said_in_the_plural(number: int, text: str) -> None:
    assert views.counted(number, "issue") == text


def test_a_plural_of_its_own_is_used() -> None:
    assert [views.counted(n, "thing waits", "things wait") for n in (1, 2)] == ["1 thing waits", "2 things wait"]


@pytest.mark.parametrize(
    ("host", "missing"),
    [
        (Host(), ["capability cuda"]),
        (Host(capabilities=("cuda",)), []),
        (Host(classes=("docs",), capabilities=("cuda", "x")), ["workload class gpu"]),
        (Host(classes=("gpu", "docs")), ["capability cuda"]),
    ],
)
def test_a_host_lacks_what_it_does_not_serve(host: Host, missing: list[str]) -> None:
    assert lacking(host, {"workload_class": "gpu", "capabilities": "cuda"}) == missing


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a", "a", True), ("a/", "a/b", True), ("a/b", "a/", True), ("a", "a/b", False), ("a/", "ab", False)],
)
def test_paths_overlap_when_equal_or_inside(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected


@pytest.mark.parametrize(
    ("budget", "amount"),
    [
        (DayBudget("runs", 500, 500, 0), "1000"),
        (DayBudget("runs", 1, 9, 0), "9"),
        (DayBudget("wall_ms", 3_600_000, 0, 0), "2"),
        (DayBudget("wall_ms", 1, 0, 0), "1"),
        (DayBudget("usd", 50_000_000, 40_000_000, 20_000_000), "100"),
    ],
)
def test_a_cap_is_raised_to_something_that_suffices(budget: DayBudget, amount: str) -> None:
    found = remedies.raise_cap("DOCS", f"budget:project {budget.dimension} of the day", (budget,))
    assert found.command == ("harness", "budget", "set", "DOCS", budget.dimension, amount)


def test_a_document_has_no_tuples() -> None:
    assert views.document(remedies.harness("next")) == {"command": ["harness", "next"], "needs": "operator"}


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(errors.BadContent):
        views.number_cursor("x")


def _events(count: int) -> list[Row]:
    rows: list[Row] = []
    head = ""
    for seq in range(1, count + 1):
        event = Event("issue", "i", seq, seq, "issue.edited", "operator", "", None, None, "{}")
        head = chained(head, event)
        rows.append({**event._asdict(), "hash": head})
    return rows


def test_a_chain_walked_in_pieces_is_the_same_chain() -> None:
    rows = _events(5)
    chain = Chain("issue", "DOCS-1")
    assert [*chain.walk(rows[:2]), *chain.walk(rows[2:]), *chain.end(5, rows[-1]["hash"])] == []


def test_two_events_that_changed_places_are_found() -> None:
    rows = _events(3)
    rows[0], rows[1] = {**rows[1], "subject_seq": 1}, {**rows[0], "subject_seq": 2}
    assert [finding.seq for finding in Chain("issue", "DOCS-1").walk(rows)] == [1, 2, 3]
