"""Why a mission is where it is: what holds it, what it waits for, and the command that changes that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos.inspector.remedies import harness
from harnessos.inspector.views import span
from harnessos.inspector.why_issue import Answer, Deciding

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction


def explain(tx: Transaction, issue: Row) -> Answer:
    """Return why a mission is where it is: complete, cancelled, running, stopped, held, or waiting for its next run."""
    mission = tx.one("mission_by_issue", issue=issue["id"])
    assert mission is not None
    name = f"{issue['identifier']} ({mission['name']})"
    run = tx.one("run_live_of", issue=issue["id"])
    if run is not None:
        return _running(tx, name, run)
    place = mission["workspace"]
    row = Deciding("missions", mission["id"], "status", mission["status"])
    if mission["status"] == "mission_complete":
        return Answer(f"{name} is complete", row, harness("mission", "reset", place))
    if issue["status"] == "cancelled":
        cancelled = Deciding("issues", issue["id"], "status", "cancelled")
        return Answer(f"{name} was cancelled", cancelled, harness("mission", "reset", place))
    if mission["breaker"] == "tripped":
        text = f"{name} is blocked: its circuit breaker tripped after {mission['failures']} failures in a row"
        return Answer(text, row._replace(column="breaker", value="tripped"), harness("mission", "resume", place))
    if mission["status"] == "blocked":
        text = f"{name} is blocked: {mission['blocking_reason'] or 'it says that it needs a person'}"
        return Answer(text, row, harness("mission", "resume", place))
    hold = tx.one("mission_hold", scope_kind="mission", issue=issue["id"], kind="operator")
    if hold is not None:
        held = Deciding("holds", f"mission/{issue['id']}/operator", "reason", hold["reason"])
        return Answer(f"{name} is paused by a person", held, harness("mission", "resume", place))
    return _waiting(tx, name, mission, row)


def _running(tx: Transaction, name: str, run: Row) -> Answer:
    text = (
        f"{name} is running for {span(tx.now - run['started_at'])} (run {run['id']}, {run['agent']}), "
        f"lease for another {span(max(0, run['expires_at'] - tx.now))}"
    )
    return Answer(text, Deciding("runs", run["id"], "live", 1), harness("run", "stop", run["id"]))


def _waiting(tx: Transaction, name: str, mission: Row, row: Deciding) -> Answer:
    place = mission["workspace"]
    firing = tx.one("mission_next_firing", mission=mission["id"], target="mission", one=1)
    if firing is None:
        text = f"{name} is {mission['status']} and waits for somebody to start it at {mission['step']}: no schedule is registered"
        return Answer(text, row, harness("mission", "start", place, needs="anyone"))
    due = firing["fires_at"] - tx.now
    when = f"in {span(due)}" if due > 0 else "now"
    schedule = Deciding("schedules", firing["id"], "fires_at", firing["fires_at"])
    text = f"{name} is {mission['status']} and goes on at {mission['step']} with its next run, due {when}"
    if not json.loads(mission["runner_json"]):
        text += "; it has no agent that `harness up` could start, so the scheduler of its host has to"
        return Answer(text, schedule, harness("mission", "schedule", place, "--install", "--agent", "KIND"))
    return Answer(text, schedule, harness("up", "--missions"))
