"""`harness schedule` and `harness-scheduler-inject`, as processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harnessos import processes
from harnessos.kernel import missions, schedules
from harnessos.kernel.schedules import Wanted
from harnessos.store import named
from harnessos.store.opening import open_store
from harnessos.testing import FakeClock
from tests.support.commands import Said, Terminal
from tests.support.ledger import BY_OPERATOR, HOUR
from tests.support.repositories import make_repository

NIGHTLY = ("schedule", "add", "nightly", "30 3 * * *", "--task", "Tidy up")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path / "home", make_repository(tmp_path / "repo"))
    made.good("init", ".", "--key", "DOCS")
    return made


def refused(said: Said, name: str = "bad_content", code: int = 65) -> str:
    """Insist on an error of that name with a remedy; return what it says, remedy included."""
    assert said.code == code, said
    assert said.error["code"] == name
    assert said.error["hint"], said.error
    assert "Traceback" not in said.err
    assert said.out == ""
    return f"{said.error['message']} {said.error['hint']}"


def events(terminal: Terminal) -> list[str]:
    """Return the kinds of the project's events about schedules."""
    entries = terminal.good("audit", "DOCS", "--limit", "500")["timeline"]
    return [entry["kind"] for entry in entries if entry["kind"].startswith("schedule.")]


def overdue(terminal: Terminal, name: str = "hourly", rule: str = "every 1h", **fields: Any) -> None:
    """Add a schedule that is due by a second, as if it had been added an hour ago. Any: fields of Wanted."""
    url = terminal.good("where")["store"]
    now = _now(url)
    store = open_store(url, clock=FakeClock(now - HOUR - 1_000))
    project = store.read(named.project, "DOCS")
    fields.setdefault("document", _template())
    store.write(schedules.add, project, Wanted(name, fields.pop("target", "issue"), rule, **fields), BY_OPERATOR)
    store.close()


def _now(url: str) -> int:
    store = open_store(url)
    found = store.read(lambda tx: tx.now)
    store.close()
    return found


def _template() -> dict[str, Any]:
    from harnessos.plans.templates import read_template

    document: dict[str, Any] = read_template({"task": "Look"}, "default")[0]
    return document


# Adding


def test_a_schedule_is_added_shown_paused_resumed_run_and_removed(terminal: Terminal) -> None:
    added = terminal.good(*NIGHTLY, "--timezone", "Europe/Berlin", "--priority", "high", "--label", "night")
    assert (added["done"], added["name"], added["project"], added["dry_run"]) == ("added", "nightly", "DOCS", False)
    [listed] = terminal.good("schedule", "list")["items"]
    assert (listed["state"], listed["rule"], listed["timezone"]) == ("active", "30 3 * * *", "Europe/Berlin")
    assert (listed["misfire"], listed["lateness_ms"], listed["overlap"]) == ("once", 3_600_000, "forbid")
    upcoming = terminal.good("schedule", "next", "nightly", "--count", "3")["items"]
    assert [item["local"][11:19] for item in upcoming] == ["03:30:00"] * 3
    assert upcoming[0]["nominal_at"] == listed["next_at"]
    assert terminal.good("schedule", "pause", "nightly")["state"] == "paused"
    assert terminal.good("schedule", "next")["items"] == []
    assert terminal.good("schedule", "resume", "nightly")["state"] == "active"
    ran = terminal.good("schedule", "run", "nightly")
    assert (ran["outcome"], ran["issue"]) == ("fired", "DOCS-1")
    issue = terminal.good("issue", "show", "DOCS-1")["issue"]
    assert (issue["task"], issue["priority"], issue["labels"]) == ("Tidy up", "high", ["night"])
    again = terminal("schedule", "run", "nightly", "--json")
    assert (again.code, again.json["reason"]) == (75, "overlap: DOCS-1 of its last firing is ready")
    assert terminal.good("schedule", "remove", "nightly")["state"] == "removed"
    assert terminal.good("schedule", "list")["items"] == []
    [removed] = terminal.good("schedule", "list", "--all")["items"]
    shown = terminal.good("schedule", "show", removed["id"])
    assert [firing["outcome"] for firing in shown["firings"]] == ["skipped", "fired"]
    assert events(terminal) == ["schedule.added", "schedule.paused", "schedule.resumed", "schedule.fired",
                                "schedule.skipped", "schedule.removed"]  # fmt: skip
    assert terminal.good("audit", "--verify")
    assert terminal.good("doctor", "--replay")["ok"]


