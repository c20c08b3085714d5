"""What views cannot see in rows: which live runs here have lost their supervisor, and whether a project has a runner."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harnessos.dispatch import holding

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.store.transaction import Row

_RUNNER = re.compile(r"""(?:^|[\s{,])["']?runner["']?\s*:""")
_LONGEST = 1 << 16


def dead(harness: Harness) -> frozenset[str]:
    """Return the live supervised runs of this machine whose supervisor is known to be dead."""
    found, now = harness.read(holding.held, harness.machine())
    return frozenset(run["id"] for run in found if holding.is_dead(run, now))


def has_runner(harness: Harness, project: Row) -> bool:
    """Return whether the project's WORKFLOW.md here names a runner, by a glance: loading it costs more than `next` may.

    Only what is proposed depends on it; `up` itself loads the file and says what is wrong with it.
    """
    root = harness.place(project)
    if root is None:
        return False
    try:
        with (root / "WORKFLOW.md").open("rb") as stream:
            text = stream.read(_LONGEST).decode("utf-8", "replace")
    except OSError:
        return False
    front = text.split("\n---", 1)[0] if text.startswith("---") else ""
    return any(_RUNNER.search(line.partition("#")[0]) for line in front.splitlines())
