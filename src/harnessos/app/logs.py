"""What a run's agent and gates wrote, as files on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TAIL = 32 * 1024


def of_run(home: Path, run_id: str) -> list[Path]:
    """Return the logs of a run, the one that was written last at the end; none where it ran on another machine."""
    folder = home / "runs" / run_id
    found = (
        [path for path in folder.rglob("*.log") if path.is_file() and not path.is_symlink()] if folder.is_dir() else []
    )
    return sorted(found, key=lambda file: (file.stat().st_mtime_ns, file.name))


def tail(file: Path, most: int = TAIL) -> str:
    """Return the end of a log, from the beginning of a line."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - most))
        text = stream.read(most).decode("utf-8", "replace")
    return text if size <= most else text.partition("\n")[2]