def test_people_get_tables_and_sentences(terminal: Terminal) -> None:
    assert terminal(*NIGHTLY).out.startswith("nightly added: next 20")
    told = terminal("schedule", "list").out
    assert told.splitlines()[0].split() == ["NAME", "STATE", "TARGET", "RULE", "ZONE", "NEXT", "LAST"]
    assert "NOMINAL" in terminal("schedule", "next").out
    assert terminal("schedule", "run", "nightly").out == "nightly fired: DOCS-1\n"
    assert "overlap forbid" in terminal("schedule", "show", "nightly").out
    assert terminal("schedule", "pause", "nightly").out == "nightly is paused\n"
    assert terminal("schedule", "evaluate").out.startswith("0 firings, 0 skipped")


def test_the_same_name_again_changes_what_differs(terminal: Terminal) -> None:
    terminal.good(*NIGHTLY)
    assert terminal.good(*NIGHTLY)["done"] == "unchanged"
    assert terminal.good(*NIGHTLY, "--overlap", "allow")["done"] == "changed"
    assert len(terminal.good("schedule", "list")["items"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("add", "other", "@daily", "--task", "x"),
        ("run", "nightly"),
        ("pause", "nightly"),
        ("resume", "nightly"),
        ("remove", "nightly"),
        ("evaluate",),
    ],
    ids=lambda words: words[0],
)
def test_a_dry_run_says_what_would_happen_and_writes_nothing(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.good(*NIGHTLY)
    overdue(terminal)
    before = terminal("db", "export").out
    said = terminal("schedule", *words, "--dry-run", "--json")
    assert said.code == 0, said.err
    assert said.json.get("dry_run", True)
    assert terminal("db", "export").out == before


def test_a_template_may_say_all_that_an_issue_may(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(
        "task: Look after it\ndescription: all\nsize: L\nfiles: [src/]\nbudget: {turns: 3}\ndeadlineAt: +2h\n"
        "policy: {owner: me, dispatch: {workloadClass: night}}\n"
        "recipients: [{id: boss, kind: person}]\napprovals: [{id: go, label: Go, recipientIds: [boss]}]\n",
        encoding="utf-8",
    )
    terminal.good("schedule", "add", "care", "0 0 3 * * *", "--template", str(file), "--campaign", "default")
    ran = terminal.good("schedule", "run", "care")
    issue = terminal.good("issue", "show", ran["issue"])["issue"]
    assert (issue["task"], issue["size"], issue["status"]) == ("Look after it", "L", "pending")
    assert issue["deadline_at"] == ran["nominal_at"] + 2 * HOUR


def test_a_plan_comes_anew_each_time(terminal: Terminal) -> None:
    plan = str(terminal.plan())
    terminal.good("schedule", "add", "weekly", "@weekly", "--plan", plan, "--overlap", "allow", "--campaign", "weeks")
    assert terminal.good("schedule", "run", "weekly")["issue"] == "DOCS-1"
    assert terminal.good("schedule", "run", "weekly")["issue"] == "DOCS-4"
    assert len(terminal.good("issue", "list")["items"]) == 6


def test_a_mission_and_its_dream_are_scheduled_in_the_missions_own_project(terminal: Terminal) -> None:
    url = terminal.good("where")["store"]
    store = open_store(url)
    mission = store.write(missions.create, missions.Wanted("watch", "here", "/w"), BY_OPERATOR)
    store.close()
    main = terminal.good("schedule", "add", "main", "0 0 */2 * * *", "--mission", mission["identifier"])
    dream = terminal.good("schedule", "add", "dream", "0 0 3 * * *", "--mission", mission["id"], "--dream")
    assert [(one["target"], one["project"]) for one in (main, dream)] == [("mission", "MSN"), ("dream", "MSN")]
    said = terminal("schedule", "run", "main", "--project", "MSN", "--json")
    assert "harness mission run" in refused(said, "refused")
    refused(terminal("schedule", "add", "x", "@daily", "--mission", "msn-none", "--json"), "unknown_identifier")
    run = {"HARNESS_RUN_ID": "run-x"}
    said = terminal("schedule", "add", "x", "@daily", "--mission", mission["id"], "--json", **run)
    refused(said, "operator_only")


def test_a_campaign_that_is_not_there_yet_is_said_and_skips(terminal: Terminal) -> None:
    said = terminal(*NIGHTLY, "--campaign", "night")
    assert "harness campaign create night --project DOCS" in said.err
    ran = terminal("schedule", "run", "nightly", "--json")
    assert (ran.code, ran.json["outcome"]) == (75, "skipped")
    assert ran.json["reason"] == "cannot fire: there is no campaign night"


# Bad input


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("0 0 31 2 *", "never fires"),
        ("* * * * * *", "too often"),
        ("every 30s", "every 60s"),
        ("* * * *", "five or six fields"),
        ("* * * * * * *", "five or six fields"),
        ("every tuesday", "0 9 * * TUE"),
        ("@reboot", "@daily"),
        ("", "five or six fields"),
    ],
)
def test_a_bad_rule_is_refused_with_a_way_out(terminal: Terminal, rule: str, said: str) -> None:
    assert said in refused(terminal("schedule", "add", "x", rule, "--task", "t", "--json"))
    assert terminal.good("schedule", "list")["items"] == []


