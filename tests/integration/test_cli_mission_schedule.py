"""`harness mission schedule`: both schedules from a workspace's cron_config.md, printed or registered."""

from __future__ import annotations

import json
import plistlib
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from harnessos import processes, skills
from tests.support.commands import Terminal
from tests.support.mission_documents import CRON_CONFIG, FILLED, PLAYBOOK

CRON_ROW = "| Cron Expression | `0 0 */2 * * *` |"
_TOOLS = PLAYBOOK[PLAYBOOK.index("## Tools") : PLAYBOOK.index("## Steps")]
DOCUMENTS = {**FILLED, "playbook.md": PLAYBOOK.replace(_TOOLS, "")}
"""Without tools, which boot would probe each time."""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "home", tmp_path)


def laid_out(terminal: Terminal, name: str = "ws", **documents: str) -> Path:
    """A workspace with its documents, booted."""
    place = terminal.cwd / name
    place.mkdir()
    for document, text in DOCUMENTS.items():
        (place / document).write_text(documents.get(document.removesuffix(".md"), text), encoding="utf-8")
    terminal.good("mission", "boot", str(place))
    return place


@pytest.fixture
def ws(terminal: Terminal) -> Path:
    return laid_out(terminal)


def rewrite(place: Path, old: str, new: str, document: str = "cron_config.md") -> None:
    text = (place / document).read_text(encoding="utf-8")
    assert old in text
    (place / document).write_text(text.replace(old, new), encoding="utf-8")


def listed(terminal: Terminal) -> list[dict[str, Any]]:
    """The schedules in the ledger, by name."""
    return list(terminal.good("schedule", "list", "--project", "MSN")["items"])


def installed(terminal: Terminal) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["target"], each["rule"]) for each in listed(terminal)}


# Printing


def test_both_schedules_are_printed_with_everything_a_schedule_tool_asks_for(terminal: Terminal, ws: Path) -> None:
    found = terminal.good("mission", "schedule", str(ws))
    assert found["installed"] is False
    main, dream = found["schedules"]
    assert list(main) == ["name", "type", "cron", "repeat", "expire", "timezone", "prompt", "next"]
    assert (main["name"], main["type"], main["cron"], main["repeat"]) == (
        "collect-lines",
        "cron",
        "0 0 */2 * * *",
        True,
    )
    assert (main["timezone"], main["expire"]) == ("UTC", None)
    assert (dream["name"], dream["cron"]) == ("collect-lines-dream", "0 0 3 * * *")
    skill = skills.folder("harness-24h")
    assert f"python3 {skill}/scripts/harness_dream.py {ws}" in dream["prompt"].splitlines()
    assert [at[10:] for at in dream["next"]] == [" 03:00:00+00:00"] * 3
    said = terminal("mission", "schedule", str(ws))
    assert all(f"  {line}" in said.out.splitlines() for line in main["prompt"].splitlines())
    assert installed(terminal) == {}


def test_b21_the_prompt_is_whole_with_its_folders_and_the_zone_is_told(terminal: Terminal, ws: Path) -> None:
    rewrite(ws, "Then go on", "word " * 400 + "{workspace}/output {skill_dir}/SKILL.md\nThen go on")
    rewrite(ws, "| Timezone | `UTC` |", "| Timezone | `Europe/Berlin` |")
    main, _ = terminal.good("mission", "schedule", str(ws), "--skill-dir", "skills/harness-24h")["schedules"]
    assert f"{ws}/output {terminal.cwd}/skills/harness-24h/SKILL.md\nThen go on at the recorded step." in main["prompt"]
    assert len(main["prompt"]) > 2_000
    assert "{" not in main["prompt"]
    assert main["timezone"] == "Europe/Berlin"


