"""A ledger small enough to be seen through: what issues, runs and campaigns do, in memory, without SQL.

It knows statuses, dependencies, attempts, epochs, leases and timers. It does not choose: of what may be claimed it says
which one is first in the claim order, and everything else it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MINUTE = 60_000
GRACE = 15 * MINUTE
WEEK = 7 * 24 * 60 * MINUTE
ATTEMPTS = 3
FAULTS = ("agent_fault", "task_fault")
NAMES = ("pending", "ready", "in_progress", "done", "failed", "blocked", "cancelled")


@dataclass
class Run:
    """A live session; `ttl` in ms, `cap` the instant its wall time is used up, None for never."""

    token: str
    epoch: int
    expires: int
    ttl: int
    cap: int | None


@dataclass
class Issue:
    """An issue by its place in the plan, which is also its age."""

    place: int
    priority: int
    depends: tuple[int, ...]
    approval: bool
    created: int
    status: str = "pending"
    reason: str | None = None
    attempts: int = 0
    forgiven: int = 0
    breaks: int = 0
    gate_errors: int = 0
    epoch: int = 0
    ready: int = 0
    timer: int | None = None
    parked: bool = False
    run: Run | None = None


@dataclass
class Model:
    """The project: `paused` is its one campaign."""

    now: int
    issues: list[Issue] = field(default_factory=list)
    paused: bool = False

    def plan(self, priorities: list[int], depends: list[tuple[int, ...]], approvals: list[bool]) -> None:
        """Add issues; dependencies are places in the whole ledger, of this plan or of an earlier one."""
        for priority, on, approval in zip(priorities, depends, approvals, strict=True):
            self.issues.append(Issue(len(self.issues), priority, on, approval, self.now))
        for issue in self.issues[-len(priorities) :]:
            self._rest(issue)

    def _resting(self, issue: Issue) -> tuple[str, str | None]:
        broken = [on for on in issue.depends if self.issues[on].status in ("failed", "cancelled")]
        if broken:
            return "blocked", "dependency_failed"
        if issue.approval or any(self.issues[on].status != "done" for on in issue.depends):
            return "pending", None
        return "ready", None

    def _rest(self, issue: Issue) -> None:
        """Move an issue that nobody works at to where it belongs."""
        if issue.status in ("pending", "ready") or issue.reason == "dependency_failed":
            status, reason = self._resting(issue)
            if status != issue.status:
                self._enter(issue, status, reason)

    def _enter(self, issue: Issue, status: str, reason: str | None = None, timer: int | None = None) -> None:
        issue.status, issue.reason = status, reason
        issue.timer = timer if status == "ready" else None
        issue.parked = issue.timer is not None and issue.timer > self.now
        if status == "ready":
            issue.ready = self.now
        for other in self.issues:
            if issue.place in other.depends:
                self._rest(other)

    # What a claim may take

    def tidy(self) -> None:
        """What every claim does first: end what ran out, wake what waited long enough."""
        self.reap()
        for issue in self.issues:
            if issue.parked and issue.timer is not None and issue.timer <= self.now:
                issue.parked, issue.timer = False, None

    def first(self) -> Issue | None:
        """Return what the next claim must get."""
        if self.paused:
            return None
        ready = [issue for issue in self.issues if issue.status == "ready" and not issue.parked]
        return min(ready, key=self._order, default=None)

    @staticmethod
    def _order(issue: Issue) -> tuple[int, int, int]:
        rank = -1 if issue.priority == 0 else issue.priority - 1 + issue.ready // WEEK
        return rank, issue.created, issue.place

    def take(self, issue: Issue, token: str, ttl: int, cap: int | None) -> None:
        """Give an issue to a session."""
        issue.epoch += 1
        self._enter(issue, "in_progress")
        issue.run = Run(token, issue.epoch, self.now, ttl, cap)
        self.renew(issue)

    def beat(self, issue: Issue) -> None:
        """A mere sign of life, which counts for nothing once the wall time is used up."""
        assert issue.run is not None
        if issue.run.cap is None or issue.run.cap >= self.now:
            self.renew(issue)

    def renew(self, issue: Issue) -> None:
        """A call that got somewhere. No lease lasts longer than a quarter of an hour after the wall time is used up."""
        assert issue.run is not None
        run = issue.run
        run.expires = self.now + run.ttl if run.cap is None else min(self.now + run.ttl, run.cap + GRACE)

    def reap(self) -> list[int]:
        """End every run whose lease ran out; return the places."""
        lost = [issue for issue in self.issues if issue.run is not None and issue.run.expires <= self.now]
        for issue in lost:
            self.end(issue, "lost")
        return [issue.place for issue in lost]

    def end(
        self, issue: Issue, outcome: str, *, final: bool = False, reset: int | None = None, gate: bool = False
    ) -> None:
        """End a run: what `outcome` makes of its issue. `success` is split by its verdict."""
        issue.run = None
        counted = outcome in FAULTS or outcome.startswith("success")
        issue.attempts += counted
        issue.breaks = issue.breaks + 1 if outcome in ("harness_fault", "lost") else 0
        issue.gate_errors = issue.gate_errors + 1 if gate else 0
        if outcome == "success verified":
            self._enter(issue, "done")
        elif outcome == "success needs_review":
            self._enter(issue, "blocked", "approval:review")
        elif outcome == "cancelled":
            self._enter(issue, "cancelled")
        elif outcome in FAULTS and (final or issue.attempts - issue.forgiven >= ATTEMPTS):
            self._enter(issue, "failed")
        elif issue.gate_errors >= 3:
            self._enter(issue, "blocked", "operator:gate_error")
        elif issue.breaks >= 3:
            self._enter(issue, "blocked", "breaker:issue")
        else:
            status, reason = self._resting(issue)
            self._enter(issue, status, reason, self._wait(issue, outcome, reset))

    def _wait(self, issue: Issue, outcome: str, reset: int | None) -> int | None:
        if outcome in FAULTS:
            return self.now + int(min(10_000 * 2 ** (issue.attempts - issue.forgiven - 1), 300_000))
        if outcome == "harness_fault":
            return self.now + int(min(10_000 * 2 ** (issue.breaks - 1), 300_000))
        if outcome == "provider_quota":
            return reset or self.now + 600_000
        return None

    # What operators do; each says whether it is allowed

    def cancel(self, issue: Issue) -> bool:
        """Cancel, with or without a run."""
        if issue.status in ("done", "cancelled"):
            return False
        if issue.run is not None:
            self.end(issue, "cancelled")
        else:
            self._enter(issue, "cancelled")
        return True

    def retry(self, issue: Issue) -> bool:
        """Retry what failed or is blocked; let what waits for a timer go."""
        if issue.status == "ready" and issue.timer is not None:
            issue.timer, issue.parked = None, False
            return True
        if issue.status not in ("failed", "blocked") or issue.reason == "dependency_failed":
            return False
        self._fresh(issue)
        return True

    def reopen(self, issue: Issue) -> bool:
        """Open again what is over."""
        if issue.status not in ("done", "cancelled"):
            return False
        self._fresh(issue)
        return True

    def _fresh(self, issue: Issue) -> None:
        issue.forgiven = issue.attempts
        if issue.status in ("failed", "blocked"):
            issue.breaks = issue.gate_errors = 0
        issue.status, issue.reason = "pending", None
        for other in self.issues:
            if issue.place in other.depends:
                self._rest(other)
        self._rest(issue)

    def block(self, issue: Issue) -> bool:
        """Block what nobody works at."""
        if issue.status not in ("pending", "ready"):
            return False
        self._enter(issue, "blocked", "operator:test")
        return True

    def approve(self, issue: Issue) -> bool:
        """Accept a judged commit, or decide the planned approval."""
        if issue.reason == "approval:review":
            self._enter(issue, "done")
            return True
        if issue.approval:
            issue.approval = False
            self._rest(issue)
            return True
        return False
