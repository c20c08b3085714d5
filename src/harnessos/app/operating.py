"""What a person does to projects, campaigns, issues, runs, budgets and the inbox: one kernel command each.

After the commit, what depends on a changed issue learns of it as far as one call may.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple

from harnessos import errors, processes
from harnessos.kernel import budgets, campaigns, operations, projects, settling
from harnessos.model.budget import utc_day
from harnessos.model.gate import GateKind, parse_gates
from harnessos.model.issue import PRIORITIES, Status
from harnessos.model.plan import PlannedIssue, definition_hash
from harnessos.model.policy import from_document
from harnessos.store import named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harnessos.app.harness import Harness
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import P, Row, Transaction


class Edit(NamedTuple):
    """Changes to an issue; None and empty leave as it is."""

    task: str | None = None
    description: str | None = None
    priority: str | None = None
    size: str | None = None
    add: Sequence[str] = ()
    drop: Sequence[str] = ()


def require_operator(harness: Harness, what: str, command: str) -> None:
    """Raise OperatorOnly, naming the command to give a person, when an agent calls."""
    operations.only_operator(harness.cause, what, command)


def change(
    harness: Harness, command: Callable[Concatenate[Transaction, P], Row], *args: P.args, **kwargs: P.kwargs
) -> Row:
    """Run a kernel command that returns an issue's row, then tell its dependents; return the row."""
    issue = harness.write(command, *args, **kwargs)
    settling.drain(harness.store, issue["project_id"], harness.cause)
    return issue


def approve(harness: Harness, identifier: str, name: str | None, state: str, note: str) -> Row:
    """Decide an approval; a commit that is accepted by it is kept from here on, as one the gates accepted is."""
    who, cause = _who_may_answer(harness, identifier), _by_this_user(harness)
    issue = change(harness, operations.approve, identifier, name, state, note, cause, who)
    if issue["status"] == Status.DONE and issue["accepted_commit"] is not None:
        from harnessos.dispatch import place as places
        from harnessos.dispatch import settlement

        place = places.find(harness.ground, harness.read(_project_of, issue), load=False)
        if place.is_git:
            settlement.keep_accepted(place.repo, issue)
    return issue


def _who_may_answer(harness: Harness, identifier: str) -> dict[str, tuple[str, ...]] | None:
    """Return who may answer each approval gate of an issue that waits for a review; None for any other issue."""
    issue = harness.read(named.issue, identifier)
    if issue["blocked_reason"] != "approval:review":
        return None
    from harnessos.dispatch import place as places

    campaign = harness.read(lambda tx: tx.one("campaign_by_id", id=issue["campaign_id"]))
    assert campaign is not None
    place = places.find_quickly(harness.ground, harness.read(_project_of, issue))
    gates = places.rules_of(place, campaign, issue).gates
    return {gate.name: gate.who for gate in gates if gate.kind is GateKind.APPROVAL}


def _by_this_user(harness: Harness) -> Cause:
    """Return the call's cause with the person named by the uid, as trust is: $USER says what anybody likes."""
    cause = harness.cause
    if cause.actor.kind == "agent":
        return cause
    return cause._replace(actor=cause.actor._replace(name=processes.user_name()))


def _project_of(tx: Transaction, issue: Row) -> Row:
    project = tx.one("project_by_id", id=issue["project_id"])
    assert project is not None
    return project


def approve_milestone(harness: Harness, identifier: str, name: str | None, state: str, note: str) -> Row:
    """Decide what an issue's milestone asks for; return the issue as it then stands."""
    issue = harness.read(named.issue, identifier)
    harness.write(operations.approve_milestone, issue["milestone_id"], name, state, note, _by_this_user(harness))
    settling.drain(harness.store, issue["project_id"], harness.cause)
    return harness.read(named.issue, identifier)


def edit(tx: Transaction, identifier: str, wanted: Edit, cause: Cause) -> Row:
    """Change an issue's texts, priority, size and dependencies in one go."""
    issue = named.issue(tx, identifier)
    columns: dict[str, Any] = {
        name: value for name, value in (("task", wanted.task), ("description", wanted.description)) if value is not None
    }
    if wanted.task is not None and not wanted.task.strip():
        raise errors.BadContent("a task needs words")
    if wanted.priority is not None:
        columns["priority"] = PRIORITIES.index(wanted.priority)
    if wanted.size is not None:
        operations.only_operator(
            cause, "change an issue's size", f"harness issue edit {identifier} --size {wanted.size}"
        )
        columns["size"] = wanted.size
    if columns:
        definition = definition_hash(planned_of({**issue, **columns}))
        issue = operations.edit(tx, identifier, columns, definition, cause)
    if wanted.add or wanted.drop:
        issue = operations.redepend(tx, identifier, list(wanted.add), list(wanted.drop), cause)
    if not columns and not wanted.add and not wanted.drop:
        raise errors.BadUsage("nothing to change", hint="`harness issue edit --help` lists what can be changed")
    return issue


