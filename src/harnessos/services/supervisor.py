"""The supervisor: one tick recovers, tidies, looks at the workflow, claims and starts what is free.

Ticks of two supervisors on one ledger are harmless: slots, limits and leases are rows. Nothing of the schedule lives in
memory only, so a restart goes on exactly where the last one was. When to look again is counted on the monotonic clock,
and the instants of rows are compared with the ledger's clock only: a wall clock that is set back stops nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.dispatch import closing, recovery, working
from harnessos.dispatch.attempt import Attempt
from harnessos.dispatch.sessions import hashed
from harnessos.dispatch.watching import Control
from harnessos.kernel import claims, escalation, reaping, settling
from harnessos.kernel.claims import Claimed, ClaimRequest
from harnessos.kernel.events import Cause
from harnessos.mission.agent import CommandAgent
from harnessos.model.run import SUPERVISOR, WATCHED_TTL_MS
from harnessos.services.leases import Leases
from harnessos.services.missions import LOOK_S, Missions, projects_of_missions
from harnessos.services.notifying import Notifier
from harnessos.services.reporting import Reporter
from harnessos.services.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from harnessos.bridge import Bridge
    from harnessos.dispatch.ground import Ground
    from harnessos.mission.agent import Agent, Runner
    from harnessos.services.projects import Served
    from harnessos.store.transaction import Row, Transaction

SHORTEST_S = 0.1
RETRY_S = 1.0
SWEEP_S = 600.0
RECOVER_S = 30.0
DUE = 1_000
CAUSE = Cause(SUPERVISOR, "up")


class Options(NamedTuple):
    """How long `up` goes on. Idle = no live run, nothing claimable, no timer within `max_wait_ms`."""

    until_idle: bool = False
    once: bool = False
    max_wait_ms: int = 600_000
    max_agents: int | None = None


class Ending(NamedTuple):
    """Why `up` stopped: the exit code and what is left."""

    exit_code: int
    failed: tuple[str, ...]
    waiting: tuple[str, ...]
    timers: int


class Supervisor:
    """See the module. `served` are the projects; `tell` is given every event as a document.

    With `missions` those of this machine are served as well; `agents` makes the agent of a mission's runner.
    """

    def __init__(
        self,
        ground: Ground,
        served: list[Served],
        options: Options,
        tell: Callable[[Mapping[str, object]], None],
        *,
        missions: bool = False,
        agents: Callable[[Runner], Agent] = CommandAgent,
    ) -> None:
        self._ground = ground
        self._served = served
        self._options = options
        self._control = Control()
        told = [place.project for place in served] + (projects_of_missions(ground) if missions else [])
        self._reporter = Reporter(ground, told, tell)
        self._notifier = Notifier(ground, self._reporter)
        self._leases = Leases(ground)
        self._missions = (
            Missions(ground, CAUSE, self._control, self._leases, self._reporter.say, agents, options.max_agents)
            if missions
            else None
        )
        request = self._missions.request if self._missions else None
        projects = [place.project for place in served]
        self._scheduler = Scheduler(ground, projects, CAUSE, self._reporter.say, request)
        self._runs: dict[str, Future[None]] = {}
        self._changes = -1
        self._heard = -1
        self._look_at = 0.0
        self._swept_at: float | None = None
        self._listens = False
        self._offered = False
        self._stuck: dict[str, str] = {}
        self._taken: dict[str, float] = {}
        self._resumed: set[str] = set()
        self.done = False

    def stop(self, *, now: bool) -> None:
        """Stop claiming and ask the agents to stop; `now` kills them and stops verification too."""
        self._control.drain.set()
        if now:
            self._control.cut.set()

    async def tick(self, bridge: Bridge) -> float:
        """See services.loop.Service."""
        if not self._listens:
            self._listens = True
            bridge.listen(self._hear)
        return await bridge.call(lambda: self._tick(bridge))

    def _hear(self, seconds: float) -> bool:
        """Wait for a commit by somebody else; for the bridge's listening thread."""
        before = self._heard
        self._heard = self._ground.store.wait_for_change(before, seconds)
        return self._heard != before

    def _tick(self, bridge: Bridge) -> float:
        try:
            seconds = self._work(bridge)
        except errors.HarnessError as problem:
            if not _passes(problem):
                raise
            # Nothing is lost by it: leases last for minutes, and the next tick looks at everything again (I15).
            self._reporter.say("up.ledger_unavailable", problem=str(problem))
            return RETRY_S
        self._reporter.forget("up.ledger_unavailable")
        return seconds

    def _work(self, bridge: Bridge) -> float:
        now = self._ground.clock.monotonic()
        self._leases.after_sleep()
        ended = self._collect()
        seen = self._ground.store.change_count()
        if seen == self._changes and now < self._look_at and not ended and not self._control.drain.is_set():
            return self._rest(now)
        self._look_at = now + min((served.poll_s for served in self._served), default=LOOK_S)
        processes.reap_orphans()
        self._recover(now, bridge)
        self._verify_again(now, bridge)
        self._schedule(now, bridge)
        self._drive_missions(bridge)
        for served in self._served:
            self._serve(served, now, bridge)
        self._offered = True
        if self._control.drain.is_set():
            self._reporter.say("up.stopping", reason="asked to: agents are ended, verifications finish; once more cuts")
        self._sweep(now)
        self._notifier.send(self._served, bridge)
        self._notifier.report()
        self._reporter.catch_up()
        self._decide()
        # Only now: a tick that could not be finished is done again. What it committed itself is no news.
        self._changes = seen
        return self._rest(now)

    def _rest(self, now: float) -> float:
        return max(SHORTEST_S, self._look_at - now)

    def _recover(self, now: float, bridge: Bridge) -> None:
        """Take over what a dead supervisor of this machine left, or a thread of this one; look again at every full tick."""
        for run in recovery.orphans(self._ground, self._runs):
            served = next((one for one in self._served if one.project["id"] == run["project_id"]), None)
            if served is None or self._taken.get(run["id"], 0) > now:
                continue
            # What fails here would fail again at once. Each run is taken up for its verdict at most once.
            again = run["id"] in self._resumed
            self._taken[run["id"]] = now + RECOVER_S
            try:
                work = recovery.take_over(
                    self._ground, served.place, run, self._control, served.provider, may_resume=not again
                )
            except errors.ToolProblem as problem:
                self._reporter.say("up.cannot_recover", run=run["id"], reason=str(problem))
                continue
            if work is not None:
                self._resumed.add(run["id"])
                self._runs[run["id"]] = bridge.start(self._leases.holding(work))

    def _verify_again(self, now: float, bridge: Bridge) -> None:
        """Take the place of verifiers that died over sessions of the served projects."""
        for run in recovery.unverified(self._ground, self._runs):
            served = next((one for one in self._served if one.project["id"] == run["project_id"]), None)
            if served is None or self._taken.get(run["id"], 0) > now:
                continue
            self._taken[run["id"]] = now + RECOVER_S
            self._runs[run["id"]] = bridge.start(partial(closing.verify_again, self._ground, served.place, run))

    def _schedule(self, now: float, bridge: Bridge) -> None:
        """Fire what is due, before the queue is looked at: what it plans is dispatched in the same tick.

        A schedule is no timer that `--until-idle` would wait for, or that would be left over: it never ends.
        """
        if self._control.drain.is_set() or (self._options.once and self._offered):
            return
        rest = self._scheduler.evaluate(None if self._options.once else bridge.start).rest_s
        if rest is not None:
            self._look_at = min(self._look_at, now + rest)

    def _drive_missions(self, bridge: Bridge) -> None:
        """Give runs of missions that began, here or by their schedule, their threads."""
        if self._missions is not None:
            stops = self._control.drain.is_set() or (self._options.once and self._offered)
            self._missions.tick(bridge, self._runs, begin=not stops)

    def _sweep(self, now: float) -> None:
        """Now and then, after recovery: clean up after runs that are over."""
        if self._swept_at is not None and now - self._swept_at < SWEEP_S:
            return
        self._swept_at = now
        for served in self._served:
            try:
                recovery.sweep(self._ground, served.place, self._runs)
            except errors.ToolProblem as problem:
                self._reporter.say("up.cannot_clean_up", project=served.project["key"], reason=str(problem))
            else:
                self._reporter.forget("up.cannot_clean_up", project=served.project["key"])

    def _serve(self, served: Served, now: float, bridge: Bridge) -> None:
        """Do a project's share of a tick; what is wrong with one keeps nobody else waiting."""
        key = served.project["key"]
        self._stuck.pop(key, None)
        try:
            served.refresh(self._reporter)
            self._tidy(served, now)
            if not self._control.drain.is_set() and not (self._options.once and self._offered):
                self._dispatch(served, bridge)
        except errors.HarnessError as problem:
            if _passes(problem):
                raise
            self._reporter.say("up.cannot_dispatch", project=key, reason=str(problem))
            self._stuck[key] = str(problem)

    def _tidy(self, served: Served, now: float) -> None:
        store, project = self._ground.store, served.project["id"]
        store.write(reaping.reap, self._ground.process, CAUSE, 32)
        settling.drain(store, project, CAUSE)
        store.write(claims.wake, project, DUE)
        store.write(escalation.fall_due, project, CAUSE, DUE)
        state = store.read(_idleness, project, served.provider)
        for timer in (state["timer"], state["hold_until"]):
            if timer is not None and timer > state["now"]:
                self._look_at = min(self._look_at, now + (timer - state["now"]) / 1000)

    def _dispatch(self, served: Served, bridge: Bridge) -> None:
        """Claim and start what is free; note why not when there was work."""
        key = served.project["key"]
        problem = served.problem() or working.full_disk(self._ground, served.place)
        if problem:
            self._reporter.say("up.cannot_dispatch", project=key, reason=problem)
            self._stuck[key] = problem
            return
        while True:
            ready = self._ground.store.read(_any_ready, served.project["id"])
            token = self._ground.ids.token()
            claimed = self._ground.store.write(claims.claim, self._request(served, token), CAUSE)
            if not isinstance(claimed, Claimed):
                self._reporter.forget("up.cannot_dispatch", project=key)
                if ready:
                    self._stuck[key] = claimed.reason
                return
            attempt = Attempt(self._ground, served.place, claimed, token, self._control, served.provider)
            self._runs[claimed.lease.run_id] = bridge.start(self._leases.holding(attempt.drive))
            self._taken[claimed.lease.run_id] = 0

    def _request(self, served: Served, token: str) -> ClaimRequest:
        return ClaimRequest(
            served.project["id"],
            self._ground.process,
            hashed(token),
            served.agent,
            classes=served.classes,
            capabilities=served.capabilities,
            ttl_ms=WATCHED_TTL_MS,
            supervised=True,
            max_live=self._options.max_agents or served.max_agents,
            path=str(served.place.root),
            folder=not served.place.is_git,
            provider=served.provider,
            budget=served.place.budget,
        )

    def _collect(self) -> bool:
        """Forget threads that ended; a bug in one is told, its run has ended as a harness fault."""
        over = [run for run, future in self._runs.items() if future.done()]
        for run in over:
            problem = self._runs.pop(run).exception()
            if problem is not None:
                self._reporter.say("up.bug", run=run, problem=repr(problem))
        return bool(over)

    def _decide(self) -> None:
        if self._runs or self._scheduler.busy or (self._missions is not None and self._missions.busy):
            return
        stops = self._control.drain.is_set() or self._options.once
        if stops or (self._options.until_idle and all(self._idle(served) for served in self._served)):
            self._swept_at = None
            self._sweep(self._ground.clock.monotonic())
            self.done = True

    def _idle(self, served: Served) -> bool:
        if served.problem():
            return True  # only a person changes that
        state = self._ground.store.read(_idleness, served.project["id"], served.provider)
        if state["live"] or self._soon(state, "timer"):
            return False
        # Ready, yet the claim said no: held, or not served here. Only time or a person changes that.
        stuck = served.project["key"] in self._stuck and not self._soon(state, "hold_until")
        return stuck or not state["claimable"]

    def _soon(self, state: Row, name: str) -> bool:
        return state[name] is not None and state[name] <= state["now"] + self._options.max_wait_ms

    def ending(self) -> Ending:
        """Say why it stopped: 0 all finished or waiting on a person, 1 something failed, 75 later: timers, live runs, drained."""
        self._reporter.catch_up()
        self._notifier.report()
        failed: list[str] = []
        waiting: list[str] = []
        timers = 0
        live = False
        for served in self._served:
            state = self._ground.store.read(_leftover, served.project["id"])
            failed += state["failed"]
            waiting += state["waiting"]
            timers += state["timers"]
            live = live or state["live"]
        code = 1 if failed else 75 if timers or live or self._control.drain.is_set() else 0
        return Ending(code, tuple(failed), tuple(waiting), timers)


