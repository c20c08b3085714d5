"""The part of the command table that is about schedules."""

from __future__ import annotations

from harnessos.commands.arguments import CURSOR, DRY_RUN, LIMIT, PROJECT, Command, arg, flag, many, row_count

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SCHEDULE = arg("name", metavar="NAME", help="the schedule's name, or its id")
_TIMEZONE = "the IANA time zone of the rule, such as Europe/Berlin; UTC by default"


def length(word: str) -> int:
    """Return a length of time in ms: 90s, 15m, 12h, 2d or seconds. ValueError when it is none."""
    digits, unit = (word[:-1], word[-1:]) if word[-1:] in _UNITS else (word, "s")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise ValueError(f"{word!r} is no length of time: 90s, 15m, 12h, 2d")
    return int(digits) * _UNITS[unit]


SCHEDULES: tuple[Command, ...] = (
    Command(
        "schedule add",
        "schedule:add",
        "have an issue, a plan, a mission or a dream come by itself; the same name again changes what differs",
        (
            arg("name", metavar="NAME", nargs="?", help="what it is called in its project"),
            arg("rule", metavar="RULE", nargs="?", help="'30 3 * * *', '0 30 3 * * *' (second first), @daily, 'every 2h'"),
            arg("--file", metavar="FILE", help="a JSON array of jobs: task, cron, projectKey, campaignName, priority, size"),
            PROJECT,
            arg("--task", metavar="TEXT", help="plan an issue with this task"),
            arg("--template", metavar="FILE", help="plan an issue with the fields in this YAML, JSON or TOML file"),
            arg("--plan", metavar="FILE", help="apply this plan anew each time"),
            arg("--mission", metavar="ISSUE", help="run this mission"),
            flag("--dream", "with --mission: have it dream instead"),
            arg("--campaign", metavar="NAME", help="the campaign that issues go to; `default` by default"),
            arg("--description", metavar="TEXT", help="the task in full"),
            arg("--priority", choices=("critical", "high", "medium", "low"), help="its place in the claim order"),
            arg("--size", choices=("S", "M", "L", "XL"), help="how much work it is"),
            many("--label", "LABEL", "a label of the issue"),
            arg("--deadline", metavar="TIME", help="an instant, or `+2h` after the time it is scheduled for"),
            arg("--timezone", metavar="ZONE", default="UTC", help=_TIMEZONE),
            arg("--misfire", choices=("skip", "once", "all"), default="once", help="what becomes of missed times"),
            arg("--max-lateness", metavar="TIME", type=length, default=3_600_000, help="later than this nothing fires; 1h by default"),
            arg("--overlap", choices=("forbid", "allow", "replace"), default="forbid", help="while the last firing's work is not over"),
            arg("--jitter", metavar="TIME", type=length, default=0, help="fire up to so much later, the same for everybody"),
            arg("--check", metavar="COMMAND", help="fire only if this shell command prints something"),
            flag("--once", "fire once only"),
            arg("--until", metavar="INSTANT", help="fire no more after this: 2026-12-31T23:59:59Z"),
            DRY_RUN,
        ),
    ),
    Command("schedule list", "schedule:list_all", "list the schedules of a project", (PROJECT, flag("--all", "removed ones too"))),
    Command("schedule show", "schedule:show", "show a schedule and what came of its firings", (_SCHEDULE, PROJECT, LIMIT, CURSOR)),
    Command(
        "schedule next",
        "schedule:upcoming",
        "show when schedules fire next",
        (
            arg("name", metavar="NAME", nargs="?", help="this schedule; else all of the project"),
            PROJECT,
            arg("--count", metavar="N", type=row_count, default=5, help="so many firings; 5 by default"),
        ),
    ),
    Command("schedule run", "schedule:run", "fire a schedule now, besides its rule", (_SCHEDULE, PROJECT, DRY_RUN)),
    Command("schedule pause", "schedule:pause", "let a schedule rest", (_SCHEDULE, PROJECT, DRY_RUN)),
    Command("schedule resume", "schedule:resume", "let it go on with its next time", (_SCHEDULE, PROJECT, DRY_RUN)),
    Command("schedule remove", "schedule:remove", "take it out of use; its firings can still be read", (_SCHEDULE, PROJECT, DRY_RUN)),
    Command(
        "schedule evaluate",
        "schedule:evaluate",
        "fire what is due, once; `harness-scheduler-inject` is the same, for cron",
        (many("--project", "KEY", "this project; else all of the ledger"), DRY_RUN),
    ),
)  # fmt: skip
"""As one entry a line where that fits."""
