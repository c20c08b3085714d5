"""`plan apply`: a file is read and checked, then written in one transaction; what depends on it settles after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.kernel import approvals, planning, settling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harnessos.app.harness import Harness
    from harnessos.kernel.planning import Applied
    from harnessos.model.plan import Plan
    from harnessos.store.transaction import Row


def apply_file(
    harness: Harness,
    file: Path,
    project: str | None,
    campaign: str | None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Applied, list[str]]:
    """Apply a plan file; return what became of its issues, and warnings. BadPlan, NotAFile: nothing was written."""
    from harnessos.plans.read import read_plan

    plan = read_plan(file, progress)
    row = harness.project(project)
    _refuse_commands_of_agents(harness, plan)
    applied = harness.write(planning.apply, row, plan, campaign, harness.cause)
    settling.drain(harness.store, row["id"], harness.cause)
    return applied, _warnings(harness, row, plan)


def _refuse_commands_of_agents(harness: Harness, plan: Plan) -> None:
    """Commands come from a person's plan only: an agent's may carry structural gates and pending approvals."""
    if harness.actor.kind != "agent":
        return
    for issue in plan.issues:
        if any(gate.argv or gate.shell for gate in issue.gates):
            raise errors.OperatorOnly(
                f"{issue.task!r} brings a gate that runs a command; only a person's plan may",
                hint="use a gate declared in WORKFLOW.md, or ask for: `harness plan apply FILE`",
            )
        if any(approval["state"] != "pending" for approval in approvals.wanted(issue.metadata)):
            raise errors.OperatorOnly(
                f"{issue.task!r} decides an approval; only a person may", hint="leave it `pending`"
            )


def _warnings(harness: Harness, project: Row, plan: Plan) -> list[str]:
    """Say when a git project's issues would have no gate at all: their work would wait for a person's approval."""
    bare = sum(1 for issue in plan.issues if not issue.gates)
    if project["kind"] != "git" or not bare or (plan.campaign and plan.campaign.policy and plan.campaign.policy.gates):
        return []
    place = harness.place(project)
    if place is None or _workflow_has_gates(harness, place):
        return []
    return [
        (
            f"no gate applies to {bare} of {len(plan.issues)} issues: finished work of theirs will wait for "
            "`harness issue approve` (declare gates in WORKFLOW.md; `harness init --workflow` writes a first one)"
        )
    ]


def _workflow_has_gates(harness: Harness, place: Path) -> bool:
    file = place / "WORKFLOW.md"
    if not file.is_file():
        return False
    from harnessos.workflow.load import load_workflow

    return bool(load_workflow(file, harness.environ, harness.settings.home).harness.gates)