def test_b21_what_cron_config_cannot_mean_is_refused_with_file_and_line(terminal: Terminal, ws: Path) -> None:
    for old, new in (
        (CRON_ROW, "| Cron Expression | `every tuesday` |"),
        (CRON_ROW, "| Cron Expression | `* * * * * *` |"),
        (CRON_ROW, "| Cron Expression | `[second minute hour]` |"),
        ("| Repeat | `true` |", "| Repeat | `sometimes` |"),
        ("| Repeat | `true` |", "| Expire | `yesterday` |"),
        ("| Timezone | `UTC` |", "| Timezone | `Berlin Time` |"),
        ("| Schedule Type | `cron` |", "| Schedule Type | `interval` |\n| Or: Interval Seconds | `2h` |"),
        ("| Dream Cron | `0 0 3 * * *` |", "| Dream Cron | `nightly` |"),
    ):
        text = CRON_CONFIG.replace(old, new)
        (ws / "cron_config.md").write_text(text, encoding="utf-8")
        line = text.splitlines().index(new.splitlines()[-1]) + 1
        said = terminal("mission", "schedule", str(ws), "--install", "--json")
        assert said.code == 65, new
        assert f"cron_config.md:{line}: " in said.error["message"], new
    assert installed(terminal) == {}


def test_b21_five_fields_are_given_out_as_six(terminal: Terminal, ws: Path) -> None:
    rewrite(ws, CRON_ROW, "| Cron Expression | `30 4 * * *` |")
    assert terminal.good("mission", "schedule", str(ws))["schedules"][0]["cron"] == "0 30 4 * * *"


def test_the_templates_are_not_filled_in_and_so_refused(terminal: Terminal) -> None:
    place = terminal.cwd / "fresh"
    terminal.good("mission", "boot", str(place), "--init")
    said = terminal("mission", "schedule", str(place), "--json")
    assert said.code == 65
    assert "cron_config.md:" in said.error["message"]
    (place / "cron_config.md").unlink()
    assert terminal("mission", "schedule", str(place)).code == 65


def test_what_has_expired_is_refused(terminal: Terminal, ws: Path) -> None:
    rewrite(ws, "| Repeat | `true` |", "| Expire | `2020-01-01 00:00:00` |")
    said = terminal("mission", "schedule", str(ws), "--json")
    assert said.code == 65
    assert "2020-01-01 00:00:00 has passed" in said.error["message"]


def test_what_fires_once_has_one_next_instant(terminal: Terminal, ws: Path) -> None:
    rewrite(ws, "| Repeat | `true` |", "| Repeat | `false` |")
    main, dream = terminal.good("mission", "schedule", str(ws), "--install")["schedules"]
    assert (len(main["next"]), main["repeat"]) == (1, False)
    assert (len(dream["next"]), dream["repeat"]) == (3, True)
    assert [each["once"] for each in listed(terminal)] == [True, False]


def test_formats_that_are_files_are_given_as_files(terminal: Terminal, ws: Path) -> None:
    files = terminal.good("mission", "schedule", str(ws), "--format", "launchd")["files"]
    words = plistlib.loads(files["harness-collect-lines.plist"].encode())["ProgramArguments"]
    assert words[:2] == ["/usr/bin/env", f"HARNESS_HOME={terminal.home}"]
    assert words[-3:] == ["mission", "run", str(ws)]
    assert Path(words[2]).is_absolute()
    units = terminal.good("mission", "schedule", str(ws), "--format", "systemd")["files"]
    assert len(units) == 4
    said = terminal("mission", "schedule", str(ws), "--format", "systemd")
    assert all(f"# ~/.config/systemd/user/{name}\n{text.rstrip()}" in said.out for name, text in units.items())
    assert "systemctl --user enable --now harness-collect-lines.timer harness-collect-lines-dream.timer" in said.err


def test_the_crontab_line_runs_this_program(terminal: Terminal, tmp_path: Path) -> None:
    place = laid_out(terminal, 'it\'s 100% "odd"')
    lines = terminal("mission", "schedule", str(place), "--format", "crontab").out.splitlines()
    command = next(line for line in lines if " mission dream " in line).split(" ", 5)[5].replace("\\%", "%")
    env = {"PATH": "/nowhere", "HOME": str(tmp_path)}
    command = command.replace(" mission dream ", " mission boot ")
    done = processes.run(["/bin/sh", "-c", command], cwd=Path("/"), env=env, timeout=60, merge=True)
    assert done.exit_code == 0, done.output
    assert b"Workspace is ready" in done.output


