"""Q7: how long and how large `harness plan apply` becomes on large plans."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from bench import commands, ledgers
from bench.commands import HARNESS, ROOT, Repository, call, plan_of
from bench.measure import exponent, ratio, sample
from bench.q01_lifecycles import copy
from bench.report import Bench, Result, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SECONDS, MEGABYTES = 10.0, 300.0
FORMS = ("json", "toml", "chain", "yaml")
MEASURES = ("wall", "cpu", "megabytes")
MOST_ROUNDS = 3
"""The largest plan takes ten seconds each time."""
_LARGE = 10_000


def run(bench: Bench) -> Result:
    """Import JSON, TOML, a chain, and YAML; then files that must be refused for their size."""
    commands.compile_source()
    repository = Repository(bench.place)
    empty = bench.place / "empty.sqlite"
    ledger = bench.place / "ledger.sqlite"
    ledgers.fold(repository.store)
    empty.write_bytes(ledger.read_bytes())
    one = bench.place / "one.sqlite"
    ledgers.make(ledgers.address(one), 1)
    rows, targets, notes, data = [], [], [], {}
    for form in FORMS:
        sizes = bench.pick((1_000, 10_000, 100_000) if form != "yaml" else (1_000, 4_000, 16_000), (10, 20, 40))
        times = []
        for size in sizes:
            file = _write(bench.place, form, size)
            rounds = min(bench.rounds, MOST_ROUNDS) if size >= _LARGE else bench.rounds
            got = _measure(rounds, repository, file, (empty, ledger), one)
            data[f"{form} {size}"] = got
            times.append(sample(got["product"]["wall"]).median)
            rows.append(_row(form, size, got))
            if size == sizes[-1] and form != "yaml":
                targets.append(
                    Target(f"{form}, {size:,}: seconds", sample(got["product"]["wall"]), SECONDS, most=True, unit=" s")
                )
                targets.append(
                    Target(
                        f"{form}, {size:,}: memory",
                        sample(got["product"]["megabytes"]),
                        MEGABYTES,
                        most=True,
                        unit=" MB",
                    )
                )
        notes.append(f"{form}: time grows with the size by exponent {exponent(sizes, times):.2f}")
    notes += _refusals(bench, repository)
    notes.append(f"{MOST_ROUNDS} rounds from {_LARGE:,} issues on; whole processes, start-up included")
    return Result(
        "Q7",
        "import of plans (`harness plan apply`), over the plain parser and the same rows by bare driver (no floor for YAML)",
        ("", "seconds", "floor s", "times floor", "CPU s", "floor CPU s", "MB", "floor MB"),
        rows,
        targets,
        notes,
        {"measured": data},
    )


def _write(place: Path, form: str, size: int) -> Path:
    document = plan_of(size, chain=form == "chain")
    file = place / f"{form}-{size}.{'json' if form == 'chain' else form}"
    file.write_text({"toml": _toml, "yaml": _yaml}.get(form, json.dumps)(document), encoding="utf-8")
    return file


def _toml(document: dict[str, Any]) -> str:
    """Return the plan as TOML. Any: a plan."""
    (milestone,) = document["milestones"]
    lines = [f'plan_key = "{document["plan_key"]}"', "[[milestones]]"]
    lines += [f"{name} = {json.dumps(milestone[name])}" for name in ("milestone_key", "description")]
    for issue in milestone["issues"]:
        lines.append("[[milestones.issues]]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in issue.items()]
    return "\n".join(lines) + "\n"


def _yaml(document: dict[str, Any]) -> str:
    """Return the plan as YAML. Any: a plan."""
    (milestone,) = document["milestones"]
    lines = [f"plan_key: {document['plan_key']}", "milestones:"]
    lines += [
        f"- milestone_key: {milestone['milestone_key']}",
        f"  description: {milestone['description']}",
        "  issues:",
    ]
    for issue in milestone["issues"]:
        lines += [f"{'  - ' if name == 'key' else '    '}{name}: {value}" for name, value in issue.items()]
    return "\n".join(lines) + "\n"


def _measure(
    rounds: int, repository: Repository, file: Path, ledger: tuple[Path, Path], one: Path
) -> dict[str, dict[str, list[float]]]:
    """Return seconds and megabytes of the product and of the floor, each beginning with a ledger without the plan."""
    got: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        copy(*ledger)
        _note(got, "product", _run(repository, (str(HARNESS), "plan", "apply", str(file), "--json")))
        if file.suffix == ".yaml":
            continue
        path = copy(one, one.with_name("floor.sqlite"))
        _note(got, "floor", _run(repository, (sys.executable, "-m", "bench.import_floor", str(path), str(file))))
    return got


def _note(got: dict[str, dict[str, list[float]]], side: str, used: dict[str, float]) -> None:
    for name in MEASURES:
        got.setdefault(side, {}).setdefault(name, []).append(used[name])


def _run(repository: Repository, words: Sequence[str]) -> dict[str, float]:
    env = {**repository.env, "PYTHONPATH": str(ROOT)}
    usage = call((sys.executable, "-S", ROOT / "bench" / "small_parent.py", *words), repository.folder, env)
    told = usage.output.decode(errors="replace").splitlines()
    used: dict[str, float] = json.loads(told[-1])
    if used["code"]:
        raise RuntimeError(f"{' '.join(words)} ended with {used['code']}: {' '.join(told[:-1])[-500:]}")
    return used


def _row(form: str, size: int, got: dict[str, dict[str, list[float]]]) -> tuple[str, ...]:
    product, bare = got["product"], got.get("floor")
    return (
        f"{form}, {size:,} issues",
        sample(product["wall"]).show(),
        sample(bare["wall"]).show() if bare else "",
        ratio(product["wall"], bare["wall"]).show() if bare else "",
        f"{sample(product['cpu']).median:.2f}",
        f"{sample(bare['cpu']).median:.2f}" if bare else "",
        f"{sample(product['megabytes']).median:.0f}",
        f"{sample(bare['megabytes']).median:.0f}" if bare else "",
    )


def _refusals(bench: Bench, repository: Repository) -> list[str]:
    """Return how files over the limits were refused."""
    notes = []
    for name, megabytes in (("large.yaml", 33), ("huge.json", 257)):
        file = bench.place / name
        with file.open("wb") as handle:
            handle.truncate(megabytes << 20)
        usage = repository.harness("plan", "apply", file, check=False)
        said = " ".join(usage.output.decode(errors="replace").replace(str(bench.place), "").split())
        notes.append(
            f"{megabytes} MB of {file.suffix[1:]}: exit {usage.code} after {usage.wall:.2f} s, {usage.megabytes:.0f} MB: {said}"
        )
        file.unlink()
    return notes
