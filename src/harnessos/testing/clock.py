"""A clock that a test moves."""

from __future__ import annotations

from threading import Lock

# 2026-01-05 09:00:00 UTC, a Monday: no edge of a day, week, month or year is near by accident.
START = 1_767_603_600_000


class FakeClock:
    """A harnessos.ports.Clock that stands still until a test moves it. Safe to share between threads.

    `start` is in milliseconds since the epoch, UTC. The monotonic clock begins at 0.0 seconds.
    """

    def __init__(self, start: int = START) -> None:
        self._lock = Lock()
        self._now = start
        self._elapsed = 0

    def now(self) -> int:
        """Return the wall clock in milliseconds since the epoch, UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Return the seconds that passed by `advance`."""
        with self._lock:
            return self._elapsed / 1000

    def advance(self, ms: int) -> int:
        """Let `ms` milliseconds pass on both clocks and return the new wall clock. Time that passes is never negative."""
        if ms < 0:
            message = f"time cannot pass by {ms} ms; jump() moves the wall clock alone"
            raise ValueError(message)
        with self._lock:
            self._now += ms
            self._elapsed += ms
            return self._now

    def jump(self, ms: int) -> int:
        """Move only the wall clock, forwards or back, as a person or a time server does, and return it."""
        with self._lock:
            self._now += ms
            return self._now
