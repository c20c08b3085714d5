"""Budgets in the ledger: reserved in the claim, settled exactly once by whatever ends the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.kernel import attention, events
from harnessos.model.budget import (
    DAY_DEFAULTS,
    DIMENSIONS,
    DOLLAR,
    UNLIMITED,
    Balance,
    Limits,
    day_after,
    limits,
    utc_day,
)
from harnessos.store.transaction import Collided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction


class Scope(NamedTuple):
    """Whose budget of the day it is: a project's, or a mission's (the id of its standing issue)."""

    kind: str
    id: str

    @property
    def key(self) -> dict[str, str]:
        """The scope as queries name it."""
        return {"scope_kind": self.kind, "scope": self.id}


def of_project(project_id: str) -> Scope:
    """Return the scope of a project's ordinary issues."""
    return Scope("project", project_id)


def scope_of(issue: Row) -> Scope:
    """Return the scope that pays for an issue's runs: a mission has a budget of its own, its tasks use that one."""
    if issue["kind"] == "task":
        return of_project(issue["project_id"])
    return Scope("mission", issue["parent_id"] or issue["id"])


class Reservation(NamedTuple):
    """What a claim sets aside for its run, in so many dimensions."""

    day: str
    wall_ms: int
    usd: int
    dimensions: int


def limits_of(issue: Row, *outer: str) -> Limits:
    """Return the limits of an issue's runs: the issue's own budget, then the outer documents (JSON), then the default."""
    return limits(json.loads(issue["budget_json"]), *(json.loads(document) for document in outer))


def open_scope(tx: Transaction, scope: Scope) -> None:
    """Give a new project or mission the default caps."""
    for dimension, cap in DAY_DEFAULTS.items():
        tx.do("budget_set", **scope.key, dimension=dimension, cap=cap, set_by="default")


def balances(tx: Transaction, scope: Scope, day: str) -> list[Balance]:
    """Return the scope's balances of a UTC day, opening the day at its first use."""
    rows = tx.all("budget_balances", **scope.key, period=day)
    if not rows:
        tx.do("budget_open", **scope.key, period=day)
        rows = tx.all("budget_balances", **scope.key, period=day)
    return [Balance(row["dimension"], row["cap"], row["spent"], row["reserved"], row["set_by"]) for row in rows]


class Lacking(NamedTuple):
    """The dimension of the day that cannot take a run, and why: `reserved` by live runs, or `spent`."""

    dimension: str
    why: str


def wanted(tx: Transaction, issue: Row, run: Limits, found: Sequence[Balance]) -> Reservation | Lacking:
    """Return what a run of this issue reserves, or what is lacking.

    It is the run's wall time, and money where an operator set a money cap; near the end of a day's budget, what is left.
    """
    wall = run.run_wall_ms or 0
    if run.issue_wall_ms is not None:
        wall = max(1, min(wall or run.issue_wall_ms, run.issue_wall_ms - issue["wall_ms"]))
    # Nobody asked for the default cap on money: what runners report counts against it, nothing is set aside.
    asked = any(balance.dimension == "usd" and balance.set_by != "default" for balance in found)
    want = {"runs": 1, "wall_ms": wall, "usd": (run.run_usd or 0) if asked else 0}
    got = dict.fromkeys(want, 0) | {"wall_ms": wall}
    for balance in found:
        share = balance.share(want.get(balance.dimension, 0))
        if share.lacking:
            return Lacking(balance.dimension, share.lacking)
        got[balance.dimension] = share.amount
    return Reservation(utc_day(tx.now), got["wall_ms"], got["usd"], len(found))


def reserve(tx: Transaction, scope: Scope, want: Reservation) -> None:
    """Set the amounts aside. Collided when another claim was given meanwhile what `wanted` saw.

    All claims and ends of a project meet in these rows: each locks them last, so that they stand in line for nothing
    but the commit.
    """
    values = {"wall_ms": want.wall_ms, "usd": want.usd}
    if tx.run("budget_reserve", **scope.key, period=want.day, **values) != want.dimensions:
        raise Collided


