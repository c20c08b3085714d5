"""The commands of `harness mission agents`."""

from __future__ import annotations

from harnessos.commands.arguments import RUN_SESSION, WORKSPACE, Command, arg

_MOST_WORKERS = 100


def worker_count(word: str) -> int:
    """Return a number of workers, 1 to 100. ValueError for anything else."""
    if not word.isascii() or not word.isdigit() or not 1 <= int(word[:9]) <= _MOST_WORKERS:
        raise ValueError(f"{word!r} is no number of workers: 1 to {_MOST_WORKERS}")
    return int(word)


AGENTS: tuple[Command, ...] = (
    Command(
        "mission agents init",
        "mission_agents:init",
        "make workers with their inboxes and outboxes; those that are there keep their tasks",
        (
            WORKSPACE,
            arg("--agents", metavar="N", type=worker_count, default=3, help="how many, 1 to 100; 3 by default"),
            RUN_SESSION,
        ),
    ),
    Command(
        "mission agents dispatch",
        "mission_agents:dispatch",
        "give a task to the first idle worker; where all are busy it waits",
        (
            WORKSPACE,
            arg("--task", metavar="TEXT", required=True, help="what is to be done"),
            arg("--agent", metavar="WORKER", help="worker-2 and no other; it waits for that one"),
            arg("--step", metavar="STEP", default="", help="the step it belongs to; the mission's by default"),
            arg(
                "--priority",
                metavar="HOW",
                choices=("low", "normal", "high", "critical"),
                default="normal",
                help="low, normal, high or critical",
            ),
            RUN_SESSION,
        ),
    ),
    Command(
        "mission agents status",
        "mission_agents:status",
        "show workers and tasks, and give waiting tasks to idle workers",
        (WORKSPACE, RUN_SESSION),
    ),
    Command(
        "mission agents collect",
        "mission_agents:collect",
        "collect the results in the outboxes, each once, and make their workers idle",
        (WORKSPACE, RUN_SESSION),
    ),
    Command(
        "mission agents cleanup",
        "mission_agents:cleanup",
        "archive inboxes and outboxes, but for what runs or was not collected",
        (WORKSPACE, RUN_SESSION),
    ),
    Command(
        "mission agents run",
        "mission_agents:run",
        "have runners work through the inboxes, and collect what they make",
        (
            WORKSPACE,
            arg(
                "--agent", metavar="KIND", help="command:PROGRAM ..., claude, codex or gemini; the mission's by default"
            ),
            arg("--max", metavar="N", type=worker_count, default=3, help="at most so many at a time; 3 by default"),
            RUN_SESSION,
        ),
    ),
)
