"""The `file` gate: a file exists, has a size, fits a schema, contains what it must (work without a test command)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from harnessos import processes
from harnessos.errors import RunnerProblem
from harnessos.gates import patterns
from harnessos.gates.contained import Unreadable, open_regular
from harnessos.model.jsonschema import value_problems

if TYPE_CHECKING:
    from harnessos.gates.ground import Ground
    from harnessos.model.gate import Gate
    from harnessos.model.verdict import GateResult

CONTENT_LIMIT = 10 * 2**20
SEARCH_SECONDS = 10


def run(gate: Gate, ground: Ground) -> GateResult:
    """Look at one file of the checkout; links are followed as long as they stay inside."""
    path = gate.path or ""
    try:
        handle = open_regular(ground.checkout, path)
    except Unreadable as refused:
        return ground.answer(gate, str(refused), "")
    with os.fdopen(handle, "rb") as stream:
        size = os.fstat(handle).st_size
        problem = _size_problem(gate, size)
        if not problem and (gate.schema is not None or gate.patterns):
            content = stream.read(CONTENT_LIMIT + 1)
            if len(content) > CONTENT_LIMIT:
                problem = f"{path} is larger than the {CONTENT_LIMIT // 2**20} MB that can be searched"
        else:
            content = b""
    if not problem and gate.schema is not None:
        problem = _schema_problem(gate, content)
    if problem or not gate.patterns:
        return ground.answer(gate, problem, f"{path} has {size:,} bytes")
    return _search(gate, ground, content)


def _size_problem(gate: Gate, size: int) -> str:
    if size < gate.min_size:
        return f"{gate.path} has {size:,} bytes, at least {gate.min_size:,} are wanted"
    if gate.max_size is not None and size > gate.max_size:
        return f"{gate.path} has {size:,} bytes, at most {gate.max_size:,} are allowed"
    return ""


def _schema_problem(gate: Gate, content: bytes) -> str:
    assert gate.schema is not None
    try:
        value = json.loads(content, parse_constant=_no_constant)
        found = value_problems(value, gate.schema, "$")
    except (ValueError, RecursionError) as broken:  # not UTF-8, not JSON, NaN, or nested beyond reason
        return f"{gate.path} is no JSON: {broken}"
    return f"{gate.path} does not fit its schema: {'; '.join(found)}" if found else ""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _search(gate: Gate, ground: Ground, content: bytes) -> GateResult:
    """Count in a process of its own: a pattern can take for ever on a text made for it, and cannot be interrupted."""
    request = {"patterns": [pattern.regex for pattern in gate.patterns], "text": content.decode("utf-8", "replace")}
    try:
        finished = processes.run(
            [sys.executable, "-I", str(Path(patterns.__file__).resolve())],
            cwd=ground.checkout,
            env={},
            timeout=SEARCH_SECONDS,
            stdin=json.dumps(request).encode(),
            stop=ground.stop,
            run_id=ground.run_id,
        )
    except RunnerProblem as missing:
        return ground.could_not_run(gate, f"the search could not be started: {missing}")
    if finished.ended_by is processes.EndedBy.TIMEOUT:
        return ground.answer(gate, f"searching {gate.path} took longer than {SEARCH_SECONDS} s and was killed", "")
    if finished.ended_by is not processes.EndedBy.EXIT or finished.exit_code != 0:
        return ground.could_not_run(gate, f"the search in {gate.path} did not end well")
    counts = json.loads(finished.output)
    return ground.answer(gate, _count_problem(gate, counts), f"{gate.path} contains what it must")


def _count_problem(gate: Gate, counts: list[int]) -> str:
    for pattern, count in zip(gate.patterns, counts, strict=True):
        found = f"{gate.path} contains /{pattern.regex}/ {count} times"
        if count < pattern.min_count:
            return f"{found}, at least {pattern.min_count} are wanted"
        if pattern.max_count is not None and count > pattern.max_count:
            return f"{found}, at most {pattern.max_count} are allowed"
    return ""
