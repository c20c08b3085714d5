"""Every command that is documented is typed by a test of its own kind: as a process, to its end (P24)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harnessos.cli.table import everything
from tests.support.python import ROOT

_HEADING = re.compile(r"^## ([a-z_ -]+)$", re.MULTILINE)
_AT_FIRST = 4


def _documented() -> list[str]:
    return _HEADING.findall((ROOT / "docs" / "cli-reference.md").read_text(encoding="utf-8"))


def _typed() -> set[str]:
    """Return every beginning of a command line in the integration tests: of a call's words, or of a list of words."""
    found = set()
    for file in (ROOT / "tests" / "integration").glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for words in _lines(node):
                found |= {" ".join(words[:count]) for count in range(1, min(len(words), _AT_FIRST) + 1)}
    return found


def _lines(node: ast.AST) -> Iterator[list[str]]:
    """Return a call's or a list's words from its start, those after `harnessos`, and a text of several words."""
    match node:
        case ast.Call(args=items) | ast.List(elts=items) | ast.Tuple(elts=items):
            yield list(_constants(items))
            named = [place for place, item in enumerate(items) if _word(item) == "harnessos"]
            yield list(_constants(items[named[0] + 1 :] if named else []))
        case ast.Constant(value=str(text)) if " " in text:
            yield text.removeprefix("harness ").split()
        case _:
            return


def _constants(items: list[ast.expr]) -> Iterator[str]:
    for item in items:
        word = _word(item)
        if word is None:
            return
        yield word


def _word(item: ast.expr) -> str | None:
    return item.value if isinstance(item, ast.Constant) and isinstance(item.value, str) else None


def test_every_documented_command_has_an_end_to_end_test() -> None:
    typed = _typed()
    assert [name for name in _documented() if name not in typed] == []


def test_every_command_is_documented() -> None:
    assert sorted(_documented()) == sorted(command.words for command in everything())


def test_words_that_nobody_types_are_seen() -> None:
    assert "session begin" in _typed()
    assert "session undo" not in _typed()
