"""Checkpoints of a run, and the packet from which the next attempt resumes (P13)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.kernel import operations, runs
from harnessos.kernel.claims import Claimed
from harnessos.model.checkpoint import LIST_FIELDS, PACKET_BYTES, Progress, body, resume_packet
from harnessos.model.outcome import Outcome
from harnessos.model.run import SESSION_TTL_MS
from tests.support.ledger import BY_OPERATOR, MINUTE, Ledger

LISTS = {
    "plan": ["[x] read the code", "write the test", "make it pass"],
    "files": ["src/a.py: the parser lives here"],
    "failed": ["a regular expression: it cannot count brackets"],
    "commands": ["pytest -q -> 3 failed"],
    "decisions": ["keep the old names"],
    "artifacts": ["report.html"],
}


def _checkpoint(ledger: Ledger, run: Claimed, next_step: str = "write the test", **lists: list[str]) -> int:
    made = Progress("half way", "the parser is understood", next_step, body({**LISTS, **lists}))
    return int(ledger.do(runs.checkpoint, run.lease, made, ledger.cause(run))["number"])


def _packet(ledger: Ledger, name: str = "a") -> dict[str, object]:
    issue = ledger[name]["id"]
    rows = ledger.all("checkpoint_of_issue", issue=issue, most=50)
    packet = resume_packet(rows[::-1], ledger.one("run_last_of", issue=issue, one=1))
    assert packet is not None
    return packet


def test_a_checkpoint_is_numbered_renews_the_lease_and_starts_the_progress_clock(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.clock.advance(5 * MINUTE)
    assert [_checkpoint(ledger, run), _checkpoint(ledger, run)] == [1, 2]
    row, now = ledger.run(run), ledger.clock.now()
    assert (row["progress_at"], row["expires_at"], row["checkpoints"]) == (now, now + SESSION_TTL_MS, 2)


def test_a_heartbeat_is_no_progress(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    started = ledger.clock.now()
    ledger.clock.advance(5 * MINUTE)
    ledger.do(runs.heartbeat, run.lease)
    row = ledger.run(run)
    assert (row["heartbeat_at"], row["progress_at"]) == (ledger.clock.now(), started)


def test_resume_packet_has_seven_fields_under_1500_tokens(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    for number in range(40):
        _checkpoint(ledger, run, commands=[f"command {number} " + "x" * 500], decisions=[f"decision {number}" * 20])
    ledger.end(run, Outcome.LOST)
    packet = _packet(ledger)
    assert {"plan", "files", "failed", "commands", "decisions", "next_step", "summary"} <= packet.keys()
    assert all(packet[name] for name in ("plan", "files", "failed", "commands", "decisions", "next_step", "summary"))
    assert len(json.dumps(packet, ensure_ascii=False).encode()) <= PACKET_BYTES
    assert packet["last_run"]["outcome"] == "lost"  # type: ignore[index] # a mapping


def test_completed_steps_marked_done_in_packet_and_never_listed_as_next(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    _checkpoint(ledger, run)
    _checkpoint(ledger, run, plan=["write the test", "make it pass"], next_step="read the code")
    ledger.end(run, Outcome.LOST)
    packet = _packet(ledger)
    assert packet["done"] == ["[x] read the code"]
    assert packet["plan"] == ["write the test", "make it pass"]
    assert packet["next_step"] == "write the test"


def test_a_step_once_done_stays_done_when_a_later_plan_forgets_its_mark(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    _checkpoint(ledger, run, plan=["[x] one", "two"])
    _checkpoint(ledger, run, plan=["[ ] one", "two", "three"], next_step="one")
    ledger.end(run, Outcome.RELEASED)
    packet = _packet(ledger)
    assert (packet["done"], packet["plan"], packet["next_step"]) == (["[x] one"], ["two", "three"], "two")


def test_the_packet_spans_every_run_of_the_issue(ledger: Ledger) -> None:
    ledger.plan("a")
    first = ledger.claim("a")
    _checkpoint(ledger, first, failed=["the first way"])
    ledger.end(first, Outcome.LOST)
    second = ledger.claim("a")
    _checkpoint(ledger, second, failed=["the second way"])
    ledger.end(second, Outcome.LOST)
    assert _packet(ledger)["failed"] == ["the first way", "the second way"]
    assert ledger.one("checkpoint_of_run", run=second.lease.run_id, most=9)["number"] == 1  # type: ignore[index] # there


def test_the_last_of_several_checkpoints_of_one_instant_counts(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    for step in ("one", "two", "three"):
        _checkpoint(ledger, run, next_step=step, plan=["one", "two", "three"])
    assert _packet(ledger)["next_step"] == "three"


def test_an_issue_that_never_ran_has_nothing_to_resume() -> None:
    assert resume_packet([], None) is None


def test_a_harness_derives_a_checkpoint_of_its_own(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.do(runs.checkpoint, run.lease, Progress("t", "s", "n", body({}), derived=True), ledger.cause(run))
    (row,) = ledger.all("checkpoint_of_run", run=run.lease.run_id, most=9)
    assert (row["derived"], row["number"]) == (1, 1)


@pytest.mark.parametrize("character", ["\U0001f9ea", "\x01", '"', "字"])
def test_a_packet_of_long_texts_in_any_script_stays_under_its_size(character: str) -> None:
    text = character * 3_000
    lists = {name: [text] * 10 for name in LIST_FIELDS}
    rows = [{"body_json": body(lists), "title": text, "summary": text, "next_step": text}]
    run = {"id": "run-1", "attempt": 1, "outcome": "lost", "reason": text, "commit_id": None}
    packet = resume_packet(rows, run)
    assert packet is not None
    assert len(json.dumps(packet, ensure_ascii=False).encode()) <= PACKET_BYTES
    assert packet["summary"].startswith(character * 100)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=2000)
lists = st.fixed_dictionaries({name: st.lists(words, max_size=30) for name in LIST_FIELDS})


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(lists, min_size=1, max_size=4), step=words, summary=words)
def test_a_packet_of_any_content_stays_under_its_size(
    entries: list[dict[str, list[str]]], step: str, summary: str
) -> None:
    rows = [{"body_json": body(one), "title": summary, "summary": summary, "next_step": step} for one in entries]
    packet = resume_packet(rows, None)
    assert packet is not None
    assert len(json.dumps(packet, ensure_ascii=False).encode()) <= PACKET_BYTES


def test_why_a_person_rejected_the_work_reaches_the_next_attempt(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.finish(ledger.claim(), protected=["WORKFLOW.md"])
    ledger.do(operations.approve, ledger.identifier("a"), None, "rejected", "the name is wrong", BY_OPERATOR)
    rows = ledger.all("checkpoint_of_issue", issue=ledger["a"]["id"], most=5)
    packet = resume_packet(list(reversed(rows)), None)
    assert packet is not None
    assert packet["failed"] == ["rejected in review: the name is wrong"]
    assert "approval.rejected" in ledger.kinds("a")
