"""One of everything that is written to a ledger, step by step, so that it can be cut off anywhere and taken up again.

Time and ids are the workload's own: two runs of it leave the same rows. A step finds what it needs (leases, intents) in
the ledger, as a program that was started again must.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harnessos.kernel import (
    attention,
    budgets,
    campaigns,
    claims,
    ending,
    evidence,
    intents,
    operations,
    planning,
    projects,
    reaping,
    runs,
    settling,
)
from harnessos.kernel.claims import ClaimRequest
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.checkpoint import Progress
from harnessos.model.gate import Gate, GateKind
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.plan import Plan, PlannedIssue, PlannedMilestone
from harnessos.model.process import Identity
from harnessos.model.run import OPERATOR, Actor
from harnessos.model.verdict import GateResult
from harnessos.store import named
from harnessos.store.opening import open_store
from harnessos.store.transaction import Row, Store, Transaction
from harnessos.testing import FakeClock
from harnessos.testing.clock import START
from harnessos.testing.crashpoints import DieAt, HookedStore
from tests.support import invariants
from tests.support.crew import Worker

BY = Cause(OPERATOR, "workload")
BY_AGENT = Cause(Actor("agent", "a"), "workload")
HERE, THERE = Identity("here", "boot", 1, 1), Identity("there", "boot", 2, 2)
GATE = Gate(name="g", kind=GateKind.COMMAND, shell="true")
MINUTE, HOUR = 60_000, 3_600_000
APPROVAL = {"approvals": [{"id": "go", "label": "go on"}]}

_PLAIN = Closing()

Step = Callable[[Store, str], object]


class Ids:
    """Ids that are the same each time: the ledger's mark, the step, a number within the step."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._step = 0
        self._number = 0

    def enter(self, step: int) -> None:
        """Begin the numbers of a step."""
        self._step, self._number = step, 0

    def new(self, noun: str, now: int) -> str:
        """See harnessos.ports.Ids."""
        del now
        self._number += 1
        return f"{noun}-{self._step:03}{self._number:05}-{self._mark}"

    def token(self) -> str:
        """See harnessos.ports.Ids."""
        return self.new("token", 0)


def _project(store: Store, mark: str) -> Row:
    return store.read(named.project, mark)


def _run(store: Store, mark: str, token: str) -> Row:
    return store.read(runs.by_token, f"{token}-{mark}")


def _plan() -> Plan:
    def issue(key: str, milestone: int, *depends: int, **fields: Any) -> PlannedIssue:
        return PlannedIssue(key, "", 2, "M", key, milestone, depends_on=depends)._replace(**fields)

    milestones = (PlannedMilestone("one", ""), PlannedMilestone("two", "", depends_on=(0,)))
    return Plan(
        "plan",
        None,
        milestones,
        (
            issue("a", 0, files=("src/",)),
            issue("b", 0, 0, priority=1),
            issue("c", 0, 0, files=("src/x",)),
            issue("d", 0, metadata=APPROVAL, priority=3),
            issue("e", 1),
            issue("f", 1, 4),
        ),
    )


def _claim(token: str, number: int | None = None, *, holder: Identity = HERE, **fields: Any) -> Step:
    def step(store: Store, mark: str) -> None:
        issue = None if number is None else f"{mark}-{number}"
        request = ClaimRequest(
            _project(store, mark)["id"], fields.pop("holder", HERE), f"{token}-{mark}", token, issue=issue
        )
        store.write(claims.claim, request._replace(**fields), BY_AGENT)

    return step


def _judge(token: str, *, passed: bool | None) -> Step:
    def step(store: Store, mark: str) -> None:
        run = _run(store, mark, token)
        result = GateResult(GATE.name, GATE.kind, required=True, passed=passed, subject=token)
        store.write(evidence.judge, runs.lease_of(run), [GATE], [result], [], token, runs.cause_of(run, "w"))

    return step


