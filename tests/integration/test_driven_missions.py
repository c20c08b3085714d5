"""Missions that the harness drives: one run now, under `up --missions`, and made whole from an idea or a file."""

from __future__ import annotations

import json
import shlex
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Terminal
from tests.support.drivers import REPORT, agent
from tests.support.following import started
from tests.support.mission_documents import FILLED
from tests.support.python import ROOT
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace, commands

HARNESS = f"{sys.executable} -m harnessos"
SPEC = {
    "name": "Hourly lines",
    "objective": "Collect lines.",
    "conditions": [
        {
            "id": "C1",
            "condition": "the report is there",
            "checks": [{"kind": "file", "path": "output/report.md", "min_bytes": 1}],
        }
    ],
    "steps": [{"title": "Write", "what": "append a line", "completion": "it has grown", "failure": "say so"}],
    "schedule": {"cron": "0 0 */2 * * *", "timezone": "UTC"},
}


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_run_that_says_nothing_is_said_for_and_judged(ws: Workspace, tmp_path: Path) -> None:
    said = ws("mission run", "--agent", agent(tmp_path, REPORT), "--json")
    assert said.code == 0, said.err
    assert (said.json["run"]["shown"], said.json["mission"]["step"]) == ("Success", "Step 2")
    prompt = ws.text("last-prompt.txt")
    places = [
        prompt.index(f"===== {name} =====")
        for name in ("mission.md", "eval_criteria.md", "playbook.md", "heartbeat.md")
    ]
    assert places == sorted(places)
    assert places[0] == 0
    assert "Breakpoint, from heartbeat.md: Step 0" in prompt
    assert "| Current Step | `Step 2` |" in ws.text("heartbeat.md")


def test_a_driven_agent_may_follow_the_skill_and_says_itself_how_it_went(ws: Workspace, tmp_path: Path) -> None:
    script = f"""
        {HARNESS} mission boot "$HARNESS_WORKSPACE" || exit 9
        {HARNESS} mission start "$HARNESS_WORKSPACE" || exit 9
        {HARNESS} memory stream "$HARNESS_WORKSPACE" --step 4 --event "wrote it"
        {REPORT}
        {HARNESS} mission done "$HARNESS_WORKSPACE" --step 4 --summary "by itself"
    """
    said = ws("mission run", "--agent", agent(tmp_path, script), "--json")
    assert said.code == 0, said.err
    assert (said.json["run"]["step"], said.json["run"]["note"], said.json["run"]["lines"]) == ("Step 4", "by itself", 1)


def test_an_agent_that_says_blocked_stops_the_mission(ws: Workspace, tmp_path: Path) -> None:
    script = f'{HARNESS} mission blocked "$HARNESS_WORKSPACE" --reason "no key"'
    assert ws("mission run", "--agent", agent(tmp_path, script)).code == 1
    assert ws("mission boot").code == 11
    assert ws.mission["blocking_reason"] == "no key"


def test_a_failing_agent_trips_the_breaker_and_then_nothing_runs(ws: Workspace, tmp_path: Path) -> None:
    failing = agent(tmp_path, "exit 3")
    for _ in range(3):
        assert ws("mission run", "--agent", failing).code == 1
    assert ws("mission run").code == 11
    assert "exit code 3" in ws.text("progress.md")


def test_a_finished_run_whose_checks_fail_is_a_failure(ws: Workspace, tmp_path: Path) -> None:
    assert ws("mission run", "--agent", agent(tmp_path, "true")).code == 1
    assert (ws.mission["failures"], ws.mission["step"]) == (1, "Step 0")
    assert "- Fix Standard 1:" in ws.text("progress.md")


def test_a_provider_at_its_quota_is_no_failure_and_is_waited_for(ws: Workspace, tmp_path: Path) -> None:
    script = 'echo \'{"reset_at": "2999-01-01T00:00:00+00:00"}\' > "$HARNESS_EVIDENCE_DIR/outcome.json"; exit 75'
    walled = agent(tmp_path, script)
    assert ws("mission run", "--agent", walled).code == 1
    assert (ws.mission["failures"], ws.mission["status"]) == (0, "idle")
    again = ws("mission run", "--json")
    assert again.code == 75
    assert "provider" in again.error["message"]


def test_rule_5_an_agent_that_rewrites_the_constitution_is_told_on(ws: Workspace, tmp_path: Path) -> None:
    ws("mission run", "--agent", agent(tmp_path, f"{REPORT}; sed -i s/three/two/ mission.md"))
    assert any("constitution changed" in one["text"] for one in ws.good("mission report")["changes"])


def test_a_workspace_that_is_not_ready_is_not_run(ws: Workspace, tmp_path: Path) -> None:
    (ws.path / "playbook.md").write_text("")
    assert ws("mission run", "--agent", agent(tmp_path, REPORT)).code == 12
    assert not (ws.path / "last-prompt.txt").exists()


