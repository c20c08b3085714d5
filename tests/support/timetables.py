"""Schedules for workers of a crew: some that are overdue, and the scheduler that each worker is."""

from __future__ import annotations

from pathlib import Path

from harnessos.dispatch.ground import Ground
from harnessos.kernel import schedules
from harnessos.kernel.events import Cause
from harnessos.kernel.schedules import Wanted
from harnessos.model import plan_document
from harnessos.model.plan import PlannedIssue
from harnessos.model.run import SUPERVISOR
from harnessos.ports import SystemClock, SystemIds
from harnessos.processes import this_process
from harnessos.services.scheduler import Scheduler
from harnessos.store.opening import open_store
from harnessos.store.transaction import Row, Store
from harnessos.testing import FakeClock
from tests.support.crew import Worker
from tests.support.labour import BY_OPERATOR, HOUR

EVERY_S = 1_200


def evaluate(worker: Worker, url: str, project_id: str) -> None:
    """Evaluate the schedules of a project as one scheduler of many; say what fired."""
    store = open_store(url)
    project = store.read(lambda tx: tx.one("project_by_id", id=project_id))
    assert project is not None
    ground = Ground(store, SystemClock(), SystemIds(), Path("/"), this_process(), SUPERVISOR, {})
    scheduler = Scheduler(ground, [project], Cause(SUPERVISOR, "test"), lambda event, **facts: worker.say(event))
    worker.ready()
    for one in scheduler.evaluate().firings:
        worker.say([one.schedule["id"], one.nominal, one.outcome.fired])


def overdue(url: str, store: Store, project: Row, number: int, name: str) -> dict[str, list[int]]:
    """Add so many schedules with three nominal times that are due; return those by schedule."""
    began = store.read(lambda tx: tx.now) - HOUR - 1
    past = open_store(url, clock=FakeClock(began))
    issue = plan_document.issue_document(PlannedIssue("do it", "", 2, "M", None, 0))
    document = {"campaign": "default", "deadline_after_ms": None, "issue": issue}
    found = {}
    for place in range(number):
        wanted = Wanted(f"{name}-{place}", "issue", f"every:{EVERY_S}", document, misfire="all", lateness_ms=24 * HOUR,
                        overlap="allow")  # fmt: skip
        row = past.write(schedules.add, project, wanted, BY_OPERATOR).row
        found[row["id"]] = [began + EVERY_S * 1000 * step for step in (1, 2, 3)]
    past.close()
    return found
