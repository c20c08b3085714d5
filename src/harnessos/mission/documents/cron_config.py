"""cron_config.md: when a mission runs, and the words its agent is started with."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from harnessos.mission.documents.fields import Field, label_of, read_fields
from harnessos.mission.documents.markdown import INDENTED, Fence, Section, parse_markdown
from harnessos.mission.documents.problems import Parsed, Problem

FILE = "cron_config.md"
DEFAULT_CRON = "0 0 */2 * * *"
DEFAULT_DREAM_CRON = "0 0 3 * * *"
LEAST_INTERVAL_S = 60
USUAL_INTERVAL_S = 300
MOST_INTERVAL_S = 366 * 86400

DEFAULT_PROMPT = """\
You continue the mission in {workspace}. Its rules are in {skill_dir}/SKILL.md; this is workflow B of that document.

1. Check: python3 "{skill_dir}/scripts/harness_boot.py" "{workspace}"
   Stop when it says mission_complete, blocked, tripped, or that a run is under way.
2. Begin: python3 "{skill_dir}/scripts/harness_heartbeat.py" "{workspace}" start
   It prints the step at which you go on.
3. Read, in exactly this order:
   {workspace}/mission.md
   {workspace}/eval_criteria.md
   {workspace}/playbook.md
   {workspace}/heartbeat.md
   then only those topics in {workspace}/knowledge/ that concern the current step.
4. Work from the recorded step on, as the playbook says. Never change mission.md.
   Log what happens: python3 "{skill_dir}/scripts/harness_memory.py" "{workspace}" stream --step STEP --event TEXT
   Keep what you learned: python3 "{skill_dir}/scripts/harness_memory.py" "{workspace}" learn --topic TOPIC --insight TEXT
5. End: python3 "{skill_dir}/scripts/harness_heartbeat.py" "{workspace}" done --step STEP --summary TEXT
   or, when it did not work: python3 "{skill_dir}/scripts/harness_heartbeat.py" "{workspace}" fail --step STEP --error TEXT
