"""Two stores on one ledger in one process: POSIX drops all of a process's locks on a file when it closes any descriptor of it.

Whoever comes and goes meanwhile would then take itself for the last one, fold the log and remove it, and what the process
goes on writing would be in a file that nobody can find any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harnessos.kernel import campaigns
from harnessos.store import named, sqlite_site
from harnessos.store.opening import open_store
from harnessos.store.transaction import Transaction
from tests.support.commands import registered, run_words
from tests.support.ledger import BY_OPERATOR

LOOKING = """
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1])
print(ledger.execute("SELECT count(*) FROM issues").fetchone()[0])
ledger.close()
"""
"""Any other program that looks at the ledger, with a SQLite of its own."""


def _create(tx: Transaction, name: str) -> None:
    campaigns.create(tx, named.project(tx, "DOCS")["id"], name, "", {}, BY_OPERATOR)


def _again(path: Path) -> None:
    open_store(f"sqlite:///{path}").close()


@pytest.mark.parametrize("look", [_again, sqlite_site.look, sqlite_site.integrity], ids=["open", "look", "integrity"])
def test_looking_at_a_ledger_a_second_time_loses_nothing_that_is_written_after_it(
    tmp_path: Path, look: Callable[[Path], object]
) -> None:
    terminal = registered(tmp_path)
    path = terminal.home / "harness.sqlite"
    first = open_store(f"sqlite:///{path}")
    first.write(_create, "before")
    log = path.with_name(path.name + "-wal").stat().st_ino
    look(path)
    assert {row["name"] for row in terminal.good("campaign", "list")["items"]} == {"default", "before"}
    terminal.good("issue", "edit", "DOCS-1", "--priority", "high")
    assert run_words([sys.executable, "-c", LOOKING, str(path)], terminal.environment()).out == "3\n"
    assert path.with_name(path.name + "-wal").stat().st_ino == log, "another process took itself for the last one"
    first.write(_create, "after")
    assert {row["name"] for row in terminal.good("campaign", "list")["items"]} == {"default", "before", "after"}
    first.close()
    assert {row["name"] for row in terminal.good("campaign", "list")["items"]} == {"default", "before", "after"}
