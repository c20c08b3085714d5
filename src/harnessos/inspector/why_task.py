"""Why a dispatched task is where it is, while it waits for a worker or has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.inspector import why_mission
from harnessos.inspector.remedies import Remedy, harness
from harnessos.inspector.views import span
from harnessos.inspector.why_issue import Answer, Deciding

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction


def explain(tx: Transaction, issue: Row) -> Answer:
    """Return why a task is pending or in_progress: who has it, or what keeps it from being handed out."""
    mission = tx.one("mission_by_issue", issue=issue["parent_id"])
    parent = tx.one("issue_by_id", id=issue["parent_id"])
    assert mission is not None
    assert parent is not None
    name, place = issue["identifier"], mission["workspace"]
    run = tx.one("run_live_of", issue=issue["id"])
    if run is not None:
        who = f"a runner works at it as {run['agent']}" if run["supervised"] else f"{run['agent']} has it"
        text = f"{name} is in progress: {who}, for another {span(max(0, run['expires_at'] - tx.now))}"
        return Answer(text, Deciding("runs", run["id"], "live", 1), _agents("collect", place))
    hold = tx.one("mission_hold", scope_kind="mission", issue=parent["id"], kind="operator")
    stopped = mission["status"] in ("blocked", "mission_complete") or mission["breaker"] == "tripped"
    if hold is not None or stopped:
        why = why_mission.explain(tx, parent)
        return why._replace(sentence=f"{name} is not handed out: {why.sentence}")
    text = f"{name} waits for an idle worker of {mission['identifier']}"
    return Answer(text, Deciding("issues", issue["id"], "status", issue["status"]), _agents("status", place))


def _agents(verb: str, place: str) -> Remedy:
    return harness("mission", "agents", verb, place, needs="anyone")
