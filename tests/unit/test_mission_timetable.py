"""Both schedules of a mission: what they are, and what each format makes of them."""

from __future__ import annotations

import json
import plistlib
import re
import shlex
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.documents.yamltext import load_yaml
from harnessos.errors import BadContent, BadDocument, Refused
from harnessos.mission import context
from harnessos.mission.documents.cron_config import CronConfig, parse_cron_config
from harnessos.mission.timetable.crontab import fields
from harnessos.mission.timetable.entries import Entry, dream_prompt, entries, main_prompt, slug_of
from harnessos.mission.timetable.formats import Format, Job, render
from tests.support.mission_documents import CRON_CONFIG
from tests.support.schedulers import HOSTILE, SKILL, WS, config, jobs

FORMATS: tuple[Format, ...] = ("text", "crontab", "systemd", "launchd", "openclaw")
NOW = 1_767_225_600_000  # 2026-01-01


def both(*, workspace: str = WS, name: str = "Collect lines", **given: object) -> tuple[Entry, Entry]:
    return entries(config(**given), name, workspace, SKILL)


def units(**given: Any) -> dict[str, str]:
    return dict(render("systemd", jobs(**given), NOW).files)


# What the schedules are


def test_the_main_schedule_and_the_dreams_have_everything_a_schedule_tool_asks_for() -> None:
    main, dream = both(cron="0 30 */4 * * *", timezone="Europe/Berlin", expire="2030-12-31 23:59:59")
    assert (main.name, main.type, main.cron, main.repeat) == ("collect-lines", "cron", "0 30 */4 * * *", True)
    assert (main.timezone, main.expire) == ("Europe/Berlin", "2030-12-31 23:59:59")
    assert main.ends_at() == int(datetime(2030, 12, 31, 22, 59, 59, tzinfo=UTC).timestamp()) * 1000
    assert (dream.name, dream.type, dream.cron, dream.repeat) == ("collect-lines-dream", "cron", "0 0 3 * * *", True)
    assert dream.timezone == "Europe/Berlin"


def test_an_interval_is_told_in_seconds() -> None:
    main, _ = both(kind="interval", cron="", interval_s=7200)
    assert (main.type, main.cron, main.interval_s, main.text) == ("interval", "", 7200, "every:7200")
    assert both(cron="every 2h")[0].interval_s == 7200


@pytest.mark.parametrize(("written", "given_out"), [("30 3 * * *", "0 30 3 * * *"), ("@daily", "0 0 0 * * *"), ("15 0 9 * * MON", "15 0 9 * * MON")])  # fmt: skip
def test_a_rule_is_always_given_out_with_six_fields(written: str, given_out: str) -> None:
    assert both(cron=written)[0].cron == given_out


@pytest.mark.parametrize("rule", ["every tuesday", "* * * * * *", "every 2x", "0 0 31 2 *", "61 * * * *"])
@pytest.mark.parametrize("place", [("cron", "cron_line"), ("dream_cron", "dream_line")])
def test_b21_a_rule_that_is_none_is_refused_with_file_and_line(rule: str, place: tuple[str, str]) -> None:
    with pytest.raises(BadDocument) as refused:
        entries(config(**{place[0]: rule, place[1]: 7}), "x", WS, SKILL)
    assert refused.value.exit_code == 65
    assert str(refused.value).startswith("cron_config.md:7: ")


def test_b21_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(BadDocument, match="no time zone"):
        both(timezone="Europe/Nowhere")


def test_b21_the_prompt_is_whole_and_its_folders_are_filled_in() -> None:
    long = "\n".join(f"{number}. see {{workspace}} and {{skill_dir}} and {{other}}" for number in range(200))
    main, _ = both(prompt=long)
    assert main.prompt == long.replace("{workspace}", WS).replace("{skill_dir}", SKILL)
    assert len(main.prompt) > 5_000


def test_a_folder_whose_name_looks_like_a_slot_is_not_filled_in_again() -> None:
    assert main_prompt(config(prompt="{workspace}|{skill_dir}"), "/a{skill_dir}", "/s") == "/a{skill_dir}|/s"


@pytest.mark.parametrize("given", [None, config(), config(prompt="  \n")])
def test_rule_10_without_a_prompt_the_default_one_reads_in_the_order_of_the_context(given: CronConfig | None) -> None:
    prompt = main_prompt(given, WS, SKILL)
    places = [prompt.index(f"   {WS}/{name}\n") for name in context.ORDER]
    assert places == sorted(places)
    assert prompt.index(f"{WS}/knowledge/") > places[-1]


