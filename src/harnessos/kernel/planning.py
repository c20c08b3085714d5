"""Writing a plan into the ledger: all of it or nothing, and the same plan again changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.kernel import approvals, campaigns, issues, planned_issues, settling
from harnessos.model.graph import find_cycles
from harnessos.model.plan import Plan, PlannedCampaign
from harnessos.model.policy import as_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.kernel.events import Cause
    from harnessos.model.plan import PlannedIssue, PlannedMilestone
    from harnessos.store.transaction import Row, Transaction


class Applied(NamedTuple):
    """What became of each issue of a plan, by identifier. `skipped` pairs identifiers with reasons."""

    created: list[str]
    updated: list[str]
    unchanged: list[str]
    skipped: list[tuple[str, str]]


def apply(tx: Transaction, project: Row, plan: Plan, campaign_name: str | None, cause: Cause) -> Applied:
    """Write a plan that was read and found right (model.plan) into a project."""
    campaign = _campaign(tx, project, plan, campaign_name, cause)
    milestones = _milestones(tx, project, campaign, plan, cause)
    stored = _stored_dependencies(tx, project, plan)
    batch = planned_issues.Batch(project, campaign, milestones, plan, stored, cause)
    applied = Applied(*planned_issues.write(tx, batch))
    settling.step(tx, project["id"], cause)
    return applied


def add_issue(
    tx: Transaction, project: Row, campaign: Row, milestone: PlannedMilestone, planned: PlannedIssue, cause: Cause
) -> Row:
    """Write one issue into a milestone of a campaign, which is made at its first use; return the issue's row.

    What a schedule plans: unlike a plan applied again, it costs the same however much was planned there before.
    """
    plan = Plan(None, None, (milestone,), (planned._replace(milestone=0),))
    place = tx.one("milestone_by_key", campaign=campaign["id"], key=milestone.key)
    if place is None:
        last = tx.one("milestone_last", project=project["id"])
        position = last["position"] + 1 if last else 1
        place = _insert_milestone(tx, project, campaign, plan, milestone, position)
    applied = Applied(*planned_issues.write(tx, planned_issues.Batch(project, campaign, [place], plan, {}, cause)))
    settling.step(tx, project["id"], cause)
    row = tx.one("issue_by_identifier", identifier=applied.created[0])
    assert row is not None
    return row


def _campaign(tx: Transaction, project: Row, plan: Plan, name: str | None, cause: Cause) -> Row:
    wanted = name or (plan.campaign.name if plan.campaign else campaigns.DEFAULT)
    stated = plan.campaign or PlannedCampaign(wanted)
    row = tx.one("campaign_by_name", project=project["id"], name=wanted)
    if row is None:
        policy = as_document(stated.policy) if stated.policy else {}
        return campaigns.create(tx, project["id"], wanted, stated.objective, policy, cause)
    if row["status"] == "archived":
        raise errors.Refused(f"campaign {wanted} is archived", hint="name another with --campaign")
    # What the plan does not state stays: naming a campaign is no order to empty it.
    policy = json.loads(row["policy_json"]) if stated.policy is None else as_document(stated.policy)
    objective = stated.objective or row["objective"]
    if json.loads(row["policy_json"]) != policy or row["objective"] != objective:
        if cause.actor.kind == "agent":
            raise errors.OperatorOnly(
                f"the campaign {wanted} is there already; only a person's plan may change its policy or objective",
                hint="leave `campaign` out of the plan, or ask for: `harness plan apply FILE`",
            )
        campaigns.set_policy(tx, row, objective, policy, cause)
        return campaigns.find(tx, project["id"], wanted)
    return row


def _milestones(tx: Transaction, project: Row, campaign: Row, plan: Plan, cause: Cause) -> list[Row]:
    """Insert the plan's new milestones, refuse those another plan owns, and return the rows of all of them."""
    _same_campaign(tx, project, campaign, plan)
    last = tx.one("milestone_last", project=project["id"])
    position = last["position"] if last else 0
    rows: list[Row] = []
    fresh: set[int] = set()
    for number, planned in enumerate(plan.milestones):
        row = tx.one("milestone_by_key", campaign=campaign["id"], key=planned.key)
        if row is None:
            position += 1
            fresh.add(number)
            row = _insert_milestone(tx, project, campaign, plan, planned, position)
        elif plan.plan_key is None or row["plan_key"] != plan.plan_key:
            raise errors.BadPlan(
                f"milestones[{number}].milestone_key: campaign {campaign['name']} already has a milestone {planned.key}",
                hint="give the plan its plan_key to apply it again, or name another campaign with --campaign",
            )
        rows.append(row)
    for number, planned in enumerate(plan.milestones):
        _depend_milestone(tx, project, rows, number, planned, new=number in fresh)
    if len(fresh) < len(rows):
        _refuse_cycles(tx, project)
    return [tx.one("milestone_by_id", id=row["id"]) or row for row in rows]


