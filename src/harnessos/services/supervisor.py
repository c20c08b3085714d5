"""The supervisor: one tick renews, recovers, tidies, looks at the workflow, claims and starts what is free.

Ticks of two supervisors on one ledger are harmless: slots, limits and leases are rows. Nothing of the schedule lives in
memory only, so a restart goes on exactly where the last one was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.dispatch import recovery
from harnessos.dispatch.attempt import Attempt
from harnessos.dispatch.sessions import hashed
from harnessos.dispatch.watching import Control
from harnessos.kernel import claims, escalation, reaping, settling
from harnessos.kernel.claims import Claimed, ClaimRequest
from harnessos.kernel.events import Cause
from harnessos.model.run import SUPERVISOR, WATCHED_TTL_MS
from harnessos.services.notifying import notify
from harnessos.services.reporting import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from harnessos.bridge import Bridge
    from harnessos.dispatch.ground import Ground
    from harnessos.services.projects import Served
    from harnessos.store.transaction import Row, Transaction

LOOK_S = 1.0
POLL_MS = 30_000
RENEW_MS = 60_000
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
    """See the module. `served` are the projects; `tell` is given every event as a document."""

    def __init__(
        self, ground: Ground, served: list[Served], options: Options, tell: Callable[[Mapping[str, object]], None]
    ) -> None:
        self._ground = ground
        self._served = served
        self._options = options
        self._control = Control()
        self._reporter = Reporter(ground, [place.project for place in served], tell)
        self._runs: dict[str, Future[None]] = {}
        self._changes = -1
        self._look_at = 0
        self._renewed_at = 0
        self._swept = False
        self._nothing: dict[str, str] = {}
        self.done = False

    def stop(self, *, now: bool) -> None:
        """Stop claiming and ask the agents to stop; `now` kills them and stops verification too."""
        self._control.drain.set()
        if now:
            self._control.cut.set()

    async def tick(self, bridge: Bridge) -> float:
        """See services.loop.Service."""
        rest = await bridge.call(lambda: self._tick(bridge))
        self._collect()
        return rest

    def _tick(self, bridge: Bridge) -> float:
        now = self._ground.clock.now()
        if self._runs and now - self._renewed_at >= RENEW_MS:
            self._ground.store.write(_renew, self._ground)
            self._renewed_at = now
        ended = self._collect()
        seen = self._ground.store.change_count()
        if seen == self._changes and now < self._look_at and not ended and not self._control.drain.is_set():
            return LOOK_S
        self._changes = seen
        self._look_at = now + POLL_MS
        self._recover(bridge)
        for served in self._served:
            served.refresh(self._reporter)
            self._tidy(served)
            if not self._control.drain.is_set():
                self._dispatch(served, bridge)
        self._sweep_once()
        notify(self._ground, self._served)
        self._reporter.catch_up()
        self._decide()
        # What this tick itself committed through other threads is no news.
        return LOOK_S

    def _recover(self, bridge: Bridge) -> None:
        """Take over what a dead supervisor of this machine left; look again at every full tick."""
        for run in recovery.orphans(self._ground):
            served = next((one for one in self._served if one.project["id"] == run["project_id"]), None)
            if served is None or run["id"] in self._runs:
                continue
            work = recovery.take_over(self._ground, served.place, run, self._control)
            if work is not None:
                self._runs[run["id"]] = bridge.start(work)

    def _sweep_once(self) -> None:
        """At the first tick, after recovery: clean up after runs that are over."""
        if self._swept:
            return
        self._swept = True
        for served in self._served:
            recovery.sweep(self._ground, served.place)

    def _tidy(self, served: Served) -> None:
        store, project = self._ground.store, served.project["id"]
        store.write(reaping.reap, self._ground.holder, CAUSE, 32)
        settling.drain(store, project, CAUSE)
        store.write(claims.wake, project, DUE)
        store.write(escalation.fall_due, project, CAUSE, DUE)
        timer = store.read(_next_timer, project)
        if timer is not None:
            self._look_at = min(self._look_at, timer)

    def _dispatch(self, served: Served, bridge: Bridge) -> None:
        problem = served.problem()
        if problem:
            self._reporter.say("up.cannot_dispatch", project=served.project["key"], reason=problem)
            self._nothing[served.project["key"]] = problem
            return
        while True:
            token = self._ground.ids.token()
            claimed = self._ground.store.write(claims.claim, self._request(served, token), CAUSE)
            if not isinstance(claimed, Claimed):
                self._nothing[served.project["key"]] = claimed.reason
                return
            attempt = Attempt(self._ground, served.place, claimed, token, self._control, served.provider)
            self._runs[claimed.lease.run_id] = bridge.start(attempt.drive)

    def _request(self, served: Served, token: str) -> ClaimRequest:
        return ClaimRequest(
            served.project["id"],
            self._ground.holder,
            hashed(token),
            served.agent,
            classes=served.classes,
            capabilities=served.capabilities,
            ttl_ms=WATCHED_TTL_MS,
            supervised=True,
            max_live=self._options.max_agents or served.max_agents,
            path=str(served.place.root),
            folder=served.place.repo is None,
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
        if self._runs:
            return
        if self._control.drain.is_set() or self._options.once:
            self.done = True
        elif self._options.until_idle:
            self.done = all(self._idle(served) for served in self._served)

    def _idle(self, served: Served) -> bool:
        state = self._ground.store.read(_idleness, served.project["id"])
        if state["live"]:
            return False
        if state["claimable"] and not served.problem() and served.project["key"] in self._nothing:
            # Ready, yet the claim said no: held, or not served here. Only time or a person changes that.
            return not self._soon(state["hold_until"])
        return not state["claimable"] and not self._soon(state["timer"])

    def _soon(self, instant: int | None) -> bool:
        return instant is not None and instant <= self._ground.clock.now() + self._options.max_wait_ms

    def ending(self) -> Ending:
        """Say why it stopped: 0 all finished or waiting on a person, 1 something failed, 75 later timers or drained."""
        self._reporter.catch_up()
        failed: list[str] = []
        waiting: list[str] = []
        timers = 0
        for served in self._served:
            state = self._ground.store.read(_leftover, served.project["id"])
            failed += state["failed"]
            waiting += state["waiting"]
            timers += state["timers"]
        code = 1 if failed else 75 if timers or self._control.drain.is_set() else 0
        return Ending(code, tuple(failed), tuple(waiting), timers)


def _renew(tx: Transaction, ground: Ground) -> int:
    here = ground.machine
    return tx.run(
        "run_renew_held",
        machine_id=here.machine_id,
        boot_id=here.boot_id,
        pid=here.pid,
        pid_started=here.started,
        now=tx.now,
    )


def _next_timer(tx: Transaction, project_id: str) -> int | None:
    row = tx.one("issue_next_timer", project=project_id, one=1)
    return row["not_before"] if row else None


def _idleness(tx: Transaction, project_id: str) -> Row:
    holds = [hold["until"] for hold in tx.all("hold_list", now=tx.now) if hold["scope_id"] == project_id]
    return {
        "live": bool(tx.all("run_live", project=project_id, most=1)),
        "claimable": tx.one("issue_any_ready", project=project_id, one=1) is not None,
        "timer": _next_timer(tx, project_id),
        "hold_until": min((until for until in holds if until is not None), default=None),
    }


def _leftover(tx: Transaction, project_id: str) -> Row:
    asked = tx.all("attention_open", project=project_id, after="", most=100)
    timer = _next_timer(tx, project_id)
    ready = tx.one("issue_any_ready", project=project_id, one=1)
    return {
        "failed": [row["identifier"] for row in tx.all("issue_failed", project=project_id, most=100)],
        "waiting": [row["command"] for row in asked],
        "timers": int(timer is not None) + int(ready is not None),
    }
