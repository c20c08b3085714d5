"""`mission run`: one driven run now, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import errors, processes
from harnessos.app.missions import booting, runners
from harnessos.dispatch.sessions import hashed
from harnessos.dispatch.watching import Control
from harnessos.kernel import mission_runs, missions
from harnessos.kernel.claims import ClaimRequest
from harnessos.kernel.events import Cause
from harnessos.kernel.mission_runs import Begin
from harnessos.mission import judging
from harnessos.mission.agent import CommandAgent, Runner
from harnessos.mission.driving import Drive
from harnessos.model.run import SUPERVISOR, WATCHED_TTL_MS
from harnessos.services.leases import Leases

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.app.missions.opening import At
    from harnessos.store.transaction import Row, Transaction


def run_now(at: At, kind: str | None, trigger: str = "now", tell: Callable[[str], None] = lambda _: None) -> Row:
    """Drive one run to its end and return its row among the mission's. The codes of boot when it may not run.

    `kind` names the agent for this and all further runs; without it the mission's own is taken.
    """
    wanted = at.row()["runner_json"] if kind is None else runners.parse(kind)
    runner = Runner.of(wanted)
    if runner is None:
        raise errors.BadContent(
            f"{at.registration.identifier} has no agent to run", hint=f"`harness mission run {at.place} --agent KIND`"
        )
    found = booting.look(at, None, [])
    booting.refuse(found)
    at.harness.write(missions.configure, at.mission_id, at.cause, runner_json=wanted)
    judging.judge_open(at.site, found.loaded)
    ground = at.site.ground
    token = ground.ids.token()
    request = ClaimRequest(
        at.row()["project_id"],
        ground.process,
        hashed(token),
        runner.command[0].rpartition("/")[2],
        ttl_ms=WATCHED_TTL_MS,
        supervised=True,
        path=str(at.place),
        provider=runner.provider(ground.process.machine_id),
    )
    begun = at.harness.write(
        mission_runs.start,
        at.mission_id,
        request,
        Begin(trigger, documents=found.loaded.hashes),
        Cause(SUPERVISOR, "mission.run"),
    )
    run_id = begun.claimed.lease.run_id
    tell(f"run #{begun.number} of {at.registration.identifier} began; its log: {ground.run_folder(run_id)}")
    processes.become_subreaper()
    control = Control()
    drive = Drive(at.site, begun.claimed.run, token, CommandAgent(runner), control, request.provider)
    try:
        Leases(ground).holding(drive.drive)()
    except KeyboardInterrupt:
        control.cut.set()
        raise
    return at.harness.read(_run, at.mission_id, begun.number)


def _run(tx: Transaction, mission_id: str, number: int) -> Row:
    rows = tx.all("mission_run_list", mission=mission_id, kind="run", before=number + 1, most=1)
    return rows[0]
