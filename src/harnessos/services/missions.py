"""`harness up --missions`: the missions of this machine that have a runner. Their schedules fire by services.scheduler.

A firing begins the run in its own transaction; here it gets a thread. A mission that is ready and has never run is due
at once (rule 6), one whose run lost its supervisor is taken up, and one without a dream schedule is given one (rule 11).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors, skills
from harnessos.dispatch import holding, recovery
from harnessos.dispatch.sessions import hashed
from harnessos.kernel import mission_runs, missions
from harnessos.kernel.claims import ClaimRequest
from harnessos.kernel.mission_runs import Begin
from harnessos.mission import driving, installing, judging, workspace
from harnessos.mission.agent import CommandAgent, Runner
from harnessos.mission.documents import reading
from harnessos.mission.documents.starter import SKILL
from harnessos.mission.driving import Drive
from harnessos.mission.site import Site
from harnessos.mission.timetable import entries as timetable
from harnessos.model import mission as model
from harnessos.model.instants import stamp
from harnessos.model.run import WATCHED_TTL_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from harnessos.bridge import Bridge
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.watching import Control
    from harnessos.kernel.events import Cause
    from harnessos.mission.agent import Agent
    from harnessos.services.leases import Leases
    from harnessos.store.transaction import Row, Transaction

MOST = 1_000
MOST_AGENTS = 4
MOST_TOKENS = 10_000
LOOK_S = 30.0


class Missions:
    """See the module. `runs` are the supervisor's threads by run; `agents` makes the agent of a runner."""

    def __init__(
        self,
        ground: Ground,
        cause: Cause,
        control: Control,
        leases: Leases,
        tell: Callable[..., None],
        agents: Callable[[Runner], Agent] = CommandAgent,
        most: int | None = None,
    ) -> None:
        self._ground = ground
        self._cause = cause
        self._control = control
        self._leases = leases
        self._tell = tell
        self._agents = agents
        self._most = most or MOST_AGENTS
        self._tokens: dict[str, str] = {}
        self._judging: dict[str, Future[None]] = {}
        self._looked: float | None = None

    def request(self, schedule: Row) -> ClaimRequest | None:
        """Return how a run for this schedule would be held; None while this process cannot drive its mission.

        What nobody can drive here (no runner, no workspace) stays due: another machine or a person may.
        """
        mission = self._ground.store.read(_mission, schedule["mission_id"])
        if mission is None or mission["machine_id"] != self._ground.process.machine_id:
            return None
        runner = Runner.of(mission["runner_json"])
        if schedule["target"] == "mission" and runner is None:
            self._tell("up.no_runner", mission=mission["identifier"], reason=_no_runner(mission))
            return None
        if not _is_own(mission):
            self._tell("up.no_workspace", mission=mission["identifier"], workspace=mission["workspace"])
            return None
        claim = model.read(mission).claim
        if claim is not None and claim.unjudged:
            return None  # `tick` has it judged; the schedule is looked at again soon
        if schedule["target"] == "dream":
            # It waits until its mission is idle (rule 12), and for no provider: what is always due with a run is not lost.
            return None if self._ground.store.read(_is_running, mission["issue_id"]) else self._request(mission, None)
        if self._ground.store.read(_is_dreaming, mission["issue_id"]):
            return None  # a dream that was late is over in a moment, and costs no run
        return self._request(mission, runner)

    def _request(self, mission: Row, runner: Runner | None) -> ClaimRequest:
        token = self._ground.ids.token()
        self._tokens[hashed(token)] = token
        if len(self._tokens) > MOST_TOKENS:  # of firings that began no run
            del self._tokens[next(iter(self._tokens))]
        return ClaimRequest(
            mission["project_id"],
            self._ground.process,
            hashed(token),
            runner.command[0].rpartition("/")[2] if runner else "dream",
            ttl_ms=WATCHED_TTL_MS,
            supervised=True,
            max_live=self._most,
            path=mission["workspace"],
            provider=runner.provider(self._ground.process.machine_id) if runner else "",
        )

    def tick(self, bridge: Bridge, runs: dict[str, Future[None]], *, begin: bool) -> None:
        """Give runs that began a thread, take up those of the dead, and with `begin` start what has never run."""
        self._drive_begun(bridge, runs)
        self._collect()
        now = self._ground.clock.monotonic()
        if self._looked is not None and now - self._looked < LOOK_S:
            return
        self._looked = now
        for mission in self._ground.store.read(_here, self._ground.process.machine_id):
            try:
                self._look(mission, bridge, begin=begin)
            except errors.HarnessError as problem:
                self._tell("up.cannot_run", mission=mission["identifier"], reason=str(problem))
        self._drive_begun(bridge, runs)

    @property
    def busy(self) -> bool:
        """Whether a claim is being judged."""
        return any(not future.done() for future in self._judging.values())

    def _look(self, mission: Row, bridge: Bridge, *, begin: bool) -> None:
        standing = model.read(mission)
        runner = Runner.of(mission["runner_json"])
        if standing.stopped or not _is_own(mission):
            return
        if runner is not None:
            self._let_dream(mission)
        if standing.claim is not None and standing.claim.unjudged:
            self._judge(mission, bridge)
        elif (
            begin and runner is not None and not standing.runs and not reading.load(Path(mission["workspace"])).problems
        ):
            request = self._request(mission, runner)
            begun = Begin("first")
            try:
                self._ground.store.write(mission_runs.start, mission["id"], request, begun, self._cause)
            except (errors.MissionStopped, errors.TryAgain) as problem:
                self._tell("up.cannot_run", mission=mission["identifier"], reason=str(problem))

    def _let_dream(self, mission: Row) -> None:
        """Schedule the dreams of a mission that nobody scheduled (rule 11): memory bloats without them."""
        if self._ground.store.read(_dreams, mission["id"]):
            return
        config = reading.load(Path(mission["workspace"])).cron
        if config is None:
            return
        _, dream = timetable.entries(config, mission["name"], mission["workspace"], str(skills.folder(SKILL)))
        self._ground.store.write(installing.install, mission["id"], [dream], None, self._cause)
        self._tell("up.dream_scheduled", mission=mission["identifier"], schedule=dream.name)

    def _judge(self, mission: Row, bridge: Bridge) -> None:
        """Have the claim of a run judged whose supervisor died before it was, or whose agent never came to it."""
        known = self._judging.get(mission["id"])
        if known is not None and not known.done():
            return
        site = self._site(mission)
        # What follows a run that an agent of a host began is that agent's to do.
        judge = driving.judge_and_follow if Runner.of(mission["runner_json"]) else judging.judge_open
        self._judging[mission["id"]] = bridge.start(lambda: judge(site, reading.load(site.place)))

    def _collect(self) -> None:
        """Forget judgements that came to their end; what hindered one is told, and it is tried again."""
        over = [mission for mission, future in self._judging.items() if future.done()]
        for mission in over:
            problem = self._judging.pop(mission).exception()
            # A verdict that stops the mission was reached all the same.
            if problem is not None and not isinstance(problem, errors.MissionStopped):
                why = f"its last claim cannot be judged: {str(problem) or repr(problem)}"
                self._tell("up.cannot_judge", mission=mission, reason=why)
                self._ground.store.write(missions.ask_to_mend, mission, why)

    def _drive_begun(self, bridge: Bridge, runs: dict[str, Future[None]]) -> None:
        """Start a thread for each live run of a mission that this process holds, and take over those of dead ones."""
        live, now = self._ground.store.read(_driven, self._ground.process.machine_id)
        for run in live:
            if run["id"] in runs:
                continue
            mine = holding.holder_of(run) == self._ground.process
            if not mine and not holding.is_dead(run, now):
                continue
            token = self._tokens.pop(run["token_hash"], None) if mine else None
            work = self._take_up(run) if token is None else self._drive(run, token).drive
            if work is not None:
                runs[run["id"]] = bridge.start(self._leases.holding(work))

    def _take_up(self, run: Row) -> Callable[[], None] | None:
        """Take over a run whose supervisor died; None when somebody else was faster."""
        token = self._ground.ids.token()
        adopted = recovery.adopt(self._ground, run, token)
        return None if adopted is None else self._drive({**adopted, "mission_id": run["mission_id"]}, token).resume

    def _drive(self, run: Row, token: str) -> Drive:
        mission = self._ground.store.read(_mission, run["mission_id"])
        assert mission is not None
        runner = Runner.of(mission["runner_json"])
        agent = self._agents(runner) if runner is not None else None
        provider = runner.provider(self._ground.process.machine_id) if runner else ""
        return Drive(self._site(mission), run, token, agent, self._control, provider)

    def _site(self, mission: Row) -> Site:
        return Site(self._ground, Path(mission["workspace"]), mission["id"], self._cause)


