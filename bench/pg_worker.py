"""One of several processes that live in one ledger: says it is ready, waits for a line, works, prints when it began and ended."""

from __future__ import annotations

import json
import sys
import time

from bench import ledgers
from harnessos.store.opening import open_store


def main(url: str, number: int) -> None:
    """Live `number` lives after one to warm up."""
    store = open_store(url)
    project = ledgers.project_of(store)["id"]
    ledgers.lifecycle(store, project)
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.monotonic()
    ledgers.lifecycles(store, project, number)
    print(json.dumps([begun, time.monotonic()]), flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
