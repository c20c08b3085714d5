"""Both schedules of a mission, as a host's scheduler must be given them: the runs, and the dream. Pure.

What cron_config.md says is judged by model.cron; the cron expression that is given to others always has six fields,
since a host cannot guess whether five mean minutes or seconds (B-21).
"""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadContent
from harnessos.mission.context import ORDER
from harnessos.mission.documents.cron_config import FILE, CronConfig
from harnessos.mission.documents.problems import Problem, bad_document
from harnessos.model import cron, schedule

if TYPE_CHECKING:
    from typing import Literal

    from harnessos.model.cron import Rule

DREAM = "-dream"
_SLOT = re.compile(r"\{(workspace|skill_dir)\}")
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Entry(NamedTuple):
    """A schedule. `cron` has six fields and is empty for an interval, `interval_s` is None for a cron schedule.

    `target` says what fires: `mission` (a run) or `dream`. `expire` is `yyyy-MM-dd HH:mm:ss` in `timezone`, or None.
    """

    name: str
    target: Literal["mission", "dream"]
    cron: str
    interval_s: int | None
    repeat: bool
    expire: str | None
    timezone: str
    prompt: str
    workspace: str

    @property
    def type(self) -> Literal["cron", "interval"]:
        """Return the kind of schedule, in the words of a schedule tool."""
        return "cron" if self.interval_s is None else "interval"

    @property
    def text(self) -> str:
        """Return the rule as `model.cron` and the ledger take it."""
        return self.cron if self.interval_s is None else f"every:{self.interval_s}"

    @property
    def rule(self) -> Rule:
        """Return the rule, read."""
        return cron.parse(self.text)

    def ends_at(self) -> int | None:
        """Return the instant of `expire`, None without one."""
        if self.expire is None:
            return None
        from datetime import datetime

        local = datetime.fromisoformat(self.expire).replace(tzinfo=cron.zone(self.timezone))
        return int(local.timestamp()) * 1000

    def document(self) -> dict[str, object]:
        """Return the parameters a schedule tool is given: `cron` or `interval` in seconds, and what else is said."""
        times = {"cron": self.cron} if self.interval_s is None else {"interval": self.interval_s}
        ends = {} if self.expire is None else {"expire": self.expire}
        rest = {"repeat": self.repeat, **ends, "timezone": self.timezone, "prompt": self.prompt}
        return {"name": self.name, "type": self.type, **times, **rest}


def entries(config: CronConfig, name: str, workspace: str, skill_dir: str) -> tuple[Entry, Entry]:
    """Return the main schedule and the dream's. BadDocument names each place of cron_config.md that is wrong.

    `name` is the mission's name; both paths are absolute. BadContent for a path that no scheduler could be told.
    """
    for path in (workspace, skill_dir):
        require_writable(path)
    problems: list[Problem] = []
    main, seconds = _times(config.kind, config.cron, config.interval_s, config.cron_line, problems)
    dream, dream_seconds = _times("cron", config.dream_cron, None, config.dream_line, problems)
    try:
        cron.zone(config.timezone)
    except BadContent as problem:
        problems.append(_problem(0, problem))
    if problems:
        raise bad_document(tuple(problems))
    slug = slug_of(name)
    prompt = main_prompt(config, workspace, skill_dir)
    return (
        Entry(slug, "mission", main, seconds, config.repeat, config.expire, config.timezone, prompt, workspace),
        Entry(
            slug + DREAM,
            "dream",
            dream,
            dream_seconds,
            True,
            None,
            config.timezone,
            dream_prompt(workspace, skill_dir),
            workspace,
        ),
    )


def require_writable(path: str) -> None:
    """Refuse a path with characters that would end a line or repaint a terminal wherever it is written down."""
    if _UNWRITABLE.search(path):
        raise BadContent(
            f"{path!a} holds a line end or a control character, which no schedule can be given",
            hint="rename the folder",
        )


def slug_of(name: str) -> str:
    """Return the name of a mission as its schedules carry it: lower case, words joined by hyphens."""
    return schedule.name_from(name) if re.search(r"[^\W_]", name) else "mission"


def _times(kind: str, text: str, interval_s: int | None, line: int, problems: list[Problem]) -> tuple[str, int | None]:
    """Return six fields, or the seconds of an interval; what is wrong goes to `problems`."""
    try:
        rule = cron.parse(f"every:{interval_s}" if kind == "interval" else text)
    except BadContent as problem:
        problems.append(_problem(line, problem))
        return "", None
    if rule.every_ms:
        return "", rule.every_ms // 1000
    return f"{rule.second} {rule.fields}", None


def _problem(line: int, problem: BadContent) -> Problem:
    return Problem(FILE, line or 1, f"{problem}; {problem.hint}" if problem.hint else str(problem))


def main_prompt(config: CronConfig | None, workspace: str, skill_dir: str) -> str:
    """Return what an agent is told at each run: the fence of cron_config.md, whole, with its folders; else the default."""
    if config is not None and config.prompt.strip():
        return _filled(config.prompt, workspace, skill_dir)
    return _default_prompt(workspace, skill_dir)


def _filled(prompt: str, workspace: str, skill_dir: str) -> str:
    """Return the prompt with its folders, in one pass: a folder whose name looks like a slot stays what it is."""
    folders = {"workspace": workspace, "skill_dir": skill_dir}
    return _SLOT.sub(lambda found: folders[found[1]], prompt)


def _script(skill_dir: str, name: str, workspace: str) -> str:
    return f"python3 {quote(f'{skill_dir}/scripts/{name}.py')} {quote(workspace)}"


def _default_prompt(workspace: str, skill_dir: str) -> str:
    heartbeat = _script(skill_dir, "harness_heartbeat", workspace)
    memory = _script(skill_dir, "harness_memory", workspace)
    documents = "\n".join(f"   {workspace}/{name}" for name in ORDER)
    return f"""\
You continue the mission in {workspace}. Its rules are in {skill_dir}/SKILL.md; this is workflow B of that document.

1. Check: {_script(skill_dir, "harness_boot", workspace)}
   Go on when it ends with 0. On 10 (complete), 11 (blocked or tripped) and 13 (running already) stop here; on 12 mend
   what it lists and check again.
2. Begin: {heartbeat} start
   It prints the breakpoint, the step at which you go on.
3. Read, in exactly this order:
{documents}
   then only those topics in {workspace}/knowledge/ that concern the current step.
4. Work from the breakpoint on, as the playbook says. Never change mission.md.
   Log what happens: {memory} stream --step STEP --event TEXT
   Keep what you learned: {memory} learn --topic TOPIC --insight TEXT
5. End: {heartbeat} done --step STEP --summary TEXT
   or, when it did not work: {heartbeat} fail --step STEP --error TEXT
6. Have it judged: {_script(skill_dir, "harness_eval", workspace)}
   Only when every condition of mission.md holds: {heartbeat} mission_complete"""


def dream_prompt(workspace: str, skill_dir: str) -> str:
    """Return what an agent is told when it is time to dream."""
    return f"""\
Put the memory of the mission in {workspace} in order: this is its KAIROS dream.

Run:
{_script(skill_dir, "harness_dream", workspace)}

It brings together what is scattered over knowledge/*.md, takes pointers out of heartbeat.md that lead nowhere, looks for
patterns in logs/execution_stream.log, and writes what proved best into playbook.md. It works only while the mission is
idle: when it ends with 13, a run is live and nothing was changed. That is no failure; stop then, the next dream comes."""
