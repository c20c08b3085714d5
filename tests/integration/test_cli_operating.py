"""What a person does from the command line: plans, edits, approvals, campaigns, budgets, kept work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from harnessos import processes
from tests.support.commands import PLAN, Terminal, registered
from tests.support.repositories import commit_files, make_repository


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


def _plan(*issues: Mapping[str, object], key: str = "q") -> dict[str, object]:
    milestone = {"milestone_key": key, "description": key, "issues": list(issues)}
    return {"plan_key": key, "milestones": [milestone]}


def _status(terminal: Terminal, identifier: str) -> str:
    return str(terminal.good("issue", "show", identifier)["issue"]["status"])


# Plans


def test_check_writes_nothing_and_needs_no_ledger(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    assert terminal.good("plan", "check", str(terminal.plan())) == {"valid": True, "milestones": 1, "issues": 3}
    assert not terminal.home.exists()


def test_an_edited_plan_changes_what_has_not_run_and_says_what_it_left(terminal: Terminal) -> None:
    terminal.good("session", "begin")
    changed = _plan(
        {"key": "a", "task": "do a, differently", "gates": [{"kind": "file", "name": "made", "path": "a.txt"}]},
        {"key": "b", "task": "do b, differently", "depends_on_keys": ["a"]},
        {"key": "d", "task": "do d"},
    )
    changed["plan_key"] = "p"
    changed["milestones"][0]["milestone_key"] = "m1"  # type: ignore[index]  # a document of mixed types
    done = terminal.good("plan", "apply", str(terminal.plan(changed)))
    assert done["created"] == ["DOCS-4"]
    assert done["updated"] == ["DOCS-2"]
    assert [entry["identifier"] for entry in done["skipped"]] == ["DOCS-1", "DOCS-3"]
    assert done["skipped"][1]["reason"] == "not_in_plan"


def test_a_plan_goes_to_the_campaign_that_is_named(terminal: Terminal) -> None:
    terminal.good("plan", "apply", str(terminal.plan(_plan({"key": "x", "task": "x"}))), "--campaign", "night")
    assert [item["name"] for item in terminal.good("campaign", "list")["items"]] == ["default", "night"]
    terminal.good("campaign", "pause", "default")
    assert terminal.good("session", "begin")["issue"]["task"] == "x"
    assert terminal.good("session", "begin")["session"] is None
    terminal.good("campaign", "resume", "default")
    assert terminal.good("session", "begin")["issue"]["identifier"] == "DOCS-1"


def test_applying_warns_where_no_gate_would_look_at_the_work(terminal: Terminal) -> None:
    said = terminal("plan", "apply", str(terminal.plan(_plan({"key": "x", "task": "x"}))))
    assert said.code == 0
    assert "no gate applies to 1 of 1 issues" in said.err
    gated = {"key": "y", "task": "y", "gates": [{"kind": "file", "name": "f", "path": "f"}]}
    assert "no gate" not in terminal("plan", "apply", str(terminal.plan(_plan(gated, key="r")))).err


def test_the_schema_of_a_plan_is_printed(terminal: Terminal) -> None:
    schema = terminal.good("plan", "schema")
    assert schema["title"] == "HarnessOS plan"


# Issues


def test_an_edit_is_kept_when_the_same_plan_is_applied_again(terminal: Terminal) -> None:
    edited = terminal.good("issue", "edit", "DOCS-3", "--priority", "critical", "--task", "now")
    assert (edited["priority"], edited["task"]) == ("critical", "now")
    assert terminal.good("session", "begin")["issue"]["identifier"] == "DOCS-3"


def test_an_edit_back_to_the_plan_is_the_plan_again(terminal: Terminal) -> None:
    """The definition that an edit stores is the one the plan would have written."""
    terminal.good("issue", "edit", "DOCS-1", "--task", "other")
    terminal.good("issue", "edit", "DOCS-1", "--task", "do a")
    assert "DOCS-1" in terminal.good("plan", "apply", str(terminal.plan(PLAN)))["unchanged"]


def test_dependencies_are_added_and_dropped_and_a_cycle_is_refused(terminal: Terminal) -> None:
    assert terminal.good("issue", "edit", "DOCS-3", "--add-dependency", "DOCS-2")["status"] == "pending"
    said = terminal("issue", "edit", "DOCS-1", "--add-dependency", "DOCS-3", "--json")
    assert said.code == 65
    assert "DOCS-3" in said.error["message"]
    assert terminal.good("issue", "edit", "DOCS-3", "--drop-dependency", "DOCS-2")["status"] == "ready"


def test_an_edit_of_nothing_is_usage_and_of_held_work_refused(terminal: Terminal) -> None:
    assert terminal("issue", "edit", "DOCS-1").code == 2
    terminal.good("session", "begin")
    assert terminal("issue", "edit", "DOCS-1", "--task", "x").code == 65


def test_cancel_and_reopen_move_what_depends_on_it(terminal: Terminal) -> None:
    terminal.good("issue", "cancel", "DOCS-1", "--reason", "not needed")
    assert _status(terminal, "DOCS-2") == "blocked"
    terminal.good("issue", "reopen", "DOCS-1")
    assert _status(terminal, "DOCS-2") == "pending"


def test_a_failed_issue_is_retried_by_a_person(terminal: Terminal) -> None:
    plan = _plan({"key": "x", "task": "x", "priority": "critical", "budget": {"attempts": 1}})
    terminal.good("plan", "apply", str(terminal.plan(plan)))
    token = terminal.good("session", "begin")["session"]["token"]
    closed = terminal.good("session", "close", "--session", token, "--outcome", "failed", "--reason", "no")
    assert closed["issue"]["status"] == "failed"
    inbox = terminal.good("attention", "list")["items"]
    assert inbox[0]["command"] == "harness issue retry DOCS-4"
    assert terminal.good(*inbox[0]["command"].split()[1:])["status"] == "ready"
    assert terminal.good("attention", "list")["items"] == []


def test_work_without_a_gate_waits_for_a_person_who_approves_the_commit(terminal: Terminal) -> None:
    terminal.good("plan", "apply", str(terminal.plan(_plan({"key": "x", "task": "x", "priority": "critical"}))))
    token = terminal.good("session", "begin")["session"]["token"]
    commit = commit_files(terminal.cwd, {"x": "x"})
    closed = terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert closed.json["verdict"] == "unverified"
    assert _status(terminal, "DOCS-4") == "blocked"
    entry = terminal.good("attention", "list")["items"][0]
    assert terminal.good(*entry["command"].split()[1:])["status"] == "done"
    made = terminal.good("worktree", "checkout", "DOCS-4")
    assert made["commit"] == commit


# Limits and the inbox


def test_a_cap_is_changed_and_shown(terminal: Terminal) -> None:
    terminal.good("budget", "set", "DOCS", "runs", "1")
    terminal.good("session", "begin")
    said = terminal.good("session", "begin")
    assert said["session"] is None
    assert "budget" in said["reason"]
    runs = next(item for item in terminal.good("budget", "show")["items"] if item["dimension"] == "runs")
    assert (runs["cap"], runs["spent"], runs["left"]) == (1, 1, 0)
    terminal.good("budget", "set", "DOCS", "runs", "unlimited")
    assert terminal.good("session", "begin")["session"] is not None
    assert terminal("budget", "set", "DOCS", "runs", "-1").code in (2, 65)
    assert terminal("budget", "set", "DOCS", "runs", "many").code == 65


def test_the_inbox_is_paged(terminal: Terminal) -> None:
    plan = _plan(*({"key": f"x{n}", "task": "x", "priority": "critical", "budget": {"attempts": 1}} for n in range(3)))
    terminal.good("plan", "apply", str(terminal.plan(plan)))
    for _ in range(3):
        token = terminal.good("session", "begin")["session"]["token"]
        terminal.good("session", "close", "--session", token, "--outcome", "failed")
    first = terminal.good("attention", "list", "--limit", "2")
    second = terminal.good("attention", "list", "--limit", "2", "--cursor", first["cursor"])
    assert (len(first["items"]), len(second["items"]), second["cursor"]) == (2, 1, None)
    terminal.good("attention", "resolve", second["items"][0]["id"])
    assert len(terminal.good("attention", "list")["items"]) == 2


def test_a_breaker_that_is_not_open_is_not_reset(terminal: Terminal) -> None:
    assert terminal.good("breaker", "list") == {"items": [], "cursor": None}
    assert terminal("breaker", "reset", "DOCS-1").code == 65


def test_trust_is_given_by_init_and_taken_back(terminal: Terminal) -> None:
    assert terminal.good("project", "show")["locations"][0]["trusted_by"] == processes.user_name()
    terminal.good("project", "distrust")
    assert terminal.good("project", "show")["locations"][0]["trusted_by"] is None
    terminal.good("project", "trust")
    assert terminal.good("project", "show")["locations"][0]["trusted_by"] == processes.user_name()


def test_a_run_is_asked_to_stop_once(terminal: Terminal) -> None:
    session = terminal.good("session", "begin")["session"]
    assert terminal.good("run", "stop", session["run_id"], "--reason", "enough")["asked"] is True
    assert terminal.good("run", "stop", session["run_id"])["asked"] is False
    beat = terminal.good("session", "heartbeat", "--session", session["token"])
    assert beat["stop_request"] == "enough"


# Worktrees


def test_given_up_work_is_kept_and_comes_back(terminal: Terminal, tmp_path: Path) -> None:
    begun = terminal.good("session", "begin", "--worktree")
    tree = Path(begun["worktree"])
    (tree / "half.txt").write_text("half", encoding="utf-8")
    terminal.good("session", "close", "--session", begun["session"]["token"], "--outcome", "failed")
    kept = terminal.good("worktree", "salvage", "list")["items"]
    assert [entry["run"] for entry in kept] == [begun["session"]["run_id"]]
    made = terminal.good("worktree", "salvage", "restore", kept[0]["run"], str(tmp_path / "back"))
    assert (Path(made["path"]) / "half.txt").read_text(encoding="utf-8") == "half"


def test_a_plain_folder_has_no_worktrees(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    terminal = Terminal(tmp_path / "home", folder)
    terminal.good("init", ".", "--key", "PAPERS")
    assert terminal("worktree", "list").code == 65


def test_projects_of_one_ledger_do_not_see_each_others_work(terminal: Terminal, tmp_path: Path) -> None:
    other = terminal.at(make_repository(tmp_path / "other", {"O": "o\n"}))
    other.good("init", ".", "--key", "OTHER")
    assert other.good("session", "begin")["session"] is None
    assert [item["key"] for item in other.good("project", "list")["items"]] == ["DOCS", "OTHER"]


def test_a_milestone_s_approval_is_given_through_one_of_its_issues(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", make_repository(tmp_path / "repo"))
    terminal.good("init", ".", "--key", "DOCS")
    plan = {
        "milestones": [
            {
                "milestone_key": "m",
                "description": "asks first",
                "approvals": [{"id": "budget", "label": "the budget"}],
                "issues": [{"task": "one"}, {"task": "two"}],
            }
        ]
    }
    (tmp_path / "asks.json").write_text(json.dumps(plan), encoding="utf-8")
    terminal.good("plan", "apply", str(tmp_path / "asks.json"))
    assert [item["status"] for item in terminal.good("issue", "list")["items"]] == ["pending", "pending"]
    assert terminal.good("issue", "approve", "DOCS-1", "--milestone")["status"] == "ready"
    assert [item["status"] for item in terminal.good("issue", "list")["items"]] == ["ready", "ready"]
