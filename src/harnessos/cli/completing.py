"""Completion scripts through shtab, from one tree of parsers built from the table."""

from __future__ import annotations

import argparse

from harnessos.cli.parser import add_arguments
from harnessos.cli.table import TABLE


def script(shell: str) -> str:
    """Return the completion script of `bash` or `zsh`."""
    import shtab

    text: str = shtab.complete(tree(), shell=shell)
    return text


def tree() -> argparse.ArgumentParser:
    """Return the parser of the whole program; only completion and the reference page build it."""
    top = argparse.ArgumentParser(prog="harness", add_help=True)
    groups: dict[tuple[str, ...], argparse._SubParsersAction[argparse.ArgumentParser]] = {
        (): top.add_subparsers(dest="word0")
    }
    for command in TABLE:
        words = tuple(command.words.split())
        for depth in range(1, len(words)):
            if words[:depth] not in groups:
                node = groups[words[: depth - 1]].add_parser(
                    words[depth - 1], help=f"the commands of {words[depth - 1]}"
                )
                groups[words[:depth]] = node.add_subparsers(dest=f"word{depth}")
        leaf = groups[words[:-1]].add_parser(words[-1], help=command.help, description=command.help)
        add_arguments(leaf, command)
    return top
