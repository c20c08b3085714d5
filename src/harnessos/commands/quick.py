"""Reading plain words without argparse, whose import and set-up cost more than a heartbeat.

Whatever is not plain (an option with `=`, an abbreviation, a wrong or missing word, --help) is left to argparse, which
also has all the words for it. A test holds the two against each other.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harnessos.commands.arguments import EVERYWHERE

if TYPE_CHECKING:
    from harnessos.commands.arguments import Argument, Command

_KNOWN = {"action", "choices", "const", "default", "help", "metavar", "nargs", "required", "type"}


def read(command: Command, words: list[str]) -> SimpleNamespace | None:
    """Return the namespace argparse would return, or None when argparse should have a look."""
    arguments = (*command.arguments, *EVERYWHERE)
    if any(not argument.options.keys() <= _KNOWN for argument in arguments):
        return None
    options = {argument.names[0]: argument for argument in arguments if argument.names[0].startswith("-")}
    values: dict[str, Any] = {dest(argument): default(argument) for argument in arguments}
    free, seen = [], set()
    left = iter(words)
    for word in left:
        if word == "-" or not word.startswith("-"):
            free.append(word)
            continue
        option = options.get(word)
        if option is None:
            return None
        seen.add(word)
        if not _take(option, values, left):
            return None
    missing = any(argument.options.get("required") and name not in seen for name, argument in options.items())
    plain = [argument for argument in arguments if not argument.names[0].startswith("-")]
    if missing or not _place(plain, free, values):
        return None
    return SimpleNamespace(**values)


def dest(argument: Argument) -> str:
    """Return the attribute an argument is read from."""
    return argument.names[0].lstrip("-").replace("-", "_")


def default(argument: Argument) -> Any:
    """Return what the attribute is without the argument. Any: the table says which type."""
    action = argument.options.get("action")
    if action == "store_true":
        return False
    return [] if action == "append" else argument.options.get("default")


def _take(option: Argument, values: dict[str, Any], left: Any) -> bool:
    """Read an option's value from the words that are left (an iterator). False: leave it to argparse."""
    action, name = option.options.get("action"), dest(option)
    if action == "store_true":
        values[name] = True
        return True
    word = next(left, None)
    if word is None or (word.startswith("-") and word != "-") or option.options.get("nargs"):
        return False
    value = _value(option, word)
    if action == "append":
        values[name].append(value)
    else:
        values[name] = value
    return action in (None, "append") and value is not None


def _place(plain: list[Argument], free: list[str], values: dict[str, Any]) -> bool:
    """Give the free words to the arguments without a dash, in order. False: leave it to argparse."""
    for argument in plain:
        nargs = argument.options.get("nargs")
        if nargs not in (None, "?"):
            return False
        if free:
            values[dest(argument)] = _value(argument, free.pop(0))
            if values[dest(argument)] is None:
                return False
        elif nargs is None:
            return False
    return not free


def _value(argument: Argument, word: str) -> Any:
    """Return the word as its argument's type, None when it is not one. Any: the table says which."""
    kind, choices = argument.options.get("type"), argument.options.get("choices")
    try:
        value = kind(word) if kind else word
    except ValueError:
        return None
    return value if choices is None or value in choices else None
