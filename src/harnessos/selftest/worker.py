"""A worker process of the self-test: `python -m harnessos.selftest.worker open|claim|work URL [PROJECT START]`."""

from __future__ import annotations

import os
import signal
import sys
import threading

from harnessos.kernel.claims import Claimed
from harnessos.ports import SystemClock
from harnessos.selftest import work
from harnessos.store.opening import create_store, open_store


def say(word: str) -> None:
    """Put a word on record: one write, which outlives this process."""
    os.write(1, f"{word}\n".encode())


def _wait_until(start: str) -> None:
    """Wait for the instant at which all begin (milliseconds since the epoch)."""
    threading.Event().wait(max(0, int(start) - SystemClock().now()) / 1000)


def opening(url: str, start: str) -> None:
    """Make the ledger at the same moment as all others."""
    _wait_until(start)
    say("made" if create_store(url) else "found")
    open_store(url).close()


def claiming(url: str, project: str, start: str) -> None:
    """Claim until nothing is left."""
    store = open_store(url)
    store.read(lambda tx: tx.now)
    _wait_until(start)
    while isinstance(got := work.claim(store, project), Claimed):
        say(got.issue["identifier"])
    store.close()


def working(url: str, project: str) -> None:
    """Work until killed; a polite request to end is not heard, so that the end is kill -9."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    store = open_store(url)
    row = store.read(lambda tx: tx.one("project_by_id", id=project))
    assert row is not None
    while True:
        if not work.live(store, project, say):
            work.add(store, row, 5)


def main(words: list[str]) -> None:
    """Do what the words say."""
    match words:
        case ["open", url, start]:
            opening(url, start)
        case ["claim", url, project, start]:
            claiming(url, project, start)
        case ["work", url, project]:
            working(url, project)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
