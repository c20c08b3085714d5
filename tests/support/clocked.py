"""The command line on a test's clock: `python -m tests.support.clocked FILE WORDS...` reads the time from FILE.

What a scripted agent calls under a fake clock lives in the same time as the supervisor that started it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harnessos import ports
from harnessos.cli.main import main
from harnessos.testing import FakeClock


class FiledClock(FakeClock):
    """A fake clock that other processes can read: it keeps its time in a file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.advance(0)

    def advance(self, ms: int) -> int:
        """See FakeClock."""
        now = super().advance(ms)
        self.file.write_text(str(now), encoding="utf-8")
        return now


def tool(folder: Path, clock: FiledClock, root: Path) -> None:
    """Write a `harness` into a folder of PATH that lives in the time of the clock."""
    folder.mkdir()
    command = folder / "harness"
    words = f'"{sys.executable}" -m tests.support.clocked "{clock.file}"'
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{root}/src:{root}" exec {words} "$@"\n', encoding="utf-8")
    command.chmod(0o755)


if __name__ == "__main__":
    time = Path(sys.argv[1])
    setattr(ports.SystemClock, "now", lambda _: int(time.read_text(encoding="utf-8")))  # noqa: B010 # mypy minds it plain
    sys.argv = ["harness", *sys.argv[2:]]
    main()
