"""`harness-scheduler-inject`: one evaluation of the schedules, for use from cron. The founding document's name for it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run `harness schedule evaluate` with the words this was called with."""
    from harnessos.cli.main import run

    sys.exit(run(["schedule", "evaluate", *sys.argv[1:]]))
