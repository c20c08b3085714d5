"""The only place where a test waits for something outside its own thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


def eventually(predicate: Callable[[], T], *, within: float = 10.0, what: str = "the condition") -> T:
    """Return the first true value of `predicate`, asked again and again for at most `within` seconds.

    Raises AssertionError naming `what` and the last value seen. An exception of `predicate` passes through.
    """
    deadline = time.monotonic() + within
    pause = _FIRST_PAUSE
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            message = f"{what} did not come true within {within} s; last seen: {value!r}"
            raise AssertionError(message)
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    return value
