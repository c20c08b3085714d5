"""`harness_admin`: tidying up, and holding a campaign."""

from __future__ import annotations

from harnessos.mcp import knowing
from harnessos.mcp.actions import PROJECT, Action, Field, Tool

_RECALL = "recall comes with the memory room; a mission's own memory is consolidated by `harness_mission dream`"
_RETENTION = "nothing is retired from the ledger yet; `harness worktree gc` removes worktrees that are over"

ADMIN = Tool(
    "harness_admin",
    "Tidies up, holds and closes campaigns.",
    (
        Action(
            "reconcile",
            "end runs whose lease ran out, tell what depends on finished work, escalate what is overdue",
            run=knowing.reconcile,
            adds=(PROJECT,),
            idempotent=True,
        ),
        Action(
            "drain",
            "claim nothing more from a campaign; live runs may finish",
            "campaign pause",
            persons=True,
            idempotent=True,
            example={"name": "spring"},
        ),
        Action(
            "resume",
            "claim from a campaign again",
            "campaign resume",
            persons=True,
            idempotent=True,
            example={"name": "spring"},
        ),
        Action(
            "archive",
            "close a campaign for good",
            "campaign archive",
            persons=True,
            destructive=True,
            example={"name": "spring"},
        ),
        Action(
            "cleanup",
            "retire what is old",
            adds=(Field("days", int, "older than so many days"),),
            destructive=True,
            needs=_RETENTION,
        ),
        Action("memory_snapshot", "keep what a project knows", adds=(PROJECT,), needs=_RECALL),
        Action("memory_rollup", "sum up what a project knows", adds=(PROJECT,), needs=_RECALL),
    ),
)
