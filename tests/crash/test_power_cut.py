"""A power cut at every sync, a disk that fills up, a disk that cannot be written (G1, P08, I22)."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from harnessos import errors
from harnessos.kernel import campaigns
from harnessos.processes import run
from harnessos.store.opening import create_store, open_store
from harnessos.store.sqlite import SqliteStore
from tests.support import invariants, labour
from tests.support.crash_workload import STEPS, Hands, digest
from tests.support.disk import Boundary, FullDisk, Op, RecordingDisk, boundaries, rebuild
from tests.support.scale import SCALE, Chance, seeded

MARK = "CUT"
SUBSETS = 20
SECTOR = 512

State = dict[str, list[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new ledger in a file."""
    made = tmp_path / "start" / "ledger.sqlite"
    create_store(f"sqlite:///{made}")
    return made


def state(path: Path) -> State:
    """Return what a ledger holds."""
    return digest(f"sqlite:///{path}", MARK)


def recorded(path: Path) -> tuple[list[Op], list[State]]:
    """Do the workload on a recording disk; return what reached it, and the state before the first and after each step."""
    disk = RecordingDisk()
    hands = Hands(MARK)
    states = [state(path)]
    store = SqliteStore(path, clock=hands.clock, ids=hands.ids, vfs=disk.name)
    store._mine()[0].execute("PRAGMA wal_autocheckpoint = 60").fetchall()
    for number in range(len(STEPS)):
        hands.do(store, number)
        disk.ops.append(Op("acknowledged"))
        states.append(state(path))
        assert invariants.broken_rules(invariants.tables(f"sqlite:///{path}")) == []
    ops = list(disk.ops)
    store.close()
    return ops, states


def test_a_power_cut_at_any_sync_loses_no_acknowledged_transaction(path: Path, tmp_path: Path) -> None:
    """Every synced write is there; of the others each prefix, and 20 seeded subsets with torn writes."""
    start = path.read_bytes()
    ops, states = recorded(path)
    assert len(STEPS) >= 50
    moments = list(boundaries(start, ops))
    checkpoints = sum(any(op.file == "main" for op in moment.loose) for moment in moments)
    assert checkpoints >= 3, "the workload checkpoints its log more than once"
    cuts = 0
    for number, moment in enumerate(moments):
        for kept in _outcomes(moment, seeded(number)):
            rebuilt = rebuild(tmp_path / "cut", moment, kept)
            cuts += 1
            _survived(rebuilt, moment.acknowledged, states)
    print(f"{cuts} power cuts at {len(moments)} sync boundaries")  # noqa: T201 # shown by pytest -s, for the record


def _outcomes(moment: Boundary, chance: Chance) -> Iterator[list[Op]]:
    for length in range(len(moment.loose) + 1):
        yield moment.loose[:length]
    for _ in range(SUBSETS if moment.loose else 0):
        yield [_torn(op, chance) for op in moment.loose if chance.random() < 0.5]


def _torn(op: Op, chance: Chance) -> Op:
    """Return the write, or now and then only its first sectors."""
    if op.kind == "write" and len(op.data) > SECTOR and chance.random() < 0.2:
        return op._replace(data=op.data[: SECTOR * chance.randrange(1, len(op.data) // SECTOR)])
    return op


def _survived(path: Path, acknowledged: int, states: list[State]) -> None:
    """Assert that the ledger is whole and stands after the last acknowledged step, or after the one under way."""
    address = f"sqlite:///{path}"
    assert invariants.damage(address) == []
    # Those states keep every rule, so whatever equals one of them does.
    assert state(path) in states[acknowledged : acknowledged + 2], f"after {acknowledged} acknowledged steps"


@pytest.mark.scales
def test_a_full_disk_refuses_loses_nothing_and_work_goes_on_when_there_is_space(path: Path, tmp_path: Path) -> None:
    start = path.read_bytes()
    _, states = recorded(path)
    path.write_bytes(start)
    disk = FullDisk()
    _fill(_copy(path, tmp_path), disk, None, states)
    total, disk.writes = disk.writes, 0
    assert total > 200
    chosen = (
        range(1, total + 1) if total <= SCALE.full_disks else seeded(7).sample(range(1, total + 1), SCALE.full_disks)
    )
    refused = sum(_fill(_copy(path, tmp_path), disk, number, states) for number in chosen)
    assert refused > len(list(chosen)) // 2, (
        "most writes are a commit's own; those of a checkpoint are tried again later"
    )


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / "full" / "ledger.sqlite"
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir()
    shutil.copy(path, copy)
    return copy


def _fill(path: Path, disk: FullDisk, room: int | None, states: list[State]) -> int:
    """Do the workload on a disk with so much room, make room at the first refusal; return how often it refused."""
    hands = Hands(MARK)
    store = SqliteStore(path, clock=hands.clock, ids=hands.ids, vfs=disk.name)
    # SQLite goes on when its own checkpoint after a commit fails; apsw would pass our exception on, so the test asks itself.
    store._mine()[0].execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    disk.left = room
    refused = 0
    for number in range(len(STEPS)):
        if number % 10 == 0:
            with contextlib.suppress(apsw.FullError):
                store._mine()[0].wal_checkpoint()
        try:
            hands.do(store, number)
        except errors.StoreFull:
            refused += 1
            assert state(path) == states[number], "what was refused was not written"
            disk.left = None
            hands.do(store, number)
    disk.left = None
    store.close()
    assert state(path) == states[-1]
    assert invariants.damage(f"sqlite:///{path}") == []
    return refused


_TRY_TO_WRITE = """
import sys
from pathlib import Path
from harnessos import errors
from harnessos.store.opening import open_store
from tests.support import labour
sealed = Path(sys.argv[2])
try:
    sealed.read_bytes()
except PermissionError:
    pass
else:
    sys.exit("this process may read everything, so it proves nothing")
try:
    store = open_store(sys.argv[1])
    labour.found(store)
except errors.HarnessError as problem:
    print(problem.code)
else:
    print("written")
"""


def test_a_disk_that_cannot_be_written_is_store_read_only(path: Path, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    sealed.write_text("", encoding="utf-8")
    sealed.chmod(0)
    path.chmod(0o400)
    path.parent.chmod(0o500)
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing, and root may write everything")
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    answer = run(
        [*drop, sys.executable, "-c", _TRY_TO_WRITE, f"sqlite:///{path}", str(sealed)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
    )
    path.parent.chmod(0o700)
    assert (answer.output.decode().strip(), answer.errors.decode()) == ("store_read_only", "")


def test_a_transient_error_of_the_disk_is_no_corruption_and_passes(path: Path) -> None:
    """P08: an I/O error is reported as what it is, and the next try works."""
    store = open_store(f"sqlite:///{path}")
    project = labour.found(store)
    with pytest.raises(errors.StoreUnavailable) as refused:
        store.write(_fail_to_read)
    assert not isinstance(refused.value, errors.StoreCorrupt)
    assert store.read(lambda tx: campaigns.find(tx, project["id"], "default"))["status"] == "active"
    store.close()


def _fail_to_read(tx: object) -> None:
    raise apsw.IOError
