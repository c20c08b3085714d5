"""Sessions for any frontend: the dispatch room's calls, with the briefing and the shapes that frontends show."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.app.harness import user_of
from harnessos.dispatch import place as places
from harnessos.dispatch import sessions
from harnessos.kernel import budgets, runs
from harnessos.kernel.claims import Nothing
from harnessos.model.briefing import Dependency, Material, briefing
from harnessos.model.budget import utc_day
from harnessos.model.checkpoint import resume_packet
from harnessos.model.issue import PRIORITIES
from harnessos.model.outcome import Outcome
from harnessos.model.verdict import Verdict
from harnessos.store import named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harnessos.app.harness import Harness
    from harnessos.dispatch.closing import Closed
    from harnessos.dispatch.sessions import Begun
    from harnessos.store.transaction import Row, Transaction

LONGEST_TTL_S = 7 * 24 * 3600
LOOK_S = 0.5
"""How often a waiting `show` looks: SQLite wakes nobody, and a verdict takes seconds at least."""
_CHECKPOINTS = 50
_EVIDENCE = 1000
_RUN = (
    "epoch", "agent", "attempt", "phase", "live", "expires_at", "turns", "verdict", "outcome", "reason", "stop_request",
    "worktree", "branch", "base_commit", "commit_id", "salvage_ref", "checkpoints", "started_at", "ended_at",
)  # fmt: skip


class Wish(NamedTuple):
    """What an agent asks for. `ttl_s` None is the default of an hour; no `classes` serves every workload class."""

    project: str | None = None
    issue: str | None = None
    agent: str | None = None
    ttl_s: int | None = None
    worktree: bool = False
    host: str = ""
    classes: Sequence[str] = ()
    capabilities: Sequence[str] = ()
    recovery: bool = False


def begin(harness: Harness, wish: Wish) -> dict[str, Any]:
    """Take an issue; return the document `{"session", "issue", "worktree", "briefing"}`, or `{"session": None, "reason"}`.

    Any: a JSON document. AlreadyClaimed and IllegalMove for a named issue that cannot be had.
    """
    if wish.ttl_s is not None and not 0 < wish.ttl_s <= LONGEST_TTL_S:
        raise errors.BadUsage(f"a lease lasts between 1 and {LONGEST_TTL_S} seconds, not {wish.ttl_s}")
    project = harness.store.read(_project, harness.key(wish.project))
    request = sessions.BeginRequest(
        project,
        wish.agent or user_of(harness.environ) or "agent",
        issue=wish.issue,
        worktree=wish.worktree,
        host=wish.host,
        classes=tuple(wish.classes) or None,
        capabilities=tuple(wish.capabilities),
        recovery=wish.recovery,
    )
    if wish.ttl_s is not None:
        request = request._replace(ttl_ms=wish.ttl_s * 1000)
    begun = sessions.begin(harness.ground, request)
    if isinstance(begun, Nothing):
        return {"session": None, "reason": begun.reason}
    return _document(harness, begun)


def _project(tx: Transaction, key: str) -> Row:

    return named.project(tx, key)


def _document(harness: Harness, begun: Begun) -> dict[str, Any]:
    place = begun.place
    run, issue = begun.claimed.run, begun.claimed.issue
    material = harness.store.read(_material, run, issue, place, begun.worktree)
    return {
        "session": {"token": begun.token, "run_id": run["id"], "epoch": run["epoch"], "expires_at": run["expires_at"]},
        "issue": issue_document(issue),
        "worktree": None if begun.worktree is None else str(begun.worktree),
        "briefing": briefing(material),
    }


def _material(tx: Transaction, run: Row, issue: Row, place: places.Place, worktree: Path | None) -> Material:
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    assert campaign is not None
    edges = tx.all("issue_dependencies", issue=issue["id"])
    held = [row for row in tx.all("run_files_held", project=issue["project_id"]) if row["run_id"] != run["id"]]
    checkpoints = list(reversed(tx.all("checkpoint_of_issue", issue=issue["id"], most=_CHECKPOINTS)))
    before = [row for row in tx.all("run_all_of", issue=issue["id"], most=1000) if row["id"] != run["id"]]
    return Material(
        issue["identifier"],
        issue["task"],
        issue["description"],
        run["attempt"],
        [_dependency(tx, edge) for edge in edges],
        resume_packet(checkpoints, before[-1] if before else None),
        [(row["path"], row["identifier"]) for row in held],
        [_gate(gate.as_document()) for gate in places.rules_of(place, campaign, issue).gates],
        _left(tx, run, issue, place.budget),
        None if worktree is None else str(worktree),
    )


def _dependency(tx: Transaction, edge: Row) -> Dependency:
    other = tx.one("issue_by_id", id=edge["depends_on_id"])
    last = tx.all("checkpoint_of_issue", issue=edge["depends_on_id"], most=1)
    assert other is not None
    summary = last[0]["summary"] if last else ""
    return Dependency(other["identifier"], other["task"], other["verdict"], other["accepted_commit"], summary)


def _gate(document: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "kind", "required", "argv", "shell", "path", "in", "allow")
    return {name: document[name] for name in names if document.get(name) is not None}


def _left(tx: Transaction, run: Row, issue: Row, budget: str) -> dict[str, int | None]:
    """Return what the budgets still allow; None is unlimited. Times in ms."""
    limits = budgets.limits_of(issue, budget)
    used = issue["attempts"] - issue["forgiven"]
    rows = tx.all("inspect_budget", scope_kind="project", scope=issue["project_id"], period=utc_day(tx.now))
    runs_left = [row["cap"] - row["spent"] for row in rows if row["dimension"] == "runs" and row["cap"] is not None]
    return {
        "run_ms": None if run["cap_at"] is None else run["cap_at"] - tx.now,
        "attempts": None if limits.attempts is None else max(0, limits.attempts - used),
        "issue_ms": None if limits.issue_wall_ms is None else max(0, limits.issue_wall_ms - issue["wall_ms"]),
        "project_runs_today": runs_left[0] if runs_left else None,
    }


def issue_document(issue: Row) -> dict[str, Any]:
    """Return an issue as sessions show it."""
    names = ("id", "identifier", "task", "description", "size", "status", "attempts", "deadline_at", "verdict")
    shown = {name: issue[name] for name in names}
    lists = {name: json.loads(issue[f"{name}_json"]) for name in ("labels", "files")}
    return {**shown, "priority": PRIORITIES[issue["priority"]], **lists}


def cards_in(files: Sequence[str]) -> list[Any]:
    """Return the documents of scorecard files. NotAFile, BadDocument. Any: JSON."""
    from pathlib import Path

    from harnessos.files import read_bounded
    from harnessos.model.scorecard import LARGEST

    found = []
    for file in files:
        try:
            found.append(json.loads(read_bounded(Path(file), LARGEST)))
        except (ValueError, RecursionError) as problem:
            raise errors.BadDocument(
                f"{file} is no JSON: {problem}", hint="a scorecard is one JSON object"
            ) from problem
    return found


def score(harness: Harness, token: str, documents: Sequence[object]) -> list[str]:
    """Keep scorecards of the session's run, the last of them being what counts; return the ids of their artifacts."""
    if not documents:
        return []
    from harnessos.dispatch import scorecards

    return scorecards.keep(harness.ground, harness.run_of(token), documents)


