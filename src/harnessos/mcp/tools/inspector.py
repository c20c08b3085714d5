"""`harness_inspector`: what there is, and what to do. It writes nothing."""

from __future__ import annotations

from harnessos.mcp import knowing
from harnessos.mcp.actions import PROJECT, Action, Field, Tool

_TOOL = Field("tool", str, "a tool, to see its actions; with `action_name` the precise schema of one")
_ACTION = Field("action_name", str, "an action of that tool")
_RECALL = "recall over all projects comes with the memory room; `harness_mission search` looks through a mission's log"

INSPECTOR = Tool(
    "harness_inspector",
    "Looks. Start with next_action.",
    (
        Action(
            "capabilities",
            "say what this server can do, and how each action is called",
            run=knowing.capabilities,
            adds=(_TOOL, _ACTION),
            writes=False,
            own_limit=16_000,
            example={"tool": "harness_session", "action_name": "begin"},
        ),
        Action(
            "get_context",
            "show the project, its campaigns and how many issues are in each status",
            run=knowing.context,
            adds=(PROJECT,),
            writes=False,
        ),
        Action("next_action", "say what to do next, as a call that can be sent as it is", "next", writes=False),
        Action(
            "why",
            "say why an issue, a run or a project is where it is, and what changes it",
            "why",
            rename={"subject": "id"},
            writes=False,
            example={"id": "DOCS-1"},
        ),
        Action("export", "give a page of a project as one document", "export", writes=False, own_limit=32_000),
        Action(
            "audit",
            "show what happened to an issue or project, or check that nobody changed it",
            "audit",
            rename={"subject": "id"},
            writes=False,
            example={"id": "DOCS-1"},
        ),
        Action("health_snapshot", "check the ledger's invariants and this machine", run=knowing.health, writes=False),
        Action(
            "search",
            "search what was learnt",
            adds=(Field("query", str, "words", required=True),),
            writes=False,
            needs=_RECALL,
        ),
    ),
)
