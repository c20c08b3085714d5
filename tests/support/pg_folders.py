"""Temporary folders for a server, which vanish with the test run however it ends."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

_LONGEST_PARENT = 60  # bytes; a socket's path holds 107, and the folder, "socket" and the socket's name come below
# Waits until this test run is gone (its end of the pipe closes, however it died), then stops the server and clears up.
# The process is the server's only if its working directory is the data folder: a number alone may be somebody else's.
_WATCHDOG = """
trap '' INT TERM HUP
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || pid=
if [ -n "$pid" ] && [ "/proc/$pid/cwd" -ef "$1/data" ]; then
    kill -QUIT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
fi
rm -rf "$1"
"""


def short_folder(prefix: str) -> Path:
    """Make a temporary folder that any user may enter and whose path leaves room for a socket's name."""
    parent = Path(tempfile.gettempdir()).resolve()
    open_to_all = all(folder.stat().st_mode & 0o001 for folder in (parent, *parent.parents))
    if len(os.fsencode(parent)) > _LONGEST_PARENT or not open_to_all:
        parent = Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    folder.chmod(0o755)
    return folder


class Watchdog:
    """A process that outlives this one: when this one is gone, it stops the server in `folder` and deletes the folder."""

    def __init__(self, folder: Path) -> None:
        reading, self._held = os.pipe()
        arguments = ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(folder)]
        self._process = subprocess.Popen(arguments, stdin=reading, cwd="/", start_new_session=True)
        os.close(reading)

    def release(self) -> None:
        """Let it do its work now, and wait for it."""
        os.close(self._held)
        self._process.wait(timeout=60)
