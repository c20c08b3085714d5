"""`plan apply`: a file is read and checked, then written in one transaction; what depends on it settles after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.kernel import planning, settling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harnessos.app.harness import Harness
    from harnessos.kernel.planning import Applied
    from harnessos.model.plan import Plan
    from harnessos.store.transaction import Row
    from harnessos.workflow.values import Workflow

_MOST_TOLD = 5
"""Of what is refused, this much is said in words; all of it is in the error's `causes`."""


def apply_file(
    harness: Harness,
    file: Path,
    project: str | None,
    campaign: str | None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Applied, list[str]]:
    """Apply a plan file; return what became of its issues, and warnings. BadPlan, NotAFile: nothing was written."""
    from harnessos.plans.read import read_plan

    return _apply(harness, read_plan(file, progress), str(file), project, campaign)


def apply_tree(harness: Harness, tree: object, project: str | None, name: str) -> tuple[Applied, list[str]]:
    """Apply a plan given as a value, which is consumed; `name` is what problems call it. As `apply_file`."""
    from harnessos.plans.read import plan_of

    return _apply(harness, plan_of(tree, name), name, project, None)


def _apply(
    harness: Harness, plan: Plan, name: str, project: str | None, campaign: str | None
) -> tuple[Applied, list[str]]:
    row = harness.project(project)
    refuse_beyond_agents(harness, row, plan)
    try:
        applied = harness.write(planning.apply, row, plan, campaign, harness.cause)
    except errors.BadPlan as problem:
        raise _located(problem, name, plan) from problem
    settling.drain(harness.store, row["id"], harness.cause)
    return applied, _warnings(harness, row, plan)


def _located(problem: errors.BadPlan, file: str, plan: Plan) -> errors.BadPlan:
    """Return what the ledger has against a plan as the reader of the file tells it: file, place, one line a cause."""
    found = problem.facts.get("causes")
    listed = [str(cause) for cause in found] if isinstance(found, list) else []
    causes = listed if listed and all(cause.startswith("issues[") for cause in listed) else [problem.message]
    told = [f"{file}: {_in_document(cause, plan)}" for cause in causes]
    count = "one problem" if len(told) == 1 else f"{len(told):,} problems"
    message = f"the plan has {count}, nothing was written:\n" + "\n".join(told)
    return errors.BadPlan(message, hint=problem.hint, causes=told, path=file)


def _in_document(cause: str, plan: Plan) -> str:
    """Return the cause with `issues[n]`, a position in the whole plan, as the path into the document."""
    start, bracket, rest = cause.partition("]")
    number = start.removeprefix("issues[")
    if not bracket or number == start or not number.isdigit():
        return cause
    milestone = plan.issues[int(number)].milestone
    before = sum(1 for issue in plan.issues[: int(number)] if issue.milestone == milestone)
    return f"milestones[{milestone}].issues[{before}]{rest}"


def refuse_beyond_agents(harness: Harness, project: Row, plan: Plan) -> None:
    """An agent's plan brings no commands and no decisions, and no budget above the project's (model.rights)."""
    if harness.actor.kind != "agent":
        return
    from harnessos.model.rights import beyond_an_agent

    found = beyond_an_agent(plan, _declared_budget(harness, project) if any(i.budget for i in plan.issues) else {})
    if found:
        raise errors.OperatorOnly(
            "only a person's plan may do this, nothing was written: " + "; ".join(found[:_MOST_TOLD]),
            hint="leave it out, or ask for: `harness plan apply FILE`",
            causes=found,
        )


def _declared_budget(harness: Harness, project: Row) -> Mapping[str, object]:
    place = harness.place(project)
    workflow = None if place is None else _workflow(harness, place)
    return {} if workflow is None else workflow.harness.budget


def _warnings(harness: Harness, project: Row, plan: Plan) -> list[str]:
    """Say when a git project's issues would have no gate at all: their work would wait for a person's approval."""
    bare = sum(1 for issue in plan.issues if not issue.gates)
    if project["kind"] != "git" or not bare or (plan.campaign and plan.campaign.policy and plan.campaign.policy.gates):
        return []
    place = harness.place(project)
    workflow = None if place is None else _workflow(harness, place)
    if place is None or (workflow is not None and workflow.harness.gates):
        return []
    return [
        (
            f"no gate applies to {bare} of {len(plan.issues)} issues: finished work of theirs will wait for "
            "`harness issue approve` (declare gates in WORKFLOW.md; `harness init --key KEY --workflow` writes a first one where there is none)"
        )
    ]


def _workflow(harness: Harness, place: Path) -> Workflow | None:
    file = place / "WORKFLOW.md"
    if not file.is_file():
        return None
    from harnessos.workflow.load import load_workflow

    return load_workflow(file, harness.environ, harness.settings.home)
