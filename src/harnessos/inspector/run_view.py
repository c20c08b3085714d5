"""Runs: lists of them, and everything about one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.inspector import views
from harnessos.inspector.views import PAGE, page_size

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

MOST_PARTS = 200
"""Checkpoints, pieces of evidence and verdicts one view shows; a run has at most a few of each a turn."""
_LAST = "~"
"""Sorts after every id."""
_KEPT_OUT = frozenset({"token_hash", "project_id", "issue_id"})


class RunLine(NamedTuple):
    """One run in a list. Ages are in ms, counted to the instant of the reading."""

    id: str
    identifier: str
    attempt: int
    epoch: int
    agent: str
    phase: str
    live: bool
    turns: int
    started_at: int
    ended_at: int | None
    outcome: str | None
    verdict: str | None
    commit: str | None
    age_ms: int


class Runs(NamedTuple):
    """Some runs, newest first, and where the next page begins; None after the last."""

    items: tuple[RunLine, ...]
    cursor: str | None


class RunView(NamedTuple):
    """Everything about a run. `run` is its row without the token; `files` are the paths it holds while it lives."""

    run: dict[str, Any]
    checkpoints: tuple[dict[str, Any], ...]
    verdicts: tuple[dict[str, Any], ...]
    evidence: tuple[dict[str, Any], ...]
    artifacts: tuple[dict[str, Any], ...]
    intents_open: tuple[dict[str, Any], ...]
    manifest: str | None


def listed(
    tx: Transaction, project: Row, issue: Row | None = None, *, live: bool = False, cursor: str = "", limit: int = PAGE
) -> Runs:
    """Return a page of a project's runs, of one issue's, or of the project's live ones (those oldest first)."""
    limit = page_size(limit)
    if issue is not None:
        before = views.number_cursor(cursor) or 2**62
        rows = tx.all("inspect_runs_of", issue=issue["id"], before=before, most=limit)
        after = str(rows[-1]["epoch"]) if rows else ""
    elif live:
        rows = tx.all("inspect_live", project=project["id"], after=cursor, most=limit)
        after = rows[-1]["id"] if rows else ""
    else:
        rows = tx.all("inspect_runs", project=project["id"], before=cursor or _LAST, most=limit)
        after = rows[-1]["id"] if rows else ""
    return Runs(tuple(run_line(row, tx.now) for row in rows), after if len(rows) == limit else None)


def run_line(row: Row, now: int) -> RunLine:
    """Return the line of a run's row with its issue's identifier."""
    return RunLine(
        row["id"],
        row["identifier"],
        row["attempt"],
        row["epoch"],
        row["agent"],
        row["phase"],
        bool(row["live"]),
        row["turns"],
        row["started_at"],
        row["ended_at"],
        row["outcome"],
        row["verdict"],
        row["commit_id"],
        (now if row["ended_at"] is None else row["ended_at"]) - row["started_at"],
    )


def query(tx: Transaction, run_id: str, runs_folder: str | None = None) -> RunView:
    """Return everything about a run, or raise UnknownIdentifier. `runs_folder` is where evidence folders lie."""
    run = views.run(tx, run_id)
    return RunView(
        {name: value for name, value in run.items() if name not in _KEPT_OUT},
        tuple(checkpoint(row) for row in tx.all("checkpoint_of_run", run=run_id, most=MOST_PARTS)),
        tuple(tx.all("verdict_of_run", run=run_id, most=MOST_PARTS)),
        tuple(tx.all("evidence_of_run", run=run_id, most=MOST_PARTS)),
        tuple(tx.all("artifact_of_run", run=run_id, most=MOST_PARTS)),
        tuple(tx.all("intent_open_of", run=run_id, most=MOST_PARTS)),
        None if runs_folder is None else f"{runs_folder}/{run_id}/manifest.json",
    )


def checkpoint(row: Row) -> dict[str, Any]:
    """Return a checkpoint with its lists opened."""
    plain = {name: row[name] for name in ("id", "run_id", "number", "title", "summary", "next_step", "created_at")}
    return {**plain, "derived": bool(row["derived"]), **json.loads(row["body_json"])}
