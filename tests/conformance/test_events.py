"""The event log: chains that show every tampering, and columns that their own events reproduce."""

from __future__ import annotations

import json
from random import Random  # noqa: TID251 # seeded: the same history each time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harnessos import errors
from harnessos.kernel import events, operations, runs
from harnessos.kernel.claims import Claimed
from harnessos.model.checkpoint import Progress
from harnessos.model.event import DECIDED, Event, chained, fold
from harnessos.model.outcome import Outcome
from harnessos.store.transaction import Row
from tests.support.ledger import BY_OPERATOR, HOUR, Ledger, approval, draft

OUTCOMES = [outcome for outcome in Outcome if outcome not in (Outcome.SUCCESS, Outcome.CANCELLED)]


def head_of(rows: list[Row]) -> str:
    """Return the head that these events of one subject lead to, checking that they count from 1 without gaps."""
    head = ""
    for number, row in enumerate(rows, 1):
        assert row["subject_seq"] == number
        event = Event(*(row[name] for name in Event._fields))
        head = chained(head, event)
        assert row["hash"] == head, f"event {number} ({row['kind']}) was changed"
    return head


def check(ledger: Ledger) -> None:
    """Every chain leads to its subject's head, and every issue is what its events say."""
    for name in ledger.keys:
        issue, rows = ledger[name], ledger.events(name)
        assert (head_of(rows), len(rows)) == (issue["event_head"], issue["event_seq"])
        assert fold(row["data_json"] for row in rows) == {column: issue[column] for column in DECIDED}
    for campaign in ledger.all("campaign_list", project=ledger.project["id"]):
        rows = ledger.all("event_of_subject", subject=campaign["id"], after=0, most=9_999)
        assert head_of(rows) == campaign["event_head"]
    project = ledger.one("project_by_id", id=ledger.project["id"])
    assert project is not None
    rows = ledger.all("event_of_subject", subject=project["id"], after=0, most=9_999)
    assert head_of(rows) == project["event_head"]


