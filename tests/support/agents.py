"""Real agents for tests about processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harnessos.model.process import Identity
from harnessos.processes import Child, built_environment, identity_of, is_alive, kill_run, spawn
from tests.support.waiting import eventually

linux = pytest.mark.skipif(sys.platform != "linux", reason="sessions, pidfd and /proc are Linux's")


@pytest.fixture
def env() -> dict[str, str]:
    """The environment an agent without declared variables gets."""
    return built_environment(os.environ, {})


@pytest.fixture
def run_id(tmp_path: Path) -> Iterator[str]:
    """A run's id of this test's own; nothing of the run may be left at the end."""
    name = f"run-{os.getpid()}-{tmp_path.name}"
    yield name
    assert kill_run(name, grace=0) == []


# In its own session, out of the group, its parent gone: what agents leave behind.
SETSID_GRANDCHILD = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("grandchild", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
"""


def agent(
    run_id: str, folder: Path, script: str, *, stdin: Path | None = None, extra: dict[str, str] | None = None
) -> Child:
    """Spawn a Python script in `folder`, with its output in the files out and err there."""
    return spawn(
        [sys.executable, "-c", script],
        cwd=folder,
        env=built_environment(os.environ, extra or {}),
        run_id=run_id,
        stdin=stdin,
        stdout=folder / "out",
        stderr=folder / "err",
    )


def written(path: Path) -> str:
    """Return the text of a file as soon as it has one."""
    return eventually(lambda: path.read_text() if path.exists() else "", what=f"{path.name} written")


def pid_in(path: Path) -> Identity:
    """Return the process whose pid a script has written to the file."""
    who = identity_of(int(written(path)))
    assert who is not None
    return who


def ended(pid: int | str) -> bool:
    """Return whether nobody runs under a pid. A zombie has ended: a test's process that adopts orphans reaps none."""
    who = identity_of(int(pid))
    return who is None or not is_alive(who)
