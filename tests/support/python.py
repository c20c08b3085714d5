"""Start a fresh interpreter, for tests about imports and start-up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "harnessos"


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def start_python(*arguments: str, cwd: Path = ROOT) -> subprocess.Popen[bytes]:
    """Start this environment's interpreter on the source tree beside these tests; the test ends it."""
    return subprocess.Popen([sys.executable, *arguments], cwd=cwd, env=_environment(), stdin=subprocess.DEVNULL)


def run_python(*arguments: str, cwd: Path = ROOT, within: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run this environment's interpreter on the source tree beside these tests and return what it printed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=within,
        check=False,
    )


def tracked_files() -> list[Path]:
    """Return every file git tracks or would add, as absolute paths; deleted ones are left out."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    paths = {ROOT / os.fsdecode(name) for name in listing.split(b"\0") if name}
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())