def _accept(token: str) -> Step:
    def accept(tx: Transaction, run: Row) -> Row:
        result = GateResult(GATE.name, GATE.kind, required=True, passed=True, subject=token)
        lease, cause = runs.lease_of(run), runs.cause_of(run, "w")
        decision = evidence.judge(tx, lease, [GATE], [result], [], token, cause)
        return evidence.accept(tx, lease, decision, cause, Closing(commit=token))

    return lambda store, mark: store.write(accept, _run(store, mark, token))


def _finish(token: str, outcome: Outcome, closing: Closing = _PLAIN, **fields: Any) -> Step:
    def step(store: Store, mark: str) -> None:
        run = _run(store, mark, token)
        end = Ended(outcome, outcome.value, **fields)
        # A provider's hold is not the project's: each mark has its own account.
        own = closing._replace(provider=closing.provider.replace("MARK", mark))
        store.write(ending.finish, runs.lease_of(run), end, runs.cause_of(run, "w"), own)

    return step


def _of_run(command: Callable[..., object], token: str, *more: Any, caused: bool = True) -> Step:
    def step(store: Store, mark: str) -> None:
        run = _run(store, mark, token)
        cause = (runs.cause_of(run, "w"),) if caused else ()
        store.write(command, runs.lease_of(run), *more, *cause)

    return step


def _operate(command: Callable[..., object], number: int, *more: Any) -> Step:
    return lambda store, mark: store.write(command, f"{mark}-{number}", *more, BY)


def _confirm(store: Store, mark: str) -> None:
    run = _run(store, mark, "ta")
    [intent] = store.read(lambda tx: tx.all("intent_open_of", run=run["id"], most=10))
    store.write(intents.confirm, runs.lease_of(run), intent["id"])


def _artifact(tx: Transaction, run: Row) -> str:
    lease, cause = runs.lease_of(run), runs.cause_of(run, "w")
    return runs.save_artifact(tx, lease, cause, kind="report", path="p", sha256="0" * 64, size=1)


def _campaign(status: str) -> Step:
    def step(store: Store, mark: str) -> None:
        campaign = store.read(campaigns.find, _project(store, mark)["id"], "default")
        store.write(campaigns.set_status, campaign, status, BY)

    return step


