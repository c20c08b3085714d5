"""Q2: 200 lifecycles in ledgers with 10,000 and 1,000,000 ready issues, against a ledger that has no more than those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import crowds, floor, ledgers
from bench.measure import Spent, cpus, exponent, interleave, ratio, sample, timed, walls
from bench.q01_lifecycles import COLUMNS, CPU, copy, row, sides
from bench.report import Bench, Result, Target
from harnessos.store.opening import open_store
from harnessos.store.sqlite import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = 1.25


def run(bench: Bench) -> Result:
    """Take turns between the small ledger and the large ones; the large ones go on where the last round ended."""
    lives = 4 if bench.quick else 200
    small, *large = bench.pick((lives, 10_000, 1_000_000), (lives, 50, 100))
    every = {f"{name}/{small}": side for name, side in sides(bench.place, small).items()}
    for size in large:
        every |= {f"{name}/{size}": side for name, side in _endless(bench, size, lives).items()}
    spent = interleave(bench.rounds, every)
    rows, targets, costs, data = [], [], [], {}
    for size in (small, *large):
        pair = {name: spent[f"{name}/{size}"] for name in ("product", "floor")}
        rows.append(row(f"{size:,} ready", pair, ratio(walls(pair["floor"]), walls(pair["product"]))))
        costs.append(sample(cpus(pair["product"])).median)
        data[str(size)] = {name: {"wall": walls(list_), "cpu": cpus(list_)} for name, list_ in pair.items()}
        if size != small:
            over = ratio(walls(pair["product"]), walls(spent[f"product/{small}"]))
            targets.append(Target(f"{size:,} ready over {small} ready", over, LIMIT, most=True, unit="x"))
            own = ratio(cpus(pair["product"]), cpus(spent[f"product/{small}"]))
            bare = ratio(walls(pair["floor"]), walls(spent[f"floor/{small}"]))
            data[str(size)] |= {"cpu_over_small": own._asdict(), "floor_over_small": bare._asdict()}
            rows.append(
                (f"  over {small} ready", f"CPU {own.show()}", f"floor {bare.show()}", *[""] * (len(COLUMNS) - 3))
            )
    return Result(
        "Q2",
        f"{lives} lifecycles at a time in large ledgers",
        COLUMNS,
        rows,
        targets,
        [f"CPU of one lifecycle grows with the ready issues by exponent {exponent((small, *large), costs):.2f}", CPU],
        {"exponent": exponent((small, *large), costs), "seconds": data},
    )


def _endless(bench: Bench, size: int, lives: int) -> dict[str, Callable[[], Spent]]:
    template = crowds.crowded(bench.cache, size)
    recording = floor.record(copy(template, bench.place / f"product-{size}.sqlite"))
    store = open_store(ledgers.address(bench.place / f"product-{size}.sqlite"))
    project = ledgers.project_of(store)["id"]
    path: Path = crowds.taken(template, bench.place / f"floor-{size}.sqlite")
    issues = iter(floor.ready_issues(path, lives * (bench.rounds + 1)))
    connection = connect(path)
    number = iter(range(1, 10**9))

    def product() -> Spent:
        return timed(lambda: ledgers.lifecycles(store, project, lives), lives)

    def bare() -> Spent:
        scripts = [floor.script(recording, next(issues), next(number)) for _ in range(lives)]
        return timed(lambda: floor.play(connection, scripts), lives)

    product(), bare()  # the first pages come from the disk
    return {"product": product, "floor": bare}
