"""Files and functions stay small enough to read in one go."""

from __future__ import annotations

import ast

from tests.support.python import SOURCE

MOST_LINES = 400
AIM = 150
MOST_FUNCTION_LINES = 60


def test_no_source_file_is_longer_than_400_lines() -> None:
    lengths = {
        path.relative_to(SOURCE).as_posix(): path.read_bytes().count(b"\n")
        for pattern in ("*.py", "*.sql")
        for path in SOURCE.rglob(pattern)
    }
    long = sorted((length, name) for name, length in lengths.items() if AIM < length <= MOST_LINES)
    for length, name in long:
        print(f"{length:4} {name} (files aim at {AIM})")  # noqa: T201 shown by pytest -s, for information
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    """Counted from `def` to the last line, with its docstring, without decorators."""
    too_long = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MOST_FUNCTION_LINES:
                    too_long[f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"] = length
    assert too_long == {}
