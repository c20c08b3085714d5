"""The commands of `harness mission`, in the order of a mission's life."""

from __future__ import annotations

from harnessos.commands.arguments import DRY_RUN, LIMIT, RUN_SESSION, WORKSPACE, Command, arg, flag

AGENT = arg("--agent", metavar="KIND", help="command:PROGRAM ..., claude, codex or gemini")
STEP = arg("--step", metavar="STEP", help="the step, such as 4")


def above_zero(word: str) -> int:
    """Return a number above zero. ValueError when it is none."""
    if not word.isascii() or not word.isdigit() or not 0 < int(word) < 1_000_000_000:
        raise ValueError(f"{word!r} is no number above zero")
    return int(word)


SAME = ("stream", "learn", "search", "topics", "check")
"""Commands of `harness memory` that are those of `harness mission` as well."""


def _memory() -> tuple[Command, ...]:
    from harnessos.commands.table_memory import MEMORY

    return tuple(
        Command(f"mission {word}", command.handler, f"the same as `harness {command.words}`", command.arguments)
        for command in MEMORY
        if (word := command.words.partition(" ")[2]) in SAME
    )


MISSIONS: tuple[Command, ...] = (
    Command(
        "mission new",
        "mission_new:new",
        "make a mission from an idea, filled in by an agent, or from a mission.yaml",
        (
            arg("idea", metavar="IDEA", nargs="?", help="what it is about, in a sentence or a page"),
            AGENT,
            arg("--from", metavar="FILE", help="a mission.yaml instead of an idea"),
            arg("--workspace", metavar="PATH", help="where it lives; a folder of its own by default"),
            flag("--no-run", "do not begin the first run now"),
            DRY_RUN,
        ),
    ),
    Command("mission list", "mission_views:listing", "list the missions of the ledger", (LIMIT,)),
    Command(
        "mission boot",
        "mission_verbs:boot",
        "say whether the mission may run now: 0 ready, 10 complete, 11 blocked, 12 not ready, 13 running",
        (
            WORKSPACE,
            flag("--init", "write the templates and folders that are missing"),
            arg(
                "--max-failures",
                metavar="N",
                type=above_zero,
                help="failures in a row that trip the breaker; 3 at first",
            ),
            flag("--adopt", "take over a workspace of another ledger, with the state its documents show"),
            RUN_SESSION,
        ),
    ),
    Command(
        "mission start",
        "mission_verbs:start",
        "begin a run: print the breakpoint and the run's token",
        (
            WORKSPACE,
            arg("--ttl", metavar="SECONDS", type=above_zero, help="how long the run may last; 7200 by default"),
            RUN_SESSION,
        ),
    ),
    Command(
        "mission done",
        "mission_verbs:done",
        "say that the step is done and end the run; eval decides whether it is",
        (WORKSPACE, STEP, arg("--summary", metavar="TEXT", default="", help="what came of it"), RUN_SESSION),
    ),
    Command(
        "mission fail",
        "mission_verbs:fail",
        "say that the run failed; the breakpoint stays",
        (WORKSPACE, STEP, arg("--error", metavar="TEXT", default="", help="what went wrong"), RUN_SESSION),
    ),
    Command(
        "mission blocked",
        "mission_verbs:blocked",
        "say that the mission needs a person",
        (
            WORKSPACE,
            arg("--reason", metavar="TEXT", default="", help="what a person has to decide or give"),
            RUN_SESSION,
        ),
    ),
    *(
        Command(
            f"mission {word}",
            "mission_verbs:complete",
            "set the mission complete, if every mandatory check passes now",
            (WORKSPACE, RUN_SESSION),
        )
        for word in ("complete", "mission_complete")
    ),
    Command(
        "mission eval",
        "mission_verbs:judge",
        "run the checks of eval_criteria.md in isolation; they decide the last claim",
        (WORKSPACE, RUN_SESSION),
    ),
    Command(
        "mission cleanup",
        "mission_upkeep:cleanup",
        "take old runs out of progress.md, rotate the stream, check the memory",
        (
            WORKSPACE,
            arg(
                "--max-runs",
                metavar="N",
                type=above_zero,
                default=50,
                help="runs that stay in progress.md; 50 by default",
            ),
            arg("--max-stream-mb", metavar="MB", type=float, default=10.0, help="the stream is rotated above it; 10"),
            DRY_RUN,
            RUN_SESSION,
        ),
    ),
    Command(
        "mission dream",
        "mission_upkeep:dream",
        "consolidate the memory while the mission is idle",
        (
            WORKSPACE,
            DRY_RUN,
            flag("--skip-playbook", "leave playbook.md alone"),
            arg(
                "--min-entries", metavar="N", type=above_zero, default=3, help="how often makes a pattern; 3 by default"
            ),
            arg(
                "--lookback-hours", metavar="H", type=above_zero, default=24, help="how far back to look; 24 by default"
            ),
            arg("--agent", metavar="KIND", help="ask this agent for better summaries, which are checked like the rest"),
            arg("--undo", metavar="ID", nargs="?", const="", help="take a dream back, the last by default"),
        ),
    ),
    Command(
        "mission schedule",
        "mission_schedule:schedule",
        "print both schedules, or register them",
        (
            WORKSPACE,
            flag("--install", "register both with this ledger, for `harness up --missions`"),
            AGENT,
            arg(
                "--format",
                metavar="FORM",
                choices=("text", "crontab", "systemd", "launchd", "openclaw"),
                default="text",
                help="text, crontab, systemd, launchd or openclaw",
            ),
            arg("--skill-dir", metavar="DIR", help="where the skill is installed; this package's by default"),
            RUN_SESSION,
        ),
    ),
    Command(
        "mission lint",
        "mission_views:lint",
        "look for what is missing in the documents",
        (WORKSPACE, flag("--strict", "exit 1 on a warning")),
    ),
    Command(
        "mission context",
        "mission_views:context",
        "print the documents in the order in which they are read, for a prompt",
        (
            WORKSPACE,
            arg(
                "--max-tokens",
                metavar="N",
                type=above_zero,
                default=20_000,
                help="at most so many tokens; 20000 by default",
            ),
        ),
    ),
    Command(
        "mission show",
        "mission_views:show",
        "show the state, the last runs, the memory and the next firings",
        (WORKSPACE, LIMIT),
    ),
    Command(
        "mission report",
        "mission_views:report",
        "the morning report: runs, what was achieved, what is blocked, what was learnt",
        (
            WORKSPACE,
            arg("--since", metavar="TIME", default="24h", help="how far back: 90m, 12h, 2d; 24h by default"),
            arg("--format", metavar="FORM", choices=("text", "markdown"), default="text", help="text or markdown"),
        ),
    ),
    Command("mission run", "mission_drive:run", "drive one run now, with the mission's runner", (WORKSPACE, AGENT)),
    Command("mission pause", "mission_verbs:pause", "hold the mission: no run begins until resume", (WORKSPACE,)),
    Command("mission resume", "mission_verbs:resume", "lift hold, block and breaker; the pointer stays", (WORKSPACE,)),
    Command("mission reset", "mission_verbs:reset", "lift hold, block and breaker, and begin at Step 0", (WORKSPACE,)),
    Command(
        "mission adopt",
        "mission_verbs:adopt",
        "take a workspace into this ledger, with the state its documents show",
        (WORKSPACE,),
    ),
    *_memory(),
)