def test_openclaw_is_json_also_without_the_option(terminal: Terminal, ws: Path) -> None:
    main, dream = json.loads(terminal("mission", "schedule", str(ws), "--format", "openclaw").out)
    assert (main["name"], dream["name"]) == ("collect-lines", "collect-lines-dream")


def test_the_script_of_the_founding_document_prints_the_same(terminal: Terminal, ws: Path) -> None:
    script = skills.folder("harness-24h") / "scripts" / "harness_setup_cron.py"
    words = [sys.executable, str(script), str(ws), "--json"]
    done = processes.run(words, cwd=terminal.cwd, env=terminal.environment(), timeout=60)
    assert json.loads(done.output)["schedules"][0]["prompt"] == terminal.good("mission", "schedule", str(ws))["schedules"][0]["prompt"]  # fmt: skip


def test_the_script_of_an_installed_skill_has_prompts_name_that_skill(terminal: Terminal, ws: Path) -> None:
    assert terminal("skill", "install", "harness-24h", "--to", str(terminal.cwd / "skills")).code == 0
    folder = terminal.cwd / "skills" / "harness-24h"
    link = terminal.cwd / "cron.py"
    link.symlink_to(folder / "scripts" / "harness_setup_cron.py")
    for script in (folder / "scripts" / "harness_setup_cron.py", link):
        words = [sys.executable, str(script), str(ws), "--json"]
        done = processes.run(words, cwd=terminal.cwd, env=terminal.environment(), timeout=60)
        prompt = json.loads(done.output)["schedules"][0]["prompt"]
        assert str(folder) in prompt
        assert str(skills.folder("harness-24h")) not in prompt


# Registering


def test_installing_registers_both_and_again_changes_nothing(terminal: Terminal, ws: Path) -> None:
    assert terminal.good("mission", "schedule", str(ws), "--install")["installed"] is True
    both = {"collect-lines": ("mission", "0 0 */2 * * *"), "collect-lines-dream": ("dream", "0 0 3 * * *")}
    assert installed(terminal) == both
    before = listed(terminal)
    assert {(each["misfire"], each["lateness_ms"]) for each in before} == {("once", 86_400_000)}
    again = terminal("mission", "schedule", str(ws), "--install")
    assert again.code == 0
    assert again.err.splitlines()[:2] == ["collect-lines: unchanged", "collect-lines-dream: unchanged"]
    assert listed(terminal) == before
    next_run = terminal.good("mission", "schedule", str(ws))["schedules"][0]["next"][0]
    assert f"| Next Scheduled Execution | `{next_run}` |" in (ws / "heartbeat.md").read_text(encoding="utf-8")


def test_a_changed_cron_config_changes_what_is_registered(terminal: Terminal, ws: Path) -> None:
    terminal.good("mission", "schedule", str(ws), "--install")
    rewrite(ws, CRON_ROW, "| Cron Expression | `0 15 7 * * MON-FRI` |")
    assert terminal.good("mission", "schedule", str(ws))["installed"] is False
    said = terminal("mission", "schedule", str(ws), "--install")
    assert said.err.splitlines()[:2] == ["collect-lines: changed", "collect-lines-dream: unchanged"]
    assert installed(terminal)["collect-lines"] == ("mission", "0 15 7 * * MON-FRI")


def test_an_interval_counts_from_when_it_was_registered(terminal: Terminal, ws: Path) -> None:
    rewrite(
        ws, "| Schedule Type | `cron` |\n" + CRON_ROW, "| Schedule Type | `interval` |\n| Interval Seconds | `3600` |"
    )
    first = terminal.good("mission", "schedule", str(ws), "--install")["schedules"][0]
    assert first["interval_seconds"] == 3600
    assert terminal.good("mission", "schedule", str(ws))["schedules"][0]["next"] == first["next"]


