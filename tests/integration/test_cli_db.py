"""`harness db`: backups that come back identical, exports that are whole, on SQLite and PostgreSQL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harnessos.ports import SystemClock, SystemIds
from harnessos.store import sqlite_site
from tests.support.commands import Terminal, registered
from tests.support.repositories import commit_files


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A ledger with a bit of everything: runs, checkpoints, evidence, a rejection, a cancelled issue."""
    terminal = registered(tmp_path)
    token = terminal.good("session", "begin")["session"]["token"]
    terminal("session", "close", "--session", token, "--outcome", "finished")
    words = ("--title", "zwölf \x1b \u2028 ünïcode", "--summary", "s", "--next-step", "n")
    terminal.good("session", "checkpoint", "--session", token, *words)
    commit_files(terminal.cwd, {"a.txt": "made\n"})
    terminal.good("session", "close", "--session", token, "--outcome", "finished")
    terminal.good("issue", "cancel", "DOCS-3")
    terminal.good("campaign", "create", "later")
    return terminal


def test_online_backup_then_restore_is_identical(terminal: Terminal, tmp_path: Path) -> None:
    before = terminal("db", "export").out
    saved = tmp_path / "saved"
    terminal.good("db", "backup", str(saved))
    terminal.good("issue", "cancel", "DOCS-2")
    assert terminal("db", "export").out != before
    refused = terminal("db", "restore", str(saved), "--json")
    assert refused.code == 65
    assert "--replace" in refused.error["hint"]
    kept = terminal.good("db", "restore", str(saved), "--replace")["kept"]
    assert terminal("db", "export").out == before
    assert terminal.good("issue", "edit", "DOCS-2", "--task", "goes on")["task"] == "goes on"
    assert Path(kept).is_file(), "what was there is put aside, never deleted"


def test_what_backup_says_brings_the_ledger_back_does(terminal: Terminal, tmp_path: Path) -> None:
    told = terminal("db", "backup", str(tmp_path / "saved")).out
    command = told.split("`")[1].split()
    assert command[:3] == ["harness", "db", "restore"]
    terminal.good("issue", "cancel", "DOCS-2")
    assert terminal(*command[1:]).code == 0
    assert terminal.good("issue", "show", "DOCS-2")["issue"]["status"] != "cancelled"


