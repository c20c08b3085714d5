"""What `doctor` finds in the places where a ledger may lie, and what looking leaves behind (P04, P09)."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.commands import Terminal, registered

_ASK = [sys.executable, "-c", "import thing"]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


def _finding(terminal: Terminal, **env: str) -> list[str]:
    said = terminal("doctor", "--json", **env)
    (check,) = [one for one in said.json["checks"] if one["name"] == "one_ledger"]
    assert said.code == (0 if said.json["ok"] else 1)
    return [finding["subject"] for finding in check["findings"]]


def test_split_brain_detected(terminal: Terminal, tmp_path: Path) -> None:
    """A copied ledger holds the same projects: whichever of the two a command finds, doctor names the other."""
    assert _finding(terminal) == []
    copy = tmp_path / "copy.sqlite"
    terminal.good("db", "backup", str(copy))
    shutil.copy(copy, tmp_path / "second.sqlite")
    assert _finding(terminal, HARNESS_STORE=f"sqlite:///{copy}") == ["DOCS"]
    elsewhere = terminal.at(tmp_path)
    assert _finding(elsewhere, HARNESS_STORE=f"sqlite:///{tmp_path / 'second.sqlite'}") == ["DOCS"]


def test_another_ledger_with_other_projects_is_no_finding(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    terminal.at(folder).good("init", ".", "--key", "ELSE", "--store", other)
    assert _finding(terminal.at(folder)) == []


def test_a_gate_whose_python_imports_the_operators_checkout_is_warned_of(terminal: Terminal) -> None:
    """An editable install of the main checkout is the usual way: the gate would judge other code than the run's."""
    package = terminal.cwd / "src" / "thing"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()

    def found(path: str) -> list[str]:
        front = {"harness": {"env": {"PYTHONPATH": path}, "gates": [{"name": "t", "kind": "command", "argv": _ASK}]}}
        (terminal.cwd / "WORKFLOW.md").write_text(f"---\n{json.dumps(front)}\n---\nx\n", encoding="utf-8")
        checks = terminal("doctor", "--json").json["checks"]
        return [said["detail"] for one in checks if one["name"] == "interpreters" for said in one["findings"]]

    (text,) = found(str(terminal.cwd / "src"))
    assert "imports thing from" in text
    assert found("src") == []
    terminal.good("project", "distrust", "DOCS")
    assert found(str(terminal.cwd / "src")) == []


def test_read_only_commands_start_no_daemon(terminal: Terminal) -> None:
    """Nothing that a reading command started is alive once it has answered, and it wrote nothing."""
    ledger = terminal.home / "harness.sqlite"
    before = ledger.read_bytes()
    mark = f"HARNESS_TEST_MARK={terminal.home}"
    for words in (
        ["where"],
        ["status"],
        ["next"],
        ["why", "DOCS-1"],
        ["report"],
        ["export"],
        ["audit", "--verify"],
        ["doctor"],
        ["issue", "list"],
        ["issue", "show", "DOCS-1"],
        ["run", "list"],
        ["worktree", "list"],
        ["budget", "show", "DOCS"],
        ["attention", "list"],
        ["db", "check"],
        ["plan", "schema"],
        ["completion", "bash"],
        ["init", ".", "--key", "DOCS", "--dry-run"],
    ):
        said = terminal(*words, HARNESS_TEST_MARK=str(terminal.home))
        assert said.code == 0, (words, said.err)
        assert _marked(mark) == [], words
    assert ledger.read_bytes() == before


def _marked(mark: str) -> list[int]:
    """Return the living processes that carry this variable."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        name, _, value = mark.partition("=")
        if environment.get(name) == value:
            found.append(process.pid)
    return found


def _ready(terminal: Terminal, runner: object, *gates: object, **env: str) -> dict[str, list[str]]:
    """Return what doctor finds about disk, agents and gates with this runner and these gates' commands."""
    declared = [{"name": f"g{at}", "kind": "command", "argv": argv} for at, argv in enumerate(gates)]
    front = {"harness": {"runner": {"kind": "command", "command": runner}, "gates": declared}}
    (terminal.cwd / "WORKFLOW.md").write_text(f"---\n{json.dumps(front)}\n---\nx\n", encoding="utf-8")
    said = terminal("doctor", "--json", **env)
    assert said.code == (0 if said.json["ok"] else 1)
    wanted = ("disk", "agents", "gates")
    return {one["name"]: [f["detail"] for f in one["findings"]] for one in said.json["checks"] if one["name"] in wanted}


def test_an_agent_whose_program_is_missing_is_found_before_the_night(terminal: Terminal) -> None:
    for runner in (["no-such-agent", "-p"], "no-such-agent -p", ["/no/such-agent"]):
        found = _ready(terminal, runner)
        (text,) = found["agents"]
        assert "such-agent is not here" in text
        assert (found["disk"], found["gates"]) == ([], [])


def test_an_agent_in_the_repository_must_be_executable(terminal: Terminal) -> None:
    agent = terminal.cwd / "agent.sh"
    agent.write_text("#!/bin/sh\n", encoding="utf-8")
    assert len(_ready(terminal, ["./agent.sh"])["agents"]) == 1
    agent.chmod(0o755)
    assert _ready(terminal, ["./agent.sh"])["agents"] == []


def test_what_only_the_shell_can_tell_is_no_finding(terminal: Terminal) -> None:
    for line in ("sh -c x", "if true; then x; fi", "A=1 sh", "$AGENT"):
        assert _ready(terminal, line)["agents"] == []


def test_a_gate_whose_program_is_missing_is_found(terminal: Terminal) -> None:
    (text,) = _ready(terminal, ["sh"], ["sh", "-c", "x"], ["no-such-gate"])["gates"]
    assert "no-such-gate of the gate g1" in text


def test_too_little_disk_is_found(terminal: Terminal) -> None:
    assert _ready(terminal, ["sh"])["disk"] == []
    (text,) = _ready(terminal, ["sh"], HARNESS_DISK_FLOOR=str(1 << 60))["disk"]
    assert "GB are free" in text
