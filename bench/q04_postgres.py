"""Q4: lifecycles a second on PostgreSQL on this machine, fsync on, against the same rows by bare psycopg; 8 processes together."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, cast

import psycopg
from tests.support.postgres import Cluster

from bench import floor, ledgers
from bench.commands import ROOT
from bench.measure import Sample, Spent, cpus, exponent, interleave, ratio, sample, timed, walls
from bench.q01_lifecycles import COLUMNS, CPU, copy, row
from bench.report import Bench, Result, Target
from harnessos.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.floor import Step

LEAST = 0.5
CREW = 8
MARK = "%s"


def run(bench: Bench) -> Result:
    """Measure one process at three sizes, then 1, 2, 4 and 8 processes on one ledger."""
    sizes = bench.pick((25, 100, 400), (4, 8, 16))
    rows, costs, data = [], [], {}
    target = Sample(0, 0, 0)
    with Cluster(fsync=not bench.quick) as cluster:
        cluster.start()
        for size in sizes:
            spent = interleave(bench.rounds, _sides(bench, cluster, size))
            share = ratio(walls(spent["floor"]), walls(spent["product"]))
            target = share if size == sizes[1] else target
            rows.append(row(f"{size} issues", spent, share))
            costs.append(sample(walls(spent["product"])).median)
            data[str(size)] = {name: {"wall": walls(list_), "cpu": cpus(list_)} for name, list_ in spent.items()}
        together, crews = _crews(bench, cluster)
        version = _version(cluster.url())
    for crew, rates in crews.items():
        rows.append((f"{crew} processes", sample(rates).show(0), *[""] * (len(COLUMNS) - 2)))
    return Result(
        "Q4",
        f"lifecycles on PostgreSQL {version}, fsync and synchronous_commit on, Unix socket",
        COLUMNS,
        rows,
        [
            Target(f"share of the floor at {sizes[1]} issues", target, LEAST, most=False),
            Target(f"{max(crews)} processes over 1", together, 1.0, most=False, unit="x"),
        ],
        [
            f"cost of one lifecycle grows with the size of the plan by exponent {exponent(sizes, costs):.2f}",
            f"cost grows with the number of processes by exponent {_crew_exponent(crews):.2f} (0: as many lifecycles in all)",
            CPU,
        ],
        {
            "exponent": exponent(sizes, costs),
            "seconds": data,
            "together": {str(crew): rates for crew, rates in crews.items()},
        },
    )


def _version(url: str) -> str:
    with psycopg.connect(url) as connection:
        return str(connection.info.server_version // 10_000)


def _sides(bench: Bench, cluster: Cluster, size: int) -> dict[str, Callable[[], Spent]]:
    template = _template(cluster, size + 1)
    twin = bench.place / f"twin-{size}.sqlite"
    ledgers.make(ledgers.address(twin), size + 3)
    recording = floor.record(copy(twin, bench.place / "record.sqlite"))
    issues = floor.ready_issues(twin, size + 1)
    lives = [floor.script(recording, issue, number, MARK) for number, issue in enumerate(issues)]
    _check(cluster, template, lives[0])

    def product() -> Spent:
        url = cluster.create("product", template=template)
        store = open_store(url)
        project = ledgers.project_of(store)["id"]
        ledgers.lifecycles(store, project, 1)
        spent = timed(lambda: ledgers.lifecycles(store, project, size), size)
        store.close()
        cluster.drop("product")
        return spent

    def bare() -> Spent:
        url = cluster.create("bare", template=template)
        with psycopg.connect(url, autocommit=True) as connection:
            play(connection, lives[:1])
            spent = timed(lambda: play(connection, lives[1:]), size)
        cluster.drop("bare")
        return spent

    return {"product": product, "floor": bare}


def _template(cluster: Cluster, ready: int) -> str:
    name = f"ready_{ready}"
    ledgers.make(cluster.create(name), ready)
    with psycopg.connect(cluster.url(name), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return name


def play(connection: psycopg.Connection, lives: Sequence[list[Step]]) -> None:
    """Write the rows of these lives, one transaction after the other, each statement prepared once."""
    for steps in lives:
        for step in steps:
            connection.execute("BEGIN")
            for statement, values in step:
                connection.execute(statement.encode(), values, prepare=True)
            connection.execute("COMMIT")


def _check(cluster: Cluster, template: str, life: list[Step]) -> None:
    """Insist that the floor leaves as many rows in every table as the product does."""
    left = []
    for name in ("product", "bare"):
        url = cluster.create(name, template=template)
        if name == "product":
            store = open_store(url)
            ledgers.lifecycle(store, ledgers.project_of(store)["id"])
            store.close()
        else:
            with psycopg.connect(url, autocommit=True) as connection:
                play(connection, [life])
        with psycopg.connect(url) as connection:
            tables = [
                one for (one,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ]
            # The product opened the day's budget, which the floor finds open.
            kept = sorted(set(tables) - {"budgets"})
            left.append(
                {table: connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in kept}
            )
        cluster.drop(name)
    assert left[0] == left[1], f"the floor leaves other rows: {left}"


def _crews(bench: Bench, cluster: Cluster) -> tuple[Sample, dict[int, list[float]]]:
    """Return 8 processes' rate over one's, and the lifecycles a second of every crew, round by round."""
    each = 8 if bench.quick else 160
    sizes = [1, 2] if bench.quick else [1, 2, 4, CREW]
    template = _template(cluster, each + CREW)
    rates: dict[int, list[float]] = {crew: [] for crew in sizes}
    for number in range(bench.rounds):
        for crew in sizes if number % 2 else sizes[::-1]:
            url = cluster.create("crew", template=template)
            rates[crew].append(_together(url, crew, each // crew))
            cluster.drop("crew")
    return ratio(rates[sizes[-1]], rates[1]), rates


def _together(url: str, crew: int, each: int) -> float:
    """Return how many lifecycles a second a crew of processes lives together in one ledger."""
    words = [sys.executable, "-m", "bench.pg_worker", url, str(each)]
    workers = [
        subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        for _ in range(crew)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    spans = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        told, _ = worker.communicate(timeout=600)
        spans.append(cast("list[float]", json.loads(told)))
    return crew * each / (max(end for _, end in spans) - min(begun for begun, _ in spans))


def _crew_exponent(crews: dict[int, list[float]]) -> float:
    return exponent(list(crews), [1 / sample(rates).median for rates in crews.values()])
