"""The floor of an idle supervisor: a process that asks the ledger once a second whether it changed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from harnessos.store.sqlite import connect


async def main(path: Path) -> None:
    """Look once a second, for ever."""
    connection = connect(path)
    while True:
        connection.execute("PRAGMA data_version").fetchall()
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
