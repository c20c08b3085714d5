"""The issues of a plan on their way into the ledger: found again by key, inserted, rewritten or left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.kernel import approvals, dependencies, escalation, events, issues, settling
from harnessos.kernel.events import Cause, Head
from harnessos.model import rights
from harnessos.model.event import canonical
from harnessos.model.issue import EDGE, Status, Waiting, resting
from harnessos.model.plan import Plan, PlannedIssue, definition_hash
from harnessos.model.policy import Facts, Policy, as_document, from_document, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.store.transaction import Row, Transaction


class Batch(NamedTuple):
    """A plan with the rows it is written under. `stored` are issues of the ledger it depends on, by identifier."""

    project: Row
    campaign: Row
    milestones: list[Row]
    plan: Plan
    stored: Mapping[str, Row]
    cause: Cause


class Placed(NamedTuple):
    """An issue of the plan with its place in the ledger: `row` is what an earlier application wrote, `number` its own.

    `edges` are the ids it depends on, with the state each edge begins in.
    """

    planned: PlannedIssue
    id: str
    number: int
    lane: str
    row: Row | None
    edges: dict[str, int]


Result = tuple[list[str], list[str], list[str], list[tuple[str, str]]]


def write(tx: Transaction, batch: Batch) -> Result:
    """Insert, rewrite or leave each issue; return the identifiers created, updated, unchanged and skipped."""
    known = _known(tx, batch)
    placed = _place(tx, batch, known)
    new = [item for item in placed if item.row is None]
    _insert(tx, batch, new)
    created = [f"{batch.project['key']}-{item.number}" for item in new]
    updated, unchanged, skipped = _again(tx, batch, [item for item in placed if item.row is not None])
    kept = {item.id for item in placed}
    skipped += [(row["identifier"], "not_in_plan") for row in known.values() if row["id"] not in kept]
    return created, updated, unchanged, skipped


def _known(tx: Transaction, batch: Batch) -> dict[tuple[str, str | None], Row]:
    if batch.plan.plan_key is None:
        return {}
    rows = tx.all("issue_planned_all", project=batch.project["id"], plan_key=batch.plan.plan_key)
    return {(row["milestone_key"], row["key"]): row for row in rows}


def _place(tx: Transaction, batch: Batch, known: Mapping[tuple[str, str | None], Row]) -> list[Placed]:
    """Give every issue its id, number, lane and edges."""
    keys = [milestone.key for milestone in batch.plan.milestones]
    rows = [known.get((keys[planned.milestone], planned.key)) for planned in batch.plan.issues]
    taken = tx.one("project_numbers", id=batch.project["id"], count=rows.count(None))
    number = int(taken["first"]) if taken else 0
    ids = [tx.new_id("iss") if row is None else str(row["id"]) for row in rows]
    states = _states(tx, batch, rows)
    lanes: dict[Policy | None, str] = {}
    placed: list[Placed] = []
    for planned, issue_id, row in zip(batch.plan.issues, ids, rows, strict=True):
        if planned.policy not in lanes:
            lanes[planned.policy] = lane(tx, batch.campaign, planned.policy)
        on = [ids[other] for other in planned.depends_on] if planned.depends_on else []
        on += [batch.stored[name]["id"] for name in planned.depends_on_ids]
        edges = {other: states.get(other, 0) for other in on}
        placed.append(Placed(planned, issue_id, number if row is None else 0, lanes[planned.policy], row, edges))
        number += row is None
    return placed


def _states(tx: Transaction, batch: Batch, rows: list[Row | None]) -> dict[str, int]:
    """Return how edges to issues that were there before begin: what they depend on may long be over."""
    pairs = zip(batch.plan.issues, rows, strict=True)
    named = {rows[other]["id"] for planned, row in pairs if row is None for other in planned.depends_on if rows[other]}  # type: ignore[index] # the last `if`
    found = [issues.lock(tx, issue_id) for issue_id in sorted(named)]
    return {row["id"]: EDGE.get(row["status"], 0) for row in (*found, *batch.stored.values())}


def lane(tx: Transaction, campaign: Row, policy: Policy | None) -> str:
    """Return the lane of a campaign for issues with this policy, making it at its first use."""
    merged = merge(from_document(json.loads(campaign["policy_json"])), policy)
    values = {
        "campaign": campaign["id"],
        "workload_class": merged.workload_class or "",
        "capabilities": ",".join(merged.capabilities),
    }
    tx.do("lane_insert", id=tx.new_id("lan"), project=campaign["project_id"], now=tx.now, **values)
    row = tx.one("lane_find", **values)
    assert row is not None
    return str(row["id"])


def _insert(tx: Transaction, batch: Batch, new: list[Placed]) -> None:
    """Write the new issues, their events, approvals and edges, and count them with their milestones."""
    rows = []
    counted: dict[tuple[str, str], int] = {}
    campaign_policy = from_document(json.loads(batch.campaign["policy_json"]))
    for item in new:
        row = _row(tx, batch, item, campaign_policy)
        decided = {name: row[name] for name in ("status", "definition")}
        if row["blocked_reason"] is not None:
            decided["blocked_reason"] = row["blocked_reason"]
        data = {
            "set": {**decided, "lease_epoch": 0, "attempts": 0},
            "identifier": row["identifier"],
            "task": row["task"],
        }
        head = events.append(tx, ("issue", item.id), Head(0, ""), "issue.planned", batch.cause, data)
        row.update(event_seq=head.seq, event_head=head.hash)
        rows.append(row)
        place = (row["milestone_id"], row["status"])
        counted[place] = counted.get(place, 0) + 1
        if row["status"] == Status.READY:
            tx.wake()
    tx.many("issue_insert", rows)
    tx.many(
        "issue_depend",
        [{"issue": item.id, "on": on, "state": state} for item in new for on, state in item.edges.items()],
    )
    for item in new:
        if item.planned.metadata:
            approvals.write(tx, batch.project["id"], approvals.wanted(item.planned.metadata), issue=item.id)
    for (milestone, status), count in counted.items():
        issues.count(tx, milestone, None, status, count)


def _row(tx: Transaction, batch: Batch, item: Placed, campaign: Policy) -> dict[str, Any]:
    """Return the columns of a new issue. Any: the columns are of three types."""
    planned, milestone = item.planned, batch.milestones[item.planned.milestone]
    told = list(item.edges.values())
    open_approvals = sum(entry["open"] for entry in approvals.wanted(planned.metadata)) if planned.metadata else 0
    waiting = Waiting(told.count(0), told.count(2), milestone["unmet"], open_approvals + milestone["approvals_open"])
    status = resting(waiting)
    ready_at = tx.now if status is Status.READY else None
    facts = Facts(tx.now, ready_at, deadline_at=planned.deadline_at)
    return {
        **texts(planned),
        **escalation.order_columns(merge(campaign, planned.policy), facts, planned.priority, tx.now),
        "id": item.id,
        "number": item.number,
        "identifier": f"{batch.project['key']}-{item.number}",
        "project_id": batch.project["id"],
        "campaign_id": batch.campaign["id"],
        "milestone_id": milestone["id"],
        "lane_id": item.lane,
        "plan_key": batch.plan.plan_key,
        "key": planned.key,
        "status": status.value,
        "blocked_reason": _broken(batch, item) if status is Status.BLOCKED else None,
        "unmet": waiting.unmet,
        "broken": waiting.broken,
        "approvals_open": open_approvals,
        "definition": definition_hash(planned),
        "ready_at": ready_at,
        "planned_by": str(batch.cause.actor),
        "created_at": tx.now,
        "updated_at": tx.now,
    }


def _broken(batch: Batch, item: Placed) -> str:
    """Return the reason of an issue planned on something that failed or was cancelled, as issues.rest would."""
    first = min(on for on, state in item.edges.items() if state == 2)
    names = {row["id"]: row["identifier"] for row in batch.stored.values()}
    return f"dependency_failed:{names.get(first, first)}"


def texts(planned: PlannedIssue) -> dict[str, Any]:
    """Return the columns that say what an issue asks for. Any: texts and numbers."""
    return {
        "task": planned.task,
        "description": planned.description,
        "size": planned.size,
        "priority": planned.priority,
        "deadline_at": planned.deadline_at,
        "gates_json": json.dumps([gate.as_document() for gate in planned.gates]) if planned.gates else "[]",
        "budget_json": canonical(planned.budget) if planned.budget else "{}",
        "labels_json": json.dumps(planned.labels) if planned.labels else "[]",
        "files_json": json.dumps(planned.files) if planned.files else "[]",
        "policy_json": canonical(as_document(planned.policy)) if planned.policy else "{}",
        "metadata_json": json.dumps(dict(planned.metadata)) if planned.metadata else "{}",
    }


def untouched(issue: Row) -> bool:
    """Return whether an issue has never run and is not over, so that a plan may still change it."""
    return issue["lease_epoch"] == 0 and issue["status"] in (Status.PENDING, Status.READY, Status.BLOCKED)


def _again(tx: Transaction, batch: Batch, placed: list[Placed]) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Apply the issues that an earlier application of the plan wrote; return the updated, unchanged and skipped."""
    updated: list[str] = []
    unchanged: list[str] = []
    skipped: list[tuple[str, str]] = []
    moved: list[tuple[Placed, set[str]]] = []
    present: dict[str, set[str]] = {}
    if placed:
        for edge in tx.all("issue_planned_edges", project=batch.project["id"], plan_key=batch.plan.plan_key):
            present.setdefault(edge["issue_id"], set()).add(edge["depends_on_id"])
    for item in placed:
        assert item.row is not None
        identifier, definition = item.row["identifier"], definition_hash(item.planned)
        had, wanted = present.get(item.id, set()), set(item.edges)
        if definition == item.row["definition"] and had == wanted:
            unchanged.append(identifier)
            continue
        issue = issues.lock(tx, item.id)
        if not untouched(issue):
            skipped.append((identifier, f"changed in the plan, but it has run ({issue['status']})"))
            continue
        if definition != item.row["definition"]:
            issue = rewrite(tx, issue, item.planned, definition, item.lane, batch.cause)
        if had != wanted:
            dependencies.depend(tx, issue, add=wanted - had, drop=had - wanted, cause=batch.cause)
            moved.append((item, wanted - had))
        updated.append(identifier)
    _refuse_cycles(tx, moved)
    return updated, unchanged, skipped