def test_a_chain_leads_to_its_head(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    run = ledger.claim("a")
    ledger.do(runs.checkpoint, run.lease, Progress("t", "s", "n", "{}"), ledger.cause(run))
    ledger.finish(run)
    check(ledger)
    assert ledger.kinds("a") == ["issue.planned", "run.claimed", "run.checkpointed", "run.judged", "run.ended"]


@pytest.mark.parametrize("field", [name for name in Event._fields if name != "subject_seq"])
def test_an_edited_event_breaks_the_chain(ledger: Ledger, field: str) -> None:
    ledger.plan("a")
    ledger.do_all("a")
    rows = ledger.events("a")
    rows[1][field] = 7 if field in ("at", "epoch") else f"{rows[1][field]}x"
    with pytest.raises(AssertionError, match="event 2"):
        head_of(rows)


def test_a_removed_inserted_or_cut_off_event_is_found(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.do_all("a")
    rows, head = ledger.events("a"), ledger["a"]["event_head"]
    for wrong in (rows[:1] + rows[2:], [*rows[:2], rows[1], *rows[2:]], rows[1:]):
        with pytest.raises(AssertionError):
            head_of(wrong)
    assert head_of(rows[:-1]) != head


def test_an_event_says_who_why_and_under_which_run(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a", by="ann")
    claimed = ledger.events("a")[1]
    assert (claimed["actor"], claimed["cause"], claimed["run_id"], claimed["epoch"]) == (
        "agent:ann",
        "test",
        run.lease.run_id,
        1,
    )


def test_a_fact_is_noted_about_a_subject_that_does_not_change(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.do(events.note, ("issue", ledger["a"]["id"]), "issue.remarked", BY_OPERATOR, {"text": "so be it"})
    check(ledger)
    with pytest.raises(ValueError, match="no issue"):
        ledger.do(events.note, ("issue", "iss-none"), "issue.remarked", BY_OPERATOR, {})


def test_the_cursor_reads_every_event_once_and_in_order(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.do_all("a", "b")
    seen, after = [], 0
    while rows := ledger.all("event_after", after=after, most=3):
        seen += [row["seq"] for row in rows]
        after = seen[-1]
    assert seen == sorted(set(seen))
    assert after == (ledger.one("event_last") or {})["seq"]


def test_a_command_that_fails_leaves_no_event(ledger: Ledger) -> None:
    ledger.plan("a")
    before = ledger.all("event_after", after=0, most=999)
    with pytest.raises(errors.IllegalMove):
        ledger.retry("a")
    assert ledger.all("event_after", after=0, most=999) == before


def test_text_of_every_kind_comes_back_as_it_was_and_verifies(ledger: Ledger) -> None:
    text = "naïve \U0001f9ea \u2028 \x1f \x7f ' \" \\ %s :now {x} -- \n"
    ledger.plan(draft("a", task=text))
    assert ledger["a"]["task"] == text
    assert json.loads(ledger.events("a")[0]["data_json"])["task"] == text
    check(ledger)


STEPS = ("claim", "finish", "end", "checkpoint", "advance", "cancel", "retry", "reopen", "approve", "edit", "depend",
         "drop", "review")  # fmt: skip


def play(ledger: Ledger, seed: int, steps: int) -> None:
    """Do `steps` random things; what a rule refuses is no step."""
    chance = Random(seed)
    ledger.plan(
        draft("a"),
        draft("b", depends=["a"], metadata=approval("x")),
        draft("c", depends=["a", "b"], files=("src/",)),
        draft("d", milestone="n", files=("src/x",)),
        milestones={"m": (), "n": ("m",)},
    )
    live: list[Claimed] = []
    for _ in range(steps):
        try:
            _step(ledger, chance, chance.choice(STEPS), live)
        except (errors.BadContent, errors.TryAgain):
            continue


def _step(ledger: Ledger, chance: Random, what: str, live: list[Claimed]) -> None:
    name = chance.choice("abcd")
    if what == "claim":
        got = ledger.ask(chance.choice([None, name]))
        if isinstance(got, Claimed):
            live.append(got)
    elif what in ("finish", "end", "checkpoint", "review"):
        if live:
            _act(ledger, chance, what, live)
    elif what == "advance":
        ledger.clock.advance(chance.choice([1, 10_000, HOUR]))
    elif what == "edit":
        ledger.do(operations.edit, ledger.identifier(name), {"priority": chance.randrange(4)}, "d", BY_OPERATOR)
    elif what in ("depend", "drop"):
        other = chance.choice("abcd")
        ledger.redepend(name, **{"add" if what == "depend" else "drop": [other]})
    elif what == "approve":
        ledger.approve(name, chance.choice([None, "x"]), chance.choice(["approved", "rejected", "waived"]))
    else:
        {"cancel": ledger.cancel, "retry": ledger.retry, "reopen": ledger.reopen}[what](name)


def _act(ledger: Ledger, chance: Random, what: str, live: list[Claimed]) -> None:
    run = live[-1] if what == "checkpoint" else live.pop(chance.randrange(len(live)))
    if what == "checkpoint":
        ledger.do(runs.checkpoint, run.lease, Progress("t", "s", "n", "{}"), ledger.cause(run))
    elif what == "end":
        ledger.end(run, chance.choice(OUTCOMES), final=chance.random() < 0.2)
    else:
        ledger.finish(run, protected=["WORKFLOW.md"] if what == "review" else [])


def consistent(ledger: Ledger) -> None:
    """What must hold after anything: counters, edges and milestones say what the issues are."""
    ledger.settle()
    check(ledger)
    rows = {row["id"]: row for row in (ledger[name] for name in ledger.keys)}
    for row in rows.values():
        edges = ledger.all("issue_dependencies", issue=row["id"])
        told = [{"done": 1, "failed": 2, "cancelled": 2}.get(edge["status"], 0) for edge in edges]
        assert [edge["state"] for edge in edges] == told
        assert (row["unmet"], row["broken"]) == (told.count(0), told.count(2)), row["identifier"]
        live = [run for run in ledger.all("run_all_of", issue=row["id"], most=999) if run["live"]]
        assert len(live) == (row["status"] == "in_progress")
    for milestone in (ledger.milestone("m"), ledger.milestone("n")):
        own = [row["status"] for row in rows.values() if row["milestone_id"] == milestone["id"]]
        assert {name[2:]: milestone[name] for name in milestone if name.startswith("n_") and milestone[name]} == {
            status: own.count(status) for status in own
        }
    assert ledger.all("issue_promotable", project=ledger.project["id"], most=9) == []


@pytest.mark.parametrize("seed", range(6))
def test_fold_equals_columns_after_random_histories(ledger: Ledger, seed: int) -> None:
    play(ledger, seed, 120)
    consistent(ledger)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=2, unique=True
    )
)
def test_different_facts_never_share_a_hash(texts: list[str]) -> None:
    one, other = (Event("issue", "i", 1, 0, "k", "a", "c", None, None, text) for text in texts)
    assert chained("", one) != chained("", other)


def test_fields_that_flow_into_each_other_never_share_a_hash() -> None:
    one = Event("issue", "i", 1, 0, "k", "a\x1fb", "c", None, None, "{}")
    other = Event("issue", "i", 1, 0, "k", "a", "b\x1fc", None, None, "{}")
    assert chained("", one) != chained("", other)
    none = Event("issue", "i", 1, 0, "k", "a", "c", None, None, "{}")
    assert chained("", none) != chained("", none._replace(run_id=""))
