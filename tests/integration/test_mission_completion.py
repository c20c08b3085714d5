"""When a mission is complete: what the harness says by itself, what only a person may say; and who moves its pointer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.drivers import REPORT, agent
from tests.support.mission_documents import EVAL_CRITERIA, FILLED
from tests.support.workspaces import Workspace

UNJUDGED = FILLED["mission.md"].replace(
    "| Standard 4 |", "| Standard 5 | Readers like it | none | Mandatory |\n| Standard 4 |"
)
THREE_LINES = "mkdir -p output; for line in 1 2 3; do echo line >> output/report.md; done"


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def asked(ws: Workspace) -> list[tuple[str, str]]:
    """The questions to a person about the mission's end, and the commands that answer them."""
    rows = ws.terminal.good("attention", "list", "--project", "MSN")["items"]
    return [(row["question"], row["command"]) for row in rows if row["kind"] == "mission"]


def passed(ws: Workspace) -> None:
    """A run by an agent that comes by itself, whose every check passes."""
    ws.start()
    ws.produce(3)
    ws.done()
    ws.good("mission eval")


def test_a_mission_completes_by_itself_once_every_check_passes(ws: Workspace, tmp_path: Path) -> None:
    assert ws("mission run", "--agent", agent(tmp_path, THREE_LINES)).code == 0
    assert ws.mission["status"] == "mission_complete"


def test_a_mandatory_condition_that_no_check_judges_is_a_persons_to_say(ws: Workspace, tmp_path: Path) -> None:
    (ws.path / "mission.md").write_text(UNJUDGED)
    for _ in range(2):
        assert ws("mission run", "--agent", agent(tmp_path, THREE_LINES)).code == 0
    assert ws.mission["status"] == "completed"
    ((question, command),) = asked(ws)
    assert "Standard 5" in question
    assert command == f"harness mission complete {ws.path}"
    assert ws("mission complete").code == 0
    assert ws.mission["status"] == "mission_complete"
    assert asked(ws) == []


def test_an_agent_may_not_say_that_an_unjudged_condition_holds(ws: Workspace) -> None:
    (ws.path / "mission.md").write_text(UNJUDGED)
    passed(ws)
    said = ws("mission complete", "--json", HARNESS_RUN_ID="run-of-an-agent")
    assert (said.code, said.error["failing"]) == (65, ["Standard 5"])
    assert "harness mission complete" in said.error["hint"]
    assert ws.mission["status"] == "completed"


def test_a_condition_whose_standard_is_optional_keeps_nothing_open(ws: Workspace, tmp_path: Path) -> None:
    (ws.path / "mission.md").write_text(UNJUDGED)
    (ws.path / "eval_criteria.md").write_text(
        f"{EVAL_CRITERIA}\n### Standard 5: Readers like it (Optional)\nAsk them.\n"
    )
    assert ws("mission run", "--agent", agent(tmp_path, THREE_LINES)).code == 0
    assert ws.mission["status"] == "mission_complete"


LAX = "sed -i 's/^min: 3/min: 1/' eval_criteria.md"


@pytest.mark.parametrize("settle", ["resume", "attention"])
def test_criteria_that_a_run_rewrote_complete_nothing_until_a_person_has_looked(
    ws: Workspace, tmp_path: Path, settle: str
) -> None:
    assert ws("mission run", "--agent", agent(tmp_path, f"{REPORT}; {LAX}")).code == 0
    again = agent(tmp_path, REPORT, "again.sh")
    assert ws("mission run", "--agent", again).code == 0
    assert ws.mission["status"] == "completed", "the checks pass, by the criteria of the run before"
    questions = asked(ws)
    assert "eval_criteria.md changed during run #1" in questions[0][0]
    assert "every check passes" in questions[1][0]
    said = ws("mission complete", "--json", HARNESS_RUN_ID="run-of-an-agent")
    assert (said.code, said.error["failing"]) == (65, ["eval_criteria.md"])
    if settle == "resume":
        ws.good("mission resume")
    else:
        for row in ws.terminal.good("attention", "list", "--project", "MSN")["items"]:
            assert ws.terminal("attention", "resolve", row["id"]).code == 0
    assert ws("mission run", "--agent", again).code == 0
    assert ws.mission["status"] == "mission_complete"


def test_criteria_rewritten_by_an_agent_that_comes_by_itself_are_told_too(ws: Workspace) -> None:
    ws.start()
    ws.produce()
    (ws.path / "eval_criteria.md").write_text(EVAL_CRITERIA.replace("min: 3", "min: 1"))
    ws.done()
    assert "eval_criteria.md changed during run #1" in asked(ws)[0][0]
    assert ws("mission eval").code == 0, "told, and no failure of the run"
    assert ws("mission boot").code == 0


def move_by_hand(ws: Workspace, step: str) -> None:
    """Write another current step into heartbeat.md, as people do."""
    text = ws.text("heartbeat.md")
    now = ws.mission["step"]
    assert f"| Current Step | `{now}` |" in text
    (ws.path / "heartbeat.md").write_text(text.replace(f"| Current Step | `{now}` |", f"| Current Step | `{step}` |"))


@pytest.mark.parametrize(
    "command",
    [
        ["memory learn", "--topic", "t", "--insight", "one that is new"],
        ["mission cleanup"],
        ["mission dream"],
        ["mission boot"],
    ],
    ids=lambda words: words[0],
)
def test_a_step_moved_by_hand_is_taken_over_by_whichever_command_finds_it(ws: Workspace, command: list[str]) -> None:
    passed(ws)
    move_by_hand(ws, "Step 3")
    assert ws(*command).code == 0
    assert ws.mission["step"] == "Step 3"
    assert "mission.step_imported" in ws.events()
    assert "heartbeat.md was edited by hand" in ws.stream


def test_a_driven_run_begins_where_a_person_moved_the_pointer(ws: Workspace, tmp_path: Path) -> None:
    assert ws("mission run", "--agent", agent(tmp_path, REPORT)).code == 0
    move_by_hand(ws, "Step 3")
    assert ws("mission run").code == 0
    assert "Breakpoint, from heartbeat.md: Step 3" in ws.text("last-prompt.txt")


@pytest.mark.parametrize(("word", "after"), [("done", "Step 0"), ("fail", "Step 0")])
def test_a_step_moved_during_a_run_is_not_taken_over_by_its_end(ws: Workspace, word: str, after: str) -> None:
    ws.start()
    move_by_hand(ws, "Step 3")
    flag = "--summary" if word == "done" else "--error"
    ws.good(f"mission {word}", "--step", "4", flag, "x")
    assert ws.mission["step"] == after
    assert ws.text("heartbeat.md.bak").count("`Step 3`") == 1


def test_a_step_moved_by_a_driven_agent_is_not_taken_over(ws: Workspace, tmp_path: Path) -> None:
    script = "sed -i 's/| Current Step | `Step 0`/| Current Step | `Step 3`/' heartbeat.md; exit 3"
    assert ws("mission run", "--agent", agent(tmp_path, script)).code == 1
    assert ws.mission["step"] == "Step 0"
    assert "mission.step_imported" not in ws.events()
