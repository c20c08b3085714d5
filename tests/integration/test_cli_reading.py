"""The commands that look, as people and programs type them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from harnessos.store.opening import open_store
from tests.support.by_hand import change
from tests.support.commands import Terminal, registered
from tests.support.following import started
from tests.support.python import run_python
from tests.support.waiting import eventually

READING = (
    "next", "status", "why", "why DOCS-1", "why DOCS-2", "report", "report --since 90m", "audit DOCS-1", "audit --verify",
    "audit DOCS-2 --verify", "audit anchor", "export", "doctor", "doctor --replay", "issue list", "issue show DOCS-1",
    "run list", "run list --live", "run list --issue DOCS-1", "plan promote",
)  # fmt: skip
HEAVY = {"pydantic", "asyncio", "subprocess", "rich", "dataclasses", "psutil", "logging"}


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


def _url(terminal: Terminal) -> str:
    return f"sqlite:///{terminal.home / 'harness.sqlite'}"


@pytest.mark.parametrize("words", READING)
def test_every_reading_command_answers_people_and_programs(terminal: Terminal, words: str) -> None:
    terminal.good("session", "begin", "--issue", "DOCS-1")
    said = terminal(*words.split())
    assert said.code == 0, said.err
    assert said.out.strip()
    assert not said.out.lstrip().startswith("{") or words == "export"
    if words == "audit anchor":
        assert [json.loads(line)["kind"] for line in terminal(*words.split(), "--json").out.splitlines()]
    else:
        terminal.good(*words.split())


def test_the_list_of_issues_is_the_contract(terminal: Terminal) -> None:
    page = terminal.good("issue", "list")
    assert set(page) == {"items", "cursor"}
    assert set(page["items"][0]) == {
        "identifier", "task", "status", "blocked_reason", "priority", "attempts", "verdict", "milestone",
    }  # fmt: skip
    assert [item["blocked_reason"] for item in page["items"]] == [None, "issue_dependency:DOCS-1", None]


def test_a_page_of_a_list_names_the_next_one_on_standard_error(terminal: Terminal) -> None:
    said = terminal("issue", "list", "--limit", "2")
    assert said.out.count("DOCS-") == 3, "two rows, one of which names its dependency"
    cursor = re.search(r"--cursor (\S+)", said.err)
    assert cursor is not None
    assert [item["identifier"] for item in terminal.good("issue", "list", "--cursor", cursor[1])["items"]] == ["DOCS-3"]


@pytest.mark.parametrize(
    "words",
    ["why DOCS-99", "issue show DOCS-99", "run show run-none", "run log run-none", "audit NONE", "status --project NONE",
     "issue list --status asleep", "issue list --cursor x"],
)  # fmt: skip
def test_what_is_not_there_is_65_with_a_code(terminal: Terminal, words: str) -> None:
    said = terminal(*words.split(), "--json")
    assert said.code == 65
    assert said.error["code"] in {"unknown_identifier", "bad_content"}


@pytest.mark.parametrize("words", ["report --since soon", "audit"])
def test_words_that_mean_nothing_are_a_wrong_usage(terminal: Terminal, words: str) -> None:
    assert terminal(*words.split()).code == 2


@pytest.mark.parametrize("words", ["status", "why", "report", "export", "doctor", "audit --verify", "issue list"])
def test_a_missing_ledger_is_69_everywhere_but_in_next(terminal: Terminal, words: str) -> None:
    for file in terminal.home.glob("harness.sqlite*"):
        file.unlink()
    assert terminal(*words.split()).code == 69
    assert terminal.good("next")["action"] == "mend_store"


def test_a_changed_history_is_found_by_audit_and_exits_1(terminal: Terminal) -> None:
    assert change(_url(terminal), "UPDATE events SET actor = 'x' WHERE subject_kind = 'issue' AND subject_seq = 1") > 0
    said = terminal("audit", "--verify", "--json")
    assert said.code == 1
    assert {finding["what"] for finding in said.json["findings"]} == {"edited"}
    assert terminal("audit", "DOCS-1", "--verify").code == 1
    assert terminal("audit", "DOCS", "--verify").code == 0


def test_a_broken_invariant_is_found_by_doctor_and_exits_1(terminal: Terminal) -> None:
    assert terminal("doctor").code == 0
    assert change(_url(terminal), "UPDATE issues SET attempts = 9 WHERE number = 1") == 1
    assert terminal("doctor").code == 0
    said = terminal("doctor", "--replay")
    assert said.code == 1
    assert "DOCS-1: attempts is 9" in said.out
    assert "->" in said.out


def test_doctor_names_folders_and_worktrees_that_do_not_match_the_ledger(terminal: Terminal) -> None:
    stray = terminal.home / "worktrees" / "DOCS" / "run-unknown"
    stray.mkdir(parents=True)
    begun = terminal.good("session", "begin", "--worktree")
    shutil.rmtree(begun["worktree"])
    said = terminal("doctor", "--json")
    assert said.code == 1
    found = {check["name"]: [line["subject"] for line in check["findings"]] for check in said.json["checks"]}
    assert found["folders"] == [str(stray)]
    assert found["worktrees"] == [begun["session"]["run_id"]]


def test_doctor_says_that_git_is_missing(terminal: Terminal) -> None:
    said = terminal("doctor", "--json", PATH="/nowhere")
    assert said.code == 1
    assert [check["name"] for check in said.json["checks"] if not check["ok"]] == ["git"]


def test_a_run_shows_where_its_manifest_lies(terminal: Terminal) -> None:
    run = terminal.good("session", "begin")["session"]["run_id"]
    assert terminal.good("run", "show", run)["manifest"] == str(terminal.home / "runs" / run / "manifest.json")
    assert "hs_" not in terminal("run", "show", run).out


def test_a_log_is_shown_and_followed_until_the_run_has_ended(terminal: Terminal, tmp_path: Path) -> None:
    run = terminal.good("session", "begin")["session"]["run_id"]
    assert terminal("run", "log", run).code == 65
    folder = terminal.home / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "turn-1.out.log"
    log.write_bytes(b"first\x1b[31m\n")
    assert terminal("run", "log", run).out == "first[31m\n"
    seen = tmp_path / "seen"
    with started(terminal, "run", "log", "-f", run, output=seen) as process:
        eventually(lambda: b"first" in seen.read_bytes(), what="the first line")
        with log.open("ab") as more:
            more.write(b"second\n")
        eventually(lambda: b"second" in seen.read_bytes(), what="the second line")
        assert process.poll() is None
        terminal.good("issue", "cancel", "DOCS-1")
        assert process.wait(30) == 0


def test_text_of_agents_does_not_reach_the_terminal_with_its_control_characters(terminal: Terminal) -> None:
    terminal.good("issue", "edit", "DOCS-1", "--task", "do \x1b[2J this")
    for words in (["issue", "list"], ["issue", "show", "DOCS-1"], ["why", "DOCS-1"], ["audit", "DOCS-1"], ["status"]):
        assert "\x1b" not in terminal(*words).out


@pytest.mark.parametrize("words", ["next", "status"])
def test_what_agents_ask_often_imports_nothing_heavy(terminal: Terminal, words: str) -> None:
    opened = open_store(_url(terminal))
    opened.close()
    program = (
        f"import sys; sys.argv = ['harness', {words!r}, '--project', 'DOCS', '--store', {_url(terminal)!r}]\n"
        "from harnessos.cli.main import run\n"
        "assert run(sys.argv[1:]) == 0\n"
        f"print('heavy:', sorted(set(sys.modules) & {HEAVY!r}))"
    )
    answer = run_python("-c", program)
    assert answer.stdout.splitlines()[-1] == "heavy: []", answer.stderr
