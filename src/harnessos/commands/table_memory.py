"""The commands of `harness memory`, a table of their own: agents call `memory stream` hundreds of times a day."""

from __future__ import annotations

from harnessos.commands.arguments import RUN_SESSION, WORKSPACE, Command, arg, flag

LEVELS = ("INFO", "WARN", "ERROR", "SUCCESS")


def shown(word: str) -> int:
    """Return the number of hits that is wanted. ValueError when it is none."""
    if not word.isascii() or not word.isdigit() or not 0 < int(word) <= 100_000:
        raise ValueError(f"{word!r} is no number of hits: 1 to 100000")
    return int(word)


MEMORY: tuple[Command, ...] = (
    Command(
        "memory stream",
        "memory_stream:stream",
        "append one event to the execution stream, whatever its text",
        (
            WORKSPACE,
            arg("--step", metavar="STEP", required=True, help="the step it belongs to, such as 2.3"),
            arg("--event", metavar="TEXT", required=True, help="what happened; it stays one line"),
            arg(
                "--level", metavar="LEVEL", choices=LEVELS, default="INFO", help="INFO (default), WARN, ERROR, SUCCESS"
            ),
            RUN_SESSION,
        ),
    ),
    Command(
        "memory learn",
        "memory:learn",
        "keep an insight in a topic file and register its pointer",
        (
            WORKSPACE,
            arg("--topic", metavar="NAME", required=True, help="the topic; it becomes a file name in knowledge/"),
            arg(
                "--insight", metavar="TEXT", required=True, help="what was learnt, distilled: at most 2,000 characters"
            ),
            RUN_SESSION,
        ),
    ),
    Command(
        "memory search",
        "memory:search",
        "search the execution stream, rotated logs included, newest first",
        (
            WORKSPACE,
            arg("--query", metavar="TEXT", required=True, help="what to look for, upper and lower case alike"),
            flag("--regex", "the query is a regular expression"),
            flag("--case", "upper and lower case differ"),
            flag("--topics", "search the topic files as well"),
            arg("--level", metavar="LEVEL", choices=LEVELS, help="only this level"),
            arg("--step", metavar="STEP", help="only this step"),
            arg("--since", metavar="TIME", help="only what is newer: 90m, 12h, 2d"),
            arg("--max", metavar="N", type=shown, default=20, help="at most so many hits; 20 by default"),
            RUN_SESSION,
        ),
    ),
    Command("memory topics", "memory:topics", "list the topics with their pointers", (WORKSPACE, RUN_SESSION)),
    Command(
        "memory check",
        "memory:check",
        "verify all layers of the memory; exit 1 when something is wrong",
        (WORKSPACE, flag("--fix", "rebuild pointers and adopt orphans"), RUN_SESSION),
    ),
)
