"""Each invariant that `doctor` names holds after ordinary work, and a row changed by hand breaks exactly it."""

from __future__ import annotations

import pytest

from harnessos.inspector import health
from harnessos.kernel import intents
from harnessos.model.outcome import Outcome
from tests.support.by_hand import change
from tests.support.ledger import HOUR, Ledger, approval, draft


def _broken(ledger: Ledger, *, replay: bool = True) -> dict[str, list[str]]:
    return {
        check.name: [finding.subject for finding in check.findings]
        for check in health.check(ledger.store, replay=replay)
        if not check.ok
    }


def _worked(ledger: Ledger) -> None:
    """A project with issues in every status, a live run with files and a slot, timers and waiting ones."""
    ledger.plan(
        "done",
        draft("live", files=("src/",)),
        draft("waits", files=("src/x.py",)),
        "failed",
        "review",
        "timer",
        draft("behind", depends=["failed"]),
        draft("after", depends=["live"]),
        draft("asks", metadata=approval("legal")),
        draft("later", milestone="two"),
        milestones={"m": (), "two": ("m",)},
    )
    ledger.do_all("done")
    ledger.fail(ledger.claim("failed"), final=True)
    ledger.finish(ledger.claim("review"), protected=["WORKFLOW.md"])
    ledger.fail(ledger.claim("timer"))
    ledger.claim("live", max_live=4, supervised=True)
    ledger.ask()


def test_ordinary_work_breaks_nothing(ledger: Ledger) -> None:
    _worked(ledger)
    assert ledger["waits"]["parked"] == 2
    assert _broken(ledger) == {}


def test_every_check_says_what_it_means_and_what_to_type(ledger: Ledger) -> None:
    for check in health.check(ledger.store, replay=True):
        assert check.says
        assert check.remedy
        assert check.severity in {"error", "warning"}
    assert "replay" not in [check.name for check in health.check(ledger.store)]


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("issues_held", "UPDATE runs SET live = 0, phase = 'ended', ended_at = 1, outcome = 'lost' WHERE live = 1"),
        ("runs_hold", "UPDATE issues SET lease_epoch = lease_epoch + 1 WHERE identifier = '{live}'"),
        ("slots", "UPDATE runs SET live = 0, phase = 'ended', ended_at = 1, outcome = 'lost' WHERE live = 1"),
        ("parked", "UPDATE issues SET parked_by = 'run-gone' WHERE parked = 2"),
        ("counters", "UPDATE milestones SET n_done = n_done + 1 WHERE key = 'm'"),
        ("counters", "UPDATE milestones SET unmet = 2 WHERE key = 'two'"),
        ("waits", "UPDATE issues SET unmet = 2 WHERE identifier = '{after}'"),
        ("waits", "UPDATE issues SET approvals_open = 2 WHERE identifier = '{asks}'"),
        ("edges", "UPDATE issue_dependencies SET state = 0 WHERE state = 2"),
        ("budgets", "UPDATE budgets SET reserved = reserved + 1 WHERE dimension = 'wall_ms'"),
        ("replay", "UPDATE issues SET attempts = 7 WHERE identifier = '{done}'"),
        ("replay", "UPDATE issues SET accepted_commit = 'other' WHERE identifier = '{done}'"),
        ("promoted", "UPDATE issues SET unmet = 0 WHERE identifier = '{after}'"),
    ],
)
def test_a_row_changed_by_hand_breaks_its_invariant(ledger: Ledger, name: str, statement: str) -> None:
    _worked(ledger)
    assert change(ledger.store.url, statement.format(**ledger.keys)) > 0
    assert name in _broken(ledger)


def test_damage_that_the_database_finds_is_told(ledger: Ledger) -> None:
    """SQLite: rows that point nowhere. PostgreSQL refuses those, but a constraint can be left unchecked."""
    _worked(ledger)
    if ledger.store.dialect == "sqlite":
        change(ledger.store.url, "DELETE FROM lanes")
        assert _broken(ledger)["store_intact"]
        return
    change(ledger.store.url, "ALTER TABLE issues ADD CONSTRAINT odd CHECK (number > 0) NOT VALID")
    try:
        assert _broken(ledger)["store_intact"] == ["odd"]
    finally:
        # The database serves the next test too, emptied.
        change(ledger.store.url, "ALTER TABLE issues DROP CONSTRAINT odd")


def test_a_lease_that_nobody_reaped_is_a_warning(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.claim("a", ttl_ms=HOUR)
    ledger.clock.advance(HOUR + 1)
    assert _broken(ledger) == {}
    ledger.clock.advance(HOUR)
    assert list(_broken(ledger)) == ["leases"]


def test_an_act_left_half_done_is_a_warning(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.do(intents.plan, run.lease, "worktree", "/somewhere")
    assert _broken(ledger) == {}
    ledger.end(run, Outcome.RELEASED)
    assert list(_broken(ledger)) == ["intents"]


def test_a_settlement_that_nobody_worked_off_is_a_warning(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.do_all("a")
    statement = (
        f"INSERT INTO settlements (subject_id, subject_kind, project_id, created_at) "
        f"VALUES ('{ledger['a']['id']}', 'issue', '{ledger.project['id']}', {ledger.clock.now()})"
    )
    assert change(ledger.store.url, statement) == 1
    assert _broken(ledger) == {}
    ledger.clock.advance(HOUR)
    assert list(_broken(ledger)) == ["settled"]


def test_more_findings_than_are_shown_are_said_to_be(ledger: Ledger) -> None:
    ledger.plan(*[f"i{n}" for n in range(health.MOST + 5)])
    assert change(ledger.store.url, "UPDATE issues SET unmet = 1, status = 'pending', ready_at = NULL") > 0
    found = {check.name: check for check in health.check(ledger.store)}
    assert len(found["waits"].findings) == health.MOST
    assert found["waits"].more


def test_windows_reach_every_issue(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WINDOW", 2)
    ledger.plan(*[f"i{n}" for n in range(7)])
    statement = f"UPDATE issues SET unmet = 1, status = 'pending' WHERE identifier = '{ledger.identifier('i6')}'"
    assert change(ledger.store.url, statement) == 1
    assert _broken(ledger)["waits"] == [ledger.identifier("i6")]
