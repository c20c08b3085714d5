"""Q8: searching the stream log of a workspace, over grep on the same log in the same rounds."""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bench import commands
from bench.commands import ROOT, call
from bench.measure import Spent, cpus, exponent, interleave, ratio, sample, walls
from bench.report import Bench, Result, Target
from harnessos.memory import rotation, stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.measure import Sample

LIMIT, MEGABYTES = 2.0, 50.0
BLOCK = 10 << 20
START = 1_767_225_600_000
PLANTED = "quota exhausted"
"""On the oldest line only."""
WORDS = [
    "fetched",
    "articles",
    "from",
    "api",
    "took",
    "retry",
    "page",
    "report",
    "validated",
    "wrote",
    "summary",
    "cache",
    "warm",
    "limit",
    "wait",
    "source",
    "author",
    "field",
    "record",
    "updated",
    "queue",
    "worker",
    "finished",
    "step",
    "parsed",
    "html",
    "json",
    "token",
]


class Asked(NamedTuple):
    """A search: what for, and how."""

    name: str
    query: str
    case: bool
    judged: bool
    """Whether the target is about it."""

    @property
    def grep(self) -> str:
        """Return the same search for grep, whose fastest locale it gets."""
        return f"LC_ALL=C grep -F{'' if self.case else ' -i'} '{self.query}'"


ASKED = (
    Asked("nowhere, either case", "timeout", case=False, judged=True),  # the founding document's query
    Asked("nowhere, exact", "timeout", case=True, judged=True),
    Asked("two words nowhere, either case", "timeout reached", case=False, judged=True),
    Asked("oldest line, either case", PLANTED, case=False, judged=True),
    Asked("oldest line, exact", PLANTED, case=True, judged=True),
    Asked("newest 20, either case", "articles", case=False, judged=True),
    Asked("a letter the log has not, exact", "zz", case=True, judged=False),
)


def run(bench: Bench) -> Result:
    """Search a live log of three sizes, and the largest rotated into pieces of 10 MB."""
    commands.compile_source()
    megabytes = bench.pick((50, 150, 500), (1, 2, 4))
    block = _block(min(BLOCK, megabytes[0] << 20))
    rows: list[tuple[str, ...]] = []
    data: dict[str, dict[str, list[float]]] = {}
    targets = []
    costs: dict[str, list[float]] = {asked.name: [] for asked in ASKED}
    peak: list[float] = []
    for size in megabytes:
        workspace = _live(bench.place / f"live-{size}", block, size << 20)
        log = workspace / stream.LOG
        for asked in ASKED:
            spent = _sides(bench.rounds, workspace, asked, f"{asked.grep} '{log}' | tail -n 20")
            costs[asked.name].append(sample(walls(spent["search"])).median)
            share = _row(rows, data, f"{size} MB live: {asked.name}", spent)
            if size == megabytes[-1] and asked.judged:
                targets.append(Target(f"{size} MB live, {asked.name}", share, LIMIT, most=True, unit="x"))
        peak.append(_peak(workspace))
        shutil.rmtree(workspace)
    workspace = _rotated(bench.place / "rotated", block, megabytes[-1] << 20)
    everything = f"(gzip -dc '{workspace / rotation.ARCHIVE}'/*.gz; cat '{workspace / stream.LOG}')"
    for asked in ASKED[:2]:
        spent = _sides(bench.rounds, workspace, asked, f"{everything} | {asked.grep} | tail -n 20")
        share = _row(rows, data, f"{megabytes[-1]} MB rotated: {asked.name}", spent)
        targets.append(
            Target(f"{megabytes[-1]} MB rotated, over gzip -dc | grep, {asked.name}", share, LIMIT, most=True, unit="x")
        )
    peak.append(_peak(workspace))
    targets.append(Target("memory, largest of all sizes", sample([max(peak)]), MEGABYTES, most=True, unit=" MB"))
    notes = [
        *(f"{name}: grows with the log by exponent {exponent(megabytes, cost):.2f}" for name, cost in costs.items()),
        "whole processes, start-up of Python included; grep in its fastest locale, warm cache",
        "rotated logs are compressed: the floor there decompresses them too; no search of compressed text keeps up with grep on plain text",
    ]
    return Result(
        "Q8",
        "search in the stream log of a workspace, over `grep -F | tail` on the same log",
        ("", "seconds", "grep s", "times grep", "times its CPU"),
        rows,
        targets,
        notes,
        {"seconds": data, "megabytes": peak},
    )


def _sides(rounds: int, workspace: Path, asked: Asked, floor: str) -> dict[str, list[Spent]]:
    words = (
        sys.executable,
        "-m",
        "bench.memory_search",
        str(workspace),
        asked.query,
        *(["case"] if asked.case else []),
    )
    env = {**commands.environment(workspace), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}

    def timed(command: tuple[str, ...]) -> Spent:
        return call(command, workspace, env).spent

    sides: dict[str, Callable[[], Spent]] = {
        "search": partial(timed, words),
        "grep": partial(timed, ("sh", "-c", floor)),
    }
    for side in sides.values():
        side()  # warms the cache
    return interleave(rounds, sides)


def _row(
    rows: list[tuple[str, ...]], data: dict[str, dict[str, list[float]]], name: str, spent: dict[str, list[Spent]]
) -> Sample:
    found, floor = walls(spent["search"]), walls(spent["grep"])
    share = ratio(found, floor)
    work = ratio(cpus(spent["search"]), cpus(spent["grep"]))
    rows.append((name, sample(found).show(3), sample(floor).show(3), share.show(), work.show()))
    data[name] = {"search": found, "grep": floor, "search cpu": cpus(spent["search"]), "grep cpu": cpus(spent["grep"])}
    return share


def _peak(workspace: Path) -> float:
    """Return the largest resident size of a search that reads everything, in megabytes."""
    env = {**commands.environment(workspace), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    program = (sys.executable, "-m", "bench.memory_search", workspace, PLANTED)
    usage = call((sys.executable, "-S", ROOT / "bench" / "small_parent.py", *program), workspace, env)
    told = json.loads(usage.output.splitlines()[-1])
    return float(told["megabytes"])


def _block(size: int) -> bytes:
    """Return about so many bytes of records of usual length."""
    lines, total, number = [], 0, 0
    while total < size:
        number += 1
        words = " ".join(WORDS[(number * step) % len(WORDS)] for step in (1, 7, 11, 13, 17, 19, 23, 29))
        level = stream.LEVELS[0 if number % 10 else number // 10 % 4]
        line = stream.line(
            START + number * 700, level, f"{number % 7}.{number % 5}", f"{words} {number * 7919 % 1_000_003}"
        )
        lines.append(line)
        total += len(line)
    return b"".join(lines)


def _live(workspace: Path, block: bytes, size: int) -> Path:
    (workspace / "logs").mkdir(parents=True)
    with (workspace / stream.LOG).open("wb") as log:
        log.write(stream.line(START, "ERROR", "1", PLANTED))
        for _ in range(size // len(block)):
            log.write(block)
    return workspace


def _rotated(workspace: Path, block: bytes, size: int) -> Path:
    """Return a workspace with as many bytes in logs of 10 MB, all but the newest compressed by the rotation."""
    _live(workspace, block, len(block))
    first = rotation.rotate(workspace, 0, START)
    assert first is not None, "it was large enough"
    for number in range(2, size // len(block)):
        shutil.copyfile(first, first.with_name(f"{rotation.next_name(first.parent, START + number)}.gz"))
    (workspace / stream.LOG).write_bytes(block)
    return workspace