def test_component_10_the_dreams_prompt_names_the_workspace_and_its_literal_command() -> None:
    _, dream = both()
    assert f"python3 {SKILL}/scripts/harness_dream.py {WS}" in dream.prompt.splitlines()
    for named in ("KAIROS", "knowledge/*.md", "heartbeat.md", "logs/execution_stream.log", "playbook.md", "idle", WS):
        assert named in dream.prompt
    hostile = dream_prompt("/a b'c", SKILL)
    assert shlex.split(hostile.split("Run:\n")[1].splitlines()[0])[-1] == "/a b'c"


@pytest.mark.parametrize("bad", ["/a\nb", "/a\rb", "/a\x1b[2Jb", "/a\u202eb", "/a\u2028b", "/a\udcffb"])
def test_a_folder_that_would_end_a_line_is_refused(bad: str) -> None:
    with pytest.raises(BadContent, match="line end"):
        both(workspace=bad)
    with pytest.raises(BadContent):
        render("crontab", jobs(bad), NOW)


@pytest.mark.parametrize(("name", "slug"), [("Collect Lines", "collect-lines"), ("a_b  c!", "a-b-c"), ("\u65e5\u8a18 \u00dcbung", "\u65e5\u8a18-\u00fcbung"), ("!!", "mission")])  # fmt: skip
def test_the_name_of_a_mission_becomes_a_slug(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text(max_size=60), st.text(alphabet="0123456789*/,-LW#@ everyshmdMONJAN", max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_name_and_rule_make_schedules_or_are_refused(name: str, rule: str) -> None:
    try:
        main, dream = both(name=name, cron=rule)
    except BadDocument:
        return
    assert dream.name == f"{main.name}-dream"
    assert main.rule
    for form in FORMATS:
        with suppress(Refused):
            assert render(form, [Job(main, ("/bin/true",)), Job(dream, ("/bin/true",))], NOW).text


# Formats


def test_the_text_is_yaml_that_gives_back_every_parameter() -> None:
    prompt = " begins with a blank\n\n# no comment: {workspace}\n\tand a tab\n"
    text = render("text", jobs(prompt=prompt, timezone="Europe/Berlin", expire="2030-12-31 23:59:59"), NOW).text
    main, dream = (load_yaml(part).tree for part in text.split("---\n")[1:])
    assert isinstance(main, dict)
    assert isinstance(dream, dict)
    assert main["prompt"].rstrip("\n") == prompt.replace("{workspace}", WS).rstrip("\n")
    assert {key: value for key, value in main.items() if key != "prompt"} == {
        "name": "collect-lines", "type": "cron", "cron": "0 0 */2 * * *", "repeat": True,
        "expire": "2030-12-31 23:59:59", "timezone": "Europe/Berlin",
    }  # fmt: skip
    assert dream["prompt"].rstrip("\n") == dream_prompt(WS, SKILL)


def test_openclaw_gets_the_parameters_of_its_schedule_tool() -> None:
    main, dream = json.loads(render("openclaw", jobs(kind="interval", cron="", interval_s=900), NOW).text)
    assert (main["type"], main["interval"], main["repeat"], main["timezone"]) == ("interval", 900, True, "UTC")
    assert set(main) == {"name", "type", "interval", "repeat", "timezone", "prompt"}
    assert (dream["name"], dream["cron"]) == ("collect-lines-dream", "0 0 3 * * *")
    ends = json.loads(render("openclaw", jobs(expire="2030-12-31 23:59:59"), NOW).text)[0]
    assert ends["expire"] == "2030-12-31 23:59:59"


def test_a_crontab_names_the_zone_and_both_commands() -> None:
    lines = render("crontab", jobs(timezone="Europe/Berlin"), NOW).text.splitlines()
    assert "CRON_TZ=Europe/Berlin" in lines
    assert f"0 */2 * * * /usr/bin/harness mission run {WS}" in lines
    assert f"0 3 * * * /usr/bin/harness mission dream {WS}" in lines


@pytest.mark.parametrize(("seconds", "line"), [(60, "* * * * *"), (300, "*/5 * * * *"), (3600, "0 * * * *"), (7200, "0 */2 * * *"), (86400, "0 0 * * *")])  # fmt: skip
def test_an_interval_that_divides_the_day_becomes_a_line_of_cron(seconds: int, line: str) -> None:
    assert fields(both(kind="interval", cron="", interval_s=seconds)[0]) == line


@pytest.mark.parametrize("given", [{"kind": "interval", "interval_s": 420}, {"kind": "interval", "interval_s": 90}, {"kind": "interval", "interval_s": 18000},
                                   {"cron": "5 0 3 * * *"}, {"cron": "0 0 L * *"}, {"repeat": False}])  # fmt: skip
def test_what_cron_cannot_do_is_refused_and_systemd_named(given: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        render("crontab", jobs(**given), NOW)
    assert refused.value.exit_code == 65
    assert "systemd" in refused.value.hint
    assert units(**given)  # and systemd can


def test_systemd_gets_a_service_and_a_timer_for_both() -> None:
    files = units(cron="0 30 8 1 * MON-FRI", timezone="Europe/Berlin")
    assert sorted(files) == [
        "harness-collect-lines-dream.service", "harness-collect-lines-dream.timer",
        "harness-collect-lines.service", "harness-collect-lines.timer",
    ]  # fmt: skip
    timer = files["harness-collect-lines.timer"].splitlines()
    assert [line for line in timer if line.startswith("OnCalendar")] == [
        "OnCalendar=*-*-01 08:30:00 Europe/Berlin",
        "OnCalendar=Mon..Fri *-*-* 08:30:00 Europe/Berlin",
    ]
    assert "Persistent=true" in timer
    assert f"ExecStart=:/usr/bin/harness mission run {WS}" in files["harness-collect-lines.service"].splitlines()
    assert f"mission dream {WS}" in files["harness-collect-lines-dream.service"]


def test_an_interval_of_systemd_counts_from_the_boot_and_from_the_last_run() -> None:
    timer = units(kind="interval", cron="", interval_s=420)["harness-collect-lines.timer"].splitlines()
    assert {"OnBootSec=420s", "OnUnitActiveSec=420s"} <= set(timer)


def test_systemd_fires_once_what_does_not_repeat() -> None:
    once = units(cron="0 30 8 * * *", repeat=False, timezone="Europe/Berlin")
    assert "OnCalendar=2026-01-01 08:30:00 Europe/Berlin\n" in once["harness-collect-lines.timer"]
    interval = units(kind="interval", cron="", interval_s=420, repeat=False)["harness-collect-lines.timer"]
    assert "OnActiveSec=420s" in interval
    assert "OnUnitActiveSec" not in interval


def test_launchd_gets_a_property_list_for_both() -> None:
    rendered = render("launchd", jobs(HOSTILE, workspace=HOSTILE, cron="0 0,30 9 * * MON-FRI"), NOW).files
    main = plistlib.loads(rendered["harness-collect-lines.plist"].encode())
    assert main["Label"] == "harness-collect-lines"
    assert main["ProgramArguments"] == [HOSTILE, "mission", "run", HOSTILE]
    assert len(main["StartCalendarInterval"]) == 10
    assert {"Weekday": 1, "Hour": 9, "Minute": 30} in main["StartCalendarInterval"]
    assert "set to UTC" in rendered["harness-collect-lines.plist"]
    dream = plistlib.loads(rendered["harness-collect-lines-dream.plist"].encode())
    assert dream["StartCalendarInterval"] == [{"Hour": 3, "Minute": 0}]


def test_an_interval_of_launchd_is_its_seconds() -> None:
    rendered = render("launchd", jobs(kind="interval", cron="", interval_s=420), NOW).files
    assert plistlib.loads(rendered["harness-collect-lines.plist"].encode())["StartInterval"] == 420


@pytest.mark.parametrize("rule", ["7,11,13 1-5,7 1-28 * *", "30 0 3 * * *", "0 0 L * *", "0 0 */2 * MON"])
def test_what_launchd_cannot_do_is_refused_with_its_reason(rule: str) -> None:
    with pytest.raises(Refused, match="launchd cannot") as refused:
        render("launchd", jobs(cron=rule), NOW)
    assert "--install" in refused.value.hint


def test_a_name_outside_ascii_becomes_a_unit_of_its_own() -> None:
    found = [both(name=name)[0] for name in ("\u65e5\u8a18", "\u65e5\u66dc", "\u00dcbung", "Ubung")]
    names = [sorted(render("systemd", [Job(each, ("/h",))], NOW).files)[0] for each in found]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"harness-[A-Za-z0-9-]+\.service", name) for name in names)


def test_the_golden_cron_config_makes_both_schedules() -> None:
    main, dream = entries(parse_cron_config(CRON_CONFIG).sound(), "collect-lines", WS, SKILL)
    assert main.prompt.startswith(f"Continue the mission in {WS}.")
    assert "{" not in main.prompt + dream.prompt
