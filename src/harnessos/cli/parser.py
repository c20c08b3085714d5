"""argparse for one command of the table; wrong words become BadUsage, so that they look like every other error."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from harnessos.commands.arguments import EVERYWHERE, Command
from harnessos.errors import BadUsage

if TYPE_CHECKING:
    from collections.abc import Callable


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
        if options.get("type") not in (None, int, float):
            options["type"] = _explained(options["type"])
        parser.add_argument(*argument.names, **options)


def _explained(read: Callable[[str], object]) -> Callable[[str], object]:
    """Return the same type of argument, whose ValueError is shown in its own words."""

    def explained(word: str) -> object:
        try:
            return read(word)
        except ValueError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from problem

    return explained


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