def test_a_mission_that_is_renamed_takes_its_schedules_along(terminal: Terminal, ws: Path) -> None:
    terminal.good("mission", "schedule", str(ws), "--install")
    rewrite(ws, "`collect-lines`", "`gather lines`", "mission.md")
    terminal.good("mission", "boot", str(ws))
    terminal.good("mission", "schedule", str(ws), "--install")
    assert sorted(installed(terminal)) == ["gather-lines", "gather-lines-dream"]


def test_two_missions_of_one_name_each_have_their_schedules(terminal: Terminal, ws: Path) -> None:
    other = laid_out(terminal, "other", cron_config=CRON_CONFIG.replace("*/2", "*/3"))
    for place in (ws, other, ws, other):
        assert terminal.good("mission", "schedule", str(place), "--install")["installed"] is True
    found = {each["name"]: (each["rule"], each["mission_id"]) for each in listed(terminal)}
    assert sorted(found) == ["collect-lines", "collect-lines-dream", "collect-lines-dream-msn-2", "collect-lines-msn-2"]
    assert found["collect-lines"][0] == "0 0 */2 * * *"
    assert found["collect-lines-msn-2"][0] == "0 0 */3 * * *"
    assert len({mission for _, mission in found.values()}) == 2


def test_a_schedule_that_a_person_added_to_the_mission_stays(terminal: Terminal, ws: Path) -> None:
    terminal.good("schedule", "add", "by-hand", "0 12 * * *", "--mission", "MSN-1", "--project", "MSN")
    terminal.good("mission", "schedule", str(ws), "--install")
    rewrite(ws, CRON_ROW, "| Cron Expression | `0 0 */6 * * *` |")
    terminal.good("mission", "schedule", str(ws), "--install")
    assert installed(terminal)["by-hand"] == ("mission", "0 12 * * *")
    assert installed(terminal)["collect-lines"] == ("mission", "0 0 */6 * * *")


def test_an_agent_may_print_the_schedules_but_not_register_them(terminal: Terminal, ws: Path) -> None:
    token = terminal.good("mission", "start", str(ws))["token"]
    assert terminal.good("mission", "schedule", str(ws), HARNESS_SESSION_TOKEN=token)["installed"] is False
    words = ("mission", "schedule", str(ws), "--install", "--agent", "command:true", "--json")
    said = terminal(*words, HARNESS_SESSION_TOKEN=token)
    assert (said.code, said.error["code"]) == (65, "operator_only")
    assert installed(terminal) == {}


def test_the_agent_that_shall_run_it_is_registered_with_the_schedules(terminal: Terminal, ws: Path) -> None:
    assert "--agent KIND" in terminal("mission", "schedule", str(ws), "--install").err
    said = terminal("mission", "schedule", str(ws), "--install", "--agent", "command:./agent --fast")
    assert said.code == 0
    assert "--agent KIND" not in said.err


@pytest.mark.parametrize("words", [("--agent", "command:true"), ("--install", "--agent", "nobody")])
def test_an_agent_that_is_none_or_has_nothing_to_run_is_a_wrong_word(
    terminal: Terminal, ws: Path, words: tuple[str, ...]
) -> None:
    assert terminal("mission", "schedule", str(ws), *words).code == 2
    assert installed(terminal) == {}


def test_nothing_is_registered_when_the_format_cannot_be_written(terminal: Terminal, ws: Path) -> None:
    rewrite(ws, CRON_ROW, "| Cron Expression | `5 0 */2 * * *` |")
    said = terminal("mission", "schedule", str(ws), "--install", "--format", "crontab", "--json")
    assert said.code == 65
    assert "systemd" in said.error["hint"]
    assert installed(terminal) == {}


def test_a_workspace_that_is_gone_or_of_nobody_is_named(terminal: Terminal, ws: Path) -> None:
    assert terminal("mission", "schedule", str(terminal.cwd / "nowhere")).code == 2
    shutil.rmtree(ws / ".harness")
    assert terminal("mission", "schedule", str(ws)).code == 12
