"""The help of the program and of its nouns, straight from the table: no parser is built for it."""

from __future__ import annotations

from harnessos.cli.table import below, everything
from harnessos.version import VERSION

TYPE_CHECKING = False  # importing `typing` for it would take longer than the help
if TYPE_CHECKING:
    from harnessos.commands.arguments import Command

_HEAD = f"""HarnessOS {VERSION}: a durable ledger of work for AI agents, with verified results.

usage: harness COMMAND [ARGUMENT]...      harness COMMAND --help      harness --version
"""
_TAIL = """
Every command takes --json and --store URL.
Exit codes: 0 ok, 1 failed, 2 usage, 65 refused content, 69 ledger unavailable, 75 not now (try again)."""


def overview() -> str:
    """Return the help of the whole program."""
    return "\n".join([_HEAD, *_lines(everything()), _TAIL])


def of_noun(words: list[str]) -> str:
    """Return the help of a noun such as `plan`, or of `worktree salvage`."""
    name = " ".join(words)
    return "\n".join([f"usage: harness {name} COMMAND [ARGUMENT]...\n", *_lines(below(words))])


def _lines(commands: tuple[Command, ...] | list[Command]) -> list[str]:
    width = max(len(command.words) for command in commands)
    return [f"  {command.words.ljust(width)}  {command.help}" for command in commands]
