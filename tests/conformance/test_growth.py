"""What grows with use stays in bounds: the write-ahead log, checkpoints, and the claim beside an old snapshot (P07, P23)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import apsw
import psycopg
import pytest

from harnessos.kernel import runs
from harnessos.model.checkpoint import Progress
from harnessos.store.opening import create_store, open_store
from harnessos.store.queries import Queries
from harnessos.store.transaction import Store
from harnessos.testing import FakeClock
from tests.support.ledger import Ledger, draft

CHECKPOINTS = 1_000
FINISHED = 400
CHANGE = "x" * 1_000
MEGABYTE = 1 << 20


def test_wal_is_checkpointed_and_bounded(tmp_path: Path, clock: FakeClock) -> None:
    """A reader that stays open makes the log grow while it is there; afterwards the log is used again, not added to."""
    path = tmp_path / "ledger.sqlite"
    create_store(f"sqlite:///{path}", clock=clock)
    store = open_store(f"sqlite:///{path}", clock=clock)
    ledger = Ledger(store, clock)
    ledger.cap("runs", "unlimited")
    ledger.plan("a")
    run = ledger.claim("a")
    wal = path.with_name(path.name + "-wal")

    def write(times: int) -> None:
        for _ in range(times):
            store.write(runs.checkpoint, run.lease, Progress("t", CHANGE * 4, "n", "{}"), ledger.cause(run))

    sizes = []
    for _ in range(6):
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM checkpoints").fetchall()
        write(150)
        reader.close()
        write(150)
        sizes.append(wal.stat().st_size)
    assert sizes[0] > 2 * MEGABYTE, "the reader kept nothing in the log: this test proves nothing"
    assert sizes[-1] < 1.2 * sizes[1], sizes
    store.close()
    assert not wal.exists() or wal.stat().st_size == 0


def test_1000_checkpoints_of_1MB_state_with_1kB_change_under_5MB(store: Store, ledger: Ledger) -> None:
    """A checkpoint records what changed, not the state: that lies in the worktree and, kept, in git."""
    ledger.plan("a")
    run = ledger.claim("a")
    before = _size(store)
    for number in range(CHECKPOINTS):
        body = json.dumps({"files": [f"state.bin: {number} {CHANGE}"]})
        progress = Progress(f"step {number}", "changed", "go on", body)
        store.write(runs.checkpoint, run.lease, progress, ledger.cause(run))
    assert _size(store) - before < 5 * MEGABYTE


def _size(store: Store) -> int:
    if store.dialect == "sqlite":
        path = Path(store.url.removeprefix("sqlite:///"))
        with apsw.Connection(str(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size
    with psycopg.connect(store.url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname = current_schema()"
        ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.postgres
def test_claim_latency_flat_with_open_repeatable_read(emptied_postgres: str, clock: FakeClock) -> None:
    """What an old snapshot keeps from being cleaned away costs a claim a block for ten finished issues, never a table.

    It is flat in the queue, not in what was finished meanwhile: PostgreSQL steps over each dead index entry.
    """
    store = open_store(emptied_postgres, clock=clock)
    ledger = Ledger(store, clock)
    for dimension in ("runs", "wall_ms"):
        ledger.cap(dimension, "unlimited")
    ledger.plan(*(draft(f"i{number}") for number in range(700)))
    lane = ledger.all("lane_list", project=ledger.project["id"])[0]["id"]
    with psycopg.connect(emptied_postgres) as old, psycopg.connect(emptied_postgres, autocommit=True) as seen:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM issues").fetchone()
        read = []
        for _ in range(3):
            for _ in range(FINISHED // 2):
                ledger.finish(ledger.claim())
            read.append(_blocks(seen, "issue_take", lane=lane, one=1))
    assert read[-1] - read[0] < FINISHED / 5, read
    assert read[-1] < FINISHED, read
    store.close()


def _blocks(connection: psycopg.Connection, name: str, **values: object) -> int:
    """Return how many blocks a query of the store reads."""
    text = re.sub(r"(?<![:\w]):([a-z_]\w*)", r"%(\1)s", Queries("postgres").all()[name].sql.replace("%", "%%"))
    with connection.transaction(force_rollback=True):
        row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", values).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
