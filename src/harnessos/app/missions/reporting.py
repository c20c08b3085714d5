"""The morning report of a mission: what ran, what it achieved, what needs a person, what it cost, what was learnt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harnessos.app.missions import views
from harnessos.kernel import missions
from harnessos.mission.rendering import cell
from harnessos.model.budget import DOLLAR
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harnessos.app.missions.opening import At
    from harnessos.store.transaction import Row, Transaction

_MOST = 1_000
_FOREVER = 1 << 40
_DOCUMENTS = {"playbook.md": "the playbook", "eval_criteria.md": "the criteria", "mission.md": "mission.md"}


def gather(at: At, length_ms: int) -> dict[str, Any]:
    """Return the report of the last so many ms, as a document. Any: see the keys."""
    return at.harness.read(_gather, at.mission_id, length_ms)


def _gather(tx: Transaction, mission_id: str, length_ms: int) -> dict[str, Any]:
    since = tx.now - length_ms
    mission = missions.find(tx, mission_id)
    rows = tx.all("mission_run_list", mission=mission_id, kind="run", before=_FOREVER, most=_MOST)
    runs = [row for row in rows if row["started_at"] >= since]
    before = next((row for row in rows if row["started_at"] < since), None)
    asked = tx.all("mission_asked", issue=mission["issue_id"])
    dreams = tx.all("mission_dream_list", mission=mission_id, most=_MOST)
    topics = [row for row in tx.all("mission_topic_list", mission=mission_id) if row["updated_at"] >= since]
    skips = tx.all("mission_skips", mission=mission_id, since=since, most=_MOST)
    return {
        "mission": views.document(mission),
        "since": since,
        "until": tx.now,
        "runs": [_run(row) for row in runs],
        "achieved": [_achieved(row) for row in runs if row["result"] == "passed"],
        "blocked": _blocked(mission, asked),
        "spend": _spend(runs),
        "learned": [
            {"topic": row["slug"], "entries": row["entries"], "verified": bool(row["verified"])} for row in topics
        ],
        "dreams": [{"id": row["id"], "at": row["at"], "state": row["state"]} for row in dreams if row["at"] >= since],
        "changes": list(_changes([*reversed(runs)], before)),
        "silent": [row["number"] for row in runs if not row["live"] and row["lines"] == 0],
        "skipped": [{"at": row["nominal_at"], "reason": row["reason"]} for row in skips],
    }


def _run(row: Row) -> dict[str, Any]:
    return {**views.run_document(row), "usd": row["spent_usd"], "tokens": row["spent_tokens"]}


def _achieved(row: Row) -> dict[str, Any]:
    """Return what a run achieved, with the checks that prove it."""
    passed = [check["name"] for check in json.loads(row["checks_json"]) if check["passed"]]
    return {"run": row["number"], "step": row["step"], "summary": row["note"], "evidence": passed}


def _blocked(mission: Row, asked: Sequence[Row]) -> dict[str, Any] | None:
    if mission["status"] != "blocked" and not asked:
        return None
    return {
        "reason": mission["blocking_reason"] or None,
        "questions": [{"question": row["question"], "command": row["command"]} for row in asked],
    }


def _spend(runs: Sequence[Row]) -> dict[str, Any]:
    wall = sum((row["ended_at"] or row["started_at"]) - row["started_at"] for row in runs)
    return {
        "runs": len(runs),
        "wall_ms": wall,
        "usd": sum(row["spent_usd"] or 0 for row in runs),
        "tokens": sum(row["spent_tokens"] or 0 for row in runs),
        "unmetered": sum(row["spent_usd"] is None for row in runs),
    }


def _changes(runs: Sequence[Row], before: Row | None) -> Iterator[dict[str, Any]]:
    """Yield what of the documents was another from one run to the next, oldest first."""
    last: dict[str, str] = json.loads(before["documents_json"]) if before else {}
    for row in runs:
        now = json.loads(row["documents_json"])
        for name, words in _DOCUMENTS.items():
            if last and now and last.get(name) != now.get(name):
                yield {"run": row["number"], "document": name, "text": f"{words} changed before run #{row['number']}"}
        last = now or last
        if row["changed"]:
            yield {
                "run": row["number"],
                "document": row["changed"],
                "text": f"constitution changed: {row['changed']} during run #{row['number']}; its results need a person",
            }


def text(found: dict[str, Any]) -> str:
    """Return the report for a terminal."""
    return "\n".join(line.removeprefix("# ").removeprefix("## ").replace("`", "") for line in _lines(found))


def markdown(found: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    mission = found["mission"]
    yield f"# Report of {cell(mission['name'])} ({mission['identifier']})"
    yield ""
    yield f"{stamp(found['since'])} to {stamp(found['until'])}; status `{mission['status']}`, next step `{cell(mission['step'])}`"
    yield from _section("Achieved", [_achievement(one) for one in found["achieved"]], "nothing was judged as passed")
    yield from _section("Needs a person", list(_needs(found)), "nothing")
    yield from _section("Runs", [_told(run) for run in found["runs"]], "none")
    yield from _section("Spend", [_spent(found["spend"])], "")
    learned = [
        f"{one['topic']}: {one['entries']} insights{'' if one['verified'] else ', unverified'}"
        for one in found["learned"]
    ]
    learned += [f"dream {one['id']} at {stamp(one['at'])}: {one['state']}" for one in found["dreams"]]
    yield from _section("Learned", learned, "nothing new")
    yield from _section("Changed between runs", [one["text"] for one in found["changes"]], "nothing")
    flags = [f"run #{number} left no line of its own in the stream" for number in found["silent"]]
    flags += [f"not run at {stamp(one['at'])}: {cell(one['reason'], 200)}" for one in found["skipped"]]
    yield from _section("To look at", flags, "nothing")


def _section(title: str, lines: Sequence[str], empty: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield from ([f"- {line}" for line in lines] or [f"- {empty}"])


def _achievement(one: dict[str, Any]) -> str:
    proof = f" (proved by {', '.join(cell(name) for name in one['evidence'])})" if one["evidence"] else ""
    return f"run #{one['run']}, {cell(one['step'])}: {cell(one['summary'], 300) or 'done'}{proof}"


def _needs(found: dict[str, Any]) -> Iterator[str]:
    blocked = found["blocked"]
    if blocked is None:
        return
    if blocked["reason"]:
        yield f"blocked: {cell(blocked['reason'], 300)}"
    for one in blocked["questions"]:
        yield f"{cell(one['question'], 300)} -> `{one['command']}`"


def _told(run: dict[str, Any]) -> str:
    return f"#{run['number']} {stamp(run['started_at'])} {cell(run['step'])}: {cell(run['told'], 300)}"


def _spent(spend: dict[str, Any]) -> str:
    parts = [f"{spend['runs']} runs", f"{spend['wall_ms'] / 60_000:.1f} minutes"]
    if spend["usd"] or not spend["unmetered"]:
        parts.append(f"{spend['usd'] / DOLLAR:.2f} USD, {spend['tokens']:,} tokens")
    if spend["unmetered"]:
        parts.append(f"{spend['unmetered']} runs unmetered")
    return ", ".join(parts)
