"""Rendered schedules against the programs that read them: systemd's own analysis, and the shell behind cron."""

from __future__ import annotations

import re
import shlex
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos import processes
from harnessos.mission.timetable.calendar import calendar_of
from harnessos.mission.timetable.formats import render
from harnessos.mission.timetable.systemd import on_calendar
from harnessos.model import cron
from tests.support.schedulers import HOSTILE, cron_passes, instant, jobs

NOW = 1_767_225_600_000  # 2026-01-01


@pytest.fixture
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: systemd itself cannot be asked here")
    return program


def _run(*words: str) -> processes.Finished:
    return processes.run(words, cwd=Path("/"), env={"TZ": "UTC", "LC_ALL": "C.UTF-8"}, timeout=60, merge=True)


@pytest.mark.parametrize(
    "text",
    ["0 9 */2 * MON", "0 9 * * 7", "0 9 13 * 5", "0 9 1-31 * MON", "0 9 LW * *", "0 9 LW */3 */2", "0 9 L * 5L",
     "0 9 * * MON#5", "0 9 */7 * MON#1", "0 9 29 2 *", "5/20 */24 1,L * *", "*/90 8/5 */31 */12 */8"],
)  # fmt: skip
def test_systemd_itself_agrees_with_the_model(text: str, analyze: str) -> None:
    rule = cron.parse(text)
    lines = on_calendar(calendar_of(rule), "UTC")
    done = _run(analyze, "calendar", "--iterations=12", "--base-time=2027-06-15 00:00:00 UTC", *lines)
    said = done.output.decode()
    if "unrecognized option" in said:
        pytest.skip("this systemd-analyze has no --base-time")
    assert done.exit_code == 0, said
    told = sorted(set(re.findall(r"(?:Next elapse|#\d+): \w+ ([\d-]+ [\d:]+) UTC", said)))[:12]
    at: int | None = instant(date(2027, 6, 15))
    expected: list[str] = []
    while len(expected) < 12 and at is not None and (at := cron.next_after(rule, UTC, at)) is not None:
        expected.append(f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}")
    assert told == expected


@pytest.mark.parametrize("folder", ["plain", 'it\'s 100% "odd" \\n $HOME', "a b $c ${d}", "=;"])
def test_systemd_itself_accepts_the_units_also_with_a_hostile_path(folder: str, analyze: str, tmp_path: Path) -> None:
    command = tmp_path / folder / "harness"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n", encoding="utf-8")
    command.chmod(0o755)
    rendered = render("systemd", jobs(str(command), workspace=HOSTILE, cron="0 9 L * 5"), NOW).files
    for name, text in rendered.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = _run(analyze, "verify", "--man=no", "--recursive-errors=no", *(str(tmp_path / name) for name in rendered))
    assert done.exit_code == 0, done.output.decode()
    assert b"harness-collect-lines" not in done.output
    assert _words(rendered["harness-collect-lines.service"])[-4:] == [str(command), "mission", "run", HOSTILE]


def _words(service: str) -> list[str]:
    """The words of a service's command as systemd takes them: quoted like a shell's, with specifiers, no variables."""
    line = next(line for line in service.splitlines() if line.startswith("ExecStart="))
    assert "%" not in line.replace("%%", ""), "a specifier"
    words = [word.replace("%%", "%") for word in shlex.split(line.removeprefix("ExecStart="))]
    assert words[0].startswith(":/")
    return [words[0].removeprefix(":"), *words[1:]]


@pytest.mark.parametrize("path", [HOSTILE, "/a b", "/50%", "/a\\%b", "/%%", "/it's", "/`id`", "/-x", "/\\\\%"])
def test_a_hostile_path_reaches_the_command_through_a_crontab_whole(path: str) -> None:
    line = render("crontab", jobs(path, workspace=path), NOW).text.splitlines()[4]
    assert cron_passes(line.split(" ", 5)[5]) == [path, "mission", "run", path]


@given(st.text(alphabet="a/\\%'\" $`#", min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_any_path_reaches_the_command_through_a_crontab_whole(path: str) -> None:
    line = render("crontab", jobs("/h", workspace=f"/{path}"), NOW).text.splitlines()[4]
    assert cron_passes(line.split(" ", 5)[5])[-1] == f"/{path}"
