"""The supervisor's cron: what is due fires in its tick and is worked at in the same one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harnessos.app import supervising
from harnessos.app.supervising import Serve
from harnessos.bridge import Bridge
from harnessos.dispatch import watching
from harnessos.kernel import schedules
from harnessos.kernel.events import Cause
from harnessos.kernel.schedules import Wanted
from harnessos.model.run import OPERATOR, SUPERVISOR
from harnessos.plans.templates import read_template
from harnessos.services.supervisor import Options, Supervisor
from harnessos.store.opening import open_store
from harnessos.store.transaction import Row
from harnessos.testing import FakeClock
from tests.support.supervised import UNTIL_IDLE, WORK, Site, issue, site

__all__ = ["site"]

BY_PERSON = Cause(OPERATOR, "test")
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(watching, "LOOK_S", 0.1)
    monkeypatch.setattr(watching, "LEDGER_S", 0.2)


def add(site: Site, name: str = "hourly", rule: str = "every 1h", **fields: Any) -> Row:
    """Add a schedule that is due by a second. Any: fields of Wanted."""
    document, _ = read_template({"task": f"work of {name}"}, "default")
    now = site.ledger.read(lambda tx: tx.now)
    past = open_store(site.ledger.store.url, clock=FakeClock(now - HOUR - 1_000))
    wanted = Wanted(name, "issue", rule, document, **fields)
    row = past.write(schedules.add, site.ledger.project(site.key), wanted, BY_PERSON).row
    past.close()
    return row


def test_what_is_due_fires_and_is_worked_at_in_the_same_look(site: Site) -> None:
    site.workflow(WORK)
    add(site)
    up = site.up(Options(once=True))
    assert up.ending.exit_code == 0
    assert len(site.accepted()) == 1
    told = [event["event"] for event in up.events]
    assert told.index("schedule.fired") < told.index("run.claimed") < told.index("run.ended")


def test_a_check_runs_beside_the_tick_and_its_issue_is_worked_at_too(site: Site) -> None:
    site.workflow(WORK)
    add(site, "loud", check="echo something")
    add(site, "quiet", check="true")
    up = site.up(UNTIL_IDLE)
    assert up.ending.exit_code == 0
    assert len(site.accepted()) == 1
    skipped = [event for event in up.events if event["event"] == "schedule.skipped"]
    assert [event["data"]["reason"] for event in skipped] == ["check: nothing to do"]


def test_a_schedule_that_will_fire_later_keeps_until_idle_from_nothing(site: Site) -> None:
    """It never ends: who waited for it would wait for ever, and who counted it would never be finished."""
    site.workflow(WORK)
    add(site, rule="every 90m")
    site.plan(issue("one"))
    assert site.up(UNTIL_IDLE).ending == (0, (), (), 0)


def test_a_supervisor_that_is_asked_to_stop_fires_nothing_more(site: Site) -> None:
    site.workflow(WORK)
    row = add(site)
    _ticks(site, site.ledger.clock, 2, drain=True)
    assert site.ledger.read(lambda tx: tx.one("schedule_by_id", id=row["id"])) == row


def _ticks(site: Site, clock: Any, count: int, *, drain: bool = False, step: int = 0) -> list[float]:
    """Tick so often; return how long each tick would rest. Any: a clock."""
    rests: list[float] = []

    async def tick() -> None:
        bridge = Bridge()
        served = supervising.projects(site.ledger, Serve((site.key,)), lambda _: None)
        supervisor = Supervisor(site.ledger.ground._replace(actor=SUPERVISOR), served, Options(), lambda _: None)
        if drain:
            supervisor.stop(now=False)
        try:
            for _ in range(count):
                rests.append(await supervisor.tick(bridge))
                if step:
                    clock.advance(step)
        finally:
            bridge.close()

    asyncio.run(tick())
    return rests


def test_the_tick_rests_no_longer_than_until_the_next_firing(tmp_path: Path, clock: FakeClock) -> None:
    """A workflow that polls once an hour still fires on the minute; and a thousand ticks fire each time once."""
    site = Site(tmp_path, clock=clock)
    try:
        site.workflow(WORK, front={"polling": {"interval_ms": 3_600_000}, "agent": {"max_concurrent_agents": 1}})
        document, _ = read_template({"task": "later", "policy": {"dispatch": {"workloadClass": "none"}}}, "nowhere")
        wanted = Wanted("often", "issue", "every 5m", document)
        row = site.ledger.write(schedules.add, site.ledger.project(site.key), wanted, BY_PERSON).row
        rests = _ticks(site, clock, 100, step=60_000)
        assert max(rests) <= 300
        assert rests[0] == 300
        firings = site.ledger.read(lambda tx: tx.all("schedule_firings", schedule=row["id"], before=1 << 62, most=100))
        assert len(firings) == 19
        assert [one["nominal_at"] - row["anchor_at"] for one in reversed(firings)] == [
            n * 300_000 for n in range(1, 20)
        ]
    finally:
        site.close()
