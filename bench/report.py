"""What a benchmark hands back, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.measure import Sample


class Target(NamedTuple):
    """One thing that must be reached: `most` says that less is better."""

    what: str
    measured: Sample
    limit: float
    most: bool
    unit: str = ""

    @property
    def verdict(self) -> str:
        """Return reached, missed or inconclusive; clear results stay clear however noisy the rounds were."""
        low, high = (self.measured.median * (1 - side * self.measured.spread) for side in (1, -1))
        sure = high <= self.limit if self.most else low >= self.limit
        hopeless = low > self.limit if self.most else high < self.limit
        if self.measured.inconclusive and not sure and not hopeless:
            return "inconclusive"
        value = self.measured.median
        return "reached" if (value <= self.limit if self.most else value >= self.limit) else "missed"


class Result(NamedTuple):
    """A benchmark's table, its targets, remarks, and everything measured (Any: JSON values)."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target]
    notes: Sequence[str]
    data: dict[str, Any]


class Bench(NamedTuple):
    """How much a run does, and where it may write."""

    place: Path
    cache: Path
    quick: bool
    rounds: int

    def pick(self, full: Sequence[int], quick: Sequence[int]) -> list[int]:
        """Return the sizes of this run."""
        return list(quick if self.quick else full)


def table(result: Result) -> str:
    """Return the result for a terminal."""
    head = [f"{result.name}  {result.title}"]
    rows = [list(result.columns), *[list(row) for row in result.rows]]
    widths = [max(len(row[place]) for row in rows) for place in range(len(result.columns))]
    for row in rows:
        cells = [
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        head.append("  " + "  ".join(cells).rstrip())
    for target in result.targets:
        sign = "at most" if target.most else "at least"
        head.append(
            f"  {target.verdict:12} {target.what}: {target.measured.show()}{target.unit}, {sign} {target.limit:g}{target.unit}"
        )
    head += [f"  note: {note}" for note in result.notes]
    return "\n".join(head)


def document(results: Sequence[Result], bench: Bench) -> dict[str, Any]:
    """Return everything measured as one JSON document. Any: JSON values."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "quick": bench.quick,
        "rounds": bench.rounds,
        "machine": {
            "cores": os.cpu_count(),
            "load": os.getloadavg(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "results": [_one(result) for result in results],
    }


def _one(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "title": result.title,
        "targets": [
            {**target._asdict(), "measured": target.measured._asdict(), "verdict": target.verdict}
            for target in result.targets
        ],
        "table": [dict(zip(result.columns, row, strict=True)) for row in result.rows],
        "notes": list(result.notes),
        "data": result.data,
    }


def write(path: Path, results: Sequence[Result], bench: Bench) -> None:
    """Write the JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(results, bench), indent=1) + "\n", encoding="utf-8")
