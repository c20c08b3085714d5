"""Two terminals share a queue: begin, checkpoint, heartbeat, show, close, advance, as agents type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import PLAN, Terminal, registered
from tests.support.repositories import commit_files


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return registered(tmp_path)


def test_begin_prints_the_contract(terminal: Terminal) -> None:
    document = terminal.good("session", "begin", "--project", "DOCS", "--agent", "ann")
    assert set(document) == {"session", "issue", "worktree", "briefing"}
    assert set(document["session"]) == {"token", "run_id", "epoch", "expires_at"}
    assert document["issue"]["identifier"] == "DOCS-1"
    assert document["issue"]["status"] == "in_progress"
    assert document["worktree"] is None
    assert document["briefing"]["gates"] == [{"name": "made", "kind": "file", "path": "a.txt"}]
    assert document["briefing"]["left"]["attempts"] == 3


def test_two_terminals_never_get_the_same_issue(terminal: Terminal) -> None:
    taken = [terminal.good("session", "begin", "--agent", name)["issue"]["identifier"] for name in ("ann", "bob")]
    assert taken == ["DOCS-1", "DOCS-3"]
    said = terminal.good("session", "begin")
    assert said["session"] is None
    assert said["reason"]


def test_nothing_ready_is_75_only_when_asked_for(terminal: Terminal) -> None:
    terminal.good("session", "begin")
    terminal.good("session", "begin")
    assert terminal("session", "begin").code == 0
    assert terminal("session", "begin", "--fail-if-empty").code == 75


def test_held_work_is_already_claimed(terminal: Terminal) -> None:
    terminal.good("session", "begin")
    said = terminal("session", "begin", "--issue", "DOCS-1", "--json")
    assert said.code == 75
    assert said.error["code"] == "already_claimed"


def test_the_token_comes_from_the_flag_from_standard_input_or_from_the_environment(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    assert terminal("session", "heartbeat", "--session", token).code == 0
    assert terminal("session", "heartbeat", "--session", "-", stdin=token + "\n").code == 0
    assert terminal("session", "heartbeat", HARNESS_SESSION_TOKEN=token).code == 0
    said = terminal("session", "heartbeat", "--json")
    assert said.code == 2
    assert "HARNESS_SESSION_TOKEN" in said.error["hint"]


def test_the_token_is_stored_nowhere(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    assert token.encode() not in b"".join(file.read_bytes() for file in terminal.home.glob("harness.sqlite*"))
    assert token not in terminal("db", "export").out


def test_a_checkpoint_reaches_the_next_attempt(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    words = ("--title", "half", "--summary", "found the place", "--next-step", "write it", "--plan", "[x] look")
    assert terminal.good("session", "checkpoint", "--session", token, *words, "--failed", "sed")["number"] == 1
    terminal.good("session", "close", "--session", token, "--outcome", "released", "--reason", "lunch")
    resume = terminal.good("session", "begin", "--issue", "DOCS-1")["briefing"]["resume"]
    assert resume["next_step"] == "write it"
    assert resume["done"] == ["[x] look"]
    assert resume["failed"] == ["sed"]
    assert resume["last_run"]["reason"] == "lunch"


def test_after_the_lease_moved_on_every_call_is_lease_lost(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    terminal.good("issue", "cancel", "DOCS-1")
    before = terminal("db", "export").out
    checkpoint = ("checkpoint", "--title", "t", "--summary", "s", "--next-step", "n")
    for words in (("heartbeat",), checkpoint, ("close", "--outcome", "failed"), ("close", "--outcome", "finished")):
        said = terminal("session", *words, "--session", token, "--json")
        assert said.code == 75, words
        assert said.error["code"] == "lease_lost"
    assert terminal("db", "export").out == before


def test_show_tells_a_session_that_is_over(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    assert terminal.good("session", "show", "--session", token)["session"]["live"] is True
    terminal.good("session", "close", "--session", token, "--outcome", "failed", "--reason", "no idea")
    shown = terminal.good("session", "show", "--session", token)["session"]
    assert (shown["live"], shown["outcome"], shown["reason"]) == (False, "agent_fault", "no idea")


def test_finished_work_is_judged_by_its_gates(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    rejected = terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert rejected.code == 1, rejected.err
    assert rejected.json["verdict"] == "rejected"
    assert rejected.json["session_open"] is True
    commit = commit_files(terminal.cwd, {"a.txt": "made\n"})
    done = terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert done.code == 0, done.err
    assert done.json["verdict"] == "verified"
    assert done.json["commit"] == commit
    assert done.json["issue"]["status"] == "done"
    assert terminal.good("session", "begin")["issue"]["identifier"] == "DOCS-2", "what waited for it is ready now"


def test_uncommitted_work_is_not_judged(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    (terminal.cwd / "a.txt").write_text("made", encoding="utf-8")
    said = terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert said.code == 65
    assert "a.txt" in said.error["message"]


def test_advance_closes_and_takes_the_next(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    commit_files(terminal.cwd, {"a.txt": "made\n"})
    document = terminal.good("session", "advance", "--session", token, "--outcome", "finished")
    assert document["closed"]["verdict"] == "verified"
    assert document["issue"]["identifier"] == "DOCS-2"
    assert document["session"]["token"] != token


def test_advance_after_a_rejection_takes_nothing(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    said = terminal("session", "advance", "--session", token, "--outcome", "finished", "--json")
    assert said.code == 1
    assert said.json["session"] is None
    assert terminal("session", "heartbeat", "--session", token).code == 0


def test_begin_makes_a_worktree_when_asked(terminal: Terminal) -> None:
    document = terminal.good("session", "begin", "--worktree")
    tree = Path(document["worktree"])
    assert (tree / "README").is_file()
    assert document["briefing"]["worktree"] == str(tree)
    commit_files(tree, {"a.txt": "made\n"})
    inside = terminal.at(tree)
    done = inside.good("session", "close", "--session", document["session"]["token"], "--outcome", "finished")
    assert done["verdict"] == "verified"
    # The closing call itself stood in the worktree, so that stays until somebody collects.
    assert [item["state"] for item in terminal.good("worktree", "list")["items"]] == ["accepted"]
    assert terminal.good("worktree", "gc", "--cap-gb", "0", "--dry-run")["items"][0]["removed"] is False
    assert terminal.good("worktree", "gc", "--cap-gb", "0")["items"][0]["removed"] is True
    assert not tree.exists()
    assert terminal.good("worktree", "list")["items"] == []
    made = terminal.good("worktree", "checkout", "DOCS-1")
    assert (Path(made["path"]) / "a.txt").read_text(encoding="utf-8") == "made\n"


def test_a_lost_run_is_taken_over_with_what_it_left(terminal: Terminal) -> None:
    token = terminal.good("session", "begin", "--ttl", "1")["session"]["token"]
    words = ("--title", "half", "--summary", "s", "--next-step", "go on")
    terminal.good("session", "checkpoint", "--session", token, *words)
    from tests.support.waiting import eventually

    found = []

    def recovered() -> bool:
        document = terminal.good("session", "begin-recovery", "--project", "DOCS")
        found.append(document)
        if document["session"] is None:
            # The reaping of an expired lease happens in a claim.
            begun = terminal.good("session", "begin", "--issue", "DOCS-3")
            terminal("session", "close", "--session", begun["session"]["token"], "--outcome", "released")
        return document["session"] is not None

    eventually(recovered)
    assert found[-1]["issue"]["identifier"] == "DOCS-1"
    assert found[-1]["briefing"]["resume"]["next_step"] == "go on"
    assert terminal("session", "heartbeat", "--session", token).code == 75


def test_a_lease_of_no_time_is_refused(terminal: Terminal) -> None:
    assert terminal("session", "begin", "--ttl", "0").code == 2


def test_work_that_needs_a_capability_is_not_given_without_it(terminal: Terminal) -> None:
    policy = {"dispatch": {"workloadClass": "gpu", "requiredHostCapabilities": ["cuda"]}}
    issue = {"key": "x", "task": "train", "priority": "critical", "policy": policy}
    plan = {"plan_key": "q", "milestones": [{"milestone_key": "q", "description": "q", "issues": [issue]}]}
    terminal.good("plan", "apply", str(terminal.plan(plan)))
    assert terminal.good("session", "begin")["issue"]["identifier"] == "DOCS-1"
    taken = terminal.good("session", "begin", "--capability", "cuda", "--workload-class", "gpu")
    assert taken["issue"]["task"] == "train"


def test_files_held_by_others_are_in_the_briefing(terminal: Terminal) -> None:
    terminal.good("session", "begin", "--issue", "DOCS-3")
    held = terminal.good("session", "begin", "--issue", "DOCS-1")["briefing"]["held"]
    assert held == [{"path": "src/", "issue": "DOCS-3"}]


def test_an_agent_may_not_do_what_only_a_person_may(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    agent = terminal.at(terminal.cwd, HARNESS_SESSION_TOKEN=token)
    for words in (
        ("issue", "approve", "DOCS-2"),
        ("issue", "reopen", "DOCS-2"),
        ("issue", "retry", "DOCS-2"),
        ("issue", "cancel", "DOCS-2"),
        ("breaker", "reset", "DOCS-2"),
        ("budget", "set", "DOCS", "runs", "unlimited"),
        ("project", "trust", "DOCS"),
        ("campaign", "archive", "default"),
        ("campaign", "pause", "default"),
        ("campaign", "drain", "default"),
        ("campaign", "resume", "default"),
        ("breaker", "reset", "provider:claude"),
        ("project", "distrust", "DOCS"),
        ("run", "stop", "run-none"),
        ("attention", "resolve", "att-none"),
        ("worktree", "gc"),
        ("db", "restore", "none"),
        ("db", "import", "none"),
        ("db", "upgrade"),
    ):
        said = agent(*words, "--json")
        assert said.code == 65, words
        assert said.error["code"] == "operator_only", words
        assert " ".join(words[:2]) in said.error["hint"], words
    assert agent("worktree", "gc", "--dry-run").code == 0, "looking is no right of a person"
    command = {"key": "z", "task": "z", "gates": [{"kind": "command", "name": "g", "argv": ["true"]}]}
    plan = {"plan_key": "z", "milestones": [{"milestone_key": "z", "description": "z", "issues": [command]}]}
    assert agent("plan", "apply", str(terminal.plan(plan)), "--json").error["code"] == "operator_only"
    lax = {"name": "default", "policy": {"require_gates": False}}
    assert (
        agent("plan", "apply", str(terminal.plan({**PLAN, "campaign": lax})), "--json").error["code"] == "operator_only"
    )
    greedy = [{"key": "z", "task": "z", "budget": {"attempts": 4}}]
    plan["milestones"][0]["issues"] = greedy  # type: ignore[index]  # a document of mixed types
    (terminal.cwd / "WORKFLOW.md").write_text("---\nharness:\n  budget: {attempts: 3}\n---\nwork\n", encoding="utf-8")
    assert agent("plan", "apply", str(terminal.plan(plan)), "--json").error["code"] == "operator_only"
    (terminal.cwd / "WORKFLOW.md").unlink()
    plan["milestones"][0]["issues"] = [{"key": "z", "task": "z"}]  # type: ignore[index]  # a document of mixed types
    assert agent("plan", "apply", str(terminal.plan(plan))).code == 0
    assert agent("issue", "edit", "DOCS-2", "--priority", "high").code == 0
    assert agent("issue", "cancel", "DOCS-4").code == 0, "what it planned itself it may give up"


def test_the_plan_of_these_tests_is_in_order(terminal: Terminal) -> None:
    again = terminal.good("plan", "apply", str(terminal.plan(PLAN)))
    assert again == {"created": [], "updated": [], "unchanged": ["DOCS-1", "DOCS-2", "DOCS-3"], "skipped": []}


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ({"kind": "diff", "name": "g", "allowed": ["src/"]}, "rejected"),
        ({"kind": "diff", "name": "g", "protect": ["x*"]}, "needs_review"),
    ],
)
def test_a_file_whose_name_is_no_utf8_is_judged_like_any_other(
    terminal: Terminal, gate: dict[str, object], verdict: str
) -> None:
    issue = {"key": "z", "task": "z", "gates": [gate]}
    plan = {"plan_key": "z", "milestones": [{"milestone_key": "z", "description": "z", "issues": [issue]}]}
    terminal.good("plan", "apply", str(terminal.plan(plan)))
    token = terminal.good("session", "begin", "--issue", "DOCS-4")["session"]["token"]
    commit_files(terminal.cwd, {"x\udcff": "made\n"})
    said = terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert "Traceback" not in said.err, said.err
    assert said.json["verdict"] == verdict
    assert "x\\udcff" in said.json["reason"]


@pytest.mark.parametrize(
    ("gates", "verdict", "code"),
    [
        ([{"kind": "file", "name": "g", "path": "made.txt"}], "verified", 0),
        ([], "unverified", 0),
        ([{"kind": "file", "name": "g", "path": "not-made.txt"}], "rejected", 1),
        ([{"kind": "approval", "name": "g", "question": "Well?"}], "needs_review", 1),
        ([{"kind": "command", "name": "g", "argv": ["./no-such-program"]}], "error", 1),
    ],
)
def test_the_exit_code_of_a_close_says_whether_the_work_was_taken(
    terminal: Terminal, gates: list[dict[str, object]], verdict: str, code: int
) -> None:
    issue = {"key": "z", "task": "z", "gates": gates}
    plan = {"plan_key": "z", "milestones": [{"milestone_key": "z", "description": "z", "issues": [issue]}]}
    terminal.good("plan", "apply", str(terminal.plan(plan)))
    token = terminal.good("session", "begin", "--issue", "DOCS-4")["session"]["token"]
    commit_files(terminal.cwd, {"made.txt": "made\n"})
    said = terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert (said.json["verdict"], said.code) == (verdict, code), said.err


def test_people_read_the_briefing_and_what_to_type_next(terminal: Terminal) -> None:
    terminal.good("issue", "edit", "DOCS-1", "--description", "first line\nsecond line")
    token = terminal.good("session", "begin", "--issue", "DOCS-1")["session"]["token"]
    words = ("--title", "half", "--summary", "found the place", "--next-step", "write it")
    terminal.good("session", "checkpoint", "--session", token, *words)
    terminal.good("session", "close", "--session", token, "--outcome", "released")
    said = terminal("session", "begin", "--issue", "DOCS-1")
    assert said.code == 0
    lines = said.out.splitlines()
    assert "  second line" in lines
    assert "gate      made, file: a.txt" in lines
    assert any(line.strip() == "next step: write it" for line in lines)
    assert '{"' not in said.out
    last = "\n".join(lines[-4:])
    assert "harness session checkpoint --title" in last
    assert "harness session close --outcome finished" in last


def test_a_second_close_says_that_it_is_closed_and_with_which_verdict(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    commit_files(terminal.cwd, {"a.txt": "made\n"})
    assert terminal.good("session", "close", "--session", token, "--outcome", "finished")["verdict"] == "verified"
    said = terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert said.code == 75
    assert (said.error["code"], said.error["verdict"]) == ("lease_lost", "verified")
    assert "closed already, with the verdict verified" in said.error["message"]
    assert "stop working" not in said.error["hint"]


def test_a_second_close_after_handing_back_says_so(terminal: Terminal) -> None:
    token = terminal.good("session", "begin")["session"]["token"]
    terminal.good("session", "close", "--session", token, "--outcome", "released")
    assert "closed already, as released" in terminal("session", "close", "--session", token, "--outcome", "failed").err
