"""The file of a SQLite ledger: made by many at once, never mistaken, never deleted, copied whole."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import threading
from pathlib import Path

import apsw
import pytest

from harnessos import errors
from harnessos.kernel import projects
from harnessos.store import schema, sqlite, sqlite_restore, sqlite_site
from harnessos.store.opening import create_store, open_store, sqlite_path
from harnessos.store.transaction import Row, Transaction
from harnessos.testing import FakeClock
from tests.support.ledger import BY_OPERATOR, Ledger
from tests.support.python import start_python

SOAK = os.environ.get("HARNESS_SOAK") == "1"


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _folder(path: Path) -> dict[str, str]:
    """Every file beside and including `path`, with its hash."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.parent.iterdir() if file.is_file()
    }


def _ledger(path: Path, *keys: str) -> None:
    create_store(_url(path))
    store = open_store(_url(path), clock=FakeClock())
    for key in keys:
        Ledger(store, FakeClock(), key).plan("a", "b")
    store.close()


def _keys(path: Path) -> list[str]:
    store = open_store(_url(path), write=False)
    try:
        return [row["key"] for row in store.read(_projects)]
    finally:
        store.close()


def _projects(tx: Transaction) -> list[Row]:
    return tx.all("project_list")


# Made by many at once

OPENER = """
import os, sys, time
from pathlib import Path
from harnessos.store.opening import create_store, open_store
from harnessos.kernel import projects
from harnessos.kernel.events import Cause
from harnessos.model.run import OPERATOR
folder, key, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(rounds):
    gate = folder / f"gate{number}"
    (gate / key).touch()
    while len(os.listdir(gate)) < 20:
        time.sleep(0.001)
    url = f"sqlite:///{folder}/new{number}/x.sqlite"
    create_store(url)
    store = open_store(url)
    store.write(projects.create, key, key, "git", None, None, Cause(OPERATOR))
    store.close()
"""


def test_first_open_race_20_processes(tmp_path: Path) -> None:
    """P07: 20 processes make the same new ledger at once, every one of them gets to write; 5 rounds are 100 opens."""
    rounds = 25 if SOAK else 5
    for number in range(rounds):
        (tmp_path / f"gate{number}").mkdir()
    started = [start_python("-c", OPENER, str(tmp_path), f"P{number}", str(rounds)) for number in range(20)]
    assert [process.wait(timeout=100) for process in started] == [0] * 20
    for number in range(rounds):
        path = tmp_path / f"new{number}" / "x.sqlite"
        assert sorted(_keys(path)) == sorted(f"P{number}" for number in range(20))
        assert sqlite_site.integrity(path) == []


