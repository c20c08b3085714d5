"""Commands that a person types now and then, each to its end: promote, drain, selftest, anchor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Terminal, registered


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


def test_promoting_by_hand_normally_changes_nothing(terminal: Terminal) -> None:
    before = terminal.good("issue", "list")
    assert terminal.good("plan", "promote") == {"moved": []}
    assert terminal.good("issue", "list") == before


def test_a_drained_campaign_gives_no_work_and_its_session_may_finish(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    terminal.good("campaign", "drain", "default")
    assert terminal.good("session", "begin")["session"] is None
    assert terminal.good("session", "close", "--session", token, "--outcome", "released")["issue"]["status"] == "ready"
    assert terminal.good("session", "begin")["session"] is None
    terminal.good("campaign", "resume", "default")
    assert terminal.good("session", "begin")["session"] is not None


def test_the_selftest_proves_this_machine_and_leaves_nothing(terminal: Terminal) -> None:
    before = sorted(path.name for path in terminal.home.iterdir())
    said = terminal("selftest", "--json")
    assert said.code == 0, said.err
    results = [json.loads(line) for line in said.out.splitlines()]
    assert len(results) > 4
    assert [result["name"] for result in results if not result["ok"]] == []
    assert sorted(path.name for path in terminal.home.iterdir()) == before


def test_an_anchor_names_the_head_of_each_chain_and_moves_with_it(terminal: Terminal) -> None:
    def heads() -> dict[str, str]:
        lines = terminal("audit", "anchor", "--json").out.splitlines()
        return {found["name"]: found["head"] for found in map(json.loads, lines)}

    before = heads()
    terminal.good("issue", "edit", "DOCS-3", "--task", "another")
    after = heads()
    assert before.keys() == after.keys() >= {"DOCS", "DOCS-1", "DOCS-3"}
    assert [name for name in before if before[name] != after[name]] == ["DOCS-3"]


def test_a_plan_that_names_stored_work_that_is_not_there_says_file_place_and_every_cause(terminal: Terminal) -> None:
    issues = [{"task": "fine"}, {"task": "waits", "depends_on_ids": ["DOCS-98", "DOCS-1", "DOCS-99"]}]
    milestones = [
        {"milestone_key": "x", "description": "d", "issues": [{"task": "before"}]},
        {"milestone_key": "y", "description": "d", "issues": issues},
    ]
    file = terminal.plan({"milestones": milestones})
    before = terminal.good("issue", "list")
    said = terminal("plan", "apply", str(file), "--json")
    assert said.code == 65
    assert [cause.split(" (")[0] for cause in said.error["causes"]] == [f"{file}: milestones[1].issues[1]"] * 2
    assert ["DOCS-98" in said.error["causes"][0], "DOCS-99" in said.error["causes"][1]] == [True, True]
    assert terminal.good("issue", "list") == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nosuch.md"], "not_a_file"),
        (["src"], "not_a_file"),
        (["--max-agents", "0"], "bad_usage"),
        (["--max-agents", "-1"], "bad_usage"),
        (["--max-wait", "soon"], "bad_usage"),
    ],
)
def test_a_supervisor_that_is_called_wrongly_says_so_before_it_starts(
    terminal: Terminal, words: list[str], code: str
) -> None:
    said = terminal("up", "--until-idle", *words, "--json")
    assert (said.code, said.error["code"]) == (2, code)
    assert said.error["hint"]


@pytest.mark.parametrize("size", ["-1", "nan", "inf", "1e300"])
def test_a_cap_that_is_no_size_is_a_wrong_usage(terminal: Terminal, size: str) -> None:
    said = terminal("worktree", "gc", "--cap-gb", size, "--json")
    assert (said.code, said.error["code"]) == (2, "bad_usage")
