"""The issues of a plan on their way into the ledger: found again by key, inserted, rewritten or left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.kernel import escalation, events, issues, settling
from harnessos.kernel.events import Cause, Head
from harnessos.model.event import canonical
from harnessos.model.issue import Status, Waiting, resting
from harnessos.model.plan import Plan, PlannedIssue, definition_hash
from harnessos.model.policy import Facts, Policy, as_document, from_document, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.store.transaction import Row, Transaction, Value


class Batch(NamedTuple):
    """A plan with the rows it is written under. `stored` are issues of the ledger it depends on, by identifier."""

    project: Row
    campaign: Row
    milestones: list[Row]
    plan: Plan
    stored: Mapping[str, Row]
    cause: Cause


Result = tuple[list[str], list[str], list[str], list[tuple[str, str]]]


def write(tx: Transaction, batch: Batch) -> Result:
    """Insert, rewrite or leave each issue; return the identifiers created, updated, unchanged and skipped."""
    created: list[str] = []
    updated: list[str] = []
    unchanged: list[str] = []
    skipped: list[tuple[str, str]] = []
    known = _known(tx, batch)
    new = [issue for issue in batch.plan.issues if _place(batch, issue) not in known]
    numbers = tx.one("project_numbers", id=batch.project["id"], count=len(new))
    number = int(numbers["first"]) if numbers else 0
    ids: list[tuple[str, int]] = []
    lanes: dict[Policy | None, str] = {}
    for planned in batch.plan.issues:
        lane = _lane(tx, batch, planned, lanes)
        row = known.pop(_place(batch, planned), None)
        if row is None:
            ids.append((tx.new_id("iss"), number))
            created.append(f"{batch.project['key']}-{number}")
            number += 1
            continue
        ids.append((row["id"], 0))
        _again(tx, batch, planned, row, lane, (updated, unchanged, skipped))
    _insert(tx, batch, ids, lanes)
    _edges(tx, batch, ids)
    skipped += [(row["identifier"], "not_in_plan") for row in known.values()]
    return created, updated, unchanged, skipped


def _known(tx: Transaction, batch: Batch) -> dict[tuple[str, str | None], Row]:
    if batch.plan.plan_key is None:
        return {}
    rows = tx.all("issue_planned_all", project=batch.project["id"], plan_key=batch.plan.plan_key)
    return {(row["milestone_key"], row["key"]): row for row in rows}


def _place(batch: Batch, planned: PlannedIssue) -> tuple[str, str | None]:
    if planned.key is None:
        return "", None
    return batch.plan.milestones[planned.milestone].key, planned.key


def _lane(tx: Transaction, batch: Batch, planned: PlannedIssue, lanes: dict[Policy | None, str]) -> str:
    if planned.policy not in lanes:
        lanes[planned.policy] = lane(tx, batch.campaign, planned.policy)
    return lanes[planned.policy]


def lane(tx: Transaction, campaign: Row, policy: Policy | None) -> str:
    """Return the lane of a campaign for issues with this policy, making it at its first use."""
    merged = merge(from_document(json.loads(campaign["policy_json"])), policy)
    values = {
        "campaign": campaign["id"],
        "workload_class": merged.workload_class or "",
        "capabilities": ",".join(merged.capabilities),
    }
    tx.run("lane_insert", id=tx.new_id("lan"), project=campaign["project_id"], now=tx.now, **values)
    row = tx.one("lane_find", **values)
    assert row is not None
    return str(row["id"])


def _insert(tx: Transaction, batch: Batch, ids: list[tuple[str, int]], lanes: Mapping[Policy | None, str]) -> None:
    rows = []
    counted: dict[tuple[str, str], int] = {}
    campaign_policy = from_document(json.loads(batch.campaign["policy_json"]))
    for planned, (issue_id, number) in zip(batch.plan.issues, ids, strict=True):
        if number == 0:
            continue
        row = _row(tx, batch, planned, campaign_policy, lanes[planned.policy])
        identifier = f"{batch.project['key']}-{number}"
        row.update(id=issue_id, number=number, identifier=identifier)
        decided = {name: row[name] for name in ("status", "definition")}
        data = {"set": {**decided, "lease_epoch": 0, "attempts": 0}, "identifier": identifier, "task": planned.task}
        head = events.append(tx, ("issue", issue_id), Head(0, ""), "issue.planned", batch.cause, data)
        row.update(event_seq=head.seq, event_head=head.hash)
        rows.append(row)
        place = (row["milestone_id"], row["status"])
        counted[place] = counted.get(place, 0) + 1
        if row["status"] == Status.READY:
            tx.wake()
    tx.many("issue_insert", rows)
    for planned, (issue_id, number) in zip(batch.plan.issues, ids, strict=True):
        if number and planned.metadata:
            write_approvals(tx, batch.project["id"], approvals(planned.metadata), issue=issue_id)
    for (milestone, status), count in counted.items():
        issues.count(tx, milestone, None, status, count)


def _row(tx: Transaction, batch: Batch, planned: PlannedIssue, campaign: Policy, lane_id: str) -> dict[str, Any]:
    """Return the columns of a new issue. Its batch dependencies are all unmet; stored ones may be done already."""
    milestone = batch.milestones[planned.milestone]
    stored = [batch.stored[name] for name in planned.depends_on_ids]
    unmet = len(planned.depends_on) + sum(row["status"] != Status.DONE for row in stored)
    open_approvals = sum(1 for approval in approvals(planned.metadata) if approval["open"])
    waiting = Waiting(unmet, 0, milestone["unmet"], open_approvals + milestone["approvals_open"])
    status = resting(waiting)
    ready_at = tx.now if status is Status.READY else None
    facts = Facts(tx.now, ready_at, deadline_at=planned.deadline_at)
    return {
        **texts(planned),
        **escalation.order_columns(merge(campaign, planned.policy), facts, planned.priority, tx.now),
        "project_id": batch.project["id"],
        "campaign_id": batch.campaign["id"],
        "milestone_id": milestone["id"],
        "lane_id": lane_id,
        "plan_key": batch.plan.plan_key,
        "key": planned.key,
        "status": status.value,
        "blocked_reason": None,
        "unmet": unmet,
        "approvals_open": open_approvals,
        "definition": definition_hash(planned),
        "ready_at": ready_at,
        "planned_by": str(batch.cause.actor),
        "created_at": tx.now,
        "updated_at": tx.now,
    }


def texts(planned: PlannedIssue) -> dict[str, Any]:
    """Return the columns that say what an issue asks for."""
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


def _edges(tx: Transaction, batch: Batch, ids: list[tuple[str, int]]) -> None:
    """Write the edges of new issues at once; those of issues that were there before one by one."""
    rows: list[dict[str, Value]] = []
    for planned, (issue_id, number) in zip(batch.plan.issues, ids, strict=True):
        targets = {ids[other][0]: 0 for other in planned.depends_on}
        targets.update(
            {batch.stored[n]["id"]: int(batch.stored[n]["status"] == "done") for n in planned.depends_on_ids}
        )
        if number:
            rows += [{"issue": issue_id, "on": on, "state": state} for on, state in targets.items()]
        else:
            _redepend(tx, batch, issue_id, set(targets))
    tx.many("issue_depend", rows)


def _redepend(tx: Transaction, batch: Batch, issue_id: str, wanted: set[str]) -> None:
    """Bring the edges of an issue that has not run to what the plan now says."""
    issue = issues.lock(tx, issue_id)
    known = {edge["depends_on_id"] for edge in tx.all("issue_dependencies", issue=issue_id)}
    if wanted == known or not untouched(issue):
        return
    depend(tx, issue, add=wanted - known, drop=known - wanted, cause=batch.cause)


def depend(tx: Transaction, issue: Row, *, add: set[str], drop: set[str], cause: Cause) -> Row:
    """Add and drop dependencies (ids) of an issue, and move it to where it then rests."""
    unmet, broken = issue["unmet"], issue["broken"]
    for edge in tx.all("issue_dependencies", issue=issue["id"]):
        add = add - {edge["depends_on_id"]}
        if edge["depends_on_id"] in drop:
            tx.run("issue_undepend", issue=issue["id"], on=edge["depends_on_id"])
            unmet -= edge["state"] == 0
            broken -= edge["state"] == 2
    for on in sorted(add):
        other = issues.lock(tx, on)  # its end must not slip between this look and the new edge
        state = {"done": 1, "failed": 2, "cancelled": 2}.get(other["status"], 0)
        tx.run("issue_depend", issue=issue["id"], on=on, state=state)
        unmet += state == 0
        broken += state == 2
    return settling.waits(tx, issue, unmet, broken, cause)


def untouched(issue: Row) -> bool:
    """Return whether an issue has never run and is not over, so that a plan may still change it."""
    return issue["lease_epoch"] == 0 and issue["status"] in (Status.PENDING, Status.READY, Status.BLOCKED)


def _again(
    tx: Transaction, batch: Batch, planned: PlannedIssue, known: Row, lane_id: str, into: tuple[Any, ...]
) -> None:
    """Apply an issue that an earlier application of the plan wrote. Any: the three result lists of `write`."""
    updated, unchanged, skipped = into
    definition = definition_hash(planned)
    if known["definition"] == definition:
        unchanged.append(known["identifier"])
        return
    issue = issues.lock(tx, known["id"])
    if not untouched(issue):
        skipped.append((known["identifier"], f"changed in the plan, but it has run ({issue['status']})"))
        return
    rewrite(tx, issue, planned, definition, lane_id, batch.cause)
    updated.append(known["identifier"])


def rewrite(tx: Transaction, issue: Row, planned: PlannedIssue, definition: str, lane_id: str, cause: Cause) -> Row:
    """Change what an issue asks for and where it stands in the claim order."""
    columns = texts(planned)
    tx.run("issue_rewrite", id=issue["id"], lane_id=lane_id, **columns)
    fresh = {**issue, **columns, "lane_id": lane_id}
    order = escalation.order_columns(
        escalation.policy_of(tx, fresh), escalation.facts_of(fresh), planned.priority, tx.now
    )
    return issues.change(tx, fresh, "issue.edited", cause, {**order, "definition": definition}, {"task": planned.task})


def approvals(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the approvals that a plan's metadata asks for; `open` ones keep the issue from becoming ready."""
    found = []
    for entry in metadata.get("approvals", ()):
        state, required = entry.get("state", "pending"), bool(entry.get("required", True))
        still = required and state in ("pending", "rejected")
        found.append({**entry, "state": state, "required": required, "open": still})
    return found


def write_approvals(
    tx: Transaction,
    project_id: str,
    wanted: list[dict[str, Any]],
    *,
    issue: str | None = None,
    milestone: str | None = None,
) -> None:
    """Write an issue's or a milestone's approvals."""
    if wanted and issue is None and milestone is None:
        raise errors.Refused("an approval belongs to an issue or a milestone")
    for entry in wanted:
        tx.run(
            "approval_insert",
            id=tx.new_id("apr"),
            project=project_id,
            issue=issue,
            milestone=milestone,
            name=entry["id"],
            label=entry.get("label", ""),
            required=int(entry["required"]),
            state=entry["state"],
            subject=None,
            note=entry.get("note", ""),
        )