def test_threads_share_a_store(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    create_store(_url(path))
    store = open_store(_url(path))

    def work(number: int) -> None:
        store.write(projects.create, f"T{number}", "t", "git", None, None, BY_OPERATOR)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    store.close()
    assert len(_keys(path)) == 12


# Settings


def test_a_ledger_is_private_durable_and_strict(tmp_path: Path) -> None:
    path = tmp_path / "home" / "x.sqlite"
    create_store(_url(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    connection = sqlite.connect(path)
    settings = {name: next(connection.execute(f"PRAGMA {name}"))[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}  # fmt: skip
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    loose = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 "
        "AND name NOT LIKE 'sqlite_%' AND name NOT IN ('meta', 'migrations')"
    ).fetchall()
    assert loose == []
    connection.close()


def test_a_row_that_points_nowhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    _ledger(path, "DOCS")
    connection = sqlite.connect(path)
    with pytest.raises(apsw.ConstraintError):
        connection.execute("UPDATE issues SET lane_id = 'lan-none'")
    connection.close()


def test_a_missing_ledger_is_an_error_and_stays_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with pytest.raises(errors.StoreMissing) as caught:
        open_store(_url(path))
    assert (caught.value.exit_code, list(tmp_path.iterdir())) == (69, [])


@pytest.mark.parametrize("url", ["sqlite:///relative.sqlite", "mysql://x", "x.sqlite", ""])
def test_an_address_that_names_no_place_is_refused(url: str) -> None:
    with pytest.raises(errors.BadUsage):
        sqlite_path(url)


# Never mistaken for a ledger


def _theirs(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.execute("INSERT INTO notes VALUES ('mine')")
    connection.close()


def _earlier(path: Path, version: int, *, wal: bool = False) -> None:
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE runs (id)")
    connection.execute("CREATE TABLE leases (id)")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()


def _refused(path: Path, error: type[errors.StoreUnavailable], match: str) -> None:
    before = _folder(path)
    for act in (
        lambda: create_store(_url(path)),
        lambda: open_store(_url(path)),
        lambda: open_store(_url(path), write=False),
        lambda: sqlite_site.upgrade(path),
    ):
        with pytest.raises(error, match=match) as caught:
            act()
        assert caught.value.exit_code == 69
    after = {name: content for name, content in _folder(path).items() if name != f"{path.name}.lock"}
    assert after == before


def test_another_program_s_file_is_refused_and_byte_identical_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    _theirs(path)
    _refused(path, errors.StoreForeign, "another program")


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("wal", [False, True])
def test_the_earlier_product_s_file_is_refused_with_its_version(tmp_path: Path, version: int, wal: bool) -> None:
    path = tmp_path / "harness.sqlite"
    _earlier(path, version, wal=wal)
    _refused(path, errors.StoreForeign, f"schema {version}")


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 40, b"x"])
def test_a_file_of_any_other_kind_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    _refused(path, errors.StoreForeign, "not a SQLite file")


def test_what_another_program_wrote_into_its_wal_only_is_not_taken_for_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE notes (text)")
    connection.commit()
    _refused(path, errors.StoreForeign, "another program")
    connection.close()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.StoreForeign, match="not a file"):
        open_store(_url(tmp_path))


# Never deleted


def _damage(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    for place in range(4096, len(data), 4096):
        data[place : place + 100] = b"\xff" * 100
    path.write_bytes(data)


def test_corruption_never_deletes(tmp_path: Path) -> None:
    """P08, I24: it is named, with the command that restores, and the file stays as it is."""
    path = tmp_path / "x.sqlite"
    _ledger(path, "DOCS")
    _damage(path)
    before = path.read_bytes()
    with pytest.raises(errors.StoreCorrupt, match="damaged") as caught:
        open_store(_url(path)).read(_projects)
    assert "harness db restore" in caught.value.hint
    with pytest.raises(errors.StoreCorrupt):
        create_store(_url(path))
    assert sqlite_site.integrity(path) != []
    assert path.read_bytes() == before


def test_i24_a_transient_error_is_not_corruption(tmp_path: Path) -> None:
    """P08 (test_transient_error_is_not_corruption): busy, I/O and cannot-open have names of their own."""
    path = tmp_path / "x.sqlite"
    path.touch()
    names = {}
    for problem in (apsw.BusyError, apsw.IOError, apsw.CantOpenError, apsw.FullError, apsw.ReadOnlyError):
        with pytest.raises(errors.HarnessError) as caught, sqlite.spoken(path):
            raise problem("x")
        names[problem.__name__] = caught.value.code
    assert names == {
        "BusyError": "busy",
        "IOError": "store_unavailable",
        "CantOpenError": "store_unavailable",
        "FullError": "store_full",
        "ReadOnlyError": "store_read_only",
    }


def test_busy_is_nonzero_exit_and_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P07: at the end of the wait it is said, and nothing was written."""
    path = tmp_path / "x.sqlite"
    _ledger(path)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    holder = sqlite.connect(path)
    holder.execute("BEGIN IMMEDIATE")
    store = open_store(_url(path))
    with pytest.raises(errors.Busy) as caught:
        store.write(projects.create, "DOCS", "docs", "git", None, None, BY_OPERATOR)
    assert caught.value.exit_code == 75
    holder.execute("ROLLBACK")
    store.close()
    assert _keys(path) == []


@pytest.mark.parametrize("kind", ["nfs", "cifs", "fuse", "9p", "virtiofs"])
def test_network_or_fuse_fs_refuses_wal(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """P08, I23: refused before anything is made, naming PostgreSQL."""
    monkeypatch.setattr(sqlite_site, "filesystem_kind", lambda path: kind)
    with pytest.raises(errors.StoreFileSystem, match=kind) as caught:
        create_store(_url(tmp_path / "new" / "x.sqlite"))
    assert "postgresql://" in caught.value.hint
    assert list(tmp_path.rglob("*.sqlite*")) == []


def test_an_old_sqlite_library_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apsw, "SQLITE_VERSION_NUMBER", 3_051_002)
    with pytest.raises(errors.StoreUnavailable, match=r"3\.51\.3"):
        create_store(_url(tmp_path / "x.sqlite"))


# Copied whole


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_online_backup_then_restore_is_identical(tmp_path: Path) -> None:
    """P08: the copy is taken while the ledger is in use, and holds what was committed."""
    path, saved, back = tmp_path / "x.sqlite", tmp_path / "saved", tmp_path / "back" / "x.sqlite"
    _ledger(path, "DOCS", "CODE")
    store = open_store(_url(path))
    store.write(projects.create, "LAST", "last", "git", None, None, BY_OPERATOR)
    sqlite_site.backup(path, saved)
    before = _dump(path)
    store.write(projects.create, "AFTER", "after", "git", None, None, BY_OPERATOR)
    store.close()
    assert saved.stat().st_mode & 0o777 == 0o600
    sqlite_restore.restore(saved, back)
    assert _dump(back) == before
    assert _keys(back) == ["CODE", "DOCS", "LAST"]
    assert sqlite_site.integrity(back) == []


def test_a_backup_never_replaces_a_file(tmp_path: Path) -> None:
    path, saved = tmp_path / "x.sqlite", tmp_path / "saved"
    _ledger(path)
    saved.write_text("precious", encoding="utf-8")
    with pytest.raises(errors.Refused):
        sqlite_site.backup(path, saved)
    assert saved.read_text(encoding="utf-8") == "precious"


def test_restoring_over_a_ledger_keeps_it_aside(tmp_path: Path) -> None:
    path, saved, keep = tmp_path / "x.sqlite", tmp_path / "saved", tmp_path / "kept"
    _ledger(path, "DOCS")
    sqlite_site.backup(path, saved)
    _ledger_more(path)
    with pytest.raises(errors.Refused):
        sqlite_restore.restore(saved, path)
    sqlite_restore.restore(saved, path, keep=keep)
    assert (_keys(path), _keys(keep)) == (["DOCS"], ["DOCS", "MORE"])


def test_a_ledger_that_somebody_has_open_is_not_replaced(tmp_path: Path) -> None:
    """He would go on writing to the file that was put aside: two ledgers."""
    path, saved, keep = tmp_path / "x.sqlite", tmp_path / "saved", tmp_path / "kept"
    _ledger(path, "DOCS")
    sqlite_site.backup(path, saved)
    _ledger_more(path)
    other = open_store(_url(path))
    assert len(other.read(_projects)) == 2
    with pytest.raises(errors.Refused, match="open in another process"):
        sqlite_restore.restore(saved, path, keep=keep)
    assert not keep.exists()
    assert _keys(path) == ["DOCS", "MORE"]
    other.close()
    assert sqlite_restore.restore(saved, path, keep=keep)
    assert (_keys(path), _keys(keep)) == (["DOCS"], ["DOCS", "MORE"])
    assert sorted(part.name for part in tmp_path.iterdir()) == ["kept", "saved", "x.sqlite", "x.sqlite.lock"]


def test_who_was_about_to_use_the_replaced_ledger_cannot_write_to_it(tmp_path: Path) -> None:
    path, saved, keep = tmp_path / "x.sqlite", tmp_path / "saved", tmp_path / "kept"
    _ledger(path, "DOCS")
    sqlite_site.backup(path, saved)
    late = apsw.Connection(str(path))  # has not looked at it yet, so it holds no lock
    sqlite_restore.restore(saved, path, keep=keep)
    with pytest.raises(apsw.ReadOnlyError):
        late.execute("UPDATE meta SET value = value || 'x'")
    late.close()
    assert _keys(path) == ["DOCS"]


def test_a_refused_restore_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    path, saved, keep = tmp_path / "x.sqlite", tmp_path / "saved", tmp_path / "kept"
    _ledger(path, "DOCS")
    sqlite_site.backup(path, saved)
    keep.mkdir()
    (keep / "full").touch()
    with pytest.raises(OSError, match="kept"):
        sqlite_restore.restore(saved, path, keep=keep)
    assert _keys(path) == ["DOCS"]
    connection = sqlite.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    connection.close()


def test_a_wal_without_its_ledger_is_not_read_into_the_restored_one(tmp_path: Path) -> None:
    path, saved, keep = tmp_path / "x.sqlite", tmp_path / "saved", tmp_path / "kept"
    _ledger(path, "DOCS")
    sqlite_site.backup(path, saved)
    path.unlink()
    path.with_name("x.sqlite-wal").write_bytes(b"left")
    with pytest.raises(errors.Refused):
        sqlite_restore.restore(saved, path)
    sqlite_restore.restore(saved, path, keep=keep)
    assert path.with_name("kept-wal").read_bytes() == b"left"
    assert _keys(path) == ["DOCS"]


def test_a_damaged_ledger_is_put_aside_as_it_is_and_a_stranger_s_is_not(tmp_path: Path) -> None:
    good, saved, damaged, theirs = (tmp_path / name for name in ("good", "saved", "damaged", "theirs"))
    _ledger(good, "DOCS")
    sqlite_site.backup(good, saved)
    _ledger(damaged, "DOCS")
    _damage(damaged)
    before = damaged.read_bytes()
    sqlite_restore.restore(saved, damaged, keep=tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == before
    assert _keys(damaged) == ["DOCS"]
    _theirs(theirs)
    with pytest.raises(errors.StoreForeign):
        sqlite_restore.restore(saved, theirs, keep=tmp_path / "kept-theirs")
    assert not (tmp_path / "kept-theirs").exists()


def _ledger_more(path: Path) -> None:
    store = open_store(_url(path))
    store.write(projects.create, "MORE", "more", "git", None, None, BY_OPERATOR)
    store.close()


def test_only_a_whole_ledger_is_restored(tmp_path: Path) -> None:
    damaged, theirs, text, target = (tmp_path / name for name in ("damaged", "theirs", "text", "x.sqlite"))
    _ledger(damaged, "DOCS")
    _damage(damaged)
    _theirs(theirs)
    text.write_text("hello", encoding="utf-8")
    for saved in (damaged, theirs, text):
        with pytest.raises(errors.StoreUnavailable):
            sqlite_restore.restore(saved, target)
    assert not target.exists()


def test_a_schema_number_is_in_the_file_s_header(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    create_store(_url(path))
    assert sqlite_site.look(path) == (sqlite_site.Kind.LEDGER, schema.SCHEMA, schema.MIN_READER, schema.MIN_WRITER)
