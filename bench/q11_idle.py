"""Q11: what a supervisor costs that has nothing to do, beside a ledger full of issues it cannot take."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from bench import commands, crowds, ledgers
from bench.commands import ROOT, Repository
from bench.measure import Sample, exponent, sample
from bench.report import Bench, Result, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARE, MEGABYTES, TICK_MS = 1.0, 100.0, 50.0
SECONDS = 60
WARM_UP = 5
_WORKFLOW = """---
harness:
  serves:
    capabilities: [other]
  runner:
    kind: command
    command: ["true"]
---
Do {{ issue.title }}.
"""


class Idle(NamedTuple):
    """CPU as a percentage of one core, the largest resident size in megabytes, and what each tick took, in seconds."""

    share: float
    megabytes: float
    ticks: list[float]


def run(bench: Bench) -> Result:
    """Watch a supervisor for a minute on ledgers of three sizes, none of whose issues can be routed to it."""
    commands.compile_source()
    seconds = 2 if bench.quick else SECONDS
    rows, ticks, data = [], [], {}
    sizes = bench.pick((10_000, 100_000, 1_000_000), (10, 50, 100))
    last = Idle(0, 0, [])
    for size in sizes:
        repository, ledger = _repository(bench, size)
        ours, bare = _watch(repository, seconds, ledger)
        ticks.append(max(ours.ticks))
        data[str(size)] = {"up": ours._asdict(), "floor": bare._asdict()}
        rows.append(
            (
                f"{size:,} issues",
                f"{ours.share:.2f} %",
                f"{bare.share:.2f} %",
                f"{ours.megabytes:.0f} MB",
                f"{bare.megabytes:.0f} MB",
                f"{ours.ticks[0] * 1000:.1f} ms",
                f"{sample(ours.ticks[1:]).median * 1000:.1f} ms",
                f"{max(ours.ticks[1:]) * 1000:.1f} ms",
            )
        )
        last = ours
        for suffix in ("", "-wal", "-shm"):
            ledger.with_name(ledger.name + suffix).unlink(missing_ok=True)
    return Result(
        "Q11",
        f"an idle supervisor for {seconds} s; the issues are ready and ask for a capability it has not",
        ("", "CPU", "floor CPU", "memory", "floor memory", "first tick", "tick", "longest tick"),
        rows,
        [
            Target(f"share of a core, {sizes[-1]:,} issues", Sample(last.share, 0, 1), SHARE, most=True, unit=" %"),
            Target(f"memory, {sizes[-1]:,} issues", Sample(last.megabytes, 0, 1), MEGABYTES, most=True, unit=" MB"),
            Target(
                f"longest tick, {sizes[-1]:,} issues",
                Sample(max(last.ticks[1:]) * 1000, 0, 1),
                TICK_MS,
                most=True,
                unit=" ms",
            ),
        ],
        [
            f"the longest tick grows with the issues by exponent {exponent(sizes, ticks):.2f}; the first one loads what is needed",
            f"both sides run at the same time; measured after {WARM_UP} s; the floor looks at the ledger once a second and does nothing",
        ],
        {"exponent": exponent(sizes, ticks), "measured": data},
    )


def _repository(bench: Bench, size: int) -> tuple[Repository, Path]:
    """Return a repository whose project is the one of the crowded ledger."""
    template, ledger = crowds.registered(bench, size, lanes=1)
    (template.folder / "WORKFLOW.md").write_text(_WORKFLOW, encoding="utf-8")
    template.harness("project", "trust", ledgers.KEY)
    # The one issue that anybody may have must not be left for the supervisor.
    template.harness("issue", "cancel", f"{ledgers.KEY}-1")
    return template, ledger


def _watch(repository: Repository, seconds: float, ledger: Path) -> tuple[Idle, Idle]:
    file = repository.folder.parent / "ticks.json"
    env = {**repository.env, "PYTHONPATH": str(ROOT)}
    ours = _start(("bench.idle_up", file, "up", "--project", ledgers.KEY, "--json"), repository.folder, env)
    bare = _start(("bench.idle_floor", ledger), repository.folder, env)
    try:
        time.sleep(1 if seconds < WARM_UP else WARM_UP)
        before = [_cpu(ours), _cpu(bare)]
        time.sleep(seconds)
        after = [_cpu(ours), _cpu(bare)]
        sizes = [_peak(ours), _peak(bare)]
    finally:
        for child, number in ((ours, signal.SIGTERM), (bare, signal.SIGKILL)):
            child.send_signal(number)
            child.wait(60)
    shares = [(late - early) / seconds * 100 for early, late in zip(before, after, strict=True)]
    ticks: list[float] = json.loads(file.read_text(encoding="utf-8"))
    return Idle(shares[0], sizes[0], ticks), Idle(shares[1], sizes[1], [])


def _start(words: Sequence[str | Path], cwd: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    with (cwd.parent / f"{words[0]}.log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", *map(str, words)], cwd=cwd, env=env, stdout=log, stderr=log)


def _cpu(child: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(child.pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _peak(child: subprocess.Popen[bytes]) -> float:
    """Return the largest resident size so far, from the kernel's own record."""
    for line in Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return psutil.Process(child.pid).memory_info().rss / (1 << 20)
