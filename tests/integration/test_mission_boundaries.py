"""Where a mission ends: tokens of others, copies, cancelled ones, what is no file, and what only a person may do."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.workspaces import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


AGENT = {"HARNESS_SESSION_TOKEN": "hs_x"}


def second(ws: Workspace) -> Workspace:
    """Another mission of the same ledger."""
    other = Workspace(ws.path.parent, made=False)
    other.path, other.terminal = ws.path.parent / "other", ws.terminal
    assert other("mission boot", "--init").code == 0
    other.fill()
    assert other("mission boot").code == 0
    return other


@pytest.mark.parametrize("verb", [["done", "--step", "4"], ["fail", "--step", "4"], ["blocked", "--reason", "x"]])
def test_a_token_of_another_mission_ends_neither(ws: Workspace, verb: list[str]) -> None:
    other = second(ws)
    ws.start()
    token = other.start()
    said = ws(f"mission {verb[0]}", *verb[1:], "--json", HARNESS_SESSION_TOKEN=token)
    assert (said.code, said.error["code"]) == (65, "refused")
    assert "of another run" in said.error["message"]
    assert (ws.mission["runs"], other.mission["runs"]) == (1, 1)
    assert other("mission boot", HARNESS_SESSION_TOKEN=token).code == 0, "its own run is still its own"


READING = ["mission show", "mission report", "mission context", "mission lint", "memory topics", "mission boot"]


def expires(ws: Workspace) -> int:
    with sqlite3.connect(ws.terminal.home / "harness.sqlite") as ledger:
        return int(ledger.execute("SELECT expires_at FROM runs WHERE live = 1").fetchone()[0])


@pytest.mark.parametrize("command", READING)
def test_every_command_of_the_runs_holder_renews_its_lease(ws: Workspace, command: str) -> None:
    token = ws.start()
    before = expires(ws)
    assert ws(command, HARNESS_SESSION_TOKEN=token).code == 0
    assert expires(ws) > before


def test_who_reads_after_the_end_of_a_run_goes_on_unless_the_lease_was_taken_away(ws: Workspace) -> None:
    token = ws.start()
    ws.produce()
    ws.done()
    assert ws("mission eval", HARNESS_SESSION_TOKEN=token).code == 0
    taken = ws.start()
    with sqlite3.connect(ws.terminal.home / "harness.sqlite") as ledger:
        ledger.execute("UPDATE runs SET expires_at = 1 WHERE live = 1")
    assert ws("mission boot").code == 0
    assert ws("memory topics", HARNESS_SESSION_TOKEN=taken).code == 75
    assert ws("memory topics", HARNESS_SESSION_TOKEN="hs_of_other_work").code == 0


def test_a_copy_of_a_workspace_is_refused_until_it_is_adopted(ws: Workspace) -> None:
    copy = Workspace(ws.path.parent, made=False)
    copy.path, copy.terminal = ws.path.parent / "copy", ws.terminal
    shutil.copytree(ws.path, copy.path)
    for verb in ("boot", "start", "show", "eval"):
        said = copy(f"mission {verb}", "--json")
        assert said.code == 65, verb
        assert "is a copy" in said.error["message"]
    assert copy("mission adopt").code == 0
    assert copy("mission boot").code == 0
    assert (ws.mission["identifier"], copy.mission["identifier"]) == ("MSN-1", "MSN-2")


def test_a_workspace_that_moved_goes_on_where_it_is(ws: Workspace) -> None:
    moved = ws.path.rename(ws.path.with_name("moved"))
    ws.path = moved
    assert ws("mission boot").code == 0
    assert (ws.mission["identifier"], ws.mission["workspace"]) == ("MSN-1", str(moved))


def test_a_cancelled_mission_stays_cancelled_whatever_its_run_says(ws: Workspace) -> None:
    ws.start()
    ws.produce()
    ws.done()
    assert ws.terminal("issue", "cancel", "MSN-1").code == 0
    boot = ws("mission boot")
    assert boot.code == 11
    assert "cancelled" in boot.out
    assert ws("mission eval").code == 0, "it reports, and changes nothing"
    assert ws("mission start", "--json").code == 11
    assert ws("mission complete", "--json").code == 11
    assert ws.terminal.good("issue", "show", "MSN-1")["issue"]["status"] == "cancelled"


def test_no_mission_is_complete_that_never_ran(ws: Workspace) -> None:
    ws.produce()
    ws("mission eval")
    said = ws("mission complete", "--json")
    assert said.code == 65
    assert ws.mission["status"] != "mission_complete"


def test_only_a_person_takes_over_what_documents_show(ws: Workspace, tmp_path: Path) -> None:
    ws.start()
    ws.produce()
    ws.done()
    ws("mission eval")
    (ws.path / ".harness" / "mission.json").unlink()
    other = {"HARNESS_HOME": str(tmp_path / "elsewhere")}
    said = ws("mission boot", "--json", **other, **AGENT)
    assert (said.code, said.error["code"]) == (65, "operator_only")
    assert ws("mission boot", **other).code == 0
    assert ws.good("mission show", **other)["mission"]["runs"] == 1


def test_only_a_person_says_which_agent_drives_a_mission(ws: Workspace) -> None:
    said = ws("mission run", "--agent", "command:true", "--json", **AGENT)
    assert (said.code, said.error["code"]) == (65, "operator_only")
    assert ws("mission run", "--json").error["code"] == "bad_content", "no agent was kept"


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_what_cannot_be_judged_is_not_verifiable_and_never_waited_for(ws: Workspace, what: str) -> None:
    ws.start()
    ws.produce()
    if what == "link":
        shutil.rmtree(ws.path / "output")
        (ws.path / "output").symlink_to("/")
    else:
        (ws.path / "eval_criteria.md").unlink()
        os.mkfifo(ws.path / "eval_criteria.md")
    ws("mission done", "--step", "4")
    assert ws("mission eval", "--json").json["verdict"] == "not_verifiable"
    assert ws.mission["step"] == "Step 0"


def test_a_pipe_among_the_results_counts_as_one_of_them_and_is_never_read(ws: Workspace) -> None:
    ws.start()
    ws.produce()
    os.mkfifo(ws.path / "output" / "pipe")
    ws.done()
    assert ws.good("mission eval")["verdict"] == "passed"
    (ws.path / "output" / "pipe").unlink()
    assert "files changed" in ws("mission complete", "--json").error["message"]


@pytest.mark.parametrize("what", ["folder", "link", "pipe"])
def test_what_lies_under_the_name_of_a_rendered_document_is_moved_aside(ws: Workspace, what: str) -> None:
    path = ws.path / "heartbeat.md"
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to("/etc/passwd")
    else:
        os.mkfifo(path)
    assert ws("mission boot").code == 0
    assert "Current Step" in ws.text("heartbeat.md")
    assert os.path.lexists(ws.path / "heartbeat.md.bak")


def test_a_folder_under_the_name_of_the_runs_file_keeps_no_run_out(ws: Workspace) -> None:
    (ws.path / ".harness" / "run.json").mkdir()
    ws.start()
    assert (ws.path / ".harness" / "run.json").is_file()


def test_a_folder_under_the_name_of_the_lock_is_an_error_with_words(ws: Workspace) -> None:
    lock = ws.path / ".harness" / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    said = ws("mission boot", "--json")
    assert said.code not in (0, 70)
    assert "is a folder" in said.error["message"]


def test_a_mission_new_that_was_cut_off_goes_on_when_it_is_said_again(ws: Workspace, tmp_path: Path) -> None:
    made = tmp_path / "made"
    failing = script(tmp_path / "failing", "exit 3")
    assert ws.terminal("mission", "new", "watch it", "--agent", failing, "--workspace", str(made)).code != 0
    (made / ".harness" / "mission.json").unlink()  # as a crash between the ledger and the file leaves it
    ws.terminal("mission", "new", "watch it", "--agent", failing, "--workspace", str(made))
    missions = [one["workspace"] for one in ws.terminal.good("mission", "list")["items"]]
    assert missions.count(str(made)) == 1, "the second try went on with the first one's mission"
    said = ws.terminal("mission", "new", "another idea", "--agent", failing, "--workspace", str(made), "--json")
    assert (said.code, said.error["code"]) == (65, "refused")
    assert "mission boot" in said.error["hint"]


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return f"command:{path}"


def test_a_new_mission_in_a_folder_that_was_cleared_is_a_mission_of_its_own(ws: Workspace, tmp_path: Path) -> None:
    ws.start()
    ws("mission fail", "--step", "4", "--reason", "x")
    shutil.rmtree(ws.path)
    spec = Path(__file__).parents[2] / "examples" / "missions"
    files = sorted(spec.glob("*/mission.yaml"))
    assert files
    ws.terminal("mission", "new", "--from", str(files[0]), "--workspace", str(ws.path), "--no-run")
    assert (ws.mission["identifier"], ws.mission["runs"]) == ("MSN-2", 0)


def test_why_says_that_nobody_here_starts_a_mission_without_an_agent(ws: Workspace) -> None:
    ws.good("mission schedule", "--install")
    without = ws.terminal.good("why", "MSN-1")
    assert "no agent" in json.dumps(without)
    ws.good("mission schedule", "--install", "--agent", "command:true")
    assert "up --missions" in ws.terminal("why", "MSN-1").out
