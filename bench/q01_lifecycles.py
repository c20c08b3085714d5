"""Q1: lifecycles a second on SQLite, durable, against the same rows written by hand."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bench import floor, ledgers
from bench.measure import Sample, Spent, cpus, exponent, interleave, ratio, sample, timed, walls
from bench.report import Bench, Result, Target
from harnessos.store.opening import open_store
from harnessos.store.sqlite import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEAST = 0.5
AIM = 0.7
_SPARE = 3


def run(bench: Bench) -> Result:
    """Measure at three sizes of the plan; the target is about 200 issues."""
    sizes = bench.pick((50, 200, 800), (4, 8, 16))
    rows, costs, data = [], [], {}
    target = Sample(0, 0, 0)
    for size in sizes:
        spent = interleave(bench.rounds, sides(bench.place, size))
        share = ratio(walls(spent["floor"]), walls(spent["product"]))
        rows.append(row(f"{size} issues", spent, share))
        costs.append(sample(walls(spent["product"])).median)
        data[str(size)] = {name: {"wall": walls(list_), "cpu": cpus(list_)} for name, list_ in spent.items()}
        if size == (8 if bench.quick else 200):
            target = share
    growth = exponent(sizes, costs)
    return Result(
        "Q1",
        "lifecycles on SQLite, synchronous=FULL (claim, checkpoint, verdict; three commits)",
        COLUMNS,
        rows,
        [Target("share of the floor at 200 issues", target, LEAST, most=False)],
        [
            f"cost of one lifecycle grows with the size of the plan by exponent {growth:.2f}; aim {AIM} of the floor",
            CPU,
        ],
        {"exponent": growth, "seconds": data},
    )


COLUMNS = ("", "product /s", "floor /s", "share of floor", "product CPU ms", "floor CPU ms", "CPU share")
CPU = "CPU is the process's own, without the waiting for the disk: what a faster disk would leave"


def row(label: str, spent: dict[str, list[Spent]], share: Sample) -> tuple[str, ...]:
    """Return a line of the table that Q1, Q2 and Q4 share."""
    product, bare = spent["product"], spent["floor"]
    return (
        label,
        sample([1 / one for one in walls(product)]).show(0),
        sample([1 / one for one in walls(bare)]).show(0),
        share.show(),
        f"{sample(cpus(product)).median * 1000:.3f}",
        f"{sample(cpus(bare)).median * 1000:.3f}",
        f"{ratio(cpus(bare), cpus(product)).median:.2f}",
    )


def sides(place: Path, size: int) -> dict[str, Callable[[], Spent]]:
    """Return the product's round and the floor's: each lives `size` lives in a fresh copy of one ledger."""
    template = place / f"template-{size}.sqlite"
    ledgers.make(ledgers.address(template), size + _SPARE)
    recording = floor.record(copy(template, place / "record.sqlite"))
    floor.check(copy(template, place / "check.sqlite"), recording)
    issues = floor.ready_issues(template, size + 1)
    lives = [floor.script(recording, issue, number) for number, issue in enumerate(issues[1:], start=1)]

    def product() -> Spent:
        store = open_store(ledgers.address(copy(template, place / "product.sqlite")))
        project = ledgers.project_of(store)["id"]
        ledgers.lifecycles(store, project, 1)
        spent = timed(lambda: ledgers.lifecycles(store, project, size), size)
        store.close()
        return spent

    def bare() -> Spent:
        connection = connect(copy(template, place / "floor.sqlite"))
        floor.play(connection, [floor.script(recording, issues[0], 0)])
        spent = timed(lambda: floor.play(connection, lives), size)
        connection.close()
        return spent

    return {"product": product, "floor": bare}


def copy(template: Path, to: Path) -> Path:
    """Copy a ledger over an earlier copy."""
    for suffix in ("-wal", "-shm"):
        to.with_name(to.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(template, to)
    return to