def _next_timer(tx: Transaction, project_id: str) -> int | None:
    row = tx.one("issue_next_timer", project=project_id, one=1)
    return row["not_before"] if row else None


def _any_ready(tx: Transaction, project_id: str) -> bool:
    return tx.one("issue_any_ready", project=project_id, one=1) is not None


def _any_live(tx: Transaction, project_id: str) -> bool:
    return bool(tx.all("run_live", project=project_id, most=1))


def _idleness(tx: Transaction, project_id: str, provider: str) -> Row:
    holds = [hold["until"] for hold in tx.all("hold_active", project=project_id, provider=provider, now=tx.now)]
    return {
        "now": tx.now,
        "live": _any_live(tx, project_id),
        "claimable": _any_ready(tx, project_id),
        "timer": _next_timer(tx, project_id),
        # All of them must be over; one without an end is a person's to lift.
        "hold_until": max(holds) if holds and None not in holds else None,
    }


def _passes(problem: errors.HarnessError) -> bool:
    """Return whether a problem with the ledger may be gone at the next try."""
    passing = type(problem) is errors.StoreUnavailable or isinstance(problem, errors.StoreFull)
    return passing or isinstance(problem, errors.TryAgain)


def _leftover(tx: Transaction, project_id: str) -> Row:
    asked = tx.all("attention_open", project=project_id, after="", most=100)
    timer = _next_timer(tx, project_id)
    ready = tx.one("issue_any_ready", project=project_id, one=1)
    return {
        "failed": [row["identifier"] for row in tx.all("issue_failed", project=project_id, most=100)],
        "waiting": [row["command"] for row in asked],
        "timers": int(timer is not None) + int(ready is not None),
        "live": _any_live(tx, project_id),
    }
