"""Q10: supervised runs of an agent that does nothing, over the same git commands and processes run bare, four at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import commands
from bench.commands import Repository, plan_of
from bench.git_floor import Recorded, record, replay
from bench.measure import Sample, exponent, sample
from bench.report import Bench, Result, Target

if TYPE_CHECKING:
    from pathlib import Path

SLOTS = 4
LIMIT_MS = 40.0
AGENT = "true"
_WORKFLOW = f"""---
agent:
  max_concurrent_agents: {SLOTS}
harness:
  require_gates: false
  runner:
    kind: command
    command: ["{AGENT}"]
---
Do {{{{ issue.title }}}}.
"""


def run(bench: Bench) -> Result:
    """Record what git is asked in one run, then compare `harness up --until-idle` with its like."""
    commands.compile_source()
    recorded = _record(bench)
    rows, overs, costs, data = [], Sample(0, 0, 0), [], {}
    sizes = bench.pick((50, 200, 1_000), (2, 4, 8))
    for size in sizes:
        rounds = 1 if bench.quick else max(1, min(bench.rounds, 200 // size))
        ours: list[float] = []
        bare: list[float] = []
        for number in range(rounds):
            place = bench.place / f"{size}-{number}"
            for side in ("up", "bare") if number % 2 == 0 else ("bare", "up"):
                if side == "up":
                    ours.append(_up(place / "up", size) / size)
                else:
                    bare.append(replay(place / "bare", recorded, size, SLOTS) / size)
        overs = sample([(one - other) * 1000 for one, other in zip(ours, bare, strict=True)])
        costs.append(sample(ours).median)
        data[str(size)] = {"up": ours, "bare": bare}
        shown = [f"{sample([one * 1000 for one in list_]).median:.0f}" for list_ in (ours, bare)]
        rows.append((f"{size} runs", *shown, overs.show(0), str(rounds)))
    return Result(
        "Q10",
        f"runs of an agent that does nothing, through {SLOTS} slots; milliseconds a run",
        ("", "harness up", "bare", "over bare", "rounds"),
        rows,
        [Target(f"over bare at {sizes[-1]} runs", overs, LIMIT_MS, most=True, unit=" ms")],
        [
            f"one run asks git {len(recorded.commands)} times: {_summary(recorded)}",
            f"time of one run grows with their number by exponent {exponent(sizes, costs):.2f}",
            "the bare side starts the same git commands and the agent, from a thread a slot, and asserts their exit codes",
        ],
        {"exponent": exponent(sizes, costs), "seconds": data, "git": len(recorded.commands)},
    )


def _repository(place: Path, size: int) -> Repository:
    repository = Repository(place)
    repository.unlimited()
    if size:
        repository.plan(plan_of(size))
    (repository.folder / "WORKFLOW.md").write_text(_WORKFLOW, encoding="utf-8")
    commands.call(("git", "add", "WORKFLOW.md"), repository.folder, repository.env)
    commands.call(("git", "commit", "-q", "-m", "workflow"), repository.folder, repository.env)
    repository.harness("project", "trust", "BENCH")
    return repository


def _record(bench: Bench) -> Recorded:
    """Return what one run asks of git: what a supervisor with one issue asks, less what one without any asks."""
    none = record(_repository(bench.place / "none", 0), bench.place / "none.log")
    one = record(_repository(bench.place / "one", 1), bench.place / "one.log")
    for command in none.commands:
        like = next((c for c in one.commands if c.shape == command.shape), None)
        if like is not None:
            one.commands.remove(like)
    return one


def _up(place: Path, size: int) -> float:
    repository = _repository(place, size)
    usage = repository.harness("up", "--until-idle", "--json")
    done = repository.json("issue", "list", "--status", "done", "--limit", "1")["items"]
    assert done, usage.output.decode(errors="replace")[-2000:]
    return usage.wall


def _summary(recorded: Recorded) -> str:
    counted: dict[str, int] = {}
    for command in recorded.commands:
        counted[command.verb] = counted.get(command.verb, 0) + 1
    return ", ".join(f"{verb} {count}" for verb, count in sorted(counted.items(), key=lambda pair: -pair[1]))