def test_a_ledger_with_live_runs_is_replaced_only_by_force(terminal: Terminal, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    terminal.good("db", "backup", str(saved))
    token = terminal.good("session", "begin")["session"]["token"]
    before = terminal("db", "export").out
    refused = terminal("db", "restore", str(saved), "--replace", "--json")
    assert refused.code == 65
    assert "--force" in refused.error["hint"]
    assert terminal("db", "export").out == before
    assert terminal.good("session", "heartbeat", "--session", token)["phase"] == "claimed"
    kept = Path(terminal.good("db", "restore", str(saved), "--replace", "--force")["kept"])
    assert kept.is_file()
    assert terminal("session", "heartbeat", "--session", token).code != 0


def test_a_backup_is_not_written_over(terminal: Terminal, tmp_path: Path) -> None:
    terminal.good("db", "backup", str(tmp_path / "saved"))
    assert terminal("db", "backup", str(tmp_path / "saved")).code == 65


def test_restore_refuses_what_is_no_backup(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "letter"
    file.write_text("dear ledger " * 500, encoding="utf-8")
    before = terminal("db", "export").out
    assert terminal("db", "restore", str(file), "--replace").code == 69
    assert terminal("db", "restore", str(tmp_path / "none"), "--replace").code == 2
    assert terminal("db", "export").out == before


def test_check_finds_nothing_in_a_healthy_ledger(terminal: Terminal) -> None:
    assert terminal.good("db", "check") == {"problems": []}


def test_missing_db_with_export_present_offers_restore_and_never_creates_empty_silently(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal.good("db", "export", str(tmp_path / "export"))
    shutil.rmtree(terminal.home)
    said = terminal("project", "list", "--json")
    assert said.code == 69
    assert "init" in said.error["hint"]
    assert not terminal.home.exists()
    terminal.good("db", "import", str(tmp_path / "export"))
    assert terminal.good("project", "list")["items"][0]["key"] == "DOCS"


def test_an_export_imported_gives_the_same_export(terminal: Terminal, tmp_path: Path, database: str) -> None:
    """SQLite to PostgreSQL and back: byte for byte, and the copy goes on working."""
    first = tmp_path / "first"
    rows = terminal.good("db", "export", str(first))["rows"]
    assert terminal.good("db", "import", str(first), "--store", database)["rows"] == rows
    second = tmp_path / "second"
    terminal.good("db", "export", str(second), "--store", database)
    assert second.read_bytes() == first.read_bytes()
    third = f"sqlite:///{tmp_path}/third.sqlite"
    terminal.good("db", "import", str(second), "--store", third)
    assert terminal("db", "export", "--store", third).out.encode() == first.read_bytes()
    for url in (database, third):
        assert terminal.good("session", "begin", "--store", url)["issue"]["identifier"] == "DOCS-2"
        assert terminal.good("db", "check", "--store", url) == {"problems": []}


def test_import_refuses_a_ledger_that_holds_anything(terminal: Terminal, tmp_path: Path) -> None:
    terminal.good("db", "export", str(tmp_path / "export"))
    before = terminal("db", "export").out
    said = terminal("db", "import", str(tmp_path / "export"), "--json")
    assert said.code == 65
    assert "not empty" in said.error["message"]
    assert terminal("db", "export").out == before


@pytest.mark.parametrize("damage", ["cut", "line", "value", "table", "other", "bytes", "count"])
def test_a_damaged_export_is_refused_whole(terminal: Terminal, tmp_path: Path, damage: str) -> None:
    lines = terminal("db", "export").out.splitlines(keepends=True)
    middle = len(lines) // 2
    content = {
        "cut": "".join(lines[:-1]),
        "line": "".join([*lines[:middle], lines[middle][:-10] + "\n", *lines[middle + 1 :]]),
        "value": "".join(lines).replace('"attempt":1', '"attempt":1.5', 1),
        "table": "".join(lines).replace('"table":"campaigns"', '"table":"cats"', 1),
        "other": '{"a": 1}\n',
        "bytes": "".join(lines[:3]),
        "count": "".join(lines[:2] + lines[3:]),
    }[damage].encode()
    file = tmp_path / "bad"
    file.write_bytes(content + (b"\xff\n" if damage == "bytes" else b""))
    fresh = tmp_path / "fresh" / "ledger.sqlite"
    said = terminal("db", "import", str(file), "--store", f"sqlite:///{fresh}", "--json")
    assert said.code == 65, said
    assert said.error["code"] == "bad_document"
    assert not fresh.exists()


def test_a_row_that_breaks_a_rule_of_the_ledger_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    text = terminal("db", "export").out.replace('"status":"cancelled"', '"status":"blocked"', 1)
    file = tmp_path / "bad"
    file.write_text(text, encoding="utf-8")
    fresh = tmp_path / "fresh" / "ledger.sqlite"
    said = terminal("db", "import", str(file), "--store", f"sqlite:///{fresh}", "--json")
    assert said.code == 65
    assert "issues" in said.error["message"]
    assert not fresh.exists()


def test_the_export_goes_to_standard_output_or_to_a_new_file(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "export"
    terminal.good("db", "export", str(file))
    assert terminal("db", "export").out.encode() == file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert terminal("db", "export", str(file)).code == 65
    assert terminal("db", "export", str(tmp_path / "no" / "folder")).code == 2


def test_backup_of_postgresql_names_its_own_tools(terminal: Terminal, tmp_path: Path, database: str) -> None:
    said = terminal("db", "backup", str(tmp_path / "x"), "--store", database, "--json")
    assert said.code == 2
    assert "pg_dump" in said.error["hint"]


class _Stopped(Exception):
    """The upgrade is over here."""


def _older(file: Path) -> None:
    """Make a ledger as a program of schema 2 would have left it."""

    def stop(number: int) -> None:
        if number == 2:
            raise _Stopped

    file.parent.mkdir()
    sqlite_site._prepare(file)
    with pytest.raises(_Stopped):
        sqlite_site._migrate(file, SystemClock(), SystemIds(), stop_after=stop)


def test_backup_before_migration_and_printed_restore(tmp_path: Path) -> None:
    file = tmp_path / "old" / "ledger.sqlite"
    _older(file)
    terminal = Terminal(tmp_path / "home", tmp_path, HARNESS_STORE=f"sqlite:///{file}")
    assert terminal("project", "list").code == 69
    said = terminal("db", "upgrade", "--json")
    assert said.code == 0, said.err
    assert said.json["upgraded"] is True
    assert f"harness db restore {said.json['backup']} --replace" in said.err
    assert sqlite_site.look(Path(said.json["backup"])).schema == 2
    assert terminal.good("project", "list")["items"] == []
    assert terminal.good("db", "upgrade")["upgraded"] is False


def test_init_upgrades_an_older_ledger_too(tmp_path: Path) -> None:
    file = tmp_path / "old" / "ledger.sqlite"
    _older(file)
    folder = tmp_path / "papers"
    folder.mkdir()
    terminal = Terminal(tmp_path / "home", folder)
    said = terminal("init", ".", "--key", "PAPERS", "--store", f"sqlite:///{file}", "--json")
    assert said.code == 0, said.err
    assert said.json["upgraded"] is True
    assert "backup" in said.err
