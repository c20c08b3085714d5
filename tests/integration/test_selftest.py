"""`harness selftest` proves what it says, finds what is broken, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import apsw
import psycopg
import pytest

from harnessos import selftest
from harnessos.ports import SystemClock, SystemIds
from harnessos.selftest import checks
from harnessos.store.opening import create_store, sqlite_path

FEW = selftest.Amounts(openers=3, claimers=3, issues=9, rounds=1, kills=2)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def mine(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a user's own ledger, which no test may touch."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'home' / 'harness.sqlite'}"
        create_store(url)
        return url
    database: str = request.getfixturevalue("database")
    create_store(database)
    return database


def test_every_check_holds_here_and_nothing_is_left(mine: str, tmp_path: Path) -> None:
    before = _seen(mine)
    with selftest.prepare(mine, tmp_path / "home", SystemClock(), SystemIds()) as place:
        results = list(selftest.run(place, FEW))
        assert place.url != mine
    assert [(result.name, result.detail) for result in results if not result.ok] == []
    assert [result.name for result in results] == list(checks.CHECKS)
    assert not place.folder.exists()
    assert _seen(mine) == before


def _seen(url: str) -> object:
    """Return what there is besides the ledger's tables: files, or schemas."""
    path = sqlite_path(url)
    if path is not None:
        return path.read_bytes(), sorted(entry.name for entry in path.parent.iterdir() if entry.suffix != ".lock")
    with psycopg.connect(url) as server:
        return server.execute("SELECT nspname FROM pg_namespace ORDER BY 1").fetchall()


def test_a_changed_event_is_found_and_named(tmp_path: Path) -> None:
    with selftest.prepare(f"sqlite:///{tmp_path / 'x.sqlite'}", tmp_path, SystemClock(), SystemIds()) as place:
        checks.refusing(place, FEW)
        file = sqlite_path(place.url)
        with apsw.Connection(str(file)) as connection:
            connection.execute("UPDATE events SET data_json = '{}' WHERE kind = 'run.claimed'")
        connection.close()
        with pytest.raises(checks.Failed, match="broken chains"):
            checks.verifying(place, FEW)


def test_a_check_that_fails_is_one_result_and_the_others_go_on(tmp_path: Path) -> None:
    with selftest.prepare(f"sqlite:///{tmp_path / 'x.sqlite'}", tmp_path, SystemClock(), SystemIds()) as place:
        file = sqlite_path(place.url)
        assert file is not None
        file.write_text("this is no ledger, and long enough to be looked at" * 20, encoding="utf-8")
        results = list(selftest.run(place, FEW))
    assert [result.ok for result in results] == [False] * len(checks.CHECKS)
    assert all(result.detail for result in results)