def _is_own(mission: Row) -> bool:
    """Return whether the workspace is there and still this mission's: another ledger may have adopted it."""
    return workspace.is_of(Path(mission["workspace"]), mission["id"])


def any_driven(ground: Ground) -> bool:
    """Return whether a mission of this machine has a runner."""
    return any(Runner.of(row["runner_json"]) for row in ground.store.read(_all, ground.process.machine_id))


def projects_of_missions(ground: Ground) -> list[Row]:
    """Return the projects that missions of this machine lie in: their events are told."""
    return ground.store.read(_projects, ground.process.machine_id)


def _projects(tx: Transaction, machine_id: str) -> list[Row]:
    ids = sorted({row["project_id"] for row in _all(tx, machine_id)})
    return [row for project_id in ids if (row := tx.one("project_by_id", id=project_id)) is not None]


def serving(ground: Ground) -> dict[str, object]:
    """Return the event that says which missions are served, and when the next of them is due."""
    rows, due = ground.store.read(_serving, ground.process.machine_id)
    names = [f"{row['identifier']} {row['name']}" for row in rows if Runner.of(row["runner_json"])]
    when = {"next": stamp(due)} if due is not None else {}
    return {"event": "up.serving_missions", "missions": names, **when}


def _serving(tx: Transaction, machine_id: str) -> tuple[list[Row], int | None]:
    soonest = tx.one("schedule_soonest_missions", machine_id=machine_id)
    return _all(tx, machine_id), soonest["fires_at"] if soonest else None


