"""The supervisor and the clocks: set back, wrong, asleep; and leases, which are renewed whatever else is slow."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from harnessos import errors
from harnessos.app import supervising
from harnessos.app.supervising import Serve
from harnessos.bridge import Bridge
from harnessos.dispatch import recovery, renewing, watching
from harnessos.kernel import claims, runs
from harnessos.kernel.claims import Claimed
from harnessos.model.run import SUPERVISOR
from harnessos.ports import SystemClock
from harnessos.services import leases, loop
from harnessos.services.reporting import REMEMBERED, Reporter
from harnessos.services.supervisor import Options, Supervisor
from harnessos.testing import FakeClock
from tests.support.supervised import UNTIL_IDLE, WORK, Site, issue, site
from tests.support.waiting import eventually

__all__ = ["site"]

HOUR = 3_600_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(watching, "LOOK_S", 0.1)
    monkeypatch.setattr(watching, "LEDGER_S", 0.2)


class Wrong(SystemClock):
    """A machine's clock that is wrong by so many ms."""

    def __init__(self, by: int) -> None:
        self._by = by

    def now(self) -> int:
        """See Clock."""
        return super().now() + self._by


def _supervisor(site: Site, options: Options = UNTIL_IDLE, by: int = 0) -> Supervisor:
    served = supervising.projects(site.ledger, Serve((site.key,)), lambda _: None)
    ground = site.ledger.ground._replace(actor=SUPERVISOR)
    return Supervisor(ground._replace(clock=Wrong(by)) if by else ground, served, options, lambda _: None)


def _rests(site: Site, *acts: Any) -> list[float]:
    """Tick, then act and tick again; return the seconds after which each tick wants to look again."""

    async def tick() -> list[float]:
        bridge, supervisor, found = Bridge(), _supervisor(site, Options()), []
        try:
            for act in (lambda: None, *acts):
                act()
                found.append(await supervisor.tick(bridge))
        finally:
            bridge.close()
        return found

    return asyncio.run(tick())


def test_a_wall_clock_that_is_set_back_stops_nothing(tmp_path: Path, clock: FakeClock) -> None:
    site = Site(tmp_path, clock=clock)
    try:
        site.plan(issue("later"))
        site.workflow(WORK, serves={"workload_classes": ["other"]})
        assert _rests(site, lambda: clock.jump(-8 * HOUR), lambda: clock.advance(20_000)) == [30.0, 30.0, 10.0]
    finally:
        site.close()


def test_the_workflow_says_how_often_the_supervisor_looks(tmp_path: Path, clock: FakeClock) -> None:
    site = Site(tmp_path, clock=clock)
    try:
        site.workflow(WORK, front={"polling": {"interval_ms": 4_000}})
        assert _rests(site) == [4.0]
    finally:
        site.close()


@pytest.mark.parametrize("by", [24 * HOUR, -24 * HOUR])
def test_a_machine_whose_clock_is_wrong_works_by_the_ledgers(
    site: Site, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a run's time used up before it begins, nor is a timer of the next moment a day away."""
    monkeypatch.setattr("harnessos.model.outcome.BACKOFF_FIRST_MS", 300)
    (one,) = site.plan(issue("fail, then work"))
    site.workflow(f"test -e {site.folder}/once || {{ touch {site.folder}/once; exit 1; }}; sleep 1.5; {WORK}")
    asyncio.run(loop.run(_supervisor(site, by=by)))
    assert site.runs(one)[0]["reason"] == "the agent ended with exit code 1"
    assert [run["outcome"] for run in site.runs(one)] == ["agent_fault", "success"]


def test_leases_are_renewed_while_the_supervisor_is_busy_with_something_slow(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removal may wait a quarter of an hour for a lock: as long as a lease lasts."""
    (one,) = site.plan(issue("work on"))
    done = site.folder / "done"
    site.workflow(f"while [ ! -e {done} ]; do sleep 0.05; done; {WORK}")
    monkeypatch.setattr(leases, "EVERY_S", 0.1)
    monkeypatch.setattr(watching, "CPU_S", 1e9)  # what the agent does renews too
    seen: list[int] = []

    def sweep(*_: Any) -> None:
        if seen:
            return
        seen.append(eventually(lambda: site.runs(one), what="the run")[0]["expires_at"])
        try:
            eventually(lambda: site.run(one)["expires_at"] > seen[0] + 200, within=20, what="a renewal")
        finally:
            done.touch()

    monkeypatch.setattr(recovery, "sweep", sweep)
    assert site.up().code == 0
    assert site.run(one)["outcome"] == "success"


def test_a_machine_that_slept_renews_before_it_reaps(tmp_path: Path, clock: FakeClock) -> None:
    """Its own thread comes later; until then its runs would look like those of a dead one."""
    site = Site(tmp_path, clock=clock)
    try:
        (one,) = site.plan(issue("sleep"))
        site.workflow(WORK)
        supervisor = _supervisor(site, Options())
        wish = supervisor._request(supervisor._served[0], "token")
        claimed = site.ledger.write(claims.claim, wish, supervisor._ground.cause("up"))
        assert isinstance(claimed, Claimed)
        keeper, inside, go = leases.Leases(site.ledger.ground), threading.Event(), threading.Event()

        def work() -> None:
            inside.set()
            go.wait(30)

        worker = threading.Thread(target=keeper.holding(work))
        worker.start()
        try:
            assert inside.wait(30)
            keeper.after_sleep()
            assert site.run(one)["expires_at"] == claimed.run["expires_at"]
            clock.jump(HOUR)
            keeper.after_sleep()
            assert site.run(one)["expires_at"] > clock.now()
        finally:
            go.set()
            worker.join()
    finally:
        site.close()


def test_a_sessions_lease_outlives_a_verification_that_is_longer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed each third of its time, also when the ledger was away for a moment."""
    (one,) = site.plan(issue("be judged"))
    site.workflow(WORK)
    site.json("session", "begin", "--ttl", "3")
    run = site.run(one)
    real, times = runs.heartbeat, []

    def heartbeat(*given: Any) -> Any:
        times.append(1)
        if len(times) < 3:
            raise errors.StoreUnavailable("away")
        return real(*given)

    monkeypatch.setattr(runs, "heartbeat", heartbeat)
    with renewing.Renewing(site.ledger.ground, runs.lease_of(run)) as lost:
        eventually(lambda: len(times) >= 5, within=20, what="renewals")
        assert not lost()
    assert site.run(one)["expires_at"] > run["expires_at"] + 1000


def test_remarks_are_remembered_within_bounds(site: Site) -> None:
    told: list[Any] = []
    reporter = Reporter(site.ledger.ground, [], told.append)
    for number in (0, 0, *range(REMEMBERED + 1), 0):
        reporter.say("up.cannot_recover", run=number)
    assert len(told) == REMEMBERED + 2