def hold(tx: Transaction, project_id: str, dimension: str, cause: Cause) -> str:
    """Hold the project until the next UTC day because a cap is reached; return the reason."""
    reason = f"budget:project {dimension} of the day"
    until = day_after(tx.now)
    tx.do("hold_set", **of_project(project_id).key, kind="budget", reason=reason, until=until, now=tx.now)
    project = tx.one("project_by_id", id=project_id)
    assert project is not None
    attention.ask(
        tx,
        project_id,
        None,
        kind="budget",
        dedup=f"budget/{project_id}/{utc_day(tx.now)}",
        question=f"The day's budget of {project['key']} is used up ({dimension}); nothing is claimed until midnight UTC.",
        command=f"harness budget set {project['key']} {dimension} AMOUNT",
    )
    events.note(tx, ("project", project_id), "budget.held", cause, {"dimension": dimension, "until": until})
    return reason


def wall_used(run: Row) -> int:
    """Return the wall time of an ended run in ms.

    A lost run is charged up to the end of its lease: what came after may be a machine that slept.
    """
    ended = min(run["ended_at"], run["expires_at"]) if run["outcome"] == "lost" else run["ended_at"]
    return max(0, int(ended - run["started_at"]))


def settle(tx: Transaction, scope: Scope, run: Row) -> None:
    """Turn an ended run's reservation into what it used; last in the transaction, as `reserve` says.

    Spend that a runner did not report is charged in full where money was reserved, as is that of a lost run: what
    its last turn cost nobody knows.
    """
    usd = run["spent_usd"]
    if usd is None or run["outcome"] == "lost":
        usd = max(usd or 0, run["reserved_usd"])
    tx.do(
        "budget_settle",
        **scope.key,
        period=run["budget_day"],
        wall_ms=wall_used(run),
        usd=usd,
        reserved_wall_ms=run["reserved_wall_ms"],
        reserved_usd=run["reserved_usd"],
    )


def lift_provider(tx: Transaction, name: str, cause: Cause) -> None:
    """A person says that a provider's account may be used again."""
    if cause.actor.kind == "agent":
        raise errors.OperatorOnly(
            "only a person may lift a hold", hint=f"ask for: `harness breaker reset provider:{name}`"
        )
    if not tx.run("hold_lift", scope_kind="provider", scope=name, kind="breaker"):
        raise errors.UnknownIdentifier(
            f"no hold on the provider {name}", hint="`harness breaker list` shows what is held"
        )
    ledger = tx.one("ledger_read", one=1)
    assert ledger is not None
    events.note(tx, ("ledger", ledger["id"]), "provider.lifted", cause, {"provider": name})
    tx.wake()


class Payer(NamedTuple):
    """Whose budget it is: the scope, the subject whose chain tells of changes, and a name for people."""

    scope: Scope
    subject: tuple[str, str]
    name: str


def set_cap(tx: Transaction, project: Row, dimension: str, amount: str, cause: Cause) -> None:
    """Change a cap of a project; see `set_cap_of`."""
    payer = Payer(of_project(project["id"]), ("project", project["id"]), project["key"])
    set_cap_of(tx, payer, dimension, amount, cause)


def set_cap_of(tx: Transaction, payer: Payer, dimension: str, amount: str, cause: Cause) -> None:
    """Change a cap for today and the following days, and lift the hold it caused (operator only, by the caller)."""
    if dimension not in DIMENSIONS:
        raise errors.BadContent(f"there is no budget {dimension}; there are {', '.join(DIMENSIONS)}")
    cap = parse_amount(dimension, amount)
    scope = payer.scope.key
    tx.do("budget_set", **scope, dimension=dimension, cap=cap, set_by=str(cause.actor))
    tx.do("budget_cap", **scope, dimension=dimension, cap=cap, period=utc_day(tx.now))
    tx.do("hold_lift", **scope, kind="budget")
    tx.do(
        "attention_resolve_dedup", dedup=f"budget/{payer.scope.id}/{utc_day(tx.now)}", now=tx.now, by=str(cause.actor)
    )
    events.note(tx, payer.subject, "budget.changed", cause, {"dimension": dimension, "cap": cap})
    tx.wake()


def parse_amount(dimension: str, text: str) -> int | None:
    """Return a cap as stored: `runs` as a number, `wall_ms` from hours, `usd` from dollars; None for "unlimited"."""
    if text == UNLIMITED:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    unit = {"runs": 1, "wall_ms": 3_600_000, "usd": DOLLAR}[dimension]
    # Less than one of the smallest unit would be a cap of zero.
    if not 1 <= number * unit < 1e18:
        raise errors.BadContent(
            f'a cap must be a positive number or the word "{UNLIMITED}", not {text!r}',
            hint="runs in runs a day, wall_ms in agent-hours a day, usd in dollars a day",
        )
    return int(number * unit)
