"""Q3: what a claim costs while 100,000 ready issues ask for hosts that this one is not."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from bench import crowds, ledgers
from bench.measure import exponent, percentile, ratio, sample
from bench.report import Bench, Result, Target
from harnessos.kernel import claims
from harnessos.kernel.claims import Claimed, ClaimRequest
from harnessos.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.store.transaction import Store

LIMIT = 1.5
CALLERS = {"no capability": (), "another capability": ("other",)}


def run(bench: Bench) -> Result:
    """Compare claims that find nothing, and claims that find the one issue for this host, with those in an empty queue."""
    crowd = 100 if bench.quick else 100_000
    each = 20 if bench.quick else 400
    stores = {"empty queue": _store(bench, "empty", 0, 0)}
    for lanes in (1, 10, 100):
        stores[f"{crowd:,} unroutable, {lanes} lanes"] = _store(bench, f"lanes-{lanes}", crowd, lanes)
    sizes = [1_000, 10_000] if not bench.quick else [10, 50]
    for size in sizes:
        stores[f"{size:,} unroutable, 1 lanes"] = _store(bench, f"size-{size}", size, 1)
    rows, targets, data = [], [], {}
    p99s: dict[tuple[str, str], list[float]] = {}
    for caller, capabilities in CALLERS.items():
        spent = _measure(bench.rounds, each, stores, capabilities)
        for name, rounds in spent.items():
            p99s[caller, name] = [percentile(one, 0.99) for one in rounds]
            data[f"{caller}, {name}"] = {"p50": [percentile(one, 0.5) for one in rounds], "p99": p99s[caller, name]}
            over = ratio(p99s[caller, name], p99s[caller, "empty queue"])
            middle = ratio(
                [percentile(one, 0.5) for one in rounds], [percentile(one, 0.5) for one in spent["empty queue"]]
            )
            rows.append((f"{caller}: {name}", *_milliseconds(rounds), middle.show(), over.show()))
            if name == f"{crowd:,} unroutable, 1 lanes":
                targets.append(
                    Target(f"p99 over an empty queue at one lane, {caller}", over, LIMIT, most=True, unit="x")
                )
    ordered = [f"{size:,} unroutable, 1 lanes" for size in (*sizes, crowd)]
    growth = exponent([*sizes, crowd], [sample(p99s["another capability", name]).median for name in ordered])
    for store in stores.values():
        store.close()
    return Result(
        "Q3",
        "claims that find nothing for this host",
        ("", "p50 ms", "p99 ms", "p50 over empty", "p99 over empty"),
        rows,
        targets,
        [
            f"cost grows with the unroutable issues by exponent {growth:.2f}",
            "claims of all ledgers take turns one by one; more lanes are more heads to look at, for a host with any capability",
        ],
        {"exponent": growth, "seconds": data},
    )


def _store(bench: Bench, name: str, crowd: int, lanes: int) -> Store:
    if crowd:
        path = crowds.taken(crowds.crowded(bench.cache, crowd, lanes=lanes), bench.place / f"{name}.sqlite")
    else:
        path = bench.place / f"{name}.sqlite"
        ledgers.make(ledgers.address(path), 1)
    store = open_store(ledgers.address(path))
    # The planned issue itself is for everybody: it is done first, and what is left is for others.
    ledgers.lifecycle(store, ledgers.project_of(store)["id"])
    return store


def _measure(
    rounds: int, each: int, stores: dict[str, Store], capabilities: tuple[str, ...]
) -> dict[str, list[list[float]]]:
    """Return the seconds of every claim, by ledger and round; the ledgers take turns claim by claim."""
    claim = {name: _claimer(store, capabilities) for name, store in stores.items()}
    spent: dict[str, list[list[float]]] = {name: [] for name in stores}
    for _ in range(rounds):
        for made in spent.values():
            made.append([])
        for _ in range(each):
            for name, once in claim.items():
                begun = time.perf_counter()
                once()
                spent[name][-1].append(time.perf_counter() - begun)
    return spent


def _claimer(store: Store, capabilities: tuple[str, ...]) -> Callable[[], None]:
    token = hashlib.sha256(b"q3").hexdigest()
    request = ClaimRequest(ledgers.project_of(store)["id"], ledgers.HOLDER, token, "agent", capabilities=capabilities)

    def once() -> None:
        got = store.write(claims.claim, request, ledgers.BY)
        assert not isinstance(got, Claimed), got

    for _ in range(10):
        once()
    return once


def _milliseconds(rounds: list[list[float]]) -> tuple[str, str]:
    return tuple(sample([percentile(one, share) * 1000 for one in rounds]).show(3) for share in (0.5, 0.99))  # type: ignore[return-value]  # two shares
