"""`harness up` in this process, with every tick timed; the seconds are written to a file at the end."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.cli.main import run
from harnessos.services.supervisor import Supervisor

if TYPE_CHECKING:
    from harnessos.bridge import Bridge


def main(file: Path, words: list[str]) -> int:
    """Run the command line; write when each tick began and what it took."""
    ticks: list[tuple[float, float]] = []
    real = Supervisor.tick

    async def tick(self: Supervisor, bridge: Bridge) -> float:
        begun = time.perf_counter()
        rest = await real(self, bridge)
        ticks.append((begun, time.perf_counter() - begun))
        return rest

    Supervisor.tick = tick  # type: ignore[method-assign]  # only in this process
    try:
        return run(words)
    finally:
        file.write_text(json.dumps([seconds for _, seconds in ticks]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
