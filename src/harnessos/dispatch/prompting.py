"""The prompt of a turn: the workflow's template over the issue, what came before, and what the gates said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos.model.checkpoint import resume_packet
from harnessos.workflow.template import prompt_of
from harnessos.workflow.variables import prompt_variables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.dispatch.place import Place
    from harnessos.model.gate import Gate
    from harnessos.store.transaction import Row, Transaction
    from harnessos.workflow.values import Workflow

CHECKPOINTS = 20


class Background(NamedTuple):
    """What a prompt says beside the issue itself."""

    blocked_by: list[dict[str, object]]
    milestone: str | None
    campaign: str | None
    packet: dict[str, object] | None
    gates: Sequence[Gate]


def render(
    workflow: Workflow, place: Place, run: Row, issue: Row, background: Background, turn: int, rejection: str | None
) -> str:
    """Return the prompt of a turn."""
    variables = prompt_variables(
        {
            "id": issue["id"],
            "identifier": issue["identifier"],
            "title": issue["task"],
            "task": issue["task"],
            "description": issue["description"],
            "priority": issue["priority"] + 1,
            "state": issue["status"],
            "branch_name": run["branch"],
            "labels": json.loads(issue["labels_json"]),
            "blocked_by": background.blocked_by,
            "dispatchable": True,
            "created_at": issue["created_at"],
            "updated_at": issue["updated_at"],
            "key": issue["key"],
            "size": issue["size"],
            "milestone": background.milestone,
            "campaign": background.campaign,
            "files": json.loads(issue["files_json"]),
            "deadline_at": issue["deadline_at"],
        },
        # The specification's `attempt` is null on the first one and counts retries from there.
        attempt=run["attempt"] - 1 or None,
        turn=turn,
        rejection=rejection,
        resume=json.dumps(background.packet, ensure_ascii=False, indent=1) if background.packet else None,
        project={"key": place.project["key"], "name": place.project["name"]},
        worktree={"path": run["worktree"] or str(place.root), "branch": run["branch"], "base": run["base_commit"]},
        run={"id": run["id"]},
        gates=[{"name": gate.name, "kind": gate.kind.value, "command": _command(gate)} for gate in background.gates],
    )
    return prompt_of(workflow).render(variables)


def _command(gate: Gate) -> str | None:
    return " ".join(gate.argv) if gate.argv else gate.shell


def background_of(tx: Transaction, issue: Row, run_id: str, gates: Sequence[Gate]) -> Background:
    """Read what a prompt says beside the issue itself: dependencies, milestone, campaign, the resume packet."""
    milestone = tx.one("milestone_by_id", id=issue["milestone_id"]) if issue["milestone_id"] else None
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    edges = tx.all("issue_dependencies", issue=issue["id"])
    blocked_by: list[dict[str, object]] = [
        {"id": edge["depends_on_id"], "identifier": edge["identifier"], "state": edge["status"]} for edge in edges
    ]
    return Background(
        blocked_by,
        milestone["key"] if milestone else None,
        campaign["name"] if campaign else None,
        packet_of(tx, issue["id"], run_id),
        gates,
    )


def packet_of(tx: Transaction, issue_id: str, but: str) -> dict[str, object] | None:
    """Return the resume packet of an issue for a run that continues the work of earlier ones."""
    earlier = [run for run in tx.all("run_all_of", issue=issue_id, most=1000) if run["id"] != but]
    made = tx.all("checkpoint_of_issue", issue=issue_id, most=CHECKPOINTS)
    return resume_packet(list(reversed(made)), earlier[-1] if earlier else None)


def rejection_text(results: Sequence[Row], reason: str) -> str:
    """Return what the gates said about a rejected turn, for the next turn's prompt."""
    parts = [reason]
    failing = [row for row in results if row["required"] and row["passed"] != 1]
    parts += [f"\n{row['gate']}: {row['detail']}\n{row['excerpt']}" for row in failing]
    return "\n".join(parts)[:12_000]
