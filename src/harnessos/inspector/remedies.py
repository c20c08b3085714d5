"""The one command that changes where an issue is, as words that can be typed as they are. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from harnessos.model.budget import DOLLAR, HOUR_MS

if TYPE_CHECKING:
    from harnessos.inspector.status import DayBudget
    from harnessos.inspector.views import Host
    from harnessos.store.transaction import Row

Command = tuple[str, ...]
_UNITS = {"runs": 1, "wall_ms": HOUR_MS, "usd": DOLLAR}


class Remedy(NamedTuple):
    """A command and who may give it: `operator`, or `anyone`."""

    command: Command
    needs: str = "operator"


def harness(*words: str, needs: str = "operator") -> Remedy:
    """Return the remedy `harness WORDS`."""
    return Remedy(("harness", *words), needs)


def begin(key: str, identifier: str | None = None, *serving: str) -> Remedy:
    """Return the claim of an issue, or of whatever is next (which also reaps, settles and wakes what is due)."""
    named = ("--issue", identifier) if identifier else ()
    return harness("session", "begin", "--project", key, *named, *serving, needs="anyone")


def up(key: str) -> Remedy:
    """Return the start of a supervisor for a project."""
    return harness("up", "--project", key)


def supervised(key: str, command: Command, host: Host) -> Command | None:
    """Return `harness up` where it does what a command would do by hand: the project has a runner on this host."""
    by_hand = command[1:2] == ("session",) and not {"--workload-class", "--capability"} & set(command)
    return up(key).command if host.runner and by_hand else None


def serving(lane: Row) -> tuple[str, ...]:
    """Return the options by which a claim serves a lane."""
    words = ["--workload-class", lane["workload_class"]] if lane["workload_class"] else []
    for name in filter(None, lane["capabilities"].split(",")):
        words += ["--capability", name]
    return tuple(words)


def for_blocked(identifier: str, reason: str) -> Remedy:
    """Return what unblocks an issue whose reason is its own."""
    if reason in ("approval:review", "approval:unverified"):
        return harness("issue", "approve", identifier)
    if reason == "breaker:issue":
        return harness("breaker", "reset", identifier)
    return harness("issue", "retry", identifier)


def for_root(identifier: str, status: str) -> Remedy:
    """Return what sets a failed or cancelled issue going again."""
    return harness("issue", "reopen" if status == "cancelled" else "retry", identifier)


def raise_cap(key: str, reason: str, budgets: tuple[DayBudget, ...]) -> Remedy:
    """Return the command that doubles the cap a budget hold names."""
    words = reason.split()
    spent = next((budget for budget in budgets if budget.dimension in words), None)
    if spent is None or spent.cap is None:
        return harness("budget", "show", key)
    need = max(2 * spent.cap, spent.spent + spent.reserved)
    amount = -(-need // _UNITS[spent.dimension])
    return harness("budget", "set", key, spent.dimension, str(amount))


def asked(attention: Row, key: str, budgets: tuple[DayBudget, ...]) -> Remedy:
    """Return an inbox entry's own command; where that is a template, or only looks, one that can be given."""
    words = tuple(shlex.split(attention["command"]))
    if attention["kind"] == "budget" and words[:3] == ("harness", "budget", "set"):
        return raise_cap(key, " ".join(words), budgets)
    if words[1:2] == ("why",) or words[1:3] == ("schedule", "show"):
        return harness("attention", "resolve", attention["id"])
    return Remedy(words)
