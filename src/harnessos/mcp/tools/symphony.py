"""`harness_symphony`: the supervisor, which starts agents and verifies what they finish."""

from __future__ import annotations

from typing import Any

from harnessos.mcp import symphony
from harnessos.mcp.actions import PROJECT, Action, Field, Tool

_SUPERVISOR = "the supervisor dispatches: supervisor_tick starts what is ready, `harness up` goes on doing it"

SYMPHONY = Tool(
    "harness_symphony",
    "Runs agents on ready issues under WORKFLOW.md.",
    (
        Action(
            "load_workflow",
            "read the project's WORKFLOW.md, and say what it declares",
            run=symphony.workflow,
            adds=(PROJECT,),
            writes=False,
            own_limit=6_000,
        ),
        Action(
            "compile_plan",
            "turn milestones and slices into the milestones of plan_issues; writes nothing",
            run=symphony.compile_plan,
            adds=(
                Field(
                    "milestones", list[dict[str, Any]], "{id, key?, description, dependsOnMilestoneIds?}", required=True
                ),
                Field(
                    "slices",
                    list[dict[str, Any]],
                    "{id, milestoneId, task, priority?, size?, dependsOnSliceIds?}",
                    required=True,
                ),
            ),
            writes=False,
            own_limit=8_000_000,
            example={
                "milestones": [{"id": "m", "description": "first"}],
                "slices": [{"id": "s", "milestoneId": "m", "task": "do it"}],
            },
        ),
        Action("dispatch_ready", "start agents on what is ready", adds=(PROJECT,), needs=_SUPERVISOR),
        Action("inspect_state", "show runs, counts, holds and budgets of a project", "status", writes=False),
        Action(
            "dashboard_view", "list the issues of a project, by status, milestone or label", "issue list", writes=False
        ),
        Action("run_assignment", "run one agent on one issue", adds=(Field("issue", str, "which"),), needs=_SUPERVISOR),
        Action(
            "supervisor_tick",
            "start agents on what is ready now, and wait for their end",
            run=symphony.tick,
            adds=(PROJECT,),
        ),
        Action(
            "supervisor_run",
            "start agents until nothing is left to do and no session is open, yours included; can be cancelled",
            run=symphony.until_idle,
            adds=(PROJECT, Field("max_wait", str, "how long to wait for timers: 90s, 10m; 10m by default")),
        ),
        Action(
            "create_worktree",
            "make a worktree",
            adds=(PROJECT,),
            needs="`harness_session begin` with worktree: true makes one with its lease",
        ),
        Action(
            "cleanup_worktree",
            "remove worktrees that are accepted or salvaged",
            "worktree gc",
            persons=True,
            destructive=True,
        ),
    ),
)
