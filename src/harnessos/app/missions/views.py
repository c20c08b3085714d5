"""What is shown of missions: as documents for programs, and as text where it takes more than a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.kernel import missions
from harnessos.mission import rendering
from harnessos.model import mission as model

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.app.missions.booting import Booted
    from harnessos.app.missions.opening import At
    from harnessos.store.transaction import Row, Transaction

_SHOWN = (
    "identifier", "name", "workspace", "status", "breaker", "failures", "max_failures", "blocking_reason", "step",
    "artifact", "last_result", "last_run_at", "runs", "successes", "faults", "dreamt_at",
)  # fmt: skip


def document(row: Row) -> dict[str, Any]:
    """Return a mission as programs see it. Any: texts, numbers and null."""
    claim = model.read(row).claim
    return {
        **{name: row[name] for name in _SHOWN},
        "paused": bool(row["paused"]),
        "runner": json.loads(row["runner_json"]).get("command"),
        "steps_done": json.loads(row["steps_json"]),
        "claim": None if claim is None else {"run": claim.run, "step": claim.step, "result": claim.result or None},
    }


def booted(found: Booted) -> dict[str, Any]:
    """Return what boot found. Any: texts, numbers and lists."""
    said = found.boot
    return {
        "code": said.code,
        "ready": said.code == 0,
        "message": said.sentence,
        "problems": list(said.problems),
        "notes": list(said.notes),
        "todo": said.todo,
        "mission": document(found.mission),
        "tools": [tool._asdict() for tool in found.tools],
        "made": list(found.made),
        "layers": {"topics": found.topics, "stream_bytes": found.stream_bytes},
    }


class Shown(NamedTuple):
    """A mission with what stands around it. Any: rows as documents."""

    mission: dict[str, Any]
    runs: list[dict[str, Any]]
    firings: dict[str, int | None]
    memory: dict[str, Any]
    dreams: list[dict[str, Any]]
    live: dict[str, Any] | None


def show(at: At, most: int) -> Shown:
    """Return the state, the last runs, the sizes of the memory's layers, and when it is due next."""
    return at.harness.read(_show, at, most)


def _show(tx: Transaction, at: At, most: int) -> Shown:
    row = missions.find(tx, at.mission_id)
    runs = [
        run_document(run)
        for run in tx.all("mission_run_list", mission=at.mission_id, kind="run", before=1 << 40, most=most)
    ]
    firings = {}
    for target in ("mission", "dream"):
        found = tx.one("mission_next_firing", mission=at.mission_id, target=target, one=1)
        firings[target] = found["fires_at"] if found else None
    dreams = [
        {**dream, "summary": json.loads(dream.pop("summary_json"))}
        for dream in tx.all("mission_dream_list", mission=at.mission_id, most=most)
    ]
    live = tx.one("run_live_of", issue=row["issue_id"])
    return Shown(
        document(row),
        runs,
        firings,
        memory_sizes(tx, at),
        dreams,
        None if live is None else {"run": live["id"], "agent": live["agent"], "expires_at": live["expires_at"]},
    )


def memory_sizes(tx: Transaction, at: At) -> dict[str, Any]:
    """Return the bytes of each layer of a workspace's memory. Any: numbers."""
    heartbeat, log = at.place / "heartbeat.md", at.place / "logs" / "execution_stream.log"
    archived = list((at.place / "logs" / "archive").glob("execution_stream_*"))
    return {
        "heartbeat_bytes": heartbeat.stat().st_size if heartbeat.is_file() else 0,
        "topics": len(tx.all("mission_topic_list", mission=at.mission_id)),
        "topic_bytes": sum(path.stat().st_size for path in (at.place / "knowledge").glob("*.md") if path.is_file()),
        "stream_bytes": log.stat().st_size if log.is_file() else 0,
        "rotated_logs": len(archived),
    }


def failing(run: Row) -> list[dict[str, str]]:
    """Return the mandatory checks that failed in the last evaluation of a run's claim, each with its reason."""
    checks = json.loads(run["checks_json"])
    return [
        {"name": check["name"], "detail": check["detail"]}
        for check in checks
        if check["mandatory"] and check["passed"] is False
    ]


def told(run: Row) -> str:
    """Return in a few words how a run ended, and why: a check that failed is named before what the agent said."""
    shown = rendering.result_of(run)
    why = "; ".join(f"{check['name']}: {check['detail']}" for check in failing(run)) if shown == "Failed" else ""
    why = why or run["note"] or run["reason"]
    return f"{shown}, {why}" if why else shown


def run_document(run: Row) -> dict[str, Any]:
    """Return a run of a mission as programs see it. Any: texts, numbers and null."""
    return {
        "number": run["number"],
        "run": run["id"],
        "trigger": run["trigger"],
        "started_at": run["started_at"],
        "ended_at": run["ended_at"],
        "step": run["step"] or run["began_step"],
        "claim": run["claim"] or None,
        "result": run["result"] or None,
        "shown": rendering.result_of(run),
        "note": run["note"] or run["reason"],
        "failing": failing(run),
        "told": told(run),
        "lines": run["lines"],
        "agent": run["agent"],
        "changed": run["changed"] or None,
    }


def listing(harness: Harness, most: int) -> list[dict[str, Any]]:
    """Return the missions of the ledger that is meant here. Any: see `document`."""
    return [document(row) for row in harness.read(_list, most)]


def _list(tx: Transaction, most: int) -> list[Row]:
    return tx.all("mission_list", after="", most=most)
