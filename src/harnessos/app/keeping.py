"""Artifacts: files that a session's run made, recorded by their hash, and found again."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.files import contained, sha256_file
from harnessos.inspector.views import page_size
from harnessos.kernel import runs
from harnessos.model import scorecard
from harnessos.store import named

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.store.transaction import Row, Transaction

LARGEST = 1 << 30
_MOST = 1000
_SHOWN = ("id", "identifier", "run_id", "kind", "path", "sha256", "size", "created_at")


class Wanted(NamedTuple):
    """Which artifacts: of an issue, of a kind, a page of so many after the cursor (the last page's last id)."""

    issue: str | None = None
    kind: str | None = None
    limit: int = 50
    cursor: str = ""


def save(harness: Harness, token: str, kind: str, path: str) -> dict[str, Any]:
    """Record a file of the session's worktree or folder. Any: JSON.

    Refused for a path that leads out of it, NotAFile for what is no regular file or larger than 1 GB.
    """
    if kind == scorecard.KIND:
        raise errors.BadUsage("a scorecard is no file to save", hint="`harness session checkpoint --scorecard FILE`")
    run = harness.run_of(token)
    root = Path(run["worktree"] or run["path"])
    file = contained(root, Path(path))
    facts = file.lstat() if file.exists() else None
    if facts is None or not stat.S_ISREG(facts.st_mode):
        raise errors.NotAFile(f"{path} is no regular file in {root}", hint="write it there first", path=str(file))
    if facts.st_size > LARGEST:
        raise errors.NotAFile(f"{path} has {facts.st_size:,} bytes, more than {LARGEST:,}", hint="keep a part of it")
    digest, size = sha256_file(file)
    shown = str(file.relative_to(root.resolve()))
    lease, cause = runs.lease_of(run), runs.cause_of(run, "artifacts.save")
    artifact = harness.write(runs.save_artifact, lease, cause, kind=kind, path=shown, sha256=digest, size=size)
    return {"id": artifact, "kind": kind, "path": shown, "sha256": digest, "size": size, "run_id": run["id"]}


def listed(harness: Harness, project: str | None, wanted: Wanted) -> dict[str, Any]:
    """Return a page of the artifacts of a project, newest runs last; `cursor` is None on the last page. Any: JSON."""
    key = harness.key(project) if wanted.issue is None or project else None
    return harness.read(_listed, key, wanted)


def _listed(tx: Transaction, key: str | None, wanted: Wanted) -> dict[str, Any]:
    limit = page_size(wanted.limit)
    kind = wanted.kind or ""
    if wanted.issue is not None:
        issue = named.issue(tx, wanted.issue)
        rows = [{**row, "identifier": issue["identifier"]} for row in _of_issue(tx, issue["id"], kind, wanted.cursor)]
    else:
        assert key is not None
        project = named.project(tx, key)
        rows = tx.all("artifact_of_project", project=project["id"], kind=kind, after=wanted.cursor, most=limit + 1)
    items = [_shown(row) for row in rows[:limit]]
    return {"items": items, "cursor": items[-1]["id"] if len(rows) > limit else None}


def _of_issue(tx: Transaction, issue_id: str, kind: str, after: str) -> list[Row]:
    runs_ = tx.all("run_all_of", issue=issue_id, most=_MOST)
    found = [row for run in runs_ for row in tx.all("artifact_of_run", run=run["id"], most=_MOST)]
    return sorted((row for row in found if row["id"] > after and kind in ("", row["kind"])), key=lambda row: row["id"])


def _shown(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in _SHOWN}