def test_a_scheduled_run_of_a_workspace_that_is_not_ready_asks_a_person_once(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    made = terminal.good("mission", "new", "--from", _spec(tmp_path), "--agent", agent(tmp_path, REPORT))
    place = Path(made["mission"]["workspace"])
    (place / "playbook.md").write_text("")
    for minutes in (2, 1):
        with sqlite3.connect(terminal.home / "harness.sqlite") as ledger:
            at = f"created_at - {minutes * 60_000}"
            ledger.execute(f"UPDATE schedules SET next_at = {at}, fires_at = {at} WHERE target = 'mission'")
        assert terminal("up", "--missions", "--until-idle").code == 0
    assert [run["shown"] for run in terminal.good("mission", "show", str(place))["runs"]] == [
        "Released",
        "Released",
        "Success",
    ]
    asked = [
        row for row in terminal.good("attention", "list", "--project", "MSN")["items"] if "not ready" in row["question"]
    ]
    assert [row["command"] for row in asked] == [f"harness mission boot {place}"]


def test_a_mission_that_declares_an_end_completes_by_itself(ws: Workspace, tmp_path: Path) -> None:
    worker = agent(tmp_path, REPORT)
    for _ in range(3):
        assert ws("mission run", "--agent", worker).code == 0
    assert ws.mission["status"] == "mission_complete"
    assert ws("mission run").code == 10


def test_a_mission_without_an_end_never_completes_by_itself(ws: Workspace, tmp_path: Path) -> None:
    text = FILLED["eval_criteria.md"].replace(
        "Three lines or more (Applies: completion)", "Three lines or more (Optional)"
    )
    (ws.path / "eval_criteria.md").write_text(text)
    worker = agent(tmp_path, REPORT)
    for _ in range(4):
        ws("mission run", "--agent", worker)
    assert ws.mission["status"] == "completed"


def test_nothing_an_agent_started_outlives_its_run(ws: Workspace, tmp_path: Path) -> None:
    script = f"{REPORT}; (setsid sleep 4711 &) ; sleep 0.1"
    ws("mission run", "--agent", agent(tmp_path, script))
    assert not any("sleep 4711" in command for command in commands())


def _spec(folder: Path, **more: Any) -> str:
    path = folder / "mission.json"
    path.write_text(json.dumps({**SPEC, **more}))
    return str(path)


def test_a_mission_is_made_from_a_file_scheduled_and_run_at_once(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    made = terminal("mission", "new", "--from", _spec(tmp_path), "--agent", agent(tmp_path, REPORT), "--json")
    assert made.code == 0, made.err
    assert made.json["run"]["shown"] == "Success"
    place = Path(made.json["mission"]["workspace"])
    assert place == (tmp_path / "home" / "missions" / "hourly-lines").resolve()
    shown = terminal.good("mission", "show", str(place))
    assert shown["firings"]["mission"] is not None
    assert shown["firings"]["dream"] is not None
    assert terminal("mission", "new", "--from", _spec(tmp_path)).code == 65  # it is there already
    assert terminal("mission", "boot", str(place)).code == 0


def test_component_1_a_typed_contract_says_what_is_wrong_with_it_and_writes_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    said = terminal("mission", "new", "--from", _spec(tmp_path, conditions=[]), "--workspace", "here", "--json")
    assert said.code == 65
    assert "conditions" in said.error["message"]
    assert not (tmp_path / "here").exists()
    assert terminal("mission", "new").code == 2
    assert terminal("mission", "new", "an idea", "--agent", "nonsense").code == 2


def test_workflow_a_an_agent_fills_the_documents_and_is_sent_back_with_the_exact_errors(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name, text in FILLED.items():
        (docs / name).write_text(text)
    script = f"""
        if grep -q "Prepare a mission" last-prompt.txt; then
            if grep -q "sent back" last-prompt.txt; then cp {docs}/*.md .; else cp {docs}/mission.md .; fi
        else {REPORT}; fi
    """
    terminal = Terminal(tmp_path / "home", tmp_path)
    made = terminal(
        "mission",
        "new",
        "Collect lines every two hours",
        "--agent",
        agent(tmp_path, script),
        "--workspace",
        "ws",
        "--json",
    )
    assert made.code == 0, made.err
    assert "try 2 of 3" in made.err
    assert "try 3" not in made.err
    assert made.json["run"]["shown"] == "Success"
    first, second = (path.read_text() for path in sorted((tmp_path / "home" / "drafts").rglob("prompt-1.md")))
    assert "sent back" not in first
    assert "playbook.md:1: is the template" in second
    assert "Collect lines every two hours" in second


def test_workflow_a_gives_up_after_three_tries_and_says_what_is_left(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    made = terminal("mission", "new", "An idea", "--agent", agent(tmp_path, "true"), "--workspace", "ws", "--json")
    assert made.code == 65
    assert "after three tries" in made.error["message"]
    assert terminal("mission", "boot", "ws").code == 12


def test_a_dry_run_of_new_says_where_and_by_whom(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    planned = terminal.good("mission", "new", "Watch the weather in Bonn", "--agent", "command:true", "--dry-run")
    assert planned["workspace"].endswith("missions/watch-the-weather-in-bonn")
    (tmp_path / ".openclaw" / "workspace").mkdir(parents=True)
    planned = terminal.good("mission", "new", "Watch the weather in Bonn", "--agent", "command:true", "--dry-run")
    assert planned["workspace"].endswith(".openclaw/workspace/harness/watch-the-weather-in-bonn")
    assert not (tmp_path / "home").exists()


def test_rule_6_up_begins_what_has_never_run_at_once(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    made = terminal.good("mission", "new", "--from", _spec(tmp_path), "--agent", agent(tmp_path, REPORT), "--no-run")
    place = made["mission"]["workspace"]
    assert made["run"] is None
    said = terminal("up", "--missions", "--until-idle")
    assert said.code == 0, said.err + said.out
    assert [run["shown"] for run in terminal.good("mission", "show", place)["runs"]] == ["Success"]
    assert terminal("up", "--missions", "--until-idle").code == 0
    assert len(terminal.good("mission", "show", place)["runs"]) == 1


def test_up_without_anything_to_serve_says_so(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    terminal.good("mission", "boot", "ws", "--init")
    said = terminal("up", "--missions", "--until-idle", "--json")
    assert said.code == 65


def test_the_first_mission_of_the_documentation_works_as_it_is_typed(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "run-your-first-mission.md").read_text(encoding="utf-8")
    blocks = page.split("```")
    (tmp_path / "mission.yaml").write_text(blocks[1].removeprefix("yaml\n"))
    terminal = Terminal(tmp_path / "home", tmp_path)
    made = terminal(*shlex.split(blocks[3])[1:], "--json")
    assert made.code == 0, made.err
    assert made.json["run"]["shown"] == "Success"
    place = made.json["mission"]["workspace"]
    for line in blocks[5].strip().splitlines()[:3]:
        words = [place if word == "WS" else word for word in shlex.split(line, comments=True)[1:]]
        assert terminal(*words).code == 0, line
    for _ in range(3):
        assert terminal("mission", "run", place, "--agent", "command:false").code == 1
    assert "harness mission resume" in terminal("why", "MSN-1").out
    assert terminal("mission", "resume", place).code == 0


def test_restart_mid_run_resumes_or_marks_interrupted(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    slow = agent(tmp_path, f"{REPORT}; echo $$ > pid; sleep 4712", "slow.sh")
    made = terminal.good("mission", "new", "--from", _spec(tmp_path), "--agent", slow, "--no-run")
    place = Path(made["mission"]["workspace"])
    with started(terminal, "up", "--missions", output=tmp_path / "up.log") as supervisor:
        eventually((place / "pid").exists, what="the agent works")
        supervisor.kill()
    agent(tmp_path, REPORT, "slow.sh")
    said = terminal("up", "--missions", "--until-idle")
    assert said.code == 0, said.out
    assert not any("sleep 4712" in line for line in commands())
    assert [run["shown"] for run in terminal.good("mission", "show", str(place))["runs"]] == ["Lost"]
    assert terminal.good("mission", "show", str(place))["mission"]["failures"] == 1
    assert terminal("mission", "run", str(place)).code == 0


def test_ctrl_c_releases_the_run_and_counts_as_nothing(ws: Workspace, tmp_path: Path) -> None:
    slow = agent(tmp_path, "echo $$ > pid; sleep 4713", "slow.sh")
    with started(ws.terminal, "mission", "run", str(ws.path), "--agent", slow, output=tmp_path / "run.log") as run:
        eventually((ws.path / "pid").exists, what="the agent works")
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
    assert not any("sleep 4713" in line for line in commands())
    assert [one["shown"] for one in ws.good("mission show")["runs"]] == ["Released"]
    assert (ws.mission["failures"], ws.mission["status"]) == (0, "idle")


def test_what_cannot_work_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    assert terminal("mission", "new", "an idea", "--agent", "command:/no/such", "--workspace", "ws").code == 2
    bad = _spec(tmp_path, schedule={"cron": "0 0 31 2 *", "timezone": "UTC"})
    assert terminal("mission", "new", "--from", bad, "--agent", "command:true", "--workspace", "ws").code == 65
    assert not (tmp_path / "ws").exists()


def test_up_tells_which_missions_it_serves_and_how_their_runs_ended(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    terminal.good("mission", "new", "--from", _spec(tmp_path), "--agent", agent(tmp_path, REPORT), "--no-run")
    told = [json.loads(line) for line in terminal("up", "--missions", "--until-idle", "--json").out.splitlines()]
    assert told[0]["event"] == "up.serving_missions"
    assert told[0]["missions"] == ["MSN-1 Hourly lines"]
    kinds = [one["event"] for one in told]
    assert kinds.index("mission.started") < kinds.index("run.ended") < kinds.index("mission.judged")
