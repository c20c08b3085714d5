"""argparse for one command of the table; wrong words become BadUsage, so that they look like every other error."""

from __future__ import annotations

import argparse
from typing import NoReturn

from harnessos.cli.arguments import EVERYWHERE, Command
from harnessos.errors import BadUsage


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise BadUsage with the call that shows how it is meant."""
        raise BadUsage(message, hint=f"`{self.prog} --help`")


def parser_of(command: Command, prog: str = "harness") -> Parser:
    """Return the parser of one command."""
    parser = Parser(prog=f"{prog} {command.words}", description=_sentence(command.help), allow_abbrev=False)
    add_arguments(parser, command)
    return parser


def add_arguments(parser: argparse.ArgumentParser, command: Command) -> None:
    """Declare a command's arguments and the two that every command takes."""
    for argument in (*command.arguments, *EVERYWHERE):
        options = dict(argument.options)
        if options.get("action") == "append":
            options["default"] = []  # argparse appends to the default itself
        parser.add_argument(*argument.names, **options)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
