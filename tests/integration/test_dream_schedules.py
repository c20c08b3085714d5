"""When a scheduled dream may begin: once its mission is idle, and whatever its provider says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harnessos.app.missions import scheduling, verbs
from harnessos.app.missions.opening import At
from harnessos.dispatch.watching import Control
from harnessos.mission import judging
from harnessos.model import mission as model
from harnessos.services.leases import Leases
from harnessos.services.missions import Missions
from harnessos.services.supervisor import CAUSE
from harnessos.store.transaction import Row
from harnessos.testing import FakeClock
from tests.support.coordinators import opened
from tests.support.mission_documents import CRON_CONFIG
from tests.support.mission_hands import prepared


@pytest.fixture
def clock() -> FakeClock:
    # After the real instant at which the mission is made.
    return FakeClock(4_000_000_000_000)


@pytest.fixture
def at(tmp_path: Path, clock: FakeClock) -> Any:
    # Any: a generator of At.
    ws = prepared(tmp_path)
    with opened(str(ws.terminal.home), str(ws.path), clock) as found:
        (found.place / "cron_config.md").write_text(CRON_CONFIG, encoding="utf-8")
        scheduling.install(found, scheduling.look(found, None), "command:agent")
        yield found


def asked(at: At, target: str) -> Any:
    """Return how a run for the schedule would be held now, None when it waits. Any: a ClaimRequest."""
    ground = at.site.ground
    missions = Missions(ground, CAUSE, Control(), Leases(ground), lambda *_, **__: None)
    rows: list[Row] = at.harness.read(lambda tx: tx.all("schedule_of_mission", mission=at.mission_id))
    return missions.request(next(row for row in rows if row["target"] == target))


def test_a_dream_that_is_due_waits_until_its_run_is_over_or_its_lease_is(at: At, clock: FakeClock) -> None:
    """What is due at the same instant as a run, each night again, would otherwise never happen."""
    verbs.start(at, None, None)
    assert asked(at, "dream") is None
    clock.advance(model.RUN_TTL_MS + 1)
    assert asked(at, "dream") is not None
    verbs.start(at, None, None)
    verbs.done(at, None, "1", "made it")
    assert asked(at, "dream") is None, "the claim is judged first"
    judging.judge(at.site)
    assert asked(at, "dream") is not None


def test_a_dream_waits_for_no_provider(at: At) -> None:
    assert asked(at, "mission").provider
    assert asked(at, "dream").provider == ""
