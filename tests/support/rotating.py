"""Writers and rotations that die between two lines of the code: `python -m tests.support.rotating WORKSPACE KILLS`.

Prints one line for each kill that left the log other than it should be: every record that was acknowledged is in exactly
one log, and nothing else but perhaps the one record that was being written.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from harnessos.memory import records, rotation, stream
from harnessos.memory.search import search
from tests.support.scale import Chance, seeded

SIZE = 2_000
ROOM = str(Path(stream.__file__).parent)


def kill_after(lines: int) -> None:
    """Die of SIGKILL when so many more lines of the memory room have run."""
    left = lines

    def trace(frame: FrameType, event: str, _: Any) -> Any:  # Any: what sys.settrace wants
        nonlocal left
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def work(workspace: Path, name: str, acknowledged: Path, lines: int) -> None:
    """Write records and rotate, again and again, until dead."""
    handle = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    kill_after(lines)
    for number in range(1_000_000):
        stream.append(workspace, stream.line(number, "INFO", name, f"{name}-{number} {'x' * 100}"))
        os.write(handle, f"{name}-{number}\n".encode())
        if number % 7 == 6:
            rotation.rotate(workspace, SIZE, number * 100)


def numbers(workspace: Path) -> Counter[str]:
    """Return how often each record is in the logs."""
    found: Counter[str] = Counter()
    for path in rotation.logs(workspace):
        content = path.read_bytes() if path.suffix == ".log" else b"".join(rotation.pieces(path))
        for line in content.split(b"\n"):
            if record := records.parse(line):
                found[record.text.split(" ")[0]] += 1
            elif line:
                found["torn"] += 1
    return found


def kill_once(workspace: Path, chance: Chance) -> str | None:
    """Let two work at one workspace until both are dead; return what is wrong then."""
    acknowledged = workspace / "acknowledged"
    children = []
    for name in ("a", "b"):
        lines = chance.randrange(20, 4000)
        pid = os.fork()
        if not pid:
            try:
                work(workspace, name, acknowledged, lines)
            finally:
                os._exit(1)
        children.append(pid)
    for pid in children:
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != -signal.SIGKILL:
            return "a worker ended by itself"
    wanted = set(acknowledged.read_text(encoding="ascii").split()) if acknowledged.exists() else set()
    found = numbers(workspace)
    more = set(found) - wanted
    wrong = {name: number for name, number in found.items() if number != 1}
    if wanted - set(found) or wrong or len(more) > 2 or "torn" in found:
        return f"lost {sorted(wanted - set(found))[:5]}, not once {wrong}, not acknowledged {sorted(more)}"
    seen = sum(1 for _ in search(workspace, "", most=10**6))
    return None if seen == len(found) else f"the search sees {seen} of {len(found)} records"


def main(workspace: Path, kills: int) -> None:
    """Kill so many times, each time in a new workspace whose last one was mended by a whole rotation."""
    for number in range(kills):
        place = workspace / str(number)
        place.mkdir()
        if wrong := kill_once(place, seeded(number)):
            print(f"{number}: {wrong}")  # noqa: T201  # the answer
            continue
        before = numbers(place)
        rotation.rotate(place, 0, 10**9)
        names = [path.name for path in (place / rotation.ARCHIVE).iterdir()]
        if numbers(place) != before or not all(
            name.endswith("Z_" + name.split("Z_")[-1]) and name.endswith(".log.gz") for name in names
        ):
            print(f"{number}: not mended: {names}")  # noqa: T201  # the answer


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
