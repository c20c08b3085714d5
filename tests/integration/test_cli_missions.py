"""A mission from the command line: the literal verbs, their exit codes, and what the documents then say."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from harnessos.store.opening import create_store
from tests.support.commands import Terminal
from tests.support.mission_documents import FILLED
from tests.support.workspaces import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


# Boot


def test_init_writes_every_template_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    made = terminal.good("mission", "boot", "ws", "--init")["made"]
    assert {"mission.md", "playbook.md", "eval_criteria.md", "cron_config.md", "output/", "logs/", "knowledge/"} <= set(
        made
    )
    before = {path: path.read_bytes() for path in (tmp_path / "ws").rglob("*") if path.is_file()}
    assert terminal.good("mission", "boot", "ws", "--init")["made"] == []
    assert {path: path.read_bytes() for path in (tmp_path / "ws").rglob("*") if path.is_file()} == before


def test_rule_2_unfilled_templates_are_not_ready_and_say_where(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, booted=False)
    (workspace.path / "playbook.md").write_text(
        FILLED["playbook.md"].replace("Find one new line.", "[What the agent does in the second step]")
    )
    said = workspace("mission boot")
    assert said.code == 12
    assert "playbook.md:" in said.out
    (workspace.path / "playbook.md").write_text("")
    assert workspace("mission boot").code == 12
    (workspace.path / "playbook.md").unlink()
    assert "playbook.md:1: it is missing" in workspace("mission boot").out


def test_rule_6_a_ready_workspace_is_told_to_begin_at_once(ws: Workspace) -> None:
    said = ws("mission boot")
    assert said.code == 0
    assert "Workspace is ready" in said.out
    assert "begin the first run now" in said.out


def test_rule_1_heartbeat_and_progress_are_found_in_the_root_only(ws: Workspace) -> None:
    (ws.path / "logs" / "heartbeat.md").write_text("| Current Step | `Step 9` |\n")
    said = ws("mission boot")
    assert "logs/heartbeat.md is not read" in said.out
    assert "Step 9" not in ws.text("heartbeat.md")


def test_component_3_a_required_tool_that_is_missing_keeps_the_mission_from_running(ws: Workspace) -> None:
    text = FILLED["playbook.md"].replace("`sh -c true`", "`command -v no_such_tool_anywhere`")
    (ws.path / "playbook.md").write_text(text)
    said = ws("mission boot")
    assert said.code == 12
    assert "tool shell is required and missing" in said.out


@pytest.mark.parametrize("content", ["", "nonsense", "| Consecutive Failures | 0 |", "| Consecutive Failures | `-5` |"])
def test_b10_a_damaged_heartbeat_is_rebuilt_and_never_read_as_ready(ws: Workspace, content: str) -> None:
    ws.start()
    ws.good("mission fail", "--error", "no luck")
    (ws.path / "heartbeat.md").write_text(content)
    assert ws("mission boot").code == 0
    assert "| Consecutive Failures | `1` |" in ws.text("heartbeat.md")
    for _ in range(2):
        ws.start()
        ws.good("mission fail", "--error", "no luck")
    assert ws("mission boot").code == 11


# The verbs


def test_the_literal_life_of_a_run(ws: Workspace) -> None:
    started = ws.good("mission start")
    assert started["step"] == "Step 0"
    assert oct((ws.path / ".harness" / "run.json").stat().st_mode & 0o777) == "0o600"
    ws.produce()
    ws.done("Step 4", "one line")
    judged = ws("mission eval", "--json")
    assert judged.code == 0
    assert judged.json["verdict"] == "passed"
    assert ws.mission["step"] == "Step 1"  # after the last step a new cycle begins
    assert ws.mission["steps_done"] == ["Step 4"]
    assert "| Current Status | `completed` |" in ws.text("heartbeat.md")
    assert "| Execution Result | `Success` |" in ws.text("progress.md")


def test_the_report_of_an_evaluation_has_the_agreed_shape(ws: Workspace) -> None:
    document = ws("mission eval", "--json").json
    names = {"name", "mandatory", "applies", "passed", "detail", "seconds", "isolation"}
    assert set(document) == {"verdict", "checks"}
    assert all(set(check) == names for check in document["checks"])
    written = json.loads(ws.text("logs/eval_report.json"))
    assert written["checks"] == document["checks"]
    assert [check["passed"] for check in document["checks"]] == [False, None, True, None]


def test_rule_3_nobody_certifies_themselves(ws: Workspace) -> None:
    refused = ws("mission mission_complete", "--json")
    assert refused.code == 65
    assert "Standard 1" in refused.error["message"]
    ws.start()
    ws.done()
    assert ws("mission eval").code == 1
    refused = ws("mission complete", "--json")
    assert refused.code == 65
    assert "Standard 1" in refused.error["message"]
    ws.produce(lines=1)
    ws.start()
    ws.done()
    assert ws("mission eval").code == 0
    refused = ws("mission mission_complete", "--json")
    assert refused.code == 65
    assert "Standard 4" in refused.error["message"]
    ws.produce(lines=3)
    assert ws("mission mission_complete").code == 65  # the files changed since the evaluation
    ws.start()
    ws.done()
    assert ws("mission eval").code == 0
    assert ws("mission mission_complete").code == 0
    assert ws("mission boot").code == 10
    assert ws("mission start").code == 10
    assert "mission_complete" in ws.text("heartbeat.md")


def test_done_without_a_run_is_refused(ws: Workspace) -> None:
    said = ws("mission done", "--step", "4", "--json")
    assert (said.code, said.error["code"]) == (65, "illegal_move")
    assert ws("mission fail").code == 65


def test_b05_a_second_start_is_refused_and_counts_as_no_failure(ws: Workspace) -> None:
    ws.start()
    assert ws("mission start").code == 13
    assert ws("mission boot").code == 13
    assert ws.mission["failures"] == 0


def test_the_holder_of_the_run_may_boot_and_start_again(ws: Workspace) -> None:
    token = ws.start()
    again = ws.good("mission start", HARNESS_SESSION_TOKEN=token)
    assert (again["step"], again["token"]) == ("Step 0", None)
    assert ws("mission boot", "--session", token).code == 0


def test_a_lease_that_moved_on_is_told_and_nothing_is_written(ws: Workspace) -> None:
    token = ws.start()
    ws.good("mission fail", "--error", "x")
    before = ws.stream
    for command, flags in (("mission done", ["--step", "1"]), ("memory stream", ["--step", "1", "--event", "late"])):
        said = ws(command, *flags, "--session", token, "--json")
        assert (said.code, said.error["code"]) == (75, "lease_lost")
    assert ws.stream == before


def test_b04_blocked_blocks_until_a_person_resumes(ws: Workspace) -> None:
    ws.start()
    ws.good("mission blocked", "--reason", "needs a key | `now`\nreally")
    assert ws("mission boot").code == 11
    assert ws("mission start").code == 11
    token = {"HARNESS_SESSION_TOKEN": "hs_x"}
    assert ws("mission resume", **token).code == 65
    ws.good("mission resume")
    assert ws("mission boot").code == 0
    assert "| Blocking Reason | `none` |" in ws.text("heartbeat.md")


def test_pause_holds_and_resume_lifts(ws: Workspace) -> None:
    ws.good("mission pause")
    assert ws("mission start").code == 11
    ws.good("mission resume")
    ws.start()


def test_reset_begins_anew(ws: Workspace) -> None:
    ws.start()
    ws.produce()
    ws.done("2")
    ws("mission eval")
    assert ws.mission["step"] == "Step 3"
    ws.good("mission reset")
    assert ws.mission["step"] == "Step 0"


def test_rule_7_the_breaker_cannot_be_talked_away(ws: Workspace) -> None:
    for _ in range(3):
        ws.start()
        ws.good("mission fail", "--error", "no luck")
    said = ws("mission boot")
    assert said.code == 11
    assert "tripped" in said.out
    (ws.path / "heartbeat.md").write_text(
        ws.text("heartbeat.md").replace("`tripped`", "`off`").replace("`3`", "`0`").replace("`blocked`", "`idle`")
    )
    assert ws("mission boot").code == 11
    assert ws("mission start").code == 11
    assert list(ws.path.glob("heartbeat.md*.bak"))


@pytest.mark.parametrize(
    "text", [r"saved to C:\data\reports", "a | b", "tick `x` tock", "two\nlines", "\\1 \\g<0>", "日本 — ✓"]
)
def test_b23_b24_any_text_is_safe(ws: Workspace, text: str) -> None:
    ws.start()
    ws.good("mission done", "--step", text, "--summary", text)
    ws.produce()
    assert ws("mission eval").code == 0
    assert ws.mission["artifact"] == text
    rows = [line for line in ws.text("heartbeat.md").split("\n") if line.startswith("| Last Successful Artifact")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 3
    assert ws("mission boot").code == 0


def test_fail_right_after_done_replaces_the_claim(ws: Workspace) -> None:
    ws.start()
    ws.done()
    assert ws.good("mission fail", "--step", "3", "--error", "was not")["failures"] == 1
    ws.produce()
    assert ws("mission eval").code == 0
    assert ws.mission["failures"] == 1


def test_a_claim_that_nobody_judged_is_judged_by_the_next_start(ws: Workspace) -> None:
    ws.start()
    ws.done("2")
    ws.produce()
    assert ws.good("mission start")["step"] == "Step 3"


def test_rule_5_a_constitution_changed_during_a_run_needs_a_person(ws: Workspace) -> None:
    ws.start()
    (ws.path / "mission.md").write_text(FILLED["mission.md"].replace("three", "two"))
    ws.done()
    assert any(
        "mission.md changed during run" in row["question"]
        for row in ws.terminal.good("attention", "list", "--project", "MSN")["items"]
    )
    changes = ws.good("mission report")["changes"]
    assert any("constitution changed" in change["text"] for change in changes)
    assert ws("mission start").code == 11
    ws.good("mission resume")
    ws.start()


def test_rule_8_every_verb_logs_and_a_silent_run_is_flagged(ws: Workspace) -> None:
    ws.start()
    ws.done()
    assert "[INFO] [Step: 0] run #1 started" in ws.stream
    assert "[SUCCESS] [Step: 4] done: made it" in ws.stream
    assert ws.good("mission report")["silent"] == [1]
    ws("mission eval")
    ws.start()
    ws.good("memory stream", "--step", "1", "--event", "looked")
    ws.good("mission fail", "--error", "x")
    assert ws.good("mission report")["silent"] == [1]


def test_rule_10_the_context_is_in_the_one_order_and_its_static_part_stays_the_same(ws: Workspace) -> None:
    first = ws.good("mission context")
    assert first["order"][:4] == ["mission.md", "eval_criteria.md", "playbook.md", "heartbeat.md"]
    ws.start()
    ws.good("memory learn", "--topic", "reports", "--insight", "The report wants one line a run.")
    second = ws.good("mission context")
    assert second["parts"][:3] == first["parts"][:3]
    assert second["order"][4:] == ["knowledge/reports.md"]
    assert [part["name"] for part in ws.good("mission context", "--max-tokens", "100")["parts"]] == ["mission.md"]
    orders = ws.text("cron_config.md")
    places = [orders.index(name) for name in ("mission.md", "eval_criteria.md", "playbook.md", "heartbeat.md")]
    assert places == sorted(places)


# One truth


def test_before_the_first_run_what_the_agent_wrote_is_taken_without_a_word(tmp_path: Path) -> None:
    ws = Workspace(tmp_path, booted=False)
    (ws.path / "heartbeat.md").write_text(
        "## Execution Pointer\n| Current Step | `Step 2` |\n| Consecutive Failures | `7` |\n"
    )
    (ws.path / "progress.md").write_text("My notes stay.\n")
    said = ws("mission boot")
    assert said.code == 0
    assert "edited" not in said.out
    assert (ws.mission["step"], ws.mission["failures"]) == ("Step 2", 0)
    assert ws.text("progress.md").startswith("My notes stay.\n")


def test_a_hand_edit_moves_the_step_and_keeps_the_rest_aside(ws: Workspace) -> None:
    ws.start()
    ws.good("mission fail", "--error", "x")
    edited = (
        ws.text("heartbeat.md")
        .replace("`Step 0`", "`Step 3`")
        .replace("| Consecutive Failures | `1` |", "| Consecutive Failures | `0` |")
    )
    (ws.path / "heartbeat.md").write_text(edited)
    said = ws("mission boot")
    assert said.code == 0
    assert "edited by hand" in said.out
    assert (ws.mission["step"], ws.mission["failures"]) == ("Step 3", 1)
    assert ws.text("heartbeat.md.bak") == edited
    assert "mission.step_imported" in ws.events()


def test_text_above_the_generated_part_of_progress_stays_for_good(ws: Workspace) -> None:
    (ws.path / "progress.md").write_text("# Mine\n\nkept\n\n" + ws.text("progress.md"))
    ws.start()
    ws.good("mission fail", "--error", "x")
    assert ws.text("progress.md").startswith("# Mine\n\nkept\n\n<!-- harness:progress begin -->")
    assert not list(ws.path.glob("progress.md*.bak"))


def test_another_ledger_refuses_the_workspace_until_it_is_adopted(ws: Workspace, tmp_path: Path) -> None:
    ws.start()
    ws.good("mission fail", "--error", "x")
    other = Terminal(tmp_path / "other", tmp_path)
    assert other("mission", "boot", str(ws.path), HARNESS_STORE=f"sqlite:///{tmp_path}/none.sqlite").code == 69
    (tmp_path / "proj").mkdir()
    other.good("init", str(tmp_path / "proj"), "--key", "P")
    store = f"sqlite:///{other.home}/harness.sqlite"
    refused = other("mission", "start", str(ws.path), "--store", store, "--json")
    assert refused.code == 65
    assert "another ledger" in refused.error["message"]
    assert other("mission", "adopt", str(ws.path), "--store", store).code == 0
    shown = other.good("mission", "show", str(ws.path))["mission"]
    assert (shown["failures"], shown["runs"]) == (1, 1)


def test_a_workspace_of_the_earlier_scripts_is_adopted_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    for name, text in FILLED.items():
        (folder / name).write_text(text)
    (folder / "heartbeat.md").write_text(
        "# Heartbeat\n## System Status\n| Field | Value |\n|---|---|\n| Current Status | `completed` |\n| Total Executions | `41` |\n"
        "| Consecutive Failures | `2` |\n## Execution Pointer\n| Current Step | `Step 3` |\n## Active Alerts\n| Circuit Breaker | `off` | `-` |\n"
    )
    terminal = Terminal(tmp_path / "home", tmp_path)
    assert terminal("mission", "boot", str(folder)).code == 0
    shown = terminal.good("mission", "show", str(folder))["mission"]
    assert (shown["runs"], shown["failures"], shown["step"]) == (41, 2, "Step 3")
    terminal.good("mission", "start", str(folder))
    terminal.good("mission", "fail", str(folder))
    assert terminal("mission", "boot", str(folder)).code == 11


def test_the_project_of_the_current_folder_has_no_say(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    store = f"sqlite:///{tmp_path}/of-the-project.sqlite"
    ws.terminal.good("init", str(tmp_path / "repo"), "--key", "REPO", "--store", store)
    inside = ws.terminal.at(tmp_path / "repo")
    assert inside.good("mission", "show", str(ws.path))["mission"]["identifier"] == "MSN-1"


# Bad input


@pytest.mark.parametrize(
    "command", ["mission start", "mission eval", "mission cleanup", "mission dream", "mission show", "memory topics"]
)
def test_b29_a_misspelt_workspace_is_never_made(tmp_path: Path, command: str) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    said = terminal(*command.split(), str(tmp_path / "nowhere"), "--json")
    assert (said.code, said.error["code"]) == (2, "not_a_file")
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "file").write_text("x")
    assert terminal(*command.split(), str(tmp_path / "file")).code == 2
    assert terminal("mission", "boot", str(tmp_path / "file"), "--init").code == 2
    (tmp_path / "empty").mkdir()
    assert terminal(*command.split(), str(tmp_path / "empty")).code == 12


def test_a_mission_of_10_mb_is_refused_by_size(ws: Workspace) -> None:
    (ws.path / "mission.md").write_text(FILLED["mission.md"] + "x" * 10_000_000)
    said = ws("mission boot")
    assert said.code == 12
    assert "mission.md:1:" in said.out


def test_documents_from_windows_and_from_formatters_work(ws: Workspace) -> None:
    for name, text in FILLED.items():
        (ws.path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert ws("mission boot").code == 0


def test_a_document_that_is_a_link_out_of_the_workspace_is_not_followed(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text(FILLED["mission.md"])
    (ws.path / "mission.md").unlink()
    (ws.path / "mission.md").symlink_to(tmp_path / "secret.md")
    said = ws("mission boot")
    assert said.code == 12
    assert "outside" in said.out


def test_a_damaged_registration_says_how_to_mend_it(ws: Workspace) -> None:
    (ws.path / ".harness" / "mission.json").write_text("{")
    said = ws("mission start", "--json")
    assert said.code == 65
    assert "adopt" in said.error["hint"]
    assert ws("mission adopt").code == 0
    assert ws.mission["identifier"] == "MSN-1"


def test_a_session_of_a_mission_is_ended_by_its_own_words(ws: Workspace) -> None:
    token = ws.start()
    said = ws.terminal("session", "close", "--session", token, "--outcome", "finished", "--json")
    assert said.code == 65
    assert "mission done" in said.error["hint"]
    assert ws.terminal("issue", "retry", "MSN-1").code == 65


# Upkeep, views


def test_b02_cleanup_takes_the_oldest_runs_out_and_numbering_goes_on(ws: Workspace) -> None:
    for number in range(6):
        ws.start()
        ws.good("mission fail", "--error", f"run {number}")
        if number % 2:
            ws.good("mission resume")
    done = ws.good("mission cleanup", "--max-runs", "2")
    assert done["archived_runs"] == 4
    assert "### Run #006" in ws.text("progress.md")
    assert "### Run #004" not in ws.text("progress.md")
    assert "### Run #001" in ws.text(done["archive"])
    assert ws.good("mission cleanup", "--max-runs", "2")["archived_runs"] == 0
    ws.start()
    ws.good("mission fail")
    assert "### Run #007" in ws.text("progress.md")


def test_b03_two_cleanups_in_one_second_keep_both_archives(ws: Workspace) -> None:
    for _ in range(2):
        ws.start()
        ws.good("mission fail")
        ws.good("mission resume")
    for _ in range(2):
        ws.good("mission cleanup", "--max-runs", "1")
        ws.start()
        ws.good("mission fail")
        ws.good("mission resume")
    archives = list((ws.path / "logs" / "archive").glob("progress_archive_*"))
    assert len(archives) == 2
    assert sum(path.read_text().count("### Run #") for path in archives) == 2


def test_b08_cleanup_touches_nothing_below_output(ws: Workspace) -> None:
    names = ["final.tmp", "data/db_dump.bak", ".DS_Store"]
    for name in names:
        (ws.path / "output" / name).parent.mkdir(exist_ok=True)
        (ws.path / "output" / name).write_text("kept")
    (ws.path / "output" / "x.tmp").mkdir()
    ws.good("mission cleanup")
    assert all((ws.path / "output" / name).read_text() == "kept" for name in names)


def test_component_6_cleanup_is_due_by_itself_every_ten_runs(ws: Workspace) -> None:
    (ws.path / "logs" / "execution_stream.log").write_bytes(b"x" * (11 * 1024 * 1024) + b"\n")
    for _ in range(10):
        ws.start()
        ws.good("mission fail")
        ws.good("mission resume")
    assert list((ws.path / "logs" / "archive").glob("execution_stream_*"))


def test_rule_12_a_dream_is_refused_while_a_run_is_live(ws: Workspace) -> None:
    ws.start()
    before = {path: path.read_bytes() for path in ws.path.rglob("*") if path.is_file()}
    assert ws("mission dream").code == 13
    assert ws("mission dream", "--dry-run").code == 13
    assert {path: path.read_bytes() for path in ws.path.rglob("*") if path.is_file()} == before


def test_component_9_a_dream_consolidates_and_is_undone(ws: Workspace) -> None:
    for number in range(3):
        ws.good("memory stream", "--step", "2", "--event", f"fetch {number} timed out", "--level", "ERROR")
    shown = ws("mission dream", "--dry-run")
    assert shown.code == 0
    assert "+++ b/playbook.md" in shown.out
    assert ws.text("playbook.md") == FILLED["playbook.md"]
    dreamt = ws.good("mission dream")
    assert "timed out" in ws.text("playbook.md")
    assert dreamt["dream"] in ws.text("logs/dream_journal.md")
    assert ws.good("mission dream", "--undo")["dream_id"] == dreamt["dream"]
    assert ws.text("playbook.md") == FILLED["playbook.md"]
    assert ws("mission dream", "--undo").code == 65
    assert ws("mission boot").code == 0


def test_the_morning_report_in_three_forms(ws: Workspace) -> None:
    ws.start()
    ws.produce()
    ws.done("1", "looked | around")
    ws("mission eval")
    ws.start()
    ws.good("mission blocked", "--reason", "which colour?")
    document = ws.good("mission report")
    assert [run["shown"] for run in document["runs"]] == ["Blocked", "Success"]
    assert document["achieved"][0]["evidence"] == ["Standard 1"] or "Standard 1" in document["achieved"][0]["evidence"]
    assert document["blocked"]["reason"] == "which colour?"
    markdown = ws("mission report", "--format", "markdown").out
    assert "## Needs a person" in markdown
    assert "which colour?" in ws("mission report").out


def test_show_list_and_lint(ws: Workspace) -> None:
    shown = ws.good("mission show")
    assert set(shown) >= {"mission", "runs", "firings", "memory", "dreams", "live"}
    assert ws.terminal.good("mission", "list")["items"][0]["name"] == "collect-lines"
    assert ws("mission lint").code == 0
    (ws.path / "eval_criteria.md").write_text("### Standard 1: nothing\n")
    assert ws("mission lint", "--strict").code == 1


def test_rule_4_the_breakpoint_is_printed_by_start_and_a_run_without_start_cannot_be_done(ws: Workspace) -> None:
    assert ws("mission done", "--step", "3").code == 65
    ws.start()
    ws.produce()
    ws.done("2")
    ws("mission eval")
    assert "goes on at Step 3" in ws("mission start").out
    ws.good("mission fail", "--step", "3", "--error", "interrupted")
    assert ws.good("mission start")["step"] == "Step 3"  # a failure keeps the breakpoint


def test_rule_11_a_mission_without_dreams_is_warned_about(ws: Workspace) -> None:
    store = f"sqlite:///{ws.terminal.home}/harness.sqlite"
    with sqlite3.connect(ws.terminal.home / "harness.sqlite") as connection:
        connection.execute("UPDATE missions SET created_at = created_at - 3 * 86400000")
    said = ws("mission boot", "--store", store)
    assert said.code == 0
    assert "no dream is scheduled" in said.out
    asked = ws.terminal.good("attention", "list", "--project", "MSN")["items"]
    assert [row["kind"] for row in asked] == ["dream"]
    ws.good("mission schedule", "--install")
    assert "no dream is scheduled" not in ws("mission boot").out


def test_component_2_the_playbook_is_the_record_of_how_the_work_is_done(ws: Workspace) -> None:
    ws.start()
    ws.done("1")
    ws.produce()
    ws("mission eval")
    assert "| Pending Steps | `2, 3, 4` |" in ws.text("heartbeat.md")
    (ws.path / "playbook.md").write_text(FILLED["playbook.md"].replace("Find one new line.", "Find a better line."))
    ws.start()
    ws.done("2")
    ws("mission eval")
    assert [one["document"] for one in ws.good("mission report")["changes"]] == ["playbook.md"]


def test_component_4_an_interrupted_mission_goes_on_where_it_was_judged_to_be(ws: Workspace) -> None:
    ws.produce()
    for step in ("1", "2"):
        ws.start()
        ws.done(step)
        assert ws("mission eval").code == 0
    ws.start()
    (ws.path / "heartbeat.md").unlink()
    (ws.path / ".harness" / "run.json").unlink()
    ws.good("mission boot", "--init")
    assert "| Current Step | `Step 3` |" in ws.text("heartbeat.md")


def test_component_5_the_judgement_is_the_harnesss_and_the_checks_really_run(ws: Workspace) -> None:
    ws.start()
    (ws.path / "output" / "garbage.txt").write_text("something")
    ws.done()
    judged = ws("mission eval", "--json")
    assert judged.code == 1
    assert next(check for check in judged.json["checks"] if check["name"] == "Standard 1")["passed"] is False
    assert {check["isolation"] for check in judged.json["checks"] if check["passed"] is not None} <= {
        "full",
        "namespaces",
        "limits",
    }


def test_b09_a_progress_without_its_marker_gets_one_and_nothing_twice(ws: Workspace) -> None:
    for number in range(3):
        ws.start()
        ws.good("mission fail", "--error", f"run {number}")
        ws.good("mission resume")
    (ws.path / "progress.md").write_text(ws.text("progress.md").replace("<!-- harness:progress begin -->", ""))
    ws.start()
    ws.good("mission fail", "--error", "run 3")
    generated = ws.text("progress.md").partition("<!-- harness:progress begin -->")[2]
    assert [generated.count(f"### Run #{number:03d}") for number in range(1, 5)] == [1, 1, 1, 1]
    ws.good("mission cleanup", "--max-runs", "1")
    generated = ws.text("progress.md").partition("<!-- harness:progress begin -->")[2]
    assert generated.count("### Run #") == 1


def test_b13_trouble_with_tidying_blocks_no_mission(ws: Workspace) -> None:
    (ws.path / "logs" / "archive").write_text("a file where a folder should be")
    for _ in range(11):
        ws.start()
        ws.good("mission fail", "--error", "x")
        ws.good("mission resume")
    assert ws("mission boot").code == 0
    assert ws.mission["breaker"] == "off"


def test_the_memory_commands_are_mission_commands_as_well(ws: Workspace) -> None:
    ws.good("mission stream", "--step", "1", "--event", "looked around")
    ws.good("mission learn", "--topic", "looks", "--insight", "Look twice.")
    assert [hit["text"] for hit in ws.good("mission search", "--query", "around")["items"]] == ["looked around"]
    assert [one["slug"] for one in ws.good("mission topics")["items"]] == ["looks"]
    assert ws("mission check").code == 0


def test_a_missions_own_budget_is_shown_and_changed(ws: Workspace) -> None:
    ws.start()
    ws.good("mission fail")
    ws.terminal.good("budget", "set", "MSN-1", "runs", "1")
    shown = {item["dimension"]: item for item in ws.terminal.good("budget", "show", "MSN-1")["items"]}
    assert (shown["runs"]["cap"], shown["runs"]["spent"]) == (1, 1)
    said = ws("mission start", "--json")
    assert said.code == 75
    assert "budget:mission runs of the day" in said.error["message"]
    ws.terminal.good("budget", "set", "MSN-1", "runs", "500")
    ws.start()


@pytest.mark.postgres
def test_a_mission_lives_on_a_server_as_well(tmp_path: Path, database: str) -> None:
    create_store(database)
    folder = tmp_path / "ws"
    terminal = Terminal(tmp_path / "home", tmp_path, HARNESS_STORE=database)
    assert terminal("mission", "boot", str(folder), "--init").code == 0
    for name, text in FILLED.items():
        (folder / name).write_text(text)
    plain = Terminal(tmp_path / "home", tmp_path)
    plain.good("mission", "start", str(folder))
    plain.good("memory", "stream", str(folder), "--step", "1", "--event", "on a server")
    (folder / "output" / "report.md").write_text("one line\n")
    plain.good("mission", "done", str(folder), "--step", "1")
    assert plain("mission", "eval", str(folder)).code == 0
    assert plain.good("mission", "show", str(folder))["mission"]["step"] == "Step 2"
    assert plain("mission", "dream", str(folder)).code == 0


def test_a_claim_of_a_step_that_is_not_there_is_judged_by_every_step_and_moves_nothing(ws: Workspace) -> None:
    ws.produce()
    (ws.path / "output" / "report.md").write_text(" \n")
    ws.start()
    ws.done("Step 9")
    judged = ws("mission eval", "--json")
    assert judged.code == 1
    assert next(one for one in judged.json["checks"] if one["name"] == "Standard 2")["passed"] is False
    ws.produce()
    assert ws("mission eval").code == 0
    assert ws.mission["step"] == "Step 0"


def test_a_mission_is_found_by_its_identifier(ws: Workspace) -> None:
    assert ws.terminal.good("mission", "show", "MSN-1")["mission"]["workspace"] == str(ws.path)
    assert ws.terminal("mission", "show", "MSN-99").code == 2


def test_the_open_breaker_of_a_mission_names_the_command_that_closes_it(ws: Workspace) -> None:
    for _ in range(3):
        ws.start()
        ws.good("mission fail", "--error", "the key is gone")
    found = ws.terminal.good("breaker", "list")["items"]
    assert [(one["scope"], one["reset"]) for one in found] == [("mission:MSN-1", f"harness mission resume {ws.path}")]
    assert ws.terminal("breaker", "reset", "MSN-1").code == 65
    asked = ws.terminal.good("attention", "list", "--project", "MSN")["items"][0]["question"]
    assert "the last one: the key is gone" in asked
    ws.good("mission resume")
    assert ws.terminal.good("breaker", "list")["items"] == []


def test_a_failed_check_is_named_where_people_look(ws: Workspace) -> None:
    ws.start()
    ws.done()
    ws("mission eval")
    for text in (ws("mission show").out, ws("mission report").out, ws("mission report", "--format", "markdown").out):
        assert "Failed, Standard 1: " in text


def test_a_paused_mission_says_so_everywhere(ws: Workspace) -> None:
    ws.good("mission pause")
    assert ws.mission["paused"] is True
    assert "paused" in ws("mission show").out
    assert "paused" in ws.terminal("mission", "list").out
    assert "| Next Scheduled Execution | `paused` |" in ws.text("heartbeat.md")


def test_the_last_result_of_a_condition_stays_when_it_is_not_judged_again(ws: Workspace) -> None:
    ws.produce(3)
    ws.start()
    ws.done("4")
    ws("mission eval")
    ws.start()
    ws.done("1")
    ws("mission eval")
    assert "| Standard 2 | The report is text and was written by step 4 | yes | `passed` |" in ws.text("progress.md")
    assert ws("mission complete").code == 0
    assert ws.text("progress.md").count("`open`") == 0
