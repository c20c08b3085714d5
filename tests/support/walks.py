"""One project under its reference model: every operation is done in both, and then they are compared."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from harnessos import errors
from harnessos.kernel import budgets, campaigns, claims, ending, evidence, operations, planning, projects, reaping, runs
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing
from harnessos.kernel.ending import Closing
from harnessos.model.checkpoint import Progress
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.plan import Plan, PlannedIssue, PlannedMilestone
from harnessos.model.process import Identity
from harnessos.model.run import Lease
from harnessos.model.verdict import GateResult
from harnessos.store.opening import open_store
from harnessos.store.transaction import Row, Store, Transaction
from harnessos.testing import FakeClock
from harnessos.testing.crashpoints import Died, FailAt, HookedStore
from tests.support.labour import BY_AGENT, BY_OPERATOR, GATE
from tests.support.reference_model import MINUTE, Issue, Model

MOST = 14
HOUR = 60 * MINUTE
TTLS = (5 * MINUTE, HOUR, 24 * HOUR)
HERE = Identity("here", "boot", 1, 1)
COLUMNS = "status, blocked_reason, attempts, forgiven, breaks, gate_errors, lease_epoch, not_before, parked"

Op = tuple[Any, ...]
"""A name and numbers. Any: `crash` holds another operation."""


class End(NamedTuple):
    """A way for a run to end: for the kernel, and for the model."""

    ended: Ended
    model: dict[str, Any]


ENDS = (
    End(Ended(Outcome.AGENT_FAULT), {"outcome": "agent_fault"}),
    End(Ended(Outcome.TASK_FAULT), {"outcome": "task_fault"}),
    End(Ended(Outcome.TASK_FAULT, final=True), {"outcome": "task_fault", "final": True}),
    End(Ended(Outcome.PROVIDER_QUOTA), {"outcome": "provider_quota"}),
    End(Ended(Outcome.HARNESS_FAULT), {"outcome": "harness_fault"}),
    End(Ended(Outcome.HARNESS_FAULT, gate_error=True), {"outcome": "harness_fault", "gate": True}),
    End(Ended(Outcome.RELEASED), {"outcome": "released"}),
)
"""Ends without a verdict; those with one go through `judge`."""

WEIGHTS: dict[str, int] = {
    "plan": 4, "claim": 18, "claim_named": 4, "heartbeat": 4, "checkpoint": 4, "verified": 14, "review": 3, "rejected": 2,
    "end": 16, "stale": 4, "cancel": 2, "retry": 8, "reopen": 3, "block": 1, "approve": 5, "pause": 1, "resume": 3,
    "reap": 3, "pass": 10, "jump": 3, "crash": 10,
}  # fmt: skip


def random_op(chance: random.Random, *, crashed: bool = False) -> Op:
    """Return an operation; its numbers fit any state."""
    weights = {**WEIGHTS, "crash": 0} if crashed else WEIGHTS
    name = chance.choices(list(weights), list(weights.values()))[0]
    if name == "crash":
        return ("crash", chance.randrange(1, 40), random_op(chance, crashed=True))
    return (name, chance.randrange(1 << 16), chance.randrange(1 << 16))


class Ids:
    """Ids in the order they were asked for, so that the claim order's last key is the plan's order."""

    def __init__(self) -> None:
        self._number = 0

    def new(self, noun: str, now: int) -> str:
        """See harnessos.ports.Ids."""
        del now
        self._number += 1
        return f"{noun}-{self._number:09}"

    def token(self) -> str:
        """See harnessos.ports.Ids."""
        return self.new("token", 0)


class Walk:
    """One project under its model."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = FakeClock()
        self.raw = open_store(url, clock=self.clock, ids=Ids())
        self.store: Store = self.raw
        self.project: Row = self.store.write(projects.create, "WALK", "walk", "git", "r00t", "main", BY_OPERATOR)
        for dimension in ("runs", "wall_ms"):
            self.store.write(budgets.set_cap, self.project, dimension, "unlimited", BY_OPERATOR)
        self.model = Model(self.clock.now())
        self.plans = 0
        self.tokens = 0
        self.over: list[Lease] = []

    def close(self) -> None:
        """Close the store."""
        self.raw.close()

    def step(self, op: Op) -> None:
        """Do one operation in the ledger and in the model."""
        self.model.now = self.clock.now()
        if op[0] != "crash":
            getattr(self, f"do_{op[0]}")(*op[1:])
            return
        before = copy.deepcopy(self.model), self.plans, self.tokens, list(self.over)
        fail = FailAt(op[1])
        # Before a commit only: what dies after it has been done, and test_kills looks at that.
        self.store = HookedStore(self.raw, lambda place: None if place.endswith("after commit") else fail(place))
        try:
            self.step(op[2])
        except Died:
            self.model, self.plans, self.tokens, self.over = before
        finally:
            self.store = self.raw

    # What is planned

    def do_plan(self, seed: int, count: int) -> None:
        chance, number = random.Random(seed), 1 + count % 4
        first = len(self.model.issues)
        if first + number > MOST:
            return
        inner = [tuple(sorted(chance.sample(range(n), min(n, chance.randrange(3))))) for n in range(number)]
        outer = [(chance.randrange(first),) if first and chance.random() < 0.3 else () for _ in range(number)]
        priorities = [chance.randrange(4) for _ in range(number)]
        approvals = [chance.random() < 0.15 for _ in range(number)]
        planned = tuple(
            PlannedIssue(
                f"i{n}", "", priorities[n], "M", f"k{n}", 0, depends_on=inner[n],
                depends_on_ids=tuple(self.identifier(on) for on in outer[n]),
                budget={"issue_wall_minutes": "unlimited"},
                metadata={"approvals": [{"id": "go"}]} if approvals[n] else {},
            )
            for n in range(number)
        )  # fmt: skip
        name = f"p{self.plans + 1}"
        self.store.write(
            planning.apply, self.project, Plan(name, None, (PlannedMilestone(name, ""),), planned), None, BY_OPERATOR
        )
        self.plans += 1
        depends = [(*(first + on for on in inner[n]), *outer[n]) for n in range(number)]
        self.model.plan(priorities, depends, approvals)

    def identifier(self, place: int) -> str:
        """Return an issue's name in the ledger."""
        return f"WALK-{place + 1}"

    def some(self, number: int) -> Issue | None:
        """Return an issue, if there is one."""
        return self.model.issues[number % len(self.model.issues)] if self.model.issues else None

    def live(self, number: int) -> tuple[Issue, Row] | None:
        """Return a running issue with its run's row, if there is one."""
        running = [issue for issue in self.model.issues if issue.run is not None]
        if not running:
            return None
        issue = running[number % len(running)]
        assert issue.run is not None
        return issue, self.raw.read(runs.by_token, issue.run.token)

    # What agents do

    def request(self, number: int, name: str | None) -> ClaimRequest:
        """Return a claim under a new token."""
        self.tokens += 1
        return ClaimRequest(
            self.project["id"], HERE, f"t{self.tokens}", "a", issue=name, ttl_ms=TTLS[number % len(TTLS)]
        )

    def do_claim(self, ttl: int, _: int) -> None:
        request = self.request(ttl, None)
        got = self.store.write(claims.claim, request, BY_AGENT)
        self.forget_expired()
        self.model.tidy()
        wanted = self.model.first()
        if wanted is None:
            assert isinstance(got, Nothing), got
            return
        assert isinstance(got, Claimed), f"the model expects {self.identifier(wanted.place)}, not {got}"
        assert got.issue["identifier"] == self.identifier(wanted.place)
        self.model.take(wanted, request.token_hash, request.ttl_ms, got.run["cap_at"])

    def do_claim_named(self, number: int, ttl: int) -> None:
        issue = self.some(number)
        if issue is None:
            return
        request = self.request(ttl, self.identifier(issue.place))
        tidied = copy.deepcopy(self.model)
        tidied.tidy()
        standing = tidied.issues[issue.place]
        if standing.status != "ready":
            refusal = errors.AlreadyClaimed if standing.status == "in_progress" else errors.IllegalMove
            _refused(refusal, lambda: self.store.write(claims.claim, request, BY_AGENT))
            return
        got = self.store.write(claims.claim, request, BY_AGENT)
        self.forget_expired()
        self.model = tidied
        if self.model.paused:
            assert got == Nothing("campaign_paused:default")
            return
        if standing.parked:
            assert isinstance(got, Nothing), got
            return
        assert isinstance(got, Claimed), got
        self.model.take(standing, request.token_hash, request.ttl_ms, got.run["cap_at"])

    def forget_expired(self) -> None:
        """Keep the leases that a reap is about to end."""
        for issue in self.model.issues:
            if issue.run is not None and issue.run.expires <= self.model.now:
                self.over.append(runs.lease_of(self.raw.read(runs.by_token, issue.run.token)))

    def do_heartbeat(self, number: int, _: int) -> None:
        if found := self.live(number):
            self.store.write(runs.heartbeat, runs.lease_of(found[1]))
            self.model.beat(found[0])

    def do_checkpoint(self, number: int, _: int) -> None:
        if found := self.live(number):
            issue, run = found
            made = Progress("t", "s", "n", "{}")
            self.store.write(runs.checkpoint, runs.lease_of(run), made, runs.cause_of(run, "walk"))
            self.model.renew(issue)

    def do_verified(self, number: int, _: int) -> None:
        self._accept(number, "success verified", ())

    def do_review(self, number: int, _: int) -> None:
        self._accept(number, "success needs_review", ("Makefile",))

    def _accept(self, number: int, outcome: str, protected: tuple[str, ...]) -> None:
        if found := self.live(number):
            issue, run = found
            self.store.write(_accepted, run, protected)
            self.over.append(runs.lease_of(run))
            self.model.end(issue, outcome)

    def do_rejected(self, number: int, _: int) -> None:
        if found := self.live(number):
            issue, run = found
            self.store.write(_rejected, run)
            self.model.renew(issue)

    def do_end(self, number: int, how: int) -> None:
        if found := self.live(number):
            issue, run = found
            end = ENDS[how % len(ENDS)]
            self.store.write(ending.finish, runs.lease_of(run), end.ended, runs.cause_of(run, "walk"), Closing())
            self.over.append(runs.lease_of(run))
            self.model.end(issue, **end.model)

    def do_stale(self, number: int, how: int) -> None:
        if self.over:
            lease = self.over[number % len(self.over)]
            writes: tuple[Callable[[Transaction], object], ...] = (
                lambda tx: runs.heartbeat(tx, lease),
                lambda tx: runs.checkpoint(tx, lease, Progress("t", "s", "n", "{}"), BY_AGENT),
                lambda tx: runs.launch(tx, lease, HERE, BY_AGENT),
                lambda tx: ending.finish(tx, lease, Ended(Outcome.RELEASED), BY_AGENT),
            )
            _refused(errors.LeaseLost, lambda: self.store.write(writes[how % len(writes)]))

    def do_reap(self, _: int, __: int) -> None:
        rows = self.store.write(reaping.reap, HERE, BY_OPERATOR, 64)
        self.forget_expired()
        wanted = {self.identifier(place) for place in self.model.reap()}
        assert {row["identifier"] for row in rows} == wanted

    # What operators and clocks do

    def _operate(self, number: int, command: Callable[..., object], more: tuple[str, ...], allowed: str) -> None:
        issue = self.some(number)
        if issue is None:
            return
        running = issue.run and runs.lease_of(self.raw.read(runs.by_token, issue.run.token))
        expected = copy.deepcopy(self.model)
        if not getattr(expected, allowed)(expected.issues[issue.place]):
            name = self.identifier(issue.place)
            _refused(errors.BadContent, lambda: self.store.write(command, name, *more, BY_OPERATOR))
            return
        self.store.write(command, self.identifier(issue.place), *more, BY_OPERATOR)
        self.model = expected
        if running and self.model.issues[issue.place].run is None:
            self.over.append(running)

    def do_cancel(self, number: int, _: int) -> None:
        self._operate(number, operations.cancel, ("not wanted",), "cancel")

    def do_retry(self, number: int, _: int) -> None:
        self._operate(number, operations.retry, (), "retry")

    def do_reopen(self, number: int, _: int) -> None:
        self._operate(number, operations.reopen, ("again",), "reopen")

    def do_block(self, number: int, _: int) -> None:
        self._operate(number, operations.block, ("operator:test",), "block")

    def do_approve(self, number: int, _: int) -> None:
        issue = self.some(number)
        if issue is not None and (issue.approval or issue.reason == "approval:review"):
            name = None if issue.reason == "approval:review" else "go"
            command = _approve_named if name else _approve_judged
            self._operate(number, command, (), "approve")

    def do_pause(self, _: int, __: int) -> None:
        self._set_campaign("paused")

    def do_resume(self, _: int, __: int) -> None:
        self._set_campaign("active")

    def _set_campaign(self, status: str) -> None:
        campaign = self.raw.read(campaigns.find, self.project["id"], "default")
        self.store.write(campaigns.set_status, campaign, status, BY_OPERATOR)
        self.model.paused = status == "paused"

    def do_pass(self, seconds: int, _: int) -> None:
        self.clock.advance(1000 * (seconds % 900))

    def do_jump(self, where: int, _: int) -> None:
        self.clock.jump((8 * HOUR, -2 * HOUR, 8 * 24 * HOUR)[where % 3])

    # What there is to compare

    def differs(self, look: Callable[[str], list[tuple[Any, ...]]]) -> str | None:
        """Return how the ledger differs from the model. Any: columns."""
        rows = look(f"SELECT {COLUMNS} FROM issues ORDER BY number")
        for issue, (status, reason, *numbers) in zip(self.model.issues, rows, strict=True):
            kind = reason if reason is None or not reason.startswith("dependency_failed:") else "dependency_failed"
            found = (status, kind, *numbers)
            wanted = (
                issue.status,
                issue.reason,
                issue.attempts,
                issue.forgiven,
                issue.breaks,
                issue.gate_errors,
                issue.epoch,
                issue.timer,
                int(issue.parked),
            )
            if found != wanted:
                return f"{self.identifier(issue.place)}: ledger {found}, model {wanted}"
        live = look("SELECT token_hash, epoch, expires_at FROM runs WHERE live = 1 ORDER BY token_hash")
        held = sorted((i.run.token, i.run.epoch, i.run.expires) for i in self.model.issues if i.run)
        return None if sorted(tuple(row) for row in live) == held else f"live runs: ledger {live}, model {held}"


def _refused(kind: type[errors.HarnessError], attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except kind:
        return
    message = f"was not refused as {kind.__name__}"
    raise AssertionError(message)


def _approve_named(tx: Transaction, identifier: str, cause: Any) -> Row:
    return operations.approve(tx, identifier, "go", "approved", "", cause)


def _approve_judged(tx: Transaction, identifier: str, cause: Any) -> Row:
    return operations.approve(tx, identifier, None, "approved", "", cause)


def _accepted(tx: Transaction, run: Row, protected: tuple[str, ...]) -> None:
    lease, cause = runs.lease_of(run), runs.cause_of(run, "walk")
    result = GateResult(GATE.name, GATE.kind, required=True, passed=True, subject="c")
    decision = evidence.judge(tx, lease, [GATE], [result], protected, "c", cause)
    evidence.accept(tx, lease, decision, cause, Closing(commit="c"))


def _rejected(tx: Transaction, run: Row) -> None:
    lease, cause = runs.lease_of(run), runs.cause_of(run, "walk")
    result = GateResult(GATE.name, GATE.kind, required=True, passed=False, subject="c")
    evidence.judge(tx, lease, [GATE], [result], (), "c", cause)
    evidence.reject(tx, lease, cause)
