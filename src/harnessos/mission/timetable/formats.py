"""Both schedules of a mission in the words of whoever shall fire them. Pure: texts by file name, nothing is written."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Literal, NamedTuple

from harnessos.mission.timetable import crontab as timetable_crontab
from harnessos.mission.timetable import launchd as timetable_launchd
from harnessos.mission.timetable import systemd as timetable_systemd
from harnessos.mission.timetable.entries import require_writable
from harnessos.model.digest import sha256_hex
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.mission.timetable.entries import Entry

Format = Literal["text", "crontab", "systemd", "launchd", "openclaw"]
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_INDENT = "  "


class Rendered(NamedTuple):
    """What to print, and the same as files by name where the format is made of files; `how` says what to do with them."""

    text: str
    files: Mapping[str, str] = {}
    how: str = ""


class Job(NamedTuple):
    """A schedule, the command that does what it is for, and its next instants (ms)."""

    entry: Entry
    command: tuple[str, ...]
    upcoming: tuple[int, ...] = ()


def render(form: Format, jobs: Sequence[Job], now: int) -> Rendered:
    """Return the schedules in a format. Refused for what its scheduler cannot do, with one that can."""
    for job in jobs:
        for word in job.command:
            require_writable(word)
    if form == "crontab":
        return Rendered(timetable_crontab.crontab([(job.entry, job.command) for job in jobs]))
    if form == "systemd":
        return _systemd(jobs, now)
    if form == "launchd":
        return _launchd(jobs)
    return _openclaw(jobs) if form == "openclaw" else Rendered("\n".join(_text(job) for job in jobs))


def _text(job: Job) -> str:
    """Return a schedule as YAML, like the block of the founding document: everything a schedule tool asks for."""
    entry = job.entry
    what = "the mission" if entry.target == "mission" else "the dream, which is not optional"
    lines = [
        "---",
        f"# {what}; next: {', '.join(stamp(at) for at in job.upcoming) or 'never again'}",
        f"name: {_scalar(entry.name)}",
        f"type: {entry.type}",
        f"cron: {entry.cron}" if entry.interval_s is None else f"interval: {entry.interval_s}",
        f"repeat: {'true' if entry.repeat else 'false'}",
        *([] if entry.expire is None else [f'expire: "{entry.expire}"']),
        f"timezone: {entry.timezone}",
        # A number says how deep the block is, which nobody can guess where its first line begins with a blank.
        f"prompt: |{2 if entry.prompt[:1] in (' ', chr(10), chr(9)) else ''}",
        *(_INDENT + line if line else "" for line in entry.prompt.split("\n")),
    ]
    return "\n".join(lines)


def _scalar(name: str) -> str:
    """Return a name as YAML reads it back: quoted where it could be taken for a number, a date or a word like `no`."""
    return name if re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", name) else json.dumps(name, ensure_ascii=False)


def _openclaw(jobs: Sequence[Job]) -> Rendered:
    text = json.dumps([job.entry.document() for job in jobs], ensure_ascii=False, indent=2)
    return Rendered(_ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _systemd(jobs: Sequence[Job], now: int) -> Rendered:
    files: dict[str, str] = {}
    for job in jobs:
        files |= timetable_systemd.units(_file_name(job.entry), job.entry, job.command, now)
    timers = " ".join(name for name in files if name.endswith(".timer"))
    how = f"write these into {timetable_systemd.FOLDER}/, then: systemctl --user enable --now {timers}"
    text = "\n".join(f"# {timetable_systemd.FOLDER}/{name}\n{content}" for name, content in files.items())
    return Rendered(text.rstrip("\n"), files, how)


def _launchd(jobs: Sequence[Job]) -> Rendered:
    files = {}
    for job in jobs:
        label = _file_name(job.entry)
        files[f"{label}.plist"] = timetable_launchd.plist(label, job.entry, job.command)
    loads = "; ".join(f"launchctl bootstrap gui/$(id -u) {timetable_launchd.FOLDER}/{name}" for name in files)
    how = f"write these into {timetable_launchd.FOLDER}/, then: {loads}"
    text = "\n".join(f"==> {timetable_launchd.FOLDER}/{name} <==\n{content}" for name, content in files.items())
    return Rendered(text.rstrip("\n"), files, how)


def _file_name(entry: Entry) -> str:
    """Return a name for units: ASCII, with a digest of the schedule's name where that says more."""
    folded = unicodedata.normalize("NFKD", entry.name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", folded).strip("-")
    digest = "" if plain == entry.name else f"-{sha256_hex(entry.name.encode())[:8]}"
    return f"harness-{plain}{digest}".replace("--", "-")