def planned_of(issue: Row) -> PlannedIssue:
    """Return a stored issue as a plan would have written it, so that the plan applied again finds it unchanged."""
    problems: list[str] = []
    gates = parse_gates(json.loads(issue["gates_json"]), "gates", problems)
    if problems:
        raise errors.BadDocument(f"the gates of {issue['identifier']} are damaged: {'; '.join(problems)}")
    policy = json.loads(issue["policy_json"])
    return PlannedIssue(
        issue["task"],
        issue["description"],
        issue["priority"],
        issue["size"],
        issue["key"],
        0,
        gates=gates,
        budget=json.loads(issue["budget_json"]),
        labels=tuple(json.loads(issue["labels_json"])),
        files=tuple(json.loads(issue["files_json"])),
        policy=from_document(policy) if policy else None,
        deadline_at=issue["deadline_at"],
        metadata=json.loads(issue["metadata_json"]),
    )


def reset_breaker(tx: Transaction, identifier: str, cause: Cause) -> Row:
    """Close an issue's breaker: the issue goes back to the queue with a fresh allowance."""
    issue = named.issue(tx, identifier)
    if issue["blocked_reason"] == "breaker:mission":
        raise errors.Refused(
            f"{issue['identifier']} is a mission", hint="`harness mission resume WS` closes its breaker"
        )
    if issue["blocked_reason"] != "breaker:issue":
        raise errors.IllegalMove(
            f"{identifier} has no open breaker, it is {issue['status']}", hint=f"`harness why {identifier}`"
        )
    return operations.retry(tx, identifier, cause)


def reset_provider(harness: Harness, name: str) -> None:
    """Lift the hold on a provider's account, which a quota or an outage set, before it ends by itself."""
    harness.write(budgets.lift_provider, name, harness.cause)


def create_campaign(tx: Transaction, key: str, name: str, objective: str, cause: Cause) -> Row:
    """Create a campaign in a project."""
    return campaigns.create(tx, named.project(tx, key)["id"], name, objective, {}, cause)


def move_campaign(tx: Transaction, key: str, name: str, status: str, cause: Cause) -> Row:
    """Pause, resume or archive a campaign; return its row."""
    project = named.project(tx, key)
    campaigns.set_status(tx, campaigns.find(tx, project["id"], name), status, cause)
    return campaigns.find(tx, project["id"], name)


def trust(tx: Transaction, key: str, machine: str, user: str | None, cause: Cause) -> Row:
    """Trust a project on this machine, or with `user` None take that back; return its row."""
    project = named.project(tx, key)
    projects.trust(tx, project, machine, user, cause)
    return project


def set_cap(tx: Transaction, key: str, dimension: str, amount: str, cause: Cause) -> Mapping[str, Any]:
    """Change a cap of a project, or of a mission (`MSN-1`); return its budget."""
    budgets.set_cap_of(tx, _payer(tx, key), dimension, amount, cause)
    return budget(tx, key)


def _payer(tx: Transaction, key: str) -> budgets.Payer:
    """Return whose budget is meant: a mission's by its identifier, else a project's by its key."""
    issue = tx.one("issue_by_identifier", identifier=key.upper())
    if issue is not None and issue["kind"] == "standing":
        return budgets.Payer(budgets.scope_of(issue), ("issue", issue["id"]), issue["identifier"])
    project = named.project(tx, key)
    return budgets.Payer(budgets.of_project(project["id"]), ("project", project["id"]), project["key"])


def budget(tx: Transaction, key: str) -> dict[str, Any]:
    """Return the caps of a project or mission and what of today's is used. `wall_ms` in ms, `usd` in millionths.

    None is unlimited. Any: a JSON document.
    """
    payer = _payer(tx, key)
    day = utc_day(tx.now)
    scope = payer.scope.key
    used = {row["dimension"]: row for row in tx.all("inspect_budget", **scope, period=day)}
    items = []
    for row in tx.all("budget_caps", **scope):
        today = used.get(row["dimension"], {"cap": row["cap"], "spent": 0, "reserved": 0})
        left = None if today["cap"] is None else today["cap"] - today["spent"] - today["reserved"]
        amounts = {name: today[name] for name in ("cap", "spent", "reserved")}
        items.append({"dimension": row["dimension"], **amounts, "left": left, "set_by": row["set_by"]})
    return {"project": payer.name, "day": day, "items": items}