STEPS: tuple[tuple[str, Step], ...] = (
    ("create the project", lambda s, m: s.write(projects.create, m, "name", "git", "r00t", "main", BY)),
    ("lift a cap", lambda s, m: s.write(budgets.set_cap, _project(s, m), "wall_ms", "unlimited", BY)),
    ("locate", lambda s, m: s.write(projects.locate, _project(s, m), "here", f"/{m}", BY)),
    ("apply a plan", lambda s, m: s.write(planning.apply, _project(s, m), _plan(), None, BY)),
    ("claim with a slot", _claim("ta", supervised=True, max_live=2)),
    ("plan an intent", _of_run(intents.plan, "ta", "worktree", "w", caused=False)),
    ("confirm it", _confirm),
    ("launch", _of_run(runs.launch, "ta", HERE)),
    ("heartbeat", _of_run(runs.heartbeat, "ta", caused=False)),
    ("checkpoint", _of_run(runs.checkpoint, "ta", Progress("t", "s", "n", "{}"))),
    ("save an artifact", lambda s, m: s.write(_artifact, _run(s, m, "ta"))),
    ("ask", _of_run(runs.ask, "ta", "finished", "c0ffee")),
    ("start verifying", _of_run(runs.start_verifying, "ta", "c0ffee", "v", None)),
    ("judge: no", _judge("ta", passed=False)),
    ("reject", _of_run(evidence.reject, "ta")),
    ("accept, which frees two", _accept("ta")),
    ("claim", _claim("tb")),
    ("fault", _finish("tb", Outcome.AGENT_FAULT)),
    ("pause the campaign", _campaign("paused")),
    ("claim nothing", _claim("tp")),
    ("resume it", _campaign("active")),
    ("claim on the other machine", _claim("tc", holder=THERE, ttl_ms=HOUR)),
    ("reap after two hours", lambda s, m: s.write(reaping.reap, HERE, BY, 32)),
    ("claim again", _claim("td")),
    ("quota", _finish("td", Outcome.PROVIDER_QUOTA, Closing(provider="MARK"), reset_at=START + 30 * HOUR)),
    ("claim once more", _claim("te")),
    ("accept again", _accept("te")),
    ("claim by name", _claim("tf", 2)),
    ("cancel what runs", _operate(operations.cancel, 2, "not wanted")),
    ("approve what waits", _operate(operations.approve, 4, "go", "approved", "fine")),
    ("block it", _operate(operations.block, 4, "operator:later")),
    ("retry it", _operate(operations.retry, 4)),
    ("claim it", _claim("tg", 4)),
    ("final fault", _finish("tg", Outcome.TASK_FAULT, final=True)),
    ("retry what failed", _operate(operations.retry, 4)),
    ("claim it again", _claim("th", 4)),
    ("accept it", _accept("th")),
    ("settle", lambda s, m: s.write(settling.step, _project(s, m)["id"], BY)),
    ("reopen the first", _operate(operations.reopen, 1, "again")),
    ("settle again", lambda s, m: s.write(settling.step, _project(s, m)["id"], BY)),
    ("claim the first", _claim("ti", 1)),
    ("accept the first", _accept("ti")),
    ("claim what is left", _claim("ti2")),
    ("settle once more", lambda s, m: s.write(settling.step, _project(s, m)["id"], BY)),
    ("notify", lambda s, m: s.write(attention.take_unsent, [m])),
    ("cap the runs", lambda s, m: s.write(budgets.set_cap, _project(s, m), "runs", "5", BY)),
    ("be held by the budget", _claim("tj")),
    ("release", _finish("ti2", Outcome.RELEASED)),
    ("trust", lambda s, m: s.write(projects.trust, _project(s, m), "here", "user", BY)),
    ("add a campaign", lambda s, m: s.write(campaigns.create, _project(s, m)["id"], "other", "goal", {}, BY)),
    ("apply the plan again", lambda s, m: s.write(planning.apply, _project(s, m), _plan(), None, BY)),
)  # fmt: skip


_REAPING = next(number for number, (name, _) in enumerate(STEPS) if name.startswith("reap"))


def time_of(step: int) -> int:
    """Return the instant of a step: each has its own minute, from the reaping one on two hours later."""
    return START + step * MINUTE + (2 * HOUR if step >= _REAPING else 0)


class Hands:
    """Does the steps on a store that was opened with these hands' clock and ids."""

    def __init__(self, mark: str) -> None:
        self.clock = FakeClock()
        self.ids = Ids(mark)
        self._mark = mark

    def do(self, store: Store, number: int) -> None:
        """Do one step."""
        self.clock.jump(time_of(number) - self.clock.now())
        self.ids.enter(number)
        STEPS[number][1](store, self._mark)


def digest(url: str, mark: str) -> dict[str, list[str]]:
    """Return every row as text in a fixed order, without what differs by store or by mark."""
    found = invariants.tables(url)
    left_out = ("hash", "event_head", "seq", "transaction_id")
    return {
        name: sorted(
            repr({k: v for k, v in sorted(row.items()) if k not in left_out}).replace(mark, "MARK") for row in rows
        )
        for name, rows in found.items()
        if name != "ledger"
    }


# The work of one worker each


def record(worker: Worker, url: str, mark: str) -> None:
    """Do everything; say each place that is passed, and after each step what the ledger then holds."""
    hands = Hands(mark)
    store = HookedStore(open_store(url, clock=hands.clock, ids=hands.ids), lambda place: worker.say(["place", place]))
    for number in range(len(STEPS)):
        hands.do(store, number)
        worker.say(["done", number, digest(url, mark)])
    store.close()


def die(worker: Worker, url: str, mark: str, step: int, place: int) -> None:
    """Do one step and be killed at its n-th place, from 1."""
    hands = Hands(mark)
    store = open_store(url, clock=hands.clock, ids=hands.ids)
    hands.do(HookedStore(store, DieAt(place)), step)
    worker.say("acknowledged")
