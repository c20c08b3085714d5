"""A random walk through the kernel beside a small model of it: plans, claims, ends, operators, clocks, crashes.

A walk is a list of operations that name their targets by number, so any part of it can be done again. When ledger and
model differ, the walk is shortened as long as they still differ, and printed with its seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from harnessos.store.opening import sqlite_path
from tests.support import invariants
from tests.support.scale import SCALE, seeded
from tests.support.walks import Op, Walk, random_op

WALK = 100
EMPTY = "TRUNCATE projects, events, caps, budgets, holds, breakers, locks CASCADE"


class Place:
    """Where walks happen: a file that is made anew for each, or a database that is emptied."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = sqlite_path(url)
        self._server = None if self._path else psycopg.connect(url, autocommit=True)
        self._file: apsw.Connection | None = None
        if self._path is not None:
            shutil.copy(self._path, self._path.with_name("empty.sqlite"))

    def empty(self) -> None:
        """Make it a new ledger."""
        if self._server is not None:
            self._server.execute(EMPTY)
            return
        assert self._path is not None
        if self._file is not None:
            self._file.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        shutil.copy(self._path.with_name("empty.sqlite"), self._path)
        self._file = apsw.Connection(str(self._path))

    def look(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows. Any: columns."""
        if self._server is not None:
            return list(self._server.execute(query.encode()).fetchall())
        assert self._file is not None
        return list(self._file.execute(query).fetchall())

    def close(self) -> None:
        """Close what it reads with."""
        if self._server is not None:
            self._server.close()
        if self._file is not None:
            self._file.close()


def walk(place: Place, ops: list[Op]) -> tuple[int, str] | None:
    """Do the operations; return where ledger and model first differ or a rule is broken, and how. None: nowhere."""
    place.empty()
    steps = Walk(place.url)
    try:
        for number, op in enumerate(ops):
            try:
                steps.step(op)
            except Exception as problem:  # noqa: BLE001 # whatever it is, it ends the walk and is reported
                return number, f"{type(problem).__name__}: {problem}"
            problems = steps.differs(place.look)
            if problems is None:
                problems = "; ".join(invariants.broken_rules(invariants.tables(place.url)))
            if problems:
                return number, problems
        return None
    finally:
        steps.close()


def shortest(place: Place, ops: list[Op]) -> list[Op]:
    """Leave out what the failure does not need."""
    size = len(ops) // 2
    while size:
        for start in range(len(ops) - size, -1, -size):
            rest = ops[:start] + ops[start + size :]
            failure = walk(place, rest)
            if failure is not None:
                ops = rest[: failure[0] + 1]
        size //= 2
    return ops


@pytest.fixture
def place(url: str) -> Iterator[Place]:
    """A ledger that can be emptied."""
    made = Place(url)
    yield made
    made.close()


@pytest.mark.scales
def test_random_walks_agree_with_the_reference_model(place: Place) -> None:
    steps = SCALE.sqlite_steps if sqlite_path(place.url) else SCALE.postgres_steps
    for seed in range(steps // WALK):
        chance = seeded(seed)
        ops = [random_op(chance) for _ in range(WALK)]
        failure = walk(place, ops)
        if failure is not None:
            short = shortest(place, ops[: failure[0] + 1])
            history = "\n".join(f"  {op}," for op in short)
            last = walk(place, short)
            pytest.fail(f"seed {seed}, operation {failure[0]}: {failure[1]}\nshortest history: {last}\n{history}")
