"""The reference page of the command line, generated from the table: `python -m harnessos.cli.reference`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harnessos.cli.table import everything

if TYPE_CHECKING:
    from harnessos.commands.arguments import Argument, Command

_HEAD = """# The command line

This page is generated from the command table (`python -m harnessos.cli.reference > docs/cli-reference.md`).

Every command takes `--json` and `--store URL`. With `--json` one document is printed; lists are
`{"items": [...], "cursor": ...}`, where `cursor` is `null` on the last page. What tells of things as they happen (`up`,
`quickstart`, `audit anchor`) prints one object a line. Instants, the names ending in `_at`, are
milliseconds since the epoch (UTC) in JSON and ISO 8601 in text for people; durations ending in `_ms` are milliseconds,
`usd` amounts millionths of a dollar. Errors and progress go to standard error: `error: MESSAGE (CODE)` and a hint, with
`--json` one object `{"error": {"code", "message", "hint", ...}}` as the last line there.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | failed: a verdict that was not accepted, a finding of a check, a tool outside the ledger |
| 2 | usage, or an argument that is no readable regular file |
| 65 | refused: bad content, an unknown identifier, a move that is not legal, `operator_only` |
| 69 | the ledger is missing, locked out, too old or too new |
| 75 | not now: `lease_lost`, `already_claimed`, `busy`, nothing ready with `--fail-if-empty` |

The environment: `HARNESS_HOME` (default `~/.agent-harness`), `HARNESS_STORE`, `HARNESS_PROJECT`,
`HARNESS_SESSION_TOKEN`, `NO_COLOR`. Who has `HARNESS_RUN_ID` or `HARNESS_SESSION_TOKEN` set acts as an agent.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(command) for command in everything())])


def _section(command: Command) -> str:
    usage = " ".join([f"harness {command.words}", *(_usage(argument) for argument in command.arguments)])
    about = command.help[0].upper() + command.help[1:] + "."
    rows = [f"| `{_cell(_name(argument))}` | {_cell(argument.options['help'])} |" for argument in command.arguments]
    table = ["", "| argument | |", "|---|---|", *rows] if rows else []
    return "\n".join([f"## {command.words}", "", f"`{usage}`", "", about, *table, ""])


def _usage(argument: Argument) -> str:
    word = _name(argument)
    repeated = "..." if argument.options.get("action") == "append" else ""
    plain = not argument.names[0].startswith("-") and argument.options.get("nargs") != "?"
    return word if plain or argument.options.get("required") else f"[{word}]{repeated}"


def _name(argument: Argument) -> str:
    """Return `--option VALUE`, or the placeholder of an argument without a dash."""
    options = argument.options
    choices = options.get("choices")
    value = "|".join(choices) if choices else options.get("metavar", "")
    if not argument.names[0].startswith("-"):
        return str(value or argument.names[0])
    return argument.names[0] if options.get("action") == "store_true" else f"{argument.names[0]} {value}"


def _cell(text: str) -> str:
    """Return a text as it stands in a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