6. Have it judged: python3 "{skill_dir}/scripts/harness_eval.py" "{workspace}"
   Only when every condition of mission.md holds: python3 "{skill_dir}/scripts/harness_heartbeat.py" "{workspace}" mission_complete"""
"""What an agent is started with where cron_config.md has no prompt; the template has the same words."""

Kind = Literal["cron", "interval"]

_LABELS = {
    **dict.fromkeys(("schedule type", "type", "schedule"), "type"),
    **dict.fromkeys(("cron expression", "cron", "expression"), "cron"),
    **dict.fromkeys(("or: interval seconds", "interval seconds", "interval", "interval (seconds)"), "interval"),
    **dict.fromkeys(("repeat",), "repeat"),
    **dict.fromkeys(("expire", "expires", "expire at", "expiry"), "expire"),
    **dict.fromkeys(("timezone", "time zone", "tz"), "timezone"),
    **dict.fromkeys(("dream cron", "dream cron expression", "dream"), "dream"),
}
_YES_NO = {"true": True, "yes": True, "false": False, "no": False, "": True}
_NEVER = frozenset(("", "-", "none", "never", "empty", "n/a", "\u2014"))
_EXPIRE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


class CronConfig(NamedTuple):
    """What cron_config.md says. `cron` and `dream_cron` are kept as written: model.schedule judges them.

    `interval_s` is set for the kind interval. `expire` is `yyyy-MM-dd HH:mm:ss` in `timezone`, or None. `prompt` is the
    whole fence with its `{workspace}` and `{skill_dir}`; empty means the default one. Lines are 0 where nothing is said.
    """

    kind: Kind = "cron"
    cron: str = DEFAULT_CRON
    interval_s: int | None = None
    repeat: bool = True
    expire: str | None = None
    timezone: str = "UTC"
    dream_cron: str = DEFAULT_DREAM_CRON
    prompt: str = ""
    cron_line: int = 0
    dream_line: int = 0


def parse_cron_config(text: str, file: str = FILE) -> Parsed[CronConfig]:
    """Read cron_config.md. Needed: a cron expression or an interval; what else is missing has its default."""
    root = parse_markdown(text, file)
    reader = _Reader(file, read_fields((part._replace(children=()) for part in root.walk()), _LABELS))
    config = reader.config()
    prompt, line, closed = _prompt(root)
    if line and not closed:
        reader.say(line, "the block of the prompt is not closed")
    if not prompt.strip():
        reader.warnings.append(Problem(file, line or 1, "no prompt in a fenced block: the default prompt is used"))
    found = tuple(sorted(reader.problems))
    return Parsed(config._replace(prompt=prompt), found, tuple(reader.warnings))


def _prompt(root: Section) -> tuple[str, int, bool]:
    """Return the prompt, its line, and whether its fence is closed: below a heading of that name, else the only fence."""
    fences: list[tuple[bool, Fence]] = []
    for section in root.walk():
        title = label_of(section.title)
        if "dream" not in title:
            fences.extend(
                ("prompt" in title, block)
                for block in section.blocks
                if isinstance(block, Fence) and block.info != INDENTED
            )
    named = [fence for is_named, fence in fences if is_named] or [fence for _, fence in fences]
    if not named:
        return "", 0, True
    return named[0].body.removesuffix("\n"), named[0].line, named[0].closed


class _Reader:
    def __init__(self, file: str, fields: dict[str, Field]) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._file = file
        self._fields = fields

    def say(self, line: int, text: str) -> None:
        self.problems.append(Problem(self._file, line, text))

    def config(self) -> CronConfig:
        cron, interval = self._text("cron"), self._interval()
        kind = self._kind(cron, interval)
        if kind == "cron" and not cron and not self._slot("cron"):
            self.say(self._line("cron"), f"no cron expression: six fields, such as `{DEFAULT_CRON}`")
        if kind == "interval" and interval is None and not self._text("interval"):
            self.say(
                self._line("interval"), "no interval: write `Or: Interval Seconds` with whole seconds, such as 7200"
            )
        return CronConfig(
            kind,
            cron if kind == "cron" else "",
            interval if kind == "interval" else None,
            self._repeat(),
            self._expire(),
            self._timezone(),
            self._text("dream") or DEFAULT_DREAM_CRON,
            "",
            self._line("cron", 0),
            self._line("dream", 0),
        )

    def _line(self, name: str, default: int = 1) -> int:
        return self._fields[name].line if name in self._fields else default

    def _slot(self, name: str) -> bool:
        return name in self._fields and self._fields[name].value.lstrip().startswith("[")

    def _text(self, name: str) -> str:
        """Return a value; empty when it is missing, or a slot that nobody filled in (a problem, noted once)."""
        if name not in self._fields:
            return ""
        field = self._fields[name]
        if self._slot(name):
            sentence = f"{name} is not filled in: {field.value[:60]}"
            if Problem(self._file, field.line, sentence) not in self.problems:
                self.say(field.line, sentence)
            return ""
        value = field.value.strip()
        return "" if value.lower() in _NEVER else value

    def _kind(self, cron: str, interval: int | None) -> Kind:
        said = self._text("type").lower()
        if said in ("cron", "interval"):
            return cast("Kind", said)
        if said:
            self.say(self._line("type"), f"the schedule type must be cron or interval, not {said!r}")
        return "interval" if interval is not None and not cron else "cron"

    def _interval(self) -> int | None:
        said = self._text("interval")
        if not said:
            return None
        line = self._line("interval")
        if not re.fullmatch(r"[0-9]{1,12}", said) or not LEAST_INTERVAL_S <= int(said) <= MOST_INTERVAL_S:
            limits = f"between {LEAST_INTERVAL_S} and {MOST_INTERVAL_S}"
            self.say(line, f"the interval must be whole seconds {limits}, such as 7200, not {said!r}")
            return None
        if int(said) < USUAL_INTERVAL_S:
            sentence = f"an interval of {said} seconds is short: {USUAL_INTERVAL_S} or more is usual"
            self.warnings.append(Problem(self._file, line, sentence))
        return int(said)

    def _repeat(self) -> bool:
        said = self._text("repeat").lower()
        if said not in _YES_NO:
            self.say(self._line("repeat"), f"repeat must be true or false, not {said!r}")
        return _YES_NO.get(said, True)

    def _expire(self) -> str | None:
        said = self._text("expire")
        if not said:
            return None
        if is_instant(said):
            return said
        self.say(self._line("expire"), f"expire must be a time like 2030-12-31 23:59:59, or never, not {said!r}")
        return None

    def _timezone(self) -> str:
        said = self._text("timezone") or "UTC"
        if not is_zone(said):
            self.say(self._line("timezone"), f"{said!r} is no time zone of the IANA list, such as Europe/Berlin or UTC")
        return said


def is_instant(text: str) -> bool:
    """Whether text is a time like `2030-12-31 23:59:59`."""
    from datetime import datetime

    if not _EXPIRE.fullmatch(text) or not text.isascii():
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_zone(name: str) -> bool:
    """Whether a name is one of the IANA list that this machine knows."""
    if name == "UTC":
        return True
    if not _ZONE.fullmatch(name):
        return False
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True
