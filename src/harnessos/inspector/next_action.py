"""What to do next in a project: one action, the reason, and the command to give as it is.

The order is fixed and the first hit wins: store problem, expired lease, recovery, ready work for this host, a person's
approval or answer, promotable work, a schedule that is due, blocked work, a run whose supervisor is dead, idle. Promotable work is never
hidden by blocked work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.errors import StoreMissing, StoreTooOld, StoreUnavailable
from harnessos.inspector import remedies, situation
from harnessos.inspector.views import ANY_HOST, Host, counted, span
from harnessos.model.issue import PRIORITIES
from harnessos.model.outcome import BREAKER_AFTER

if TYPE_CHECKING:
    from harnessos.inspector.remedies import Remedy
    from harnessos.inspector.situation import Situation
    from harnessos.store.transaction import Row, Transaction


class Context(NamedTuple):
    """The exact rows an action is about; None for what has no part in it."""

    project: str | None = None
    issue: dict[str, Any] | None = None
    milestone: str | None = None
    blocker: dict[str, Any] | None = None
    lease: dict[str, Any] | None = None
    policy_breach: dict[str, Any] | None = None


class NextAction(NamedTuple):
    """`payload` is `{"command": argv, "needs": "operator" | "anyone"}` and can be sent as it is.

    Where the project has a runner, `supervised` in it is the argv by which a supervisor does the same.
    """

    action: str
    reason: str
    payload: dict[str, Any]
    context: Context


def query(tx: Transaction, project: Row, host: Host = ANY_HOST) -> NextAction:
    """Return what to do next in a project, for a host."""
    found = decide(situation.query(tx, project, host))
    instead = remedies.supervised(project["key"], tuple(found.payload["command"]), host)
    return found if instead is None else found._replace(payload={**found.payload, "supervised": list(instead)})


def decide(seen: Situation) -> NextAction:
    """Return the first action of the order that the situation calls for."""
    for stage in _STAGES:
        found = stage(seen)
        if found is not None:
            return found
    return _idle(seen)


def store_problem(problem: StoreUnavailable, key: str) -> NextAction:
    """Return the action for a ledger that cannot be opened."""
    if isinstance(problem, StoreMissing):
        remedy = remedies.harness("init", "--key", key)
    elif isinstance(problem, StoreTooOld):
        remedy = remedies.harness("db", "upgrade")
    else:
        remedy = remedies.harness("where", needs="anyone")
    blocker = {"code": problem.code, "message": problem.message, "hint": problem.hint}
    return _action("mend_store", problem.message, remedy, Context(blocker=blocker))


def unregistered(folder: str, key: str) -> NextAction:
    """Return the action for a folder that belongs to no project."""
    remedy = remedies.harness("init", "--key", key)
    return _action("set_up", f"{folder} is registered for no project yet", remedy, Context(blocker={"path": folder}))


def _action(action: str, reason: str, remedy: Remedy, context: Context) -> NextAction:
    return NextAction(action, reason, {"command": list(remedy.command), "needs": remedy.needs}, context)


def _issue(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "identifier": row["identifier"], "priority": PRIORITIES[row["priority"]]}


def _breach(row: Row) -> dict[str, Any] | None:
    triggers = [name for name in row["breaches"].split(",") if name]
    return {"issue_id": row["id"], "triggers": triggers, "deadline_at": row["deadline_at"]} if triggers else None


def _expired(seen: Situation) -> NextAction | None:
    run = seen.expired
    if run is None:
        return None
    key, identifier = seen.project["key"], run["identifier"]
    # A named claim of an issue that is not ready after the reaping would be refused, and its refusal undo the reaping.
    free = not run["waits"] and run["breaks"] + 1 < BREAKER_AFTER
    late = span(seen.now - run["expires_at"])
    lease = {name: run[name] for name in ("epoch", "agent", "machine_id", "expires_at")}
    return _action(
        "reap",
        f"the lease of {run['agent'] or 'an agent'} on {identifier} ran out {late} ago; the next claim ends that run",
        remedies.begin(key, identifier if free else None),
        Context(key, {"id": run["issue_id"], "identifier": identifier}, lease={"run_id": run["id"], **lease}),
    )


def _recovery(seen: Situation) -> NextAction | None:
    row = seen.recovery
    if row is None:
        return None
    key, identifier = seen.project["key"], row["identifier"]
    words = ("session", "begin-recovery", "--project", key, "--issue", identifier, *remedies.serving(row))
    return _action(
        "recover",
        f"the last run of {identifier} was lost; a new one starts from what it left",
        remedies.harness(*words, needs="anyone"),
        Context(key, _issue(row), lease={"run_id": row["run_id"], "epoch": row["epoch"]}, policy_breach=_breach(row)),
    )


def _ready(seen: Situation) -> NextAction | None:
    row = seen.ready
    if row is None:
        return None
    key, breach = seen.project["key"], _breach(row)
    overdue = f", overdue ({', '.join(breach['triggers'])})" if breach else ""
    return _action(
        "begin",
        f"{row['identifier']} is ready and first in the claim order{overdue}",
        remedies.begin(key, row["identifier"], *remedies.serving(row)),
        Context(key, _issue(row), policy_breach=breach),
    )


def _person(seen: Situation) -> NextAction | None:
    key = seen.project["key"]
    if seen.attention is not None:
        row = seen.attention
        issue = {"id": row["issue_id"], "identifier": row["identifier"]} if row["issue_id"] else None
        blocker = {"attention_id": row["id"], "kind": row["kind"], "since": row["created_at"]}
        remedy = remedies.asked(row, key, seen.budgets)
        return _action("answer", row["question"], remedy, Context(key, issue, blocker=blocker))
    if seen.approval is not None:
        row = seen.approval
        return _action(
            "approve",
            f"{row['identifier']} waits for the approval {row['name']}",
            remedies.harness("issue", "approve", row["identifier"], "--name", row["name"]),
            Context(
                key,
                {"id": row["issue_id"], "identifier": row["identifier"]},
                blocker={"approval_id": row["id"], "name": row["name"], "label": row["label"]},
            ),
        )
    return None


def _promotable(seen: Situation) -> NextAction | None:
    key = seen.project["key"]
    remedy = remedies.harness("plan", "promote", "--project", key, needs="anyone")
    if seen.settlement is not None:
        row = seen.settlement
        blocker = {"settlement": row["subject_id"], "kind": row["subject_kind"], "since": row["created_at"]}
        text = "what depends on finished work has not all been told yet"
        return _action("promote", text, remedy, Context(key, blocker=blocker))
    if seen.promotable is not None:
        text = f"{seen.promotable['identifier']} waits for nothing and is not ready yet"
        return _action("promote", text, remedy, Context(key, dict(seen.promotable)))
    return None


def _scheduled(seen: Situation) -> NextAction | None:
    row = seen.scheduled
    if row is None:
        return None
    key = seen.project["key"]
    late = span(seen.now - row["fires_at"])
    blocker = {"schedule_id": row["id"], "name": row["name"], "nominal_at": row["next_at"], "fires_at": row["fires_at"]}
    return _action(
        "schedule",
        f"the schedule {row['name']} is due since {late}; `harness up` or one evaluation fires it",
        remedies.harness("schedule", "evaluate", "--project", key),
        Context(key, blocker=blocker),
    )


def _blocked(seen: Situation) -> NextAction | None:
    key = seen.project["key"]
    row = seen.blocked
    if row is not None and (seen.root is None or seen.root["status"] in ("failed", "cancelled")):
        reason = row["blocked_reason"]
        blocker: dict[str, Any] = {"reason": reason}
        if seen.root is None:
            remedy = remedies.for_blocked(row["identifier"], reason)
        else:
            remedy = remedies.for_root(seen.root["identifier"], seen.root["status"])
            blocker.update(issue_id=seen.root["id"], identifier=seen.root["identifier"], status=seen.root["status"])
        context = Context(key, _issue(row), row["milestone"], blocker)
        return _action("unblock", f"{row['identifier']} is blocked ({reason})", remedy, context)
    if seen.failed is not None:
        row = seen.failed
        context = Context(key, _issue(row), row["milestone"], {"reason": "failed", "attempts": row["attempts"]})
        text = f"{row['identifier']} failed after {counted(row['attempts'], 'attempt')}"
        return _action("unblock", text, remedies.for_root(row["identifier"], "failed"), context)
    return _held(seen)


def _held(seen: Situation) -> NextAction | None:
    """A scope is held, or nobody here serves what is ready."""
    key = seen.project["key"]
    if seen.hold is not None:
        hold = seen.hold
        blocker = {name: hold[name] for name in ("scope_kind", "scope_id", "kind", "reason", "until")}
        remedy = remedies.raise_cap(key, hold["reason"], seen.budgets)
        return _action("unblock", f"{key} is held: {hold['reason']}", remedy, Context(key, blocker=blocker))
    if seen.paused is not None:
        name = seen.paused["campaign"]
        return _action(
            "unblock",
            f"campaign {name} is paused and has ready work",
            remedies.harness("campaign", "resume", name, "--project", key),
            Context(key, blocker={"reason": f"campaign_paused:{name}", "lane_id": seen.paused["id"]}),
        )
    if seen.elsewhere is not None:
        row, missing = seen.elsewhere
        return _action(
            "serve",
            f"{row['identifier']} is ready but this host does not serve {', '.join(missing)}",
            remedies.begin(key, row["identifier"], *remedies.serving(row)),
            Context(key, _issue(row), blocker={"lane_id": row["lane_id"], "missing": list(missing)}),
        )
    return None


def _abandoned(seen: Situation) -> NextAction | None:
    run = seen.abandoned
    if run is None:
        return None
    key = seen.project["key"]
    lease = {name: run[name] for name in ("epoch", "agent", "machine_id", "expires_at")}
    return _action(
        "recover",
        f"the supervisor of the run at {run['identifier']} is dead; `harness up` takes it over",
        remedies.up(key),
        Context(key, {"id": run["issue_id"], "identifier": run["identifier"]}, lease={"run_id": run["id"], **lease}),
    )


def _idle(seen: Situation) -> NextAction:
    key = seen.project["key"]
    context, reason = Context(key), f"nothing to do in {key}: everything is finished or nothing is planned"
    if seen.live is not None:
        run = seen.live
        reason = f"{run['agent'] or 'an agent'} works at {run['identifier']}; nothing else can start"
        context = Context(
            key,
            {"id": run["issue_id"], "identifier": run["identifier"]},
            lease={name: run[name] for name in ("id", "epoch", "agent", "machine_id", "expires_at")},
        )
        if seen.busy is not None:
            row, held = seen.busy
            reason = f"{row['identifier']} waits for files that the run of {held['identifier']} holds ({held['path']})"
            context = Context(key, _issue(row), blocker={"run_id": held["run_id"], "path": held["path"]})
    elif seen.timer is not None:
        wait = span(seen.timer["not_before"] - seen.now)
        reason = f"nothing to do in {key} for {wait}: then {seen.timer['identifier']} is tried again"
        blocker = {"not_before": seen.timer["not_before"]}
        context = Context(key, {"id": seen.timer["id"], "identifier": seen.timer["identifier"]}, blocker=blocker)
    return _action("idle", reason, remedies.harness("status", "--project", key, needs="anyone"), context)


_STAGES = (_expired, _recovery, _ready, _person, _promotable, _scheduled, _blocked, _abandoned)
