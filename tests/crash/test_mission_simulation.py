"""A day of a mission: agents that fail and lie, supervisors that die, a machine that sleeps, a provider that says later."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harnessos import processes
from harnessos.dispatch import watching
from harnessos.inspector import audit, health
from harnessos.model import mission as model
from tests.support import invariants
from tests.support.agreement import disagreements
from tests.support.mission_day import EVERY, START, Day, lived, said
from tests.support.scale import SCALE, seeded


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    """A day that has passed. `HARNESS_SEED` gives another day than the usual."""
    monkeypatch.setattr(watching, "LOOK_S", 0.05)
    seed = int(os.environ.get("HARNESS_SEED", "24"))
    print(f"seed {seed}")  # noqa: T201 # shown when it fails, and by pytest -s
    found = lived(tmp_path, seeded(seed), SCALE.firings)
    yield found
    found.close()


@pytest.mark.scales
@pytest.mark.timeout(600)
def test_a_simulated_day_ends_with_a_ledger_that_verifies_and_every_firing_accounted_for(day: Day) -> None:
    _told(day)
    _the_ledger_verifies(day)
    _every_firing_is_a_run_or_says_why_not(day)
    _every_run_is_over_and_counted(day)
    assert disagreements(day.at) == []
    _it_dreamt_at_night(day)
    assert day.slept
    assert day.patience, "no trip, no test"
    assert max(day.patience) <= 3
    assert len(day.deaths) >= 2
    assert [run for run in processes.marked_runs() if run in {row["id"] for row in day.runs()}] == []
    judged = sum(bool(run["result"]) for run in day.runs())
    assert judged >= SCALE.judged


def _told(day: Day) -> None:
    runs = day.runs()
    results = {word: sum(run["result"] == word for run in runs) for word in ("passed", "failed", "")}
    why = Counter(str(row["reason"])[:40] for row in day.rows("mission") if row["outcome"] == "skipped")
    print(f"{len(runs)} runs {results}, skipped {dict(why)}, acts {dict(day.acts)}")  # noqa: T201 # as above
    print(f"{len(day.deaths)} supervisors died: {day.deaths}; trips were left for {day.patience}")  # noqa: T201 # as above


def _the_ledger_verifies(day: Day) -> None:
    store = day.at.harness.store
    invariants.check(store.url)
    assert list(audit.verify_all(store)) == []
    assert [check for check in health.check(store, replay=True) if not check.ok] == []


def _every_firing_is_a_run_or_says_why_not(day: Day) -> None:
    rows = {row["nominal_at"]: row for row in day.rows("mission")}
    assert list(rows) == [START + number * EVERY for number in range(1, day.firings + 1)]
    runs = {run["id"]: run for run in day.runs()}
    events = {"fired": set(), "skipped": set()}  # type: dict[str, set[int]]
    for event in day.at.harness.read(lambda tx: tx.all("event_after", after=0, most=1_000_000)):
        kind = event["kind"].removeprefix("schedule.")
        if kind in events:
            data = json.loads(event["data_json"])
            events[kind].add(data["nominal_at"])
    for nominal, row in rows.items():
        assert nominal in events[row["outcome"]], said(row)
        if row["outcome"] == "fired":
            assert runs[row["run_id"]]["nominal_at"] == nominal, said(row)
        else:
            assert row["reason"], said(row)
            assert row["run_id"] is None, said(row)
    fired = [row["run_id"] for row in rows.values() if row["outcome"] == "fired"]
    assert len(fired) == len(set(fired))


def _every_run_is_over_and_counted(day: Day) -> None:
    runs = day.runs()[::-1]
    standing = model.read(day.at.row())
    assert [run["number"] for run in runs] == list(range(1, standing.runs + 1))
    assert not any(run["live"] for run in runs)
    assert standing.successes == sum(run["result"] == "passed" for run in runs)
    assert [run["number"] for run in runs if run["claim"] == "done" and not run["result"]] == []
    counted = ("agent_fault", "task_fault", "harness_fault", "lost")
    faults = sum(run["outcome"] in counted or run["result"] in ("failed", "not_verifiable") for run in runs)
    assert standing.faults == faults
    report = (day.place / "output" / "report.md").read_text(encoding="utf-8").splitlines()
    assert len(report) == len(set(report)), "no run's work was done twice"


def _it_dreamt_at_night(day: Day) -> None:
    dreams = day.runs("dream")
    nights = [row for row in day.rows("dream") if row["outcome"] == "fired"]
    assert len(nights) >= 1, [said(row) for row in day.rows("dream")]
    assert {row["run_id"] for row in nights} <= {dream["id"] for dream in dreams}
    assert not any(dream["live"] for dream in dreams)
    assert (day.place / "logs" / "dream_journal.md").read_text(encoding="utf-8")