def _same_campaign(tx: Transaction, project: Row, campaign: Row, plan: Plan) -> None:
    """Refuse a keyed plan in a second campaign: its issues are found again by key and would be in both."""
    if plan.plan_key is None:
        return
    row = tx.one("milestone_elsewhere", project=project["id"], plan_key=plan.plan_key, campaign=campaign["id"], one=1)
    if row is not None:
        raise errors.BadPlan(
            f"plan_key {plan.plan_key} was applied to campaign {row['campaign']}, not {campaign['name']}",
            hint=f"apply it with --campaign {row['campaign']}, or give the plan another plan_key",
        )


def _refuse_cycles(tx: Transaction, project: Row) -> None:
    """Refuse what closes a circle through milestones that were there before: the plan's reader saw only the plan."""
    edges = tx.all("milestone_edges", project=project["id"])
    names = sorted({edge[end] for edge in edges for end in ("key", "on_key")})
    number = {name: place for place, name in enumerate(names)}
    below: list[list[int]] = [[] for _ in names]
    for edge in edges:
        below[number[edge["key"]]].append(number[edge["on_key"]])
    cycles = find_cycles(len(names), below.__getitem__)
    if cycles:
        told = [" waits for ".join(names[place].rpartition("/")[2] for place in (*cycle, cycle[0])) for cycle in cycles]
        raise errors.BadPlan("milestones wait for themselves: " + "; ".join(told), causes=told)


def _insert_milestone(
    tx: Transaction, project: Row, campaign: Row, plan: Plan, planned: PlannedMilestone, position: int
) -> Row:
    milestone_id = tx.new_id("mil")
    wanted = approvals.wanted(planned.metadata)
    tx.do(
        "milestone_insert",
        id=milestone_id,
        project_id=project["id"],
        campaign_id=campaign["id"],
        key=planned.key,
        plan_key=plan.plan_key,
        position=position,
        description=planned.description,
        unmet=0,
        approvals_open=sum(entry["open"] for entry in wanted),
        deadline_at=planned.deadline_at,
        metadata_json=json.dumps(dict(planned.metadata)),
        created_at=tx.now,
    )
    approvals.write(tx, project["id"], wanted, milestone=milestone_id)
    row = tx.one("milestone_by_id", id=milestone_id)
    assert row is not None
    return row


def _depend_milestone(
    tx: Transaction, project: Row, rows: list[Row], number: int, planned: PlannedMilestone, *, new: bool
) -> None:
    """Write a milestone's edges. Those of one that was there before stay: a plan adds edges, it does not take away."""
    milestone = rows[number]
    known = {edge["depends_on_id"] for edge in tx.all("milestone_dependencies", milestone=milestone["id"])}
    wanted = [rows[other] for other in planned.depends_on]
    for stored in planned.depends_on_ids:
        row = tx.one("milestone_lock", id=stored)
        if row is None or row["project_id"] != project["id"]:
            raise errors.BadPlan(f"milestones[{number}].depends_on_milestone_ids: there is no milestone {stored}")
        wanted.append(row)
    unmet = milestone["unmet"]
    for row in wanted:
        if row["id"] not in known:
            done = int(row["status"] == "done")
            tx.do("milestone_depend", milestone=milestone["id"], on=row["id"], state=done)
            known.add(row["id"])
            unmet += 1 - done
    if unmet != milestone["unmet"]:
        fresh = tx.one("milestone_lock", id=milestone["id"])
        assert fresh is not None
        settling.release(tx, fresh, unmet, fresh["approvals_open"])
    if not new:
        tx.do(
            "milestone_rewrite",
            id=milestone["id"],
            description=planned.description,
            deadline_at=planned.deadline_at,
            metadata_json=json.dumps(dict(planned.metadata)),
        )


def _stored_dependencies(tx: Transaction, project: Row, plan: Plan) -> Mapping[str, Row]:
    """Return the stored issues that the plan names, by identifier."""
    found: dict[str, Row] = {}
    problems: list[str] = []
    for number, planned in enumerate(plan.issues):
        for identifier in planned.depends_on_ids:
            row = found.get(identifier) or tx.one("issue_by_identifier", identifier=identifier)
            if row is None or row["project_id"] != project["id"]:
                problems.append(f"issues[{number}] ({planned.task}): depends_on_ids: there is no issue {identifier}")
            elif identifier not in found:
                # Locked, so that its end cannot slip between this look and the new edge.
                found[identifier] = issues.lock(tx, row["id"])
    if problems:
        raise errors.BadPlan("; ".join(problems), causes=problems)
    return found
