"""Q9: how long and how large a dream becomes with the log, and with the number of steps that fail."""

from __future__ import annotations

import json
import random
import sys
from typing import TYPE_CHECKING

from bench import commands
from bench.commands import ROOT, call, environment
from bench.measure import exponent, ratio, sample
from bench.report import Bench, Result, Target
from harnessos.memory.stream import LOG
from harnessos.model.instants import DAY_MS, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SECONDS, MEGABYTES = 1.0, 50.0
NOW = 1_767_312_000_000
DAYS = 30
_LEVELS = ("INFO",) * 7 + ("ERROR", "WARN", "SUCCESS")
_MESSAGES = (
    "Fetched %d articles from the API in %d ms",
    "Rate limit hit, waiting %ds before request %d",
    "Validation failed for record %d: missing field 'author' (%d)",
    "Saved the report to /srv/data/out/%d/part-%d.json",
)
_MOST_ROUNDS = 5
_STEPS_LINES = 200_000


def run(bench: Bench) -> Result:
    """Measure logs of 30 days in three sizes, then logs in which ever more steps fail within the day that is read."""
    commands.compile_source()
    rounds = min(bench.rounds, _MOST_ROUNDS)
    rows: list[tuple[str, ...]] = []
    data: dict[str, dict[str, list[float]]] = {}
    sizes = bench.pick((10, 100, 500), (1, 2, 4))
    times = []
    for megabytes in sizes:
        workspace = _workspace(bench.place / f"log-{megabytes}", megabytes << 20, steps=40, days=DAYS)
        name = f"{megabytes} MB, {DAYS} days"
        data[name] = _measure(rounds, bench.place, workspace, DAY_MS)
        times.append(sample(data[name]["seconds"]).median)
        rows.append(_row(name, data[name]))
        (workspace / LOG).unlink()
    largest = data[f"{sizes[-1]} MB, {DAYS} days"]
    counts = bench.pick((400, 4_000, 40_000), (10, 20, 40))
    by_steps = []
    for steps in counts:
        lines = _STEPS_LINES if not bench.quick else 2_000
        workspace = _workspace(bench.place / f"steps-{steps}", lines * 100, steps=steps, days=1)
        name = f"{lines:,} lines of a day, {steps:,} steps"
        data[name] = _measure(rounds, bench.place, workspace, DAY_MS)
        by_steps.append(sample(data[name]["seconds"]).median)
        rows.append(_row(name, data[name]))
        (workspace / LOG).unlink()
    return Result(
        "Q9",
        "a dream's analysis and plan (whole process), beside `grep -c` over the same log in the same round",
        ("", "seconds", "grep s", "times grep", "python s", "MB"),
        rows,
        [
            Target(f"{sizes[-1]} MB: seconds", sample(largest["seconds"]), SECONDS, most=True, unit=" s"),
            Target(f"{sizes[-1]} MB: memory", sample(largest["megabytes"]), MEGABYTES, most=True, unit=" MB"),
        ],
        [
            f"time grows with the log by exponent {exponent(sizes, times):.2f}",
            f"time grows with the number of steps, at equal lines, by exponent {exponent(counts, by_steps):.2f}",
            "`python s` is `python -c pass`, which is part of `seconds`; 10 % of the lines are ERROR, 10 % WARN, 10 % SUCCESS",
        ],
        {"measured": data},
    )


def _workspace(folder: Path, size: int, *, steps: int, days: int) -> Path:
    """Make a workspace with a log of about `size` bytes, its lines spread evenly over the days before NOW."""
    log = folder / LOG
    log.parent.mkdir(parents=True)
    chance = random.Random(steps)
    average = 100
    number = size // average
    span = days * DAY_MS
    with log.open("w", encoding="utf-8") as file:
        for start in range(0, number, 50_000):
            file.writelines(
                f"[{stamp(NOW - span + span * place // number)}] [{chance.choice(_LEVELS)}] "
                f"[Step: {chance.randrange(steps)}.1] "
                f"{chance.choice(_MESSAGES) % (chance.randrange(100_000), chance.randrange(1_000))}\n"
                for place in range(start, min(start + 50_000, number))
            )
    return folder


def _measure(rounds: int, place: Path, workspace: Path, lookback: int) -> dict[str, list[float]]:
    """Return seconds and megabytes of the dream, and the seconds of `grep -c` and of a bare interpreter."""
    got: dict[str, list[float]] = {"seconds": [], "megabytes": [], "grep": [], "python": []}
    dream = (sys.executable, "-m", "bench.dream_once", str(workspace), str(NOW), str(lookback))
    grep = ("grep", "-c", r"\] \[\(ERROR\|WARN\|SUCCESS\)\] \[Step: ", str(workspace / LOG))
    _used(place, grep)  # both read from the page cache
    for _ in range(rounds):
        used = _used(place, dream)
        got["seconds"].append(used["wall"])
        got["megabytes"].append(used["megabytes"])
        got["grep"].append(_used(place, grep)["wall"])
        got["python"].append(_used(place, (sys.executable, "-c", "pass"))["wall"])
    return got


def _used(place: Path, words: Sequence[str]) -> dict[str, float]:
    env = {**environment(place / "home"), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "LC_ALL": "C"}
    usage = call((sys.executable, "-S", ROOT / "bench" / "small_parent.py", *words), place, env)
    told = usage.output.decode(errors="replace").splitlines()
    used: dict[str, float] = json.loads(told[-1])
    if used["code"]:
        raise RuntimeError(f"{' '.join(words)} ended with {used['code']}: {' '.join(told[:-1])[-500:]}")
    return used


def _row(name: str, got: dict[str, list[float]]) -> tuple[str, ...]:
    return (
        name,
        sample(got["seconds"]).show(3),
        sample(got["grep"]).show(3),
        ratio(got["seconds"], got["grep"]).show(),
        sample(got["python"]).show(3),
        f"{sample(got['megabytes']).median:.0f}",
    )
