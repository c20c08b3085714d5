"""Every command that can be typed: those of the table, and the command line's own."""

from __future__ import annotations

from harnessos.commands import table
from harnessos.commands.arguments import Command, arg, flag


def port(word: str) -> int:
    """Return a port's number. ValueError when it is none."""
    if not word.isascii() or not word.isdigit() or int(word) > 65_535:
        raise ValueError(f"{word!r} is no port: 0 to 65535")
    return int(word)


OWN: tuple[Command, ...] = (
    Command(
        "completion",
        "harnessos.cli.completing:show",
        "print a completion script for a shell",
        (arg("shell", choices=("bash", "zsh"), help="the shell"),),
    ),
    Command(
        "mcp",
        "harnessos.cli.serving:mcp",
        "serve agents over MCP, on standard input and output or over HTTP",
        (
            flag(
                "--http", "serve over HTTP on this machine; the address and the token's file are told on standard error"
            ),
            arg("--port", metavar="N", type=port, help="with --http: the port; a free one by default"),
            flag("--read-only", "refuse whatever writes"),
            flag("--operator", "let the client do what only a person may; agents with this server answer to nobody"),
            arg(
                "--profile",
                choices=("coding", "research", "ops", "sales", "support", "assistant"),
                default="coding",
                help="the tools that are shown; coding, all of them, by default",
            ),
            arg("--wait", metavar="SECONDS", type=float, default=45.0, help="how long a call waits for a verdict; 45"),
        ),
    ),
    Command(
        "mcp doctor",
        "harnessos.cli.serving:doctor",
        "start an MCP server as a host would, measure it, and say what a host would trip over",
        (arg("server", metavar="-- COMMAND", nargs="*", help="any server's command line; `harness mcp` by default"),),
    ),
)


def everything() -> tuple[Command, ...]:
    """Return every command there is."""
    return (*table.everything(), *OWN)


def find(words: list[str]) -> tuple[Command | None, list[str]]:
    """Return the command with the longest name that `words` begin with, and the words after it."""
    found, rest = table.find(words)
    return (found, rest) if found is not None else table.longest(OWN, words)


def below(words: list[str]) -> list[Command]:
    """Return the commands whose names begin with these words: those of a noun."""
    start = " ".join(words) + " "
    return [command for command in everything() if command.words.startswith(start)]