def close(
    harness: Harness, token: str, outcome: str, *, commit: str | None, reason: str, task_fault: bool, cwd: Path | None
) -> dict[str, Any]:
    """End the session; the document's `verdict` is None where nothing was judged.

    `cwd` is where the caller stands, None for the project's own place; a worktree of the run's own comes before both.
    """
    from harnessos.dispatch import closing

    ground = harness.ground
    _require_ordinary(harness, token)
    try:
        done = closing.close(
            ground, token, outcome, commit=commit, checkout=_checkout(cwd), reason=reason, task_fault=task_fault
        )
    except errors.LeaseLost as problem:
        _refuse_second(harness, token, problem)
        raise
    told = _closed(done)
    if done.verdict != Verdict.REJECTED.value:
        return told
    counts = {"rejections": done.run["rejections"], "max_rejections": done.max_rejections}
    return told | counts | {"failed": failing(harness, done.run)}


def failing(harness: Harness, run: Row) -> list[dict[str, Any]]:
    """Return what the required gates that did not pass said when the run was judged last. Any: JSON."""
    rows = harness.read(_evidence, run["id"])
    newest = [row for row in rows if row["turn"] == rows[-1]["turn"]]
    return [
        {"gate": row["gate"], "kind": row["kind"], "exit_code": row["exit_code"], "detail": row["detail"],
         "excerpt": row["excerpt"], "log": row["log"], "evidence": row["id"]}
        for row in newest if row["required"] and row["passed"] != 1
    ]  # fmt: skip


