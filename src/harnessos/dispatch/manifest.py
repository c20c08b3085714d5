"""A run's manifest: one JSON file outside its worktree, rewritten whole at each phase, that outlives it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.files import atomic_write, private_folder, remove_any, sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.store.transaction import Row, Transaction

VERSION = 1
NAME = "manifest.json"
LIVE = "kept while the run is live"
GOING = "being removed"
REMOVED = "removed"
MOST_ARTIFACTS = 1000
MOST_HASHED = 512 * 1024 * 1024
"""Bytes that are read for the hashes of one manifest: the folder is the agent's too."""


def write(ground: Ground, place: Place, run_id: str, cleanup: str) -> Path:
    """Write the manifest of a run as the ledger and its folder now stand; `cleanup` says what became of the worktree."""
    run, issue, evidence, retries = ground.store.read(_rows, run_id)
    folder = private_folder(ground.run_folder(run_id))
    document = {
        "schema_version": VERSION,
        "run": run_id,
        "epoch": run["epoch"],
        "issue": issue["identifier"],
        "task": issue["task"],
        "attempt": run["attempt"],
        "turns": run["turns"],
        "repo": str(place.root),
        "base": run["base_commit"],
        "commit": run["commit_id"],
        "branch": run["branch"],
        "worktree": run["worktree"],
        "started": instant(run["started_at"]),
        "ended": instant(run["ended_at"]),
        "outcome": run["outcome"],
        "verdict": run["verdict"],
        "reason": run["reason"],
        "gates": [_gate(row) for row in evidence],
        "artifacts": _artifacts(folder),
        "retries": retries,
        "salvage_ref": run["salvage_ref"],
        "cleanup": cleanup,
    }
    if (folder / NAME).is_symlink() or not (folder / NAME).is_file():
        remove_any(folder / NAME)
    atomic_write(folder / NAME, json.dumps(document, indent=2).encode(), 0o600)
    return folder / NAME


def instant(ms: int | None) -> str | None:
    """Return an instant in ISO 8601, UTC."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _rows(tx: Transaction, run_id: str) -> tuple[Row, Row, list[Row], list[Row]]:
    run = tx.one("run_by_id", id=run_id)
    assert run is not None
    issue = tx.one("issue_by_id", id=run["issue_id"])
    assert issue is not None
    earlier = [
        {"run": row["id"], "attempt": row["attempt"], "outcome": row["outcome"], "reason": row["reason"]}
        for row in tx.all("run_all_of", issue=issue["id"], most=100)
        if row["epoch"] < run["epoch"]
    ]
    return run, issue, tx.all("evidence_of_run", run=run_id, most=1000), earlier


def _gate(row: Row) -> dict[str, object]:
    return {
        "gate": row["gate"],
        "kind": row["kind"],
        "turn": row["turn"],
        "required": bool(row["required"]),
        "passed": None if row["passed"] is None else bool(row["passed"]),
        "exit_code": row["exit_code"],
        "subject": row["subject"],
        "seconds": row["duration_ms"] / 1000,
        "detail": row["detail"],
        "log": row["log"],
    }


def _artifacts(folder: Path) -> list[dict[str, object]]:
    """List what the run's folder holds, with hashes; the manifest itself is left out.

    A file has no hash when it cannot be read, or when the files before it were too large together.
    """
    found: list[dict[str, object]] = []
    left = MOST_HASHED
    for path in islice(_files(folder), MOST_ARTIFACTS):
        name = path.relative_to(folder).as_posix()
        digest: str | None = None
        try:
            size = path.stat().st_size
            if size <= left:
                digest, size = sha256_file(path)
                left -= size
        except FileNotFoundError:
            continue
        except OSError:
            size = 0
        found.append({"path": name, "sha256": digest, "size": size})
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Walk the regular files below a folder by name, without reading ahead of who asks."""
    for parent, below, names in os.walk(folder):
        below.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink() and name != NAME:
                yield path