@pytest.mark.parametrize(
    ("options", "code", "name", "said"),
    [
        (("--timezone", "Europe/Berln"), 65, "bad_content", "Europe/Berlin"),
        (("--until", "yesterday"), 65, "bad_content", "2026-12-31T23:59:59Z"),
        (("--until", "2020-01-01T00:00:00Z"), 65, "bad_content", "would never fire"),
        (("--misfire", "later"), 2, "bad_usage", "skip"),
        (("--jitter", "a while"), 2, "bad_usage", "90s"),
        (("--max-lateness", "999d"), 65, "bad_content", "lateness"),
        (("--priority", "urgent"), 2, "bad_usage", "critical"),
        (("--deadline", "tomorrow"), 65, "bad_document", "deadlineAt"),
        (("--deadline", "+2w"), 65, "bad_document", "deadlineAt"),
        (("--plan", "x.yaml"), 2, "bad_usage", "one target"),
        (("--dream",), 2, "bad_usage", "--mission"),
        (("--file", "x.json"), 2, "bad_usage", "--file"),
        (("--project", "NONE"), 65, "unknown_identifier", "NONE"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_bad_option_is_refused(terminal: Terminal, options: tuple[str, ...], code: int, name: str, said: str) -> None:
    assert said in refused(terminal(*NIGHTLY, *options, "--json"), name, code)
    assert terminal.good("schedule", "list")["items"] == []


@pytest.mark.parametrize("words", [("run",), ("show",), ("pause",), ("resume",), ("remove",), ("next",)])
def test_a_schedule_that_is_not_there_is_named(terminal: Terminal, words: tuple[str, ...]) -> None:
    assert "ghost" in refused(terminal("schedule", *words, "ghost", "--json"), "unknown_identifier")


@pytest.mark.parametrize("words", [("nightly",), (), ("nightly", "@daily")])
def test_half_a_schedule_is_usage(terminal: Terminal, words: tuple[str, ...]) -> None:
    refused(terminal("schedule", "add", *words, "--json"), "bad_usage", 2)


def test_an_agent_may_plan_for_later_but_schedule_no_command(terminal: Terminal) -> None:
    run = {"HARNESS_RUN_ID": "run-x"}
    assert terminal.good(*NIGHTLY, **run)["done"] == "added"
    said = terminal("schedule", "add", "spy", "@daily", "--task", "t", "--check", "ls", "--json", **run)
    assert "harness schedule add" in refused(said, "operator_only")
    assert "harness schedule evaluate" in refused(terminal("schedule", "evaluate", "--json", **run), "operator_only")
    gated = {"task": "t", "gates": [{"name": "g", "kind": "command", "argv": ["id"]}]}
    file = terminal.plan(gated)
    said = terminal("schedule", "add", "gated", "@daily", "--template", str(file), "--json", **run)
    assert "runs a command" in refused(said, "operator_only")
    assert terminal.good("schedule", "pause", "nightly", **run)["state"] == "paused"
    assert terminal.good("schedule", "add", "gated", "@daily", "--template", str(file))["done"] == "added"
    refused(terminal("schedule", "remove", "gated", "--json", **run), "operator_only")


# The earlier product's jobs

JOB = {"task": "Read the news", "cron": "0 9 * * 1-5", "projectKey": "DOCS", "campaignName": "default",
       "priority": "high", "size": "S"}  # fmt: skip


def jobs(terminal: Terminal, document: object) -> str:
    """Write a file of jobs and return its path."""
    file = terminal.home.parent / "jobs.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


def test_an_array_of_jobs_is_taken_over(terminal: Terminal) -> None:
    other = {**JOB, "task": "Write the news", "cron": "*/30 0-6 * * 7", "deadlineAt": "2030-01-01T00:00:00Z",
             "recipients": [{"id": "r", "kind": "person"}], "approvals": [{"id": "a", "label": "A", "recipientIds": ["r"]}],
             "externalRefs": [{"id": "x", "kind": "url", "value": "v", "url": "https://example.org"}],
             "policy": {"owner": "me", "serviceLevel": {"responseWithinMinutes": 5}}}  # fmt: skip
    file = jobs(terminal, [JOB, other])
    done = terminal.good("schedule", "add", "--file", file, "--timezone", "Europe/Berlin")
    assert [(item["name"], item["done"], item["timezone"]) for item in done["items"]] == [
        ("read-the-news", "added", "Europe/Berlin"),
        ("write-the-news", "added", "Europe/Berlin"),
    ]
    again = terminal.good("schedule", "add", "--file", file, "--timezone", "Europe/Berlin")
    assert {item["done"] for item in again["items"]} == {"unchanged"}
    terminal.good("schedule", "run", "write-the-news")
    issue = terminal.good("issue", "show", "DOCS-1")["issue"]
    assert (issue["task"], issue["priority"], issue["deadline_at"]) == ("Write the news", "high", 1_893_456_000_000)


def test_equal_jobs_are_one_and_others_of_one_task_are_numbered(terminal: Terminal) -> None:
    file = jobs(terminal, [JOB, JOB, {**JOB, "cron": "0 18 * * *"}])
    done = terminal.good("schedule", "add", "--file", file)["items"]
    assert [(item["name"], item["done"]) for item in done] == [
        ("read-the-news", "added"),
        ("read-the-news", "unchanged"),
        ("read-the-news-2", "added"),
    ]


def test_an_edited_job_changes_its_schedule_and_fires_no_second_one(terminal: Terminal) -> None:
    """In the earlier product the edit of any field made a new job beside the old window's row."""
    terminal.good("schedule", "add", "--file", jobs(terminal, [JOB]))
    done = terminal.good("schedule", "add", "--file", jobs(terminal, [{**JOB, "priority": "low"}]))["items"]
    assert [item["done"] for item in done] == ["changed"]
    assert len(terminal.good("schedule", "list")["items"]) == 1


def test_all_that_is_wrong_with_jobs_is_listed_and_nothing_is_written(terminal: Terminal) -> None:
    bad: list[Mapping[str, object] | int] = [
        JOB,
        {**JOB, "colour": "red"},
        {**JOB, "cron": "0 0 31 2 *"},
        {**JOB, "cron": "1x * * * *"},
        {**JOB, "priority": "urgent", "size": 3},
        {name: value for name, value in JOB.items() if name != "campaignName"},
        {**JOB, "deadlineAt": "tomorrow"},
        {**JOB, "timezone": "Berlin"},
        {**JOB, "approvals": [{"id": "a", "label": "A", "recipientIds": ["nobody"]}]},
        {**JOB, "name": "a b"},
        {**JOB, "recipients": []},
        {**JOB, "policy": {"escalationRules": [{"trigger": "never", "action": "annotate"}]}},
        7,
    ]
    said = terminal("schedule", "add", "--file", jobs(terminal, bad), "--json")
    told = refused(said, "bad_document")
    for place in ("[1].colour", "[2].cron", "[3].cron", "[4].priority", "[4].size", "[5].campaignName", "[6].deadlineAt",
                  "[7].timezone", "[8].approvals[0].recipientIds[0]", "[9].name", "[10].recipients",
                  "[11].policy.escalationRules[0].trigger", "[12]"):  # fmt: skip
        assert place in told
    assert len(said.error["causes"]) == 13
    assert "did you mean Europe/Berlin" in told
    assert terminal.good("schedule", "list")["items"] == []


@pytest.mark.parametrize("content", ["[", "{}", "[]", "7", '[{"task": "a", "task": "b"}]', "\xff"])
def test_what_is_no_array_of_jobs_is_refused(terminal: Terminal, content: str) -> None:
    file = terminal.home.parent / "jobs.json"
    file.write_bytes(content.encode("latin-1"))
    refused(terminal("schedule", "add", "--file", str(file), "--json"), "bad_document")


def test_jobs_of_a_project_that_is_not_there_are_refused_all_together(terminal: Terminal) -> None:
    file = jobs(terminal, [JOB, {**JOB, "projectKey": "GHOST"}, {**JOB, "projectKey": "PHANTOM"}])
    told = refused(terminal("schedule", "add", "--file", file, "--json"), "bad_document")
    assert "[1].projectKey" in told
    assert "PHANTOM" in told
    assert terminal.good("schedule", "list")["items"] == []


def test_jobs_of_a_file_that_is_none_are_usage(terminal: Terminal, tmp_path: Path) -> None:
    refused(terminal("schedule", "add", "--file", str(tmp_path), "--json"), "not_a_file", 2)
    refused(terminal("schedule", "add", "--file", str(tmp_path / "none.json"), "--json"), "not_a_file", 2)


# Evaluation


def inject(terminal: Terminal, *words: str) -> Said:
    """Run what `harness-scheduler-inject` runs."""
    program = "from harnessos.cli.inject import main; main()"
    argv = [sys.executable, "-c", program, *words]
    done = processes.run(argv, cwd=terminal.home.parent, env=terminal.environment(), timeout=60)
    assert done.exit_code is not None
    return Said(done.exit_code, done.output.decode(), done.errors.decode())


def test_the_injector_prints_what_the_earlier_one_printed_and_fires_once(terminal: Terminal) -> None:
    overdue(terminal)
    overdue(terminal, "lost", document={**_template(), "campaign": "night"})
    first = inject(terminal, "--json")
    assert first.code == 0, first.err
    assert (first.json["evaluated"], first.json["inserted"], first.json["skipped"]) == (2, 1, 1)
    [inserted] = first.json["insertedIssues"]
    assert inserted.keys() >= {"task", "issueId", "milestoneId", "jobKey", "scheduledFor"}
    assert (inserted["task"], inserted["identifier"]) == ("Look", "DOCS-1")
    assert inserted["scheduledFor"].endswith("Z")
    [skipped] = first.json["skippedJobs"]
    assert (skipped["task"], skipped["reason"]) == ("Look", "cannot fire: there is no campaign night")
    second = inject(terminal, "--json").json
    assert (second["inserted"], second["skipped"]) == (0, 0)
    assert 0 < second["next_in_s"] <= 3600
    assert [item["identifier"] for item in terminal.good("issue", "list")["items"]] == ["DOCS-1"]


def test_the_injector_is_evaluate_by_its_other_name(terminal: Terminal) -> None:
    overdue(terminal)
    assert terminal("schedule", "evaluate").out.splitlines()[0] == "1 firing, 0 skipped"
    assert inject(terminal, "--project", "NONE", "--json").code == 65


def test_a_check_decides_and_an_untrusted_project_runs_none(terminal: Terminal) -> None:
    overdue(terminal, "quiet", check="true")
    overdue(terminal, "loud", check="pwd")
    terminal.good("project", "distrust")
    said = inject(terminal, "--json")
    assert (said.code, said.json["inserted"], said.json["skipped"]) == (0, 0, 0)
    assert said.err.count("harness project trust") + said.err.count("not trusted here") >= 2
    terminal.good("project", "trust")
    said = inject(terminal, "--json")
    assert [one["schedule"] for one in said.json["insertedIssues"]] == ["loud"]
    assert [one["reason"] for one in said.json["skippedJobs"]] == ["check: nothing to do"]


def test_the_injector_without_a_ledger_says_so(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", tmp_path)
    (tmp_path / "home").mkdir()
    refused(inject(terminal, "--json"), "store_missing", 69)