def _refuse_second(harness: Harness, token: str, problem: errors.LeaseLost) -> None:
    """Raise what there is to say of a session that was closed before, and was not taken away."""
    run = harness.run_of(token)
    if run["live"] or run["outcome"] in (None, Outcome.LOST):
        return
    how = f"with the verdict {run['verdict']}" if run["verdict"] else f"as {run['outcome']}"
    raise errors.LeaseLost(
        f"this session is closed already, {how}; nothing was written",
        hint="there is nothing left to do in it: `harness session begin` takes the next issue",
        **problem.facts,
        verdict=run["verdict"],
    ) from problem


def _evidence(tx: Transaction, run_id: str) -> list[Row]:
    return tx.all("evidence_of_run", run=run_id, most=_EVIDENCE)


def _require_ordinary(harness: Harness, token: str) -> None:
    """Refuse the token of a mission's run: what it did is not judged by gates."""
    run = harness.run_of(token)
    issue = harness.read(lambda tx: tx.one("issue_by_id", id=run["issue_id"]))
    if issue is not None and issue["kind"] != "task":
        raise errors.Refused(
            f"this is a run of the mission {issue['identifier']}",
            hint=f"`harness mission done {run['path']}`, `fail` or `blocked` ends it",
        )


def _checkout(cwd: Path | None) -> Path | None:
    """Return the caller's checkout: the folder it is in, when that lies in a repository."""
    from harnessos.discovery import find_common_dir

    return cwd if cwd is not None and find_common_dir(cwd) is not None else None


def project_of(harness: Harness, token: str) -> str:
    """Return the key of the project a session works for."""
    run = harness.run_of(token)
    row = harness.store.read(lambda tx: tx.one("project_by_id", id=run["project_id"]))
    assert row is not None
    return str(row["key"])


def _closed(done: Closed) -> dict[str, Any]:
    return {
        "verdict": done.verdict,
        "phase": done.phase,
        "reason": done.reason,
        "commit": done.run["commit_id"],
        "run_id": done.run["id"],
        "session_open": bool(done.run["live"]),
        "issue": issue_document(done.issue),
    }


def show(harness: Harness, token: str, *, wait: bool) -> dict[str, Any]:
    """Return the session's state, renewing its lease; a dead verifier is replaced, and `wait` outlasts a live one."""
    from harnessos.dispatch import closing, verification

    run = harness.run_of(token)
    while run["live"] and run["phase"] == "verifying":
        if verification.verifier_is_dead(run["verifier"]) and not run["supervised"]:
            closing.close(harness.ground, token, "finished", commit=run["commit_id"])
        elif not wait:
            break
        else:
            threading.Event().wait(LOOK_S)
        run = harness.run_of(token)
    if run["live"] and run["phase"] != "verifying":
        run = {**run, **harness.write(runs.heartbeat, runs.lease_of(run))}
    issue = harness.store.read(lambda tx: tx.one("issue_by_id", id=run["issue_id"]))
    assert issue is not None
    session = {"run_id": run["id"], **{name: run[name] for name in _RUN}, "live": bool(run["live"])}
    return {"session": session, "issue": issue_document(issue)}