def _no_runner(mission: Row) -> str:
    return f"it has no runner: `harness mission schedule {mission['workspace']} --install --agent KIND`"


def _dreams(tx: Transaction, mission_id: str) -> bool:
    return any(row["target"] == "dream" for row in tx.all("schedule_of_mission", mission=mission_id))


def _is_dreaming(tx: Transaction, issue_id: str) -> bool:
    run = tx.one("run_live_of", issue=issue_id)
    part = None if run is None else tx.one("mission_run_by_id", run=run["id"])
    return part is not None and part["kind"] == "dream"


def _is_running(tx: Transaction, issue_id: str) -> bool:
    run = tx.one("run_live_of", issue=issue_id)
    return run is not None and bool(run["expires_at"] > tx.now)


def _mission(tx: Transaction, mission_id: str) -> Row | None:
    return tx.one("mission_by_id", id=mission_id)


def _here(tx: Transaction, machine_id: str) -> list[Row]:
    return tx.all("mission_here", machine_id=machine_id, after="", most=MOST)


def _all(tx: Transaction, machine_id: str) -> list[Row]:
    return [row for row in tx.all("mission_list", after="", most=MOST) if row["machine_id"] == machine_id]


def _driven(tx: Transaction, machine_id: str) -> tuple[list[Row], int]:
    return tx.all("mission_driven_here", machine_id=machine_id), tx.now
