"""A ledger to tell a timeline with: one project, its plan, and what agents, clocks and operators do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from harnessos.kernel import (
    budgets,
    campaigns,
    claims,
    ending,
    evidence,
    operations,
    planning,
    projects,
    reaping,
    runs,
    settling,
)
from harnessos.kernel.claims import Claimed, ClaimRequest, Nothing
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.gate import parse_gate
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.plan import Plan, PlannedCampaign, PlannedIssue, PlannedMilestone
from harnessos.model.policy import PRIORITIES, Policy
from harnessos.model.process import Identity
from harnessos.model.run import OPERATOR, Actor
from harnessos.model.verdict import GateResult
from harnessos.store.transaction import Row, Store, Transaction
from harnessos.testing import FakeClock

BY_OPERATOR = Cause(OPERATOR, "test")
HERE = Identity("machine-a", "boot-1", 100, 1)
ELSEWHERE = Identity("machine-b", "boot-9", 100, 1)
COMMIT = "c0ffee"
SECOND, MINUTE, HOUR, DAY, WEEK = 1_000, 60_000, 3_600_000, 86_400_000, 7 * 86_400_000

_tokens = count(1)


class Draft(NamedTuple):
    """An issue as a test writes it: dependencies and milestone by key."""

    planned: PlannedIssue
    milestone: str
    depends: tuple[str, ...]


def draft(
    key: str, *, depends: Sequence[str] = (), milestone: str = "m", priority: str = "medium", **fields: Any
) -> Draft:
    """Return an issue called `key`. Any: `fields` are those of PlannedIssue."""
    planned = PlannedIssue(key, "", PRIORITIES.index(priority), "M", key, 0)._replace(**fields)
    return Draft(planned, milestone, tuple(depends))


def approval(name: str, state: str = "pending", *, required: bool = True) -> dict[str, object]:
    """Return the metadata of an issue or milestone that asks for one approval."""
    return {"approvals": [{"id": name, "state": state, "required": required, "label": name}]}


def agent(name: str) -> Cause:
    """Return the cause of a command that an agent gives."""
    return Cause(Actor("agent", name), "test")


class Ledger:
    """A store with the project DOCS; issues are named by their plan key or their identifier."""

    def __init__(self, store: Store, clock: FakeClock, key: str = "DOCS") -> None:
        self.store = store
        self.clock = clock
        self.keys: dict[str, str] = {}
        self.project: Row = store.write(projects.create, key, key.lower(), "git", "r00t", "main", BY_OPERATOR)

    # What is planned

    def build(
        self,
        *drafts: Draft | str,
        milestones: Mapping[str, Sequence[str]] | None = None,
        metadata: Mapping[str, Mapping[str, object]] | None = None,
        plan_key: str | None = "plan",
        campaign: PlannedCampaign | None = None,
    ) -> Plan:
        """Return a plan. `milestones` maps keys to the keys each depends on, `metadata` to what it asks for."""
        drafts_ = [draft(item) if isinstance(item, str) else item for item in drafts]
        wanted = dict(milestones or {}) or {item.milestone: () for item in drafts_}
        places = {name: place for place, name in enumerate(wanted)}
        ordered = sorted(drafts_, key=lambda item: places[item.milestone])
        position = {item.planned.key: number for number, item in enumerate(ordered)}
        issues = [
            item.planned._replace(
                milestone=places[item.milestone],
                depends_on=tuple(sorted(position[name] for name in item.depends)),
                key=item.planned.key if plan_key else None,
            )
            for item in ordered
        ]
        planned = tuple(
            PlannedMilestone(name, "", tuple(places[on] for on in after), metadata=(metadata or {}).get(name, {}))
            for name, after in wanted.items()
        )
        return Plan(plan_key, campaign, planned, tuple(issues))

    def plan(
        self, *drafts: Draft | str, into: str | None = None, by: Cause = BY_OPERATOR, **shape: Any
    ) -> planning.Applied:
        """Build a plan, apply it to the campaign `into`, and remember the identifiers. Any: see `build`."""
        return self.apply(self.build(*drafts, **shape), into=into, by=by)

    def apply(self, plan: Plan, into: str | None = None, by: Cause = BY_OPERATOR) -> planning.Applied:
        """Apply a plan to the campaign `into`."""
        applied = self.store.write(planning.apply, self.project, plan, into, by)
        fresh = iter(applied.created)
        for planned in plan.issues:
            if len(applied.created) == len(plan.issues) or planned.key not in self.keys:
                self.keys[planned.key or planned.task] = next(fresh)
        return applied

    def campaign(self, name: str, policy: Mapping[str, object] | None = None) -> Row:
        """Return the campaign of that name, made at its first use."""
        row = self.one("campaign_by_name", project=self.project["id"], name=name)
        return row or self.store.write(campaigns.create, self.project["id"], name, "", policy or {}, BY_OPERATOR)

    # What agents do

    def ask(
        self, name: str | None = None, *, here: Identity = HERE, by: str = "worker", **fields: Any
    ) -> Claimed | Nothing:
        """Claim the issue `name`, or the next one. Any: `fields` are those of ClaimRequest."""
        token = f"token-{next(_tokens)}"
        request = ClaimRequest(self.project["id"], here, token, by, issue=name and self.identifier(name), **fields)
        return self.store.write(claims.claim, request, agent(by))

    def claim(self, name: str | None = None, **fields: Any) -> Claimed:
        """Claim, and insist on getting something. Any: as in `ask`."""
        got = self.ask(name, **fields)
        assert isinstance(got, Claimed), got
        return got

    def refusal(self, name: str | None = None, **fields: Any) -> str:
        """Claim, insist on getting nothing, and return the reason. Any: as in `ask`."""
        got = self.ask(name, **fields)
        assert isinstance(got, Nothing), self.name_of(got.issue["identifier"])
        return got.reason

    def taken(self, **fields: Any) -> str:
        """Claim the next issue and return its key. Any: as in `ask`."""
        return self.name_of(self.claim(**fields).issue["identifier"])

    def order(self, **fields: Any) -> list[str]:
        """Claim until nothing is left and return the keys in the order they came. Any: as in `ask`."""
        names = []
        while isinstance(got := self.ask(**fields), Claimed):
            names.append(self.name_of(got.issue["identifier"]))
        return names

    def judge(
        self, run: Claimed, commit: str = COMMIT, *, passed: bool | None = True, protected: Sequence[str] = ()
    ) -> Any:
        """Record one gate's result at `commit`; return the decision."""
        gate = parse_gate("true", "g", [])
        assert gate is not None
        result = GateResult(gate.name, gate.kind, True, passed, commit)
        return self.do(evidence.judge, run.lease, [gate], [result], list(protected), commit, self.cause(run))

    def finish(self, run: Claimed, closing: Closing | None = None, **shape: Any) -> Row:
        """Judge the run by one gate and end it with that verdict. Any: as in `judge`."""
        decision = self.judge(run, **shape)
        closing = closing or Closing(commit=shape.get("commit", COMMIT))
        return self.store.write(evidence.accept, run.lease, decision, self.cause(run), closing)

    def end(self, run: Claimed, outcome: Outcome, closing: Closing | None = None, **fields: Any) -> Row:
        """End the run with that outcome. Any: `fields` are those of Ended."""
        reason = fields.pop("reason", outcome.value)
        return self.store.write(
            ending.finish, run.lease, Ended(outcome, reason, **fields), self.cause(run), closing or Closing()
        )

    def fail(self, run: Claimed, **fields: Any) -> Row:
        """End the run as the agent's fault. Any: as in `end`."""
        return self.end(run, Outcome.AGENT_FAULT, **fields)

    def do_all(self, *names: str) -> None:
        """Claim and finish each of these issues, verified."""
        for name in names:
            self.finish(self.claim(name))

    def cause(self, run: Claimed) -> Cause:
        """Return the cause of a run's own write."""
        return runs.cause_of(run.run, "test")

    def reap(self, here: Identity = HERE, most: int = 32) -> list[Row]:
        """Reap as a tick on `here` does."""
        return self.store.write(reaping.reap, here, BY_OPERATOR, most)

    def settle(self) -> None:
        """Work off every settlement, as ticks would."""
        while self.do(settling.step, self.project["id"], BY_OPERATOR):
            pass

    # What operators do

    def cancel(self, name: str, by: Cause = BY_OPERATOR) -> Row:
        """Cancel an issue."""
        return self.store.write(operations.cancel, self.identifier(name), "not wanted", by)

    def retry(self, name: str, by: Cause = BY_OPERATOR) -> Row:
        """Retry an issue."""
        return self.store.write(operations.retry, self.identifier(name), by)

    def reopen(self, name: str, by: Cause = BY_OPERATOR) -> Row:
        """Reopen an issue."""
        return self.store.write(operations.reopen, self.identifier(name), "not good enough", by)

    def approve(self, name: str, approval: str | None = None, state: str = "approved", by: Cause = BY_OPERATOR) -> Row:
        """Decide an approval of an issue, or with none its judged commit."""
        return self.store.write(operations.approve, self.identifier(name), approval, state, "seen", by)

    def redepend(self, name: str, add: Sequence[str] = (), drop: Sequence[str] = ()) -> Row:
        """Add and drop dependencies of an issue."""
        added, dropped = [self.identifier(on) for on in add], [self.identifier(on) for on in drop]
        return self.store.write(operations.redepend, self.identifier(name), added, dropped, BY_OPERATOR)

    def cap(self, dimension: str, amount: str) -> None:
        """Set a cap of the project's day."""
        self.do(budgets.set_cap, self.project, dimension, amount, BY_OPERATOR)

    # What there is to see

    def do(self, command: Callable[..., Any], *args: Any) -> Any:
        """Run a kernel command in a transaction. Any: whatever the command takes and returns."""
        return self.store.write(command, *args)

    def all(self, query: str, **values: Any) -> list[Row]:
        """Return the rows of a named query."""
        return self.store.read(_all, query, values)

    def one(self, query: str, **values: Any) -> Row | None:
        """Return the first row of a named query."""
        rows = self.all(query, **values)
        return rows[0] if rows else None

    def identifier(self, name: str) -> str:
        """Return the identifier of the issue that the plan calls `name`."""
        return self.keys.get(name, name)

    def name_of(self, identifier: str) -> str:
        """Return what the plan calls the issue."""
        return next((key for key, known in self.keys.items() if known == identifier), identifier)

    def __getitem__(self, name: str) -> Row:
        row = self.one("issue_by_identifier", identifier=self.identifier(name))
        assert row is not None, name
        return row

    def status(self, name: str) -> str:
        """Return an issue's status."""
        return str(self[name]["status"])

    def reason(self, name: str) -> str | None:
        """Return what the ledger holds as an issue's blocked_reason."""
        reason = self[name]["blocked_reason"]
        return None if reason is None else str(reason)

    def statuses(self, *names: str) -> list[str]:
        """Return the status of each of these issues."""
        return [self.status(name) for name in names]

    def milestone(self, key: str = "m", campaign: str = "default") -> Row:
        """Return a milestone."""
        owner = self.campaign(campaign)
        row = self.one("milestone_by_key", campaign=owner["id"], key=key)
        assert row is not None, key
        return row

    def run(self, run: Claimed) -> Row:
        """Return a run as it is now."""
        row = self.one("run_by_id", id=run.lease.run_id)
        assert row is not None
        return row

    def events(self, name: str) -> list[Row]:
        """Return an issue's events, oldest first."""
        return self.all("event_of_subject", subject=self[name]["id"], after=0, most=10_000)

    def kinds(self, name: str) -> list[str]:
        """Return the kinds of an issue's events, oldest first."""
        return [event["kind"] for event in self.events(name)]

    def attention(self) -> list[Row]:
        """Return what waits for a person."""
        return self.all("attention_open", project=self.project["id"], after="", most=1000)

    def asked(self) -> list[str]:
        """Return the kinds of what waits for a person."""
        return [row["kind"] for row in self.attention()]


def policy(**fields: Any) -> Policy:
    """Return a policy with these fields. Any: those of Policy."""
    return Policy(**fields)


def _all(tx: Transaction, query: str, values: Mapping[str, Any]) -> list[Row]:
    return tx.all(query, **values)
