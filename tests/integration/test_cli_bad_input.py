"""Bad input: a clear error with a remedy, the right exit code, and nothing half-written."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.commands import NO_CAPABILITIES, Said, Terminal, registered, require_modes
from tests.support.repositories import make_repository, user_git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


@pytest.fixture
def terminal(tmp_path: Path, repo: Path) -> Terminal:
    return Terminal(tmp_path / "home", repo)


def _refused(said: Said, code: int, name: str) -> None:
    """The error is named, has a remedy, and is no traceback."""
    assert said.code == code, said
    assert said.error["code"] == name
    assert said.error["hint"], said.error
    assert "Traceback" not in said.err
    assert said.out == ""


# Plans


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b'{"milestones": [], "colour": 1}', "colour"),
        (b'{"milestones": [{"milestone_key": "m", "description": "d", "issues": [{"task": 7}]}]}', "issues[0].task"),
        (b'{"milestones": [{"milestone_key": "m", "description": "d", "issues": ', "bad.json:1"),
        (b"\xff\xfe", "UTF-8"),
        (
            b'{"milestones": [{"milestone_key": "m", "description": "d", "issues": [{"task": "a", "depends_on_indices": [1]}, {"task": "b", "depends_on_indices": [0]}]}]}',
            "issues[0]",
        ),
        (
            b'{"milestones": [{"milestone_key": "m", "description": "d", "issues": [{"task": "a", "depends_on_ids": ["DOCS-9"]}]}]}',
            "DOCS-9",
        ),
    ],
    ids=["unknown field", "wrong type", "cut off", "not UTF-8", "cycle", "missing reference"],
)
def test_a_bad_plan_names_the_place_and_writes_nothing(tmp_path: Path, content: bytes, cause: str) -> None:
    terminal = registered(tmp_path)
    before = terminal("db", "export").out
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    said = terminal("plan", "apply", str(file), "--json")
    _refused(said, 65, "bad_plan")
    assert cause in said.error["message"]
    assert terminal("db", "export").out == before


def test_a_folder_is_no_plan(terminal: Terminal, tmp_path: Path) -> None:
    _refused(terminal("plan", "check", str(tmp_path), "--json"), 2, "not_a_file")
    _refused(terminal("plan", "check", str(tmp_path / "none.yaml"), "--json"), 2, "not_a_file")


def test_a_plan_of_a_gigabyte_is_refused_by_its_size(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as stream:
        stream.truncate(1 << 30)
    said = terminal("plan", "check", str(file), "--json")
    _refused(said, 65, "bad_plan")
    assert "256 MB" in said.error["message"]


def test_a_plan_for_no_project_says_how_to_name_one(terminal: Terminal, tmp_path: Path) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    said = terminal.at(tmp_path)("plan", "apply", str(terminal.plan()), "--json")
    _refused(said, 2, "bad_usage")
    assert "--project" in said.error["hint"]
    _refused(terminal("plan", "apply", str(terminal.plan()), "--project", "NOPE", "--json"), 65, "unknown_identifier")


# Words


def test_wrong_words_are_usage(terminal: Terminal) -> None:
    for words in (("bogus",), ("plan", "bogus"), ("plan", "apply"), ("where", "--colour"), ("issue", "approve")):
        said = terminal(*words, "--json")
        assert said.code == 2, words
        assert said.error["code"] == "bad_usage"
        assert "--help" in said.error["hint"]
    assert terminal().code == 2
    assert terminal("--help").code == 0
    assert terminal("plan", "--help").code == 0
    assert "--campaign" in terminal("plan", "apply", "--help").out


def test_errors_are_sentences_for_people(terminal: Terminal) -> None:
    said = terminal("project", "list")
    first, second = said.err.splitlines()
    assert first.startswith("error: there is no ledger at ")
    assert first.endswith("(store_missing)")
    assert second.startswith("  hint: ")


def test_an_unknown_issue_run_or_session_is_named(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    for words in (
        ("issue", "retry", "DOCS-99"),
        ("session", "begin", "--issue", "DOCS-99"),
        ("session", "heartbeat", "--session", "hs_nothing"),
        ("run", "stop", "run-nothing"),
        ("attention", "resolve", "att-nothing"),
        ("campaign", "pause", "nothing"),
        ("worktree", "salvage", "restore", "run-nothing", str(tmp_path / "into")),
    ):
        _refused(terminal(*words, "--json"), 65, "unknown_identifier")


def test_control_characters_of_agents_never_reach_a_terminal(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    terminal.good("campaign", "create", "c", "--objective", "a\x1b[2Jb\x9bc\u202ed")
    assert "a[2Jbcd" in terminal("campaign", "list").out
    assert terminal.good("campaign", "list")["items"][1]["objective"] == "a\x1b[2Jb\x9bc\u202ed"
    shown = terminal("campaign", "list", "--json").out
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    assert Terminal(tmp_path / "home", tmp_path).unread("plan", "schema") == (0, "")


# Repositories


def test_a_repository_without_commits_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    bare = tmp_path / "fresh"
    bare.mkdir()
    user_git(bare, "init", "--quiet")
    said = terminal("init", str(bare), "--key", "DOCS", "--json")
    _refused(said, 65, "no_commits")
    assert "git commit" in said.error["hint"]
    assert not terminal.home.exists()


def test_a_detached_head_is_refused(terminal: Terminal, repo: Path) -> None:
    user_git(repo, "checkout", "--quiet", "--detach")
    said = terminal("init", ".", "--key", "DOCS", "--json")
    _refused(said, 65, "refused")
    assert "git switch" in said.error["hint"]
    assert not terminal.home.exists()


def test_a_missing_git_is_named(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = terminal("init", ".", "--key", "DOCS", "--json", PATH=str(tmp_path / "empty"))
    _refused(said, 1, "git_missing")
    assert not terminal.home.exists()


def test_a_missing_path_and_a_file_are_no_projects(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    _refused(terminal("init", str(tmp_path / "nowhere"), "--key", "DOCS", "--json"), 2, "not_a_file")
    _refused(terminal("init", str(file), "--key", "DOCS", "--json"), 2, "not_a_file")


def test_a_bad_key_is_refused_before_anything_is_made(terminal: Terminal) -> None:
    _refused(terminal("init", ".", "--key", "no spaces", "--json"), 65, "bad_content")
    assert not terminal.home.exists()


def test_a_damaged_registration_is_named(terminal: Terminal, repo: Path) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    (repo / ".git" / "harness.json").write_text("{", encoding="utf-8")
    said = terminal("project", "list", "--json")
    _refused(said, 65, "bad_document")
    assert "harness.json" in said.error["message"]


def test_a_relative_home_or_store_is_refused(terminal: Terminal) -> None:
    _refused(terminal("project", "list", "--json", HARNESS_HOME="here"), 2, "bad_usage")
    _refused(terminal("project", "list", "--json", "--store", "sqlite:///here"), 2, "bad_usage")
    _refused(terminal("project", "list", "--json", "--store", "mysql://x"), 2, "bad_usage")


# Stores


def test_another_programs_database_is_never_written(terminal: Terminal, tmp_path: Path) -> None:
    """Not even what closing a connection to it would do: to bring its log into the file."""
    file, log = tmp_path / "theirs.sqlite", tmp_path / "theirs.sqlite-wal"
    connection = sqlite3.connect(tmp_path / "open.sqlite")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA user_version = 3")
    connection.execute("CREATE TABLE cats (name)")
    for copy in (file, log):
        shutil.copy(tmp_path / copy.name.replace("theirs", "open"), copy)
    connection.close()
    before = file.read_bytes(), log.read_bytes()
    for words in (("init", ".", "--key", "DOCS"), ("project", "list"), ("db", "upgrade"), ("db", "check")):
        _refused(terminal(*words, "--store", f"sqlite:///{file}", "--json"), 69, "store_foreign")
    assert (file.read_bytes(), log.read_bytes()) == before


def test_the_earlier_products_database_is_recognised(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "earlier.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript("CREATE TABLE runs (id); CREATE TABLE leases (id); PRAGMA user_version = 4")
    connection.close()
    before = file.read_bytes()
    said = terminal("init", ".", "--key", "DOCS", "--store", f"sqlite:///{file}", "--json")
    _refused(said, 69, "store_foreign")
    assert "schema 4" in said.error["message"]
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("dear ledger, " * 100, encoding="utf-8")
    _refused(terminal("project", "list", "--store", f"sqlite:///{file}", "--json"), 69, "store_foreign")
    _refused(terminal("init", ".", "--key", "DOCS", "--store", f"sqlite:///{file}", "--json"), 69, "store_foreign")
    assert file.read_text(encoding="utf-8").startswith("dear ledger")


def _set_schema(file: Path, number: int, min_reader: int, min_writer: int) -> None:
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("UPDATE meta SET value = ? WHERE name = 'min_reader'", (str(min_reader),))
    connection.execute("UPDATE meta SET value = ? WHERE name = 'min_writer'", (str(min_writer),))
    connection.commit()
    connection.close()


def test_newer_schema_opens_read_only(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    _set_schema(terminal.home / "harness.sqlite", 99, 3, 99)
    assert terminal("project", "list").code == 0
    said = terminal("session", "begin", "--json")
    _refused(said, 69, "store_too_new")
    _set_schema(terminal.home / "harness.sqlite", 99, 99, 99)
    _refused(terminal("project", "list", "--json"), 69, "store_too_new")
    _refused(terminal("init", ".", "--key", "DOCS", "--json"), 69, "store_too_new")


def test_only_explicit_migrate_migrates(tmp_path: Path) -> None:
    """An older schema: every command names it and the way out, none but `init` and `db upgrade` changes it."""
    terminal = registered(tmp_path)
    _set_schema(terminal.home / "harness.sqlite", 2, 2, 2)
    for words in (("project", "list"), ("session", "begin"), ("plan", "apply", str(terminal.plan()))):
        said = terminal(*words, "--json")
        _refused(said, 69, "store_too_old")
        assert "harness db upgrade" in said.error["hint"]


def test_a_disk_that_cannot_be_written_is_named(terminal: Terminal, tmp_path: Path) -> None:
    require_modes(tmp_path)
    home = tmp_path / "locked"
    home.mkdir(mode=0o500)
    said = terminal("init", ".", "--key", "DOCS", "--json", wrap=NO_CAPABILITIES, HARNESS_HOME=str(home / "deep"))
    _refused(said, 69, "store_read_only")
    assert not (terminal.cwd / ".git" / "harness.json").exists()
    assert list(home.iterdir()) == []


def test_a_repository_that_cannot_be_written_is_refused_before_the_ledger_is_made(
    terminal: Terminal, tmp_path: Path, repo: Path
) -> None:
    require_modes(tmp_path)
    (repo / ".git").chmod(0o500)
    said = terminal("init", ".", "--key", "DOCS", "--json", wrap=NO_CAPABILITIES)
    _refused(said, 65, "refused")
    assert not terminal.home.exists()


def test_a_ledger_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    require_modes(tmp_path)
    terminal = registered(tmp_path)
    for file in terminal.home.glob("harness.sqlite*"):
        file.chmod(0)
    said = terminal("project", "list", "--json", wrap=NO_CAPABILITIES)
    assert said.code == 69, said
    assert "owner and mode" in said.error["hint"]


def test_a_damaged_ledger_is_reported_and_never_mended_by_deleting(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    file = terminal.home / "harness.sqlite"
    for beside in terminal.home.glob("harness.sqlite-*"):
        beside.unlink()
    with file.open("r+b") as stream:
        stream.seek(4096 * 3)
        stream.write(os.urandom(4096 * 20))
    before = file.read_bytes()
    said = terminal("db", "check", "--json")
    assert said.code != 0
    assert "harness db restore" in said.err
    assert file.read_bytes() == before


def test_a_folder_that_is_gone_is_named(terminal: Terminal, tmp_path: Path) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    shutil.rmtree(terminal.cwd)
    said = terminal.at(tmp_path)("session", "begin", "--project", "DOCS", "--json")
    _refused(said, 65, "refused")
    assert "harness init" in said.error["hint"]


# Bytes that are no text


@pytest.mark.parametrize(
    "words",
    [
        ("session", "checkpoint", "--title", "\udcff", "--summary", "s", "--next-step", "n"),
        ("session", "close", "--outcome", "failed", "--reason", "\udcff"),
        ("session", "heartbeat", "--session", "\udcff"),
        ("issue", "edit", "DOCS-1", "--task", "x\udcffy"),
        ("issue", "show", "\udcff"),
        ("campaign", "create", "\udcff"),
        ("plan", "apply", "\udcff"),
        ("\udcff",),
    ],
    ids=" ".join,
)
def test_words_that_are_no_utf8_are_bad_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The surrogate stands for the byte 0xff in argv."""
    terminal = registered(tmp_path)
    token = terminal.good("session", "begin")["session"]["token"]
    before = terminal("db", "export").out
    said = terminal(*words, "--json", HARNESS_SESSION_TOKEN=token)
    _refused(said, 2, "bad_usage")
    assert "UTF-8" in said.error["message"]
    assert terminal("db", "export").out == before


@pytest.mark.parametrize("name", ["HARNESS_HOME", "HARNESS_STORE", "HARNESS_PROJECT", "HARNESS_RUN_ID"])
def test_a_variable_that_is_no_utf8_is_bad_usage(tmp_path: Path, name: str) -> None:
    terminal = registered(tmp_path)
    said = terminal("campaign", "create", "later", "--json", **{name: "/\udcff"})
    _refused(said, 2, "bad_usage")
    assert name in said.error["message"]


def test_a_user_whose_name_is_no_utf8_may_work(tmp_path: Path) -> None:
    terminal = registered(tmp_path)
    assert terminal("campaign", "create", "later", USER="\udcff").code == 0
    assert terminal("session", "begin", USER="\udcff").code == 0


def test_a_folder_or_branch_whose_name_is_no_utf8_is_not_registered(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "\udcff"
    folder.mkdir()
    _refused(terminal.at(folder)("init", ".", "--key", "DOCS", "--json"), 2, "bad_usage")
    user_git(terminal.cwd, "switch", "--quiet", "--create", "\udcff")
    _refused(terminal("init", ".", "--key", "DOCS", "--json"), 2, "bad_usage")
    assert not terminal.home.exists()