def _refuse_cycles(tx: Transaction, moved: list[tuple[Placed, set[str]]]) -> None:
    """Refuse what closes a circle through issues that were there before: the plan's reader saw only the plan."""
    for item, added in moved:
        if any(dependencies.reaches(tx, on, item.id) for on in sorted(added)):
            assert item.row is not None
            raise errors.BadPlan(f"{item.row['identifier']} ({item.planned.task}) would wait for itself")


def rewrite(tx: Transaction, issue: Row, planned: PlannedIssue, definition: str, lane_id: str, cause: Cause) -> Row:
    """Change what an issue asks for, which approvals it waits for, and where it stands in the claim order."""
    columns = texts(planned)
    if cause.actor.kind == "agent":
        _refuse_beyond_agents(issue, columns, cause)
    tx.do("issue_rewrite", id=issue["id"], lane_id=lane_id, **columns)
    fresh = {**issue, **columns, "lane_id": lane_id}
    changes = {**escalation.again(tx, fresh), "definition": definition}
    changes["approvals_open"] = approvals.replan(tx, issue, planned.metadata)
    if issue["status"] == Status.READY and changes["approvals_open"]:
        changes["status"] = Status.PENDING.value
    return settling.settle_one(
        tx, issues.change(tx, fresh, "issue.edited", cause, changes, {"task": planned.task}), cause
    )


def _refuse_beyond_agents(issue: Row, columns: Mapping[str, Any], cause: Cause) -> None:
    """An agent changes how an issue is judged only where it planned it, and never takes a required approval away."""
    before, after = _guarded(issue), _guarded(columns)
    changed = rights.rewritten(before, after) if issue["planned_by"] != str(cause.actor) else []
    changed += [f"the approval {name}" for name in rights.loosened(before["metadata"], after["metadata"])]
    if changed:
        raise errors.OperatorOnly(
            f"only a person's plan may change this of {issue['identifier']}: {', '.join(changed)}",
            hint="leave it as it is, or ask for: `harness plan apply FILE`",
        )


def _guarded(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `rights` compares. Any: as in the rows."""
    names = [name for name in rights.GUARDED if name != "size"]
    return {"size": columns["size"], **{name: json.loads(columns[f"{name}_json"]) for name in names}}
