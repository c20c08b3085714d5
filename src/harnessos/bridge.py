"""The one crossing between asyncio and threads: synchronous work runs in threads, and wakes the loop when it ends."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from harnessos import errors

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOST_RUNS = 256
LISTEN_S = 1.0


class Bridge:
    """Belongs to one running event loop. Threads are reused, and with them their connections to the ledger."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._ticks = ThreadPoolExecutor(1, "harness-tick")
        self._runs = ThreadPoolExecutor(MOST_RUNS, "harness-run")
        self._ears = ThreadPoolExecutor(1, "harness-ears")
        self._listener: Future[None] | None = None
        self._closed = threading.Event()

    async def call(self, work: Callable[[], T]) -> T:
        """Run a tick's synchronous work in its thread and return its result."""
        return await self._loop.run_in_executor(self._ticks, work)

    def start(self, work: Callable[[], None]) -> Future[None]:
        """Run long work in a thread; the loop is woken when it ends."""
        future = self._runs.submit(work)
        future.add_done_callback(lambda _: self.wake())
        return future

    def wake(self) -> None:
        """Wake the loop, from any thread."""
        self._loop.call_soon_threadsafe(self._changed.set)

    def listen(self, heard: Callable[[float], bool]) -> None:
        """Have a thread call `heard(seconds)` again and again: it waits so long for news, and True wakes the loop."""

        def listening() -> None:
            while not self._closed.is_set():
                try:
                    news = heard(LISTEN_S)
                except errors.HarnessError:
                    # Whether there is news is not known: the loop looks, and says itself what is wrong.
                    self._closed.wait(LISTEN_S)
                    news = True
                if news and not self._closed.is_set():
                    self.wake()

        self._listener = self._ears.submit(listening)
        self._listener.add_done_callback(lambda _: self.wake())

    async def rest(self, seconds: float) -> None:
        """Wait until somebody wakes the loop, at most `seconds`. A bug in the listening is raised here."""
        if self._listener is not None and self._listener.done():
            self._listener.result()
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._changed.clear()

    def close(self) -> None:
        """Wait for the threads and end them."""
        self._closed.set()
        self._ears.shutdown()
        self._runs.shutdown()
        self._ticks.shutdown()
