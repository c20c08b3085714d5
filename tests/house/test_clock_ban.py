"""Time and chance come in through ports.py; only the loop and the process watcher wait."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.python import SOURCE

ALLOWED = ("ports.py", "services/loop.py", "processes.py", "processes/")
MODULES = {"time", "random", "secrets"}
CALLS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("asyncio", "sleep"),
    ("os", "urandom"), ("uuid", "uuid1"), ("uuid", "uuid4"),
}  # fmt: skip


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _breaches(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of each use of a clock or of chance."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names if alias.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                for alias in names:
                    if module in MODULES or (module, alias.name) in CALLS:
                        yield node.lineno, f"{module}.{alias.name}"
            case ast.Attribute(value=value, attr=attribute) if (_last_name(value), attribute) in CALLS:
                yield node.lineno, f"{_last_name(value)}.{attribute}"


def _allowed(path: Path) -> bool:
    name = path.relative_to(SOURCE).as_posix()
    return any(name == place or (place.endswith("/") and name.startswith(place)) for place in ALLOWED)


def test_no_clock_sleep_or_chance_outside_its_place() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line} {name}"
        for path in sorted(SOURCE.rglob("*.py"))
        if not _allowed(path)
        for line, name in _breaches(ast.parse(path.read_bytes(), str(path)))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import sleep",
        "import random",
        "from os import urandom",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime as when, date\ndate.today()",
        "import asyncio\nasync def f(): await asyncio.sleep(1)",
        "import uuid\nuuid.uuid4()",
    ],
)
def test_a_breach_is_seen(source: str) -> None:
    assert list(_breaches(ast.parse(source)))


def test_a_clock_that_was_passed_in_is_no_breach() -> None:
    assert list(_breaches(ast.parse("def f(clock, tx): return clock.now(), clock.monotonic(), tx.now"))) == []
