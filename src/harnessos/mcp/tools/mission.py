"""`harness_mission`: work that goes on by day and night in a workspace of its own, judged by its own checks."""

from __future__ import annotations

from typing import Literal

from harnessos.mcp import missions
from harnessos.mcp.actions import Action, Field, Tool, fields_of

_WS = {"workspace": "/srv/missions/watch"}
_VERBS = ("init", "dispatch", "status", "collect", "cleanup", "run")


def _of(verb: str, **names: str) -> list[Field]:
    """Return fields of `mission agents VERB`, none of them required here; `names` maps its words to ours."""
    known = {one.name: one for one in fields_of(f"mission agents {verb}")}
    return [
        known[name]._replace(name=ours, required=False, help=f"with {verb}: {known[name].help}")
        for name, ours in names.items()
    ]


MISSION = Tool(
    "harness_mission",
    "Runs missions. `workspace` is an absolute path or MSN-n.",
    (
        Action("list", "list the missions of the ledger", "mission list", writes=False),
        Action(
            "show",
            "show the state, the last runs, the memory and the next firings",
            "mission show",
            writes=False,
            example=_WS,
        ),
        Action(
            "new",
            "make a mission from a mission.yaml",
            "mission new",
            rename={"from": "file"},
            operator=("idea", "agent"),
            drop=("dry_run",),
            required=("workspace",),
            own_limit=4_000,
            example={"file": "/srv/mission.yaml", "workspace": "/srv/missions/watch", "no_run": True},
        ),
        Action(
            "boot",
            "say whether the mission may run now; `init` writes the templates that are missing",
            "mission boot",
            operator=("adopt", "max_failures"),
            own_limit=6_000,
            idempotent=True,
            example={**_WS, "init": True},
        ),
        Action("start", "begin a run: the breakpoint, and the run's token", "mission start", example=_WS),
        Action(
            "done",
            "say that the step is done; eval decides whether it is",
            "mission done",
            example={**_WS, "step": "1"},
        ),
        Action(
            "fail",
            "say that the run failed; the breakpoint stays",
            "mission fail",
            example={**_WS, "error": "no network"},
        ),
        Action(
            "blocked", "say that the mission needs a person", "mission blocked", example={**_WS, "reason": "no key"}
        ),
        Action(
            "complete", "set the mission complete, if every mandatory check passes now", "mission complete", example=_WS
        ),
        Action(
            "stream",
            "append a line to the mission's log",
            "memory stream",
            example={**_WS, "step": "1", "event": "looked"},
        ),
        Action(
            "learn", "keep an insight", "memory learn", example={**_WS, "topic": "api", "insight": "it pages by 50"}
        ),
        Action(
            "search",
            "search the log, live and rotated",
            "memory search",
            drop=("regex",),  # one pattern can hold the whole server
            writes=False,
            example={**_WS, "query": "timeout"},
        ),
        Action("topics", "list what is known", "memory topics", writes=False, own_limit=4_000, example=_WS),
        Action("check", "verify the three layers of the memory", "memory check", idempotent=True, example=_WS),
        Action(
            "eval",
            "run the checks in isolation; they decide the last claim",
            "mission eval",
            own_limit=6_000,
            example=_WS,
        ),
        Action(
            "cleanup",
            "archive old runs, rotate the log, check the memory",
            "mission cleanup",
            idempotent=True,
            example=_WS,
        ),
        Action(
            "dream",
            "consolidate the memory while the mission is idle",
            "mission dream",
            operator=("agent",),
            own_limit=6_000,
            example=_WS,
        ),
        Action(
            "schedule",
            "show when it runs and dreams, in the format of a scheduler",
            "mission schedule",
            operator=("install", "agent", "skill_dir"),
            own_limit=6_000,
            idempotent=True,
            example=_WS,
        ),
        Action(
            "context",
            "give the documents in the order in which they are read",
            "mission context",
            writes=False,
            own_limit=100_000,
            example=_WS,
        ),
        Action(
            "agents",
            "hand tasks to workers and collect their results: " + ", ".join(_VERBS),
            run=missions.agents,
            adds=(
                Field("verb", Literal[_VERBS], "what to do", required=True),
                Field("workspace", str, "as everywhere", required=True),
                *_of("dispatch", task="task", agent="worker", step="step", priority="priority"),
                *_of("init", agents="agents"),
                *_of("run", agent="agent", max="max"),
                Field("session", str, "the run's token"),
            ),
            operator=("agent",),
            own_limit=6_000,
            example={**_WS, "verb": "status"},
        ),
    ),
)
