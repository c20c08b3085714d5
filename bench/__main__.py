"""`python -m bench [Q1 Q4 ...] [--quick] [--json FILE]`: measure, print a table each, write a JSON file. Never fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path

from bench import report
from bench.report import Bench, Result

RESULTS = Path(__file__).resolve().parent / "results"
BENCHMARKS = {
    "Q1": "q01_lifecycles",
    "Q2": "q02_large_ledgers",
    "Q3": "q03_unroutable",
    "Q4": "q04_postgres",
    "Q5": "q05_startup",
    "Q6": "q06_mcp",
    "Q7": "q07_import",
    "Q8": "q08_search",
    "Q9": "q09_dream",
    "Q10": "q10_supervised_runs",
    "Q11": "q11_idle",
}
ROUNDS = 9


def main(words: list[str] | None = None) -> int:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that the benchmarks work")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    parser.add_argument("--rounds", type=int, help=f"rounds of each measurement (default {ROUNDS})")
    args = parser.parse_args(words)
    names = [name.upper() for name in args.names] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    _run(names, args.json, quick=args.quick, rounds=args.rounds or (2 if args.quick else ROUNDS))
    return 0


def _run(names: list[str], file: Path | None, *, quick: bool, rounds: int) -> None:
    results: list[Result] = []
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for name in names:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name.lower()}-", ignore_cleanup_errors=True) as folder:
            bench = Bench(Path(folder), Path(folder) / "cache" if quick else RESULTS / "cache", quick, rounds)
            try:
                results.append(import_module(f"bench.{BENCHMARKS[name]}").run(bench))
            except Exception as problem:  # noqa: BLE001  # one broken benchmark must not keep the others from running
                traceback.print_exc()
                results.append(Result(name, f"did not run: {problem!r}", (), (), (), (), {}))
            print(report.table(results[-1]), end="\n\n", flush=True)
    path = file or RESULTS / f"{at}-{'-'.join(names)}.json"
    report.write(path, results, bench)
    print(f"figures: {path}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
