"""Ledgers with any number of ready issues, written by SQL in seconds and kept between runs."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from bench import ledgers
from bench.commands import Repository, call
from harnessos.store import migrating
from harnessos.store.sqlite import connect

if TYPE_CHECKING:
    from bench.report import Bench


def crowded(cache: Path, ready: int, *, lanes: int = 0) -> Path:
    """Return a ledger with one planned issue and `ready` copies of it; it is made once and must not be changed.

    With `lanes` the copies stand in that many lanes, each asking for a capability of its own.
    """
    path = cache / f"ready-{ready}-lanes-{lanes}-{_fingerprint()}.sqlite"
    if path.exists():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    for stale in cache.glob(f"ready-{ready}-lanes-{lanes}-*"):
        stale.unlink()
    part = path.with_suffix(".part")
    ledgers.make(ledgers.address(part), 1)
    connection = connect(part)
    connection.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")
    connection.execute("BEGIN IMMEDIATE")
    _lanes(connection, lanes)
    _copies(connection, ready, lanes)
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.close()
    ledgers.fold(ledgers.address(part))
    part.rename(path)
    part.with_name(part.name + ".lock").unlink(missing_ok=True)
    return path


def registered(bench: Bench, ready: int, *, lanes: int = 0) -> tuple[Repository, Path]:
    """Return a repository whose project is that of a crowded ledger, a copy, and the ledger's file."""
    place = bench.place / str(ready)
    place.mkdir()
    ledger = taken(crowded(bench.cache, ready, lanes=lanes), place / "ledger.sqlite")
    template = Repository(place / "template")
    commit = call(("git", "rev-list", "--max-parents=0", "HEAD"), template.folder, template.env).output.decode().strip()
    connection = apsw.Connection(str(ledger))
    connection.execute("UPDATE projects SET root_commit = ?, kind = 'git'", (commit,))
    connection.close()
    (template.folder / ".git" / "harness.json").unlink(missing_ok=True)
    template.harness("init", ".", "--key", ledgers.KEY, "--store", ledgers.address(ledger), "--force")
    return template, ledger


def taken(path: Path, to: Path) -> Path:
    """Return a copy that may be changed."""
    shutil.copyfile(path, to)
    return to


def _fingerprint() -> str:
    """Return a name for what is built here: another schema or another recipe is another ledger."""
    recipe = Path(__file__).read_bytes() + Path(ledgers.__file__).read_bytes()
    steps = "".join(step.checksum for step in migrating.migrations("sqlite"))
    return hashlib.sha256(recipe + steps.encode()).hexdigest()[:12]


def _lanes(connection: apsw.Connection, lanes: int) -> None:
    connection.execute(
        """
        WITH RECURSIVE n(i) AS (SELECT 1 WHERE :lanes > 0 UNION ALL SELECT i + 1 FROM n WHERE i < :lanes)
        INSERT INTO lanes (id, project_id, campaign_id, workload_class, capabilities, created_at)
        SELECT printf('lan-%026d', 1000000 + i), project_id, campaign_id, '', printf('cap-%d', i), created_at
        FROM n, (SELECT * FROM lanes LIMIT 1)
        """,
        {"lanes": lanes},
    )


def _copies(connection: apsw.Connection, ready: int, lanes: int) -> None:
    """Copy the planned issue and its event, count the copies with their milestone, and number them on."""
    lane = f"printf('lan-%026d', 1000001 + i % {lanes})" if lanes else "t.lane_id"
    issue = {
        "id": "printf('iss-%026d', 1000000000 + i)",
        "number": "t.number + i",
        "identifier": f"'{ledgers.KEY}-' || (t.number + i)",
        "key": "'k' || (t.number + i)",
        "task": "'task ' || (t.number + i)",
        "lane_id": lane,
    }
    event = {"subject_id": issue["id"]}
    for table, where, changed in (("issues", "1", issue), ("events", "t.subject_kind = 'issue'", event)):
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        kept = [name for name in columns if (table, name) != ("events", "seq")]
        values = ", ".join(changed.get(name, f"t.{name}") for name in kept)
        connection.execute(
            f"""
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :ready)
            INSERT INTO {table} ({", ".join(kept)})
            SELECT {values} FROM n, (SELECT * FROM {table} t WHERE {where} LIMIT 1) t
            """,
            {"ready": ready},
        )
    connection.execute("UPDATE milestones SET n_ready = n_ready + :ready", {"ready": ready})
    connection.execute("UPDATE projects SET next_number = next_number + :ready", {"ready": ready})
