"""The tour: what HarnessOS is, one idea a test. The first place a newcomer looks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from harnessos import errors
from harnessos.testing import FakeClock, Workshop, workshop
from tests.support.repositories import commit_files

HOUR = 3_600_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shop(clock: FakeClock) -> Iterator[Workshop]:
    with workshop(clock=clock) as made:
        yield made


def test_planned_work_is_ready_when_it_waits_for_nothing(shop: Workshop) -> None:
    first, second = shop.plan("write it", ("describe it", [0]))
    assert [shop.ledger.issue(name).status for name in (first, second)] == ["ready", "pending"]


def test_an_issue_is_given_to_one_agent_at_a_time(shop: Workshop) -> None:
    shop.plan("write it")
    assert shop.ledger.begin(agent="ann") is not None
    assert shop.ledger.begin(agent="bob") is None


def test_an_agent_that_stays_away_loses_its_issue_and_can_change_nothing_any_more(
    shop: Workshop, clock: FakeClock
) -> None:
    shop.plan("write it")
    away = shop.ledger.begin(agent="ann")
    assert away is not None
    clock.advance(2 * HOUR)
    successor = shop.ledger.begin(agent="bob")
    assert successor is not None
    assert successor.issue.identifier == away.issue.identifier
    for write in (away.heartbeat, lambda: away.checkpoint("t", "s", "n"), away.close):
        with pytest.raises(errors.LeaseLost):
            write()
    assert successor.heartbeat() > clock.now()


def test_done_is_a_verdict_of_the_harness_at_an_exact_commit(shop: Workshop) -> None:
    shop.plan("write hello.txt", gates=[{"name": "hello", "kind": "file", "path": "hello.txt"}])
    session = shop.ledger.begin(worktree=True)
    assert session is not None
    assert session.worktree is not None
    assert session.close().verdict == "rejected"
    commit_files(session.worktree, {"hello.txt": "hello\n"})
    closed = session.close()
    assert (closed.verdict, closed.issue.status) == ("verified", "done")


def test_finishing_an_issue_starts_what_waited_for_it(shop: Workshop) -> None:
    _, second = shop.plan(
        "write it", ("describe it", [0]), gates=[{"name": "readme", "kind": "file", "path": "README.md"}]
    )
    session = shop.ledger.begin()
    assert session is not None
    assert session.close(checkout=shop.repository).verdict == "verified"
    assert shop.ledger.issue(second).status == "ready"


def test_the_next_attempt_begins_where_the_last_one_stopped(shop: Workshop, clock: FakeClock) -> None:
    shop.plan("write it")
    first = shop.ledger.begin()
    assert first is not None
    first.checkpoint("half way", "the parser works", "write the tests", failed=["a regular expression: too slow"])
    clock.advance(2 * HOUR)
    second = shop.ledger.begin()
    assert second is not None
    packet = second.briefing["resume"]
    assert packet["next_step"] == "write the tests"
    assert packet["failed"] == ["a regular expression: too slow"]


def test_a_supervised_agent_works_in_its_own_worktree_and_its_commit_is_kept(shop: Workshop) -> None:
    (name,) = shop.plan("write hello.txt", gates=[{"name": "hello", "kind": "file", "path": "hello.txt"}])
    shop.workflow({name: [{"do": [{"write": "hello.txt", "text": "hello\n"}, {"commit": "Say hello"}]}]})
    ending, _ = shop.up()
    issue = shop.ledger.issue(name)
    assert (ending.exit_code, issue.status, issue.verdict) == (0, "done", "verified")
    assert not (shop.repository / "hello.txt").exists()
    assert list((shop.folder / "home" / "worktrees").rglob("hello.txt")) == []


def test_a_rejected_agent_gets_the_gate_s_words_and_another_turn(shop: Workshop) -> None:
    (name,) = shop.plan("write hello.txt", gates=[{"name": "hello", "kind": "file", "path": "hello.txt"}])
    again = {"when": {"prompt_has": "hello.txt is missing"}, "do": [{"write": "hello.txt", "text": "hello\n"}]}
    shop.workflow(
        {
            name: [
                again,
                {"when": {"turn": 2}, "do": [{"write": "hello.txt", "text": "hi\n"}]},
                {"do": [{"say": "done"}]},
            ]
        }
    )
    _, told = shop.up()
    kinds = [event["event"] for event in told]
    assert kinds.count("run.rejected") == 1
    assert kinds.count("run.claimed") == 1
    assert shop.ledger.issue(name).status == "done"


def test_history_that_somebody_edits_is_found_out(shop: Workshop) -> None:
    from harnessos.inspector import audit

    shop.plan("write it")
    assert list(audit.verify_all(shop.harness.store)) == []
    path = shop.ledger.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE events SET actor = 'somebody else' WHERE kind = 'issue.planned'")
    assert list(audit.verify_all(shop.harness.store)) != []
