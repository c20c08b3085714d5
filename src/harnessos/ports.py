"""Time and chance come in here and nowhere else.

Every instant is an integer: milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock  # threading.Lock itself, without half a millisecond of its module
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Clock(Protocol):
    """Tells the time: `now` in milliseconds since the epoch, `monotonic` in seconds that never go back."""

    def now(self) -> int:
        """Return the wall clock in milliseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that only goes forward; it may stand still while the machine sleeps."""
        ...


class Ids(Protocol):
    """Makes identifiers and secrets."""

    def new(self, noun: str, now: int) -> str:
        """Return `noun-<26 characters>`; they sort by time, and within one process in the order they were made."""
        ...

    def token(self) -> str:
        """Return a session token of 160 random bits, safe in a URL, a shell word and a file name."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """See Clock."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()


class SystemIds:
    """Identifiers from the operating system's random source.

    Ids that one process makes within a millisecond follow each other too: what it wrote in one transaction (the issues
    of a plan, two checkpoints) keeps its order.
    """

    _lock = allocate_lock()
    _last = (0, 0)

    def new(self, noun: str, now: int) -> str:
        """See Ids: 48 bits of milliseconds, 80 bits that are random and grow within one millisecond."""
        with SystemIds._lock:
            at, below = SystemIds._last
            # The step is random too: a forked child goes on from the same place.
            below = below + 1 + _random(5) if at == now else _random(9)
            SystemIds._last = (now, below)
        return f"{noun}-{base32((now & (2**48 - 1)) << 80 | below, 26)}"

    def token(self) -> str:
        """See Ids."""
        return "hs_" + base32(int.from_bytes(os.urandom(20), "big"), 32)


def _random(length: int) -> int:
    return int.from_bytes(os.urandom(length), "big")


def base32(value: int, length: int) -> str:
    """Write `value` in `length` characters whose text order is the order of the numbers."""
    characters = []
    for _ in range(length):
        characters.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(characters))
