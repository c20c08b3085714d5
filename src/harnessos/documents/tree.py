"""The tree every parser returns: dicts, lists, text, numbers, booleans and None, with lines where YAML knows them."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_DEPTH = 100
MAX_CONTAINERS = 10_000_000
MAX_PROBLEMS = 10_000


class Marked(dict[str, object]):
    """A mapping that knows the lines (from 1) of itself and of its keys, in their order."""

    __slots__ = ("key_lines", "line")

    line: int
    key_lines: dict[str, int]


class Doubled(dict[str, object]):
    """A JSON object in which a key stood more than once; the tree check refuses it with its path."""

    __slots__ = ("names",)

    names: list[str]


class Problem(NamedTuple):
    """What is wrong, where in the document (`milestones[2].issues[0].priority`, empty for the whole) and in which line."""

    where: str
    sentence: str
    line: int | None = None

    def describe(self, file: str) -> str:
        """Return `file:line: where: sentence`, without the parts that are not known."""
        place = file if self.line is None else f"{file}:{self.line}"
        return f"{place}: {self.where}: {self.sentence}" if self.where else f"{place}: {self.sentence}"


class Loaded(NamedTuple):
    """A parsed document; with problems the tree is not to be used."""

    tree: object
    problems: list[Problem]


def join(where: str, key: object) -> str:
    """Return the path of an entry of `where`: `.name` or `[index]`."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    return f"{where}.{key}" if where else str(key)


def line_of(tree: object, where: str) -> int | None:
    """Return the line of the deepest part of the path `where` whose line is known."""
    found = tree.line if isinstance(tree, Marked) else None
    node = tree
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", where):
        if name and isinstance(node, dict):
            if isinstance(node, Marked):
                found = node.key_lines.get(name, found)
            node = node.get(name)
        elif index and isinstance(node, list) and int(index) < len(node):
            node = node[int(index)]
        else:
            return found
        if isinstance(node, Marked) and index:
            found = node.line
    return found


def split_problem(tree: object, text: str) -> Problem:
    """Turn `path: sentence`, as the model's readers write it, into a Problem with its line."""
    where, colon, sentence = text.partition(": ")
    return Problem(where, sentence, line_of(tree, where)) if colon else Problem("", text)


def check_tree(tree: object) -> list[Problem]:
    """Find what no document may hold: doubled keys, NUL, half characters, infinite numbers, too deep nesting.

    Dates of TOML become their ISO text in place. Walks without recursion, so depth is no danger here.
    """
    problems: list[Problem] = []
    pending: list[tuple[object, str, int]] = [(tree, "", 1)]
    if not isinstance(tree, dict | list):
        _check_value(tree, "", "", problems)
    while pending and len(problems) < MAX_PROBLEMS:
        node, where, depth = pending.pop()
        if depth > MAX_DEPTH:
            problems.append(Problem(where[:200], f"is nested deeper than {MAX_DEPTH} levels"))
            continue
        if isinstance(node, dict):
            _check_keys(node, where, problems)
        for key, value in _entries(node):
            if type(value) is str:
                if "\0" in value or not value.isascii():
                    _check_value(value, where, key, problems)
            elif isinstance(value, dict | list):
                if value:
                    pending.append((value, join(where, key), depth + 1))
            elif isinstance(value, dt.date | dt.time):
                # The key is there already, so the walk over its owner is not disturbed.
                node[key] = value.isoformat()  # type: ignore[index]  # the dict or list of this key
            elif type(value) is float:
                _check_value(value, where, key, problems)
    return problems


def _entries(node: object) -> Iterable[tuple[object, object]]:
    if isinstance(node, dict):
        return node.items()
    return enumerate(node) if isinstance(node, list) else ()


def _check_keys(node: dict[str, object], where: str, problems: list[Problem]) -> None:
    if isinstance(node, Doubled):
        problems += [Problem(join(where, name), "this key stands here more than once") for name in node.names]
    for key in node:
        if "\0" in key or not key.isascii():
            complaint = _text_problem(key)
            if complaint:
                problems.append(Problem(where, f"a key {complaint}"))


def _check_value(value: object, where: str, key: object, problems: list[Problem]) -> None:
    complaint = ""
    if isinstance(value, str):
        if "\0" in value or not value.isascii():
            complaint = _text_problem(value)
    elif isinstance(value, float) and not math.isfinite(value):
        complaint = "must be a finite number"
    if complaint:
        problems.append(Problem(join(where, key), complaint))


def _text_problem(text: str) -> str:
    if "\0" in text:
        return "holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return ""
