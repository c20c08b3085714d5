"""`python -m bench.memory_search WORKSPACE QUERY [case]`: the search of the memory as a whole process, without a ledger."""

from __future__ import annotations

import sys

from harnessos.memory.search import search


def main(workspace: str, query: str, *more: str) -> None:
    """Print the hits as the log has them."""
    for hit in search(workspace, query, case="case" in more):
        print(hit.at, hit.level, hit.step, hit.text)


if __name__ == "__main__":
    main(*sys.argv[1:])
