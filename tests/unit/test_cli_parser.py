"""Plain words are read without argparse, and mean the same as with it; the table is in order."""

from __future__ import annotations

import pytest

from harnessos.cli.parser import parser_of
from harnessos.cli.table import below, everything, find
from harnessos.commands.arguments import Command
from harnessos.commands.quick import read
from harnessos.commands.table import handler
from harnessos.errors import BadUsage

CALLS = [
    "session heartbeat",
    "session heartbeat --session hs_x --json",
    "session heartbeat --session -",
    "session checkpoint --title t --summary s --next-step n --plan a --plan b --json",
    "session begin --project DOCS --ttl 60 --worktree --workload-class a --workload-class b",
    "session close --outcome failed --task-fault --reason why",
    "init --key DOCS",
    "init there --key DOCS --name n --force --store sqlite:////x",
    "plan apply file --campaign c",
    "attention list --limit 3",
    "budget set DOCS runs unlimited",
    "worktree gc --cap-gb 1.5 --dry-run",
    "issue approve DOCS-1",
]
WITH_LIST = "session checkpoint --title t --summary s --next-step n --plan a"
LEFT_TO_ARGPARSE = [
    "session heartbeat --help",
    "session heartbeat --session",
    "session heartbeat --session=hs_x",
    "session heartbeat --sess hs_x",
    "session heartbeat more",
    "session checkpoint --title t",
    "session checkpoint --title -t --summary s --next-step n",
    "session close --outcome perfect",
    "session begin --ttl soon",
    "plan apply",
    "init --key",
]


@pytest.mark.parametrize("line", CALLS)
def test_plain_words_mean_what_argparse_says(line: str) -> None:
    command, rest = find(line.split())
    assert command is not None
    quick = read(command, rest)
    assert quick is not None
    assert vars(quick) == vars(parser_of(command).parse_args(rest))


@pytest.mark.parametrize("line", LEFT_TO_ARGPARSE)
def test_everything_else_is_left_to_argparse(line: str) -> None:
    command, rest = find(line.split())
    assert command is not None
    assert read(command, rest) is None


def test_a_list_starts_empty_at_every_call() -> None:
    command, rest = find(WITH_LIST.split())
    assert command is not None
    for _ in range(2):
        quick = read(command, rest)
        assert quick is not None
        assert quick.plan == ["a"]
        assert parser_of(command).parse_args(rest).plan == ["a"]


def test_wrong_words_become_an_error_with_a_way_out() -> None:
    command, rest = find(["session", "close", "--outcome", "perfect"])
    assert command is not None
    with pytest.raises(BadUsage, match="perfect") as caught:
        parser_of(command).parse_args(rest)
    assert caught.value.hint == "`harness session close --help`"


@pytest.mark.parametrize("command", everything(), ids=lambda command: command.words)
def test_every_command_of_the_table_has_its_handler_and_its_help(command: Command) -> None:
    assert callable(handler(command))
    assert command.help
    assert not command.help.endswith(".")
    assert all(argument.options.get("help") for argument in command.arguments)


def test_no_command_stands_twice() -> None:
    names = [command.words for command in everything()]
    assert len(names) == len(set(names))


def test_the_longest_name_is_meant() -> None:
    command, rest = find(["worktree", "salvage", "list", "--json"])
    assert command is not None
    assert (command.words, rest) == ("worktree salvage list", ["--json"])
    assert find(["worktree", "salvage"])[0] is None
    assert [command.words for command in below(["worktree", "salvage"])] == [
        "worktree salvage list",
        "worktree salvage restore",
    ]
