"""The one loop: ticks a service until it is done. Signals set a flag, the loop acts on it."""

from __future__ import annotations

import asyncio
import signal
from typing import Protocol

from harnessos.bridge import Bridge


class Service(Protocol):
    """A duty that ticks."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        ...

    async def tick(self, bridge: Bridge) -> float:
        """Do what is due; return the seconds after which to look again."""
        ...

    def stop(self, *, now: bool) -> None:
        """Begin to stop; `now` stops at once instead of draining."""
        ...


async def run(service: Service) -> int:
    """Tick the service until it is done; return how many stop signals came. SIGTERM or SIGINT drains, a second cuts."""
    bridge = Bridge()
    signals = 0

    def asked() -> None:
        nonlocal signals
        signals += 1
        service.stop(now=signals > 1)
        bridge.wake()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    try:
        seconds = await service.tick(bridge)
        while not service.done:
            await bridge.rest(seconds)
            seconds = await service.tick(bridge)
    except BaseException:
        # What it has started must not go on without it.
        service.stop(now=True)
        raise
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        bridge.close()
    return signals
