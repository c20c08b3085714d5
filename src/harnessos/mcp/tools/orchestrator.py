"""`harness_orchestrator`: plans, and what may be changed of planned work."""

from __future__ import annotations

from typing import Any

from harnessos.mcp import planning
from harnessos.mcp.actions import PROJECT, Action, Field, Tool

_MILESTONES = Field(
    "milestones",
    list[dict[str, Any]],
    "{milestone_key, description, depends_on_milestone_keys?, issues: [{task, key?, description?, priority? (critical,"
    " high, medium, low), size? (S, M, L, XL), depends_on_keys? (or _indices, _ids), files?, labels?, gates?, approvals?,"
    " deadlineAt?, budget?, policy?}]}; a plan with problems is refused with all of them by path",
    required=True,
)

ORCHESTRATOR = Tool(
    "harness_orchestrator",
    "Plans work and changes what is planned.",
    (
        Action(
            "create_project",
            "register a repository or folder as a project",
            "init",
            required=("path",),
            drop=("force", "workflow", "dry_run"),
            idempotent=True,
            persons=True,
            example={"path": "/srv/docs", "key": "DOCS"},
        ),
        Action(
            "create_campaign",
            "create a campaign in a project",
            "campaign create",
            example={"name": "spring", "objective": "ship it"},
        ),
        Action(
            "plan_issues",
            "write milestones and issues, all of them or nothing; with a plan_key the same again changes nothing",
            run=planning.plan_issues,
            adds=(
                _MILESTONES,
                PROJECT,
                Field("plan_key", str, "the plan's name: then it may be sent again, changed or not"),
                Field("campaign", dict[str, Any], "{name, objective?, policy?}; the project's `default` by default"),
                Field("version", int, "1"),
            ),
            example={
                "milestones": [{"milestone_key": "spring", "description": "first", "issues": [{"task": "do it"}]}]
            },
        ),
        Action("promote_queue", "recompute what is ready; normally changes nothing", "plan promote", idempotent=True),
        Action(
            "edit_issue",
            "change an issue that nobody works at",
            "issue edit",
            example={"issue": "DOCS-1", "priority": "high"},
        ),
        Action(
            "retry_issue",
            "give a failed or blocked issue fresh attempts",
            "issue retry",
            persons=True,
            example={"issue": "DOCS-1"},
        ),
        Action(
            "cancel_issue",
            "give up an issue that you planned",
            "issue cancel",
            destructive=True,
            example={"issue": "DOCS-1"},
        ),
        Action(
            "reopen_issue",
            "open a done or cancelled issue again",
            "issue reopen",
            persons=True,
            example={"issue": "DOCS-1"},
        ),
        Action(
            "approve",
            "decide an approval, or accept a judged commit",
            "issue approve",
            persons=True,
            example={"issue": "DOCS-1"},
        ),
        Action(
            "rollback_issue",
            "stop the live run of an issue and open it again",
            "issue rollback",
            persons=True,
            destructive=True,
            example={"issue": "DOCS-1"},
        ),
    ),
)
