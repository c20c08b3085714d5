"""Completion scripts through shtab, from one tree of parsers built from the table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harnessos.cli.parser import add_arguments
from harnessos.cli.table import everything

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def show(call: Call) -> None:
    """Print the script."""
    text = script(call.args.shell)
    call.out.show({"shell": call.args.shell, "script": text}, text)


def script(shell: str) -> str:
    """Return the completion script of `bash` or `zsh`."""
    import shtab

    text: str = shtab.complete(tree(), shell=shell)
    return text


def tree() -> argparse.ArgumentParser:
    """Return the parser of the whole program; only completion builds it."""
    parsers: dict[tuple[str, ...], argparse.ArgumentParser] = {(): argparse.ArgumentParser(prog="harness")}
    groups: dict[tuple[str, ...], argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for command in everything():
        words = tuple(command.words.split())
        for depth in range(1, len(words) + 1):
            above, name = words[: depth - 1], words[:depth]
            if above not in groups:
                groups[above] = parsers[above].add_subparsers(dest=f"word{depth}")
            if name not in parsers:
                about = command.help if name == words else f"the commands of {words[depth - 1]}"
                parsers[name] = groups[above].add_parser(words[depth - 1], help=about, description=about)
        add_arguments(parsers[words], command)
    return parsers[()]
