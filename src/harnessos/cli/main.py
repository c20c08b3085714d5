"""The entry point: find the command in the table, parse its words, call its handler, turn errors into exit codes."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing `typing` for it would take longer than the help
if TYPE_CHECKING:
    from typing import NoReturn

    from harnessos.commands.arguments import Command

INTERRUPTED = 130
USAGE = 2
HOT = ("session heartbeat", "session checkpoint", "memory stream")
"""What agents call hundreds of times a day."""


def main() -> NoReturn:
    """Run the command the process was called with, and end the process with its exit code."""
    hot = " ".join(sys.argv[1:3]) in HOT
    if hot:
        import gc

        gc.disable()  # what it makes is gone in a moment
    code = run(sys.argv[1:])
    if hot:
        # Taking the interpreter apart would cost a tenth of the whole call; everything is closed and written.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(words: list[str]) -> int:
    """Run one command and return its exit code. Only a HarnessError hides its traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that is no text must not break an answer
    try:
        if not words or words[0] in ("--help", "-h", "help", "--version"):
            return _about(words)
        return _answered(words)
    except BrokenPipeError:
        # The reader has gone, as `head` does. What is still buffered must not be complained about at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        if _can_say():
            raise
        from harnessos.commands.output import show_error
        from harnessos.errors import ToolProblem

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        hint = "make room where it goes; what the command changed in the ledger is kept"
        lost = ToolProblem(f"the answer cannot be written to standard output: {problem.strerror}", hint=hint)
        show_error(lost, as_json="--json" in words)
        return lost.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def _can_say() -> bool:
    """Return whether standard output still takes a line: what failed was something else then, and shows its traceback."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _answered(words: list[str]) -> int:
    from harnessos.errors import HarnessError

    try:
        return _run(words)
    except HarnessError as problem:
        from harnessos.commands.output import show_error

        show_error(problem, as_json="--json" in words)
        return problem.exit_code


def _run(words: list[str]) -> int:
    from harnessos.cli.table import find

    _refuse_unsayable(words)
    command, rest = find(words)
    if command is None:
        return _noun(words)
    from harnessos.commands.quick import read

    args: object = read(command, rest)
    if args is None:
        from harnessos.cli.parser import parser_of

        args = parser_of(command).parse_args(rest)
    return _call(command, args)


def _refuse_unsayable(words: list[str]) -> None:
    """Refuse what no ledger could hold. A path with such a name is refused as well: it would be recorded."""
    from harnessos.model.words import is_sayable

    for word in words:
        if not is_sayable(word):
            from harnessos.errors import BadUsage

            raise BadUsage(f"{word!a} is no text in UTF-8", hint="write it in UTF-8, without a NUL character")


def _about(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        from harnessos.version import VERSION

        print(VERSION)
    else:
        from harnessos.cli.help import overview

        print(overview())
    sys.stdout.flush()
    return 0 if words else USAGE


def _noun(words: list[str]) -> int:
    from harnessos.cli.table import below
    from harnessos.errors import BadUsage

    named = [word for word in words if not word.startswith("-")]
    while named and not below(named):
        named.pop()
    known = words[: len(named)] == named and bool(named)
    if known and set(words[len(named) :]) <= {"--help", "-h"}:
        from harnessos.cli.help import of_noun

        print(of_noun(named))
        return 0 if len(words) > len(named) else USAGE
    wrong = words[len(named)] if known else words[0]
    start = f"harness {' '.join(named)} --help" if known else "harness --help"
    hint = f"{_meant(words)}`{start}` lists what there is"
    raise BadUsage(f"there is no command {' '.join([*named, wrong])!r}", hint=hint)


def _meant(words: list[str]) -> str:
    """Return what was perhaps meant, as the beginning of a hint; only an error asks for it."""
    from difflib import get_close_matches

    from harnessos.cli.table import everything

    if words[0].startswith("-"):
        return f"options come after the command: `harness COMMAND {words[0]} ...`; "
    plain = [word for word in words if not word.startswith("-")]
    names = {command.words for command in everything()} | {command.words.split()[0] for command in everything()}
    for count in (3, 2, 1):
        close = get_close_matches(" ".join(plain[:count]), [name for name in names if name.count(" ") == count - 1], 1)
        if close and len(plain) >= count:
            return f"did you mean `harness {close[0]}`? "
    return ""


def _call(command: Command, args: object) -> int:
    """Call the handler and see its answer out, so that a reader who has gone is noticed here."""
    from harnessos.app.harness import harness
    from harnessos.commands.call import Call
    from harnessos.commands.output import Output
    from harnessos.commands.table import handler

    behind = harness(getattr(args, "store", None), command=command.words.replace(" ", "."))
    try:
        code: int = handler(command)(Call(args, behind, Output(json=bool(getattr(args, "json", False))))) or 0
        sys.stdout.flush()
        return code
    finally:
        behind.close()
