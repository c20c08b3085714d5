"""The benchmarks run: tiny sizes, one round, nothing is said about speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.postgres import require_server
from tests.support.python import run_python

ALONE = ("Q1", "Q2", "Q3", "Q5", "Q7", "Q8", "Q9", "Q10", "Q11")


def _measured(tmp_path: Path, *names: str) -> list[str]:
    """Run the benchmarks at their smallest; return the names of those that measured something at three sizes or more."""
    file = tmp_path / "figures.json"
    answer = run_python("-m", "bench", *names, "--quick", "--rounds", "1", "--json", str(file), within=110)
    assert answer.returncode == 0, answer.stderr
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    return [one["name"] for one in results if one["targets"] and len(one["table"]) >= 3] or [answer.stderr]


@pytest.mark.parametrize("name", ALONE)
def test_a_benchmark_measures_at_three_sizes(name: str, tmp_path: Path) -> None:
    assert _measured(tmp_path, name) == [name]


@pytest.mark.postgres
def test_the_benchmark_of_postgres_measures_at_three_sizes(tmp_path: Path) -> None:
    require_server()
    assert _measured(tmp_path, "Q4") == ["Q4"]


def test_an_unknown_benchmark_is_refused_by_name() -> None:
    answer = run_python("-m", "bench", "Q99")
    assert answer.returncode == 2
    assert "there is no benchmark Q99" in answer.stderr
