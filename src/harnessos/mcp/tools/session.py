"""`harness_session`: taking work, reporting progress, and proving it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.mcp import sessions
from harnessos.mcp.actions import Action, Field, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

_TTL = {"ttl": "ttl_seconds"}
_CHECKOUT = Field("checkout", str, "the checkout the work lies in, where the harness made no worktree")
_CARDS = Field(
    "scorecards",
    list[dict[str, Any]],
    "marks for the work, where a gate asks for them; the newest counts: {id, summary, criteria: [{id, name, dimension"
    " (correctness, security, quality, runtime_evidence: each at least once), weight?}], scores: [{criterionId, score"
    " (1 to 10), notes, evidenceArtifactIds (ids that `harness_artifacts save` gave)}], targetScore?}",
)
_LISTS = {"file": "files", "command": "commands", "decision": "decisions", "artifact": "artifacts"}
_BRIEFED = 12_000


def _begin(name: str, purpose: str, command: str, example: Mapping[str, object] | None = None) -> Action:
    return Action(
        name,
        purpose,
        run=sessions.begin,
        command=command,
        rename=_TTL,
        drop=("host",),
        own_limit=_BRIEFED,
        example=example or {},
    )


SESSION = Tool(
    "harness_session",
    "Takes an issue, holds its lease, hands the work in. The token is in `session`.",
    (
        _begin("begin", "take an issue: token, briefing, worktree", "session begin", {"project": "DOCS"}),
        _begin(
            "begin_recovery", "take an issue whose last run was lost, with what that run left", "session begin-recovery"
        ),
        Action(
            "checkpoint",
            "record progress, so that the next attempt need not start again; renews the lease",
            run=sessions.checkpoint,
            command="session checkpoint",
            rename=_LISTS,
            drop=("scorecard",),
            adds=(_CARDS,),
            example={"title": "half done", "summary": "the parser works", "next_step": "its tests"},
        ),
        Action(
            "heartbeat",
            "renew the lease; carries phase, verdict and a request to stop",
            run=sessions.heartbeat,
            command="session heartbeat",
            idempotent=True,
        ),
        Action(
            "show",
            "show the session and its issue",
            run=sessions.show,
            command="session show",
            drop=("wait",),
            idempotent=True,
        ),
        Action(
            "close",
            "end the session; finished work is verified by the harness, at most 45 s while you wait",
            run=sessions.close,
            command="session close",
            drop=("scorecard",),
            adds=(_CHECKOUT, _CARDS),
            example={"outcome": "finished"},
        ),
        Action(
            "advance",
            "close, then take the next issue",
            run=sessions.advance,
            command="session advance",
            rename=_TTL,
            drop=("host", "scorecard"),
            adds=(_CHECKOUT, _CARDS),
            own_limit=_BRIEFED,
            example={"outcome": "finished"},
        ),
    ),
)
