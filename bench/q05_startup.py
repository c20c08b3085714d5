"""Q5: what a command costs over starting Python at all, with compiled byte code."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING

from bench import commands, scripts
from bench.commands import Repository
from bench.measure import Spent, exponent, interleave, ratio, sample, walls
from bench.report import Bench, Result, Target

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = {
    "session heartbeat": 3.0,
    "memory stream": 3.0,
    "next": 6.0,
    "status": 6.0,
    "session begin": 6.0,
    "--help": 2.0,
}
AIM_HEARTBEAT = 2.3
STEP = {"title": "Do", "what": "do", "completion": "it is done", "failure": "say so"}
ROUNDS = 15


def run(bench: Bench) -> Result:
    """Measure each command in ledgers of three sizes; the targets are about all of them together, as none may cost more in a larger ledger."""
    commands.compile_source()
    sizes = bench.pick((200, 5_000, 100_000), (10, 20, 40))
    rounds = bench.rounds if bench.quick else ROUNDS
    rows, data = [], {}
    medians: dict[str, list[float]] = {name: [] for name in LIMITS}
    shares: dict[str, list[float]] = {name: [] for name in LIMITS}
    for size in sizes:
        repository = Repository(bench.place / str(size))
        repository.unlimited()
        repository.plan(commands.plan_of(size))
        spent = interleave(rounds, _sides(repository))
        data[str(size)] = {name: walls(list_) for name, list_ in spent.items()}
        bare = walls(spent["python"])
        rows.append((f"{size} issues: python -c pass", f"{sample(bare).show(4)}", "1.00", ""))
        for name, limit in LIMITS.items():
            share = ratio(walls(spent[name]), bare)
            middle = sample(walls(spent[name]))
            medians[name].append(middle.median)
            shares[name] += [one / other for one, other in zip(walls(spent[name]), bare, strict=True)]
            rows.append((f"{size} issues: harness {name}", middle.show(4), share.show(), f"{limit:g}"))
    costs = scripts.measure(bench.place / "scripts", rounds)
    rows += [
        (
            f"a script over its command, {cost.who}",
            sample(cost.seconds["script"]).show(4),
            cost.over.show(),
            f"{scripts.LIMIT:g}",
        )
        for cost in costs
    ]
    return Result(
        "Q5",
        "start-up of a command over `python -c pass` of the same environment",
        ("", "seconds", "times python", "at most"),
        rows,
        [
            *(
                Target(f"harness {name}", sample(shares[name]), limit, most=True, unit="x")
                for name, limit in LIMITS.items()
            ),
            *(Target(f"script, {cost.who}", cost.over, scripts.LIMIT, most=True, unit="x") for cost in costs),
        ],
        [
            *(f"{name}: grows with the ledger by exponent {exponent(sizes, medians[name]):.2f}" for name in LIMITS),
            f"aim for session heartbeat and memory stream: {AIM_HEARTBEAT}x",
        ],
        {
            "exponents": {name: exponent(sizes, medians[name]) for name in LIMITS},
            "seconds": data,
            "scripts": {cost.who: cost.seconds for cost in costs},
        },
    )


def _mission(repository: Repository) -> str:
    """Make a mission with a live run in the repository's ledger; return its workspace."""
    place = repository.folder / "ws"
    conditions = [{"id": "C1", "condition": "it is there", "checks": [{"kind": "file", "path": "output/x"}]}]
    spec = {"name": "bench", "objective": "measure", "conditions": conditions, "steps": [STEP]}
    file = repository.folder / "mission.json"
    file.write_text(json.dumps(spec))
    repository.harness("mission", "new", "--from", str(file), "--workspace", str(place))
    repository.harness("mission", "start", str(place))
    return str(place)


def _sides(repository: Repository) -> dict[str, Callable[[], Spent]]:
    token = repository.json("session", "begin", "--project", "BENCH")["session"]["token"]
    workspace = _mission(repository)
    words = {
        "memory stream": ("memory", "stream", workspace, "--step", "2.3", "--event", "Fetched 50 articles, took 12 s"),
        "session heartbeat": ("session", "heartbeat", "--session", token),
        "next": ("next", "--project", "BENCH"),
        "status": ("status", "--project", "BENCH"),
        "session begin": ("session", "begin", "--project", "BENCH"),
        "--help": ("--help",),
    }

    def python() -> Spent:
        return commands.call((sys.executable, "-c", "pass"), repository.folder, repository.env).spent

    def harness(name: str) -> Spent:
        return repository.harness(*words[name]).spent

    return {"python": python, **{name: partial(harness, name) for name in words}}
