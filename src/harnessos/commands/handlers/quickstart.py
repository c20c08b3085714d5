"""`harness quickstart`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.app import trying
from harnessos.commands.handlers.up import teller

if TYPE_CHECKING:
    from harnessos.app.trying import Tried
    from harnessos.commands.call import Call

_COLUMNS = ("issue", "task", "attempts", "turns", "verdict", "commit", "seconds")


def quickstart(call: Call) -> int:
    """Make a project, let four scripted agents work its plan, and show what came of it."""
    folder = Path(call.args.folder) if call.args.folder else None
    made, here = trying.prepare(folder, call.harness.environ)
    call.out.note(f"made a small Python project with failing tests in {made.repository}")
    call.out.note("four scripted agents (plain programs, no model) now work its plan, each in its own git worktree")
    if not call.out.json and sys.stdout.isatty():
        from harnessos.commands.live import LiveTable

        with LiveTable() as table:
            tried = trying.run(made, here, table.tell)
    else:
        tried = trying.run(made, here, teller(json=call.out.json))
    _show(call, tried)
    here.close()
    return tried.ending.exit_code


def _show(call: Call, tried: Tried) -> None:
    rows = [
        (
            row["identifier"],
            row["task"],
            row["runs"],
            row["turns"],
            row["verdict"] or row["status"],
            (row["accepted_commit"] or "")[:12],
            f"{row['busy_ms'] / 1000:.1f}",
        )
        for row in tried.rows
    ]
    document = {
        "event": "quickstart.ended",
        "exit_code": tried.ending.exit_code,
        "folder": str(tried.made.folder),
        "issues": [dict(zip(_COLUMNS, row, strict=True)) for row in rows],
    }
    call.out.table(document, _COLUMNS, rows, "nothing was planned")
    call.out.note(
        "\n".join(
            (
                "where to look next:",
                f"  cd {tried.made.repository}",
                "  git log --graph --oneline --glob=refs/harness/accepted      the accepted commits and what they build on",
                f"  {_program()} issue show {tried.rows[1]['identifier']}          one that was sent back once",
                f"  {_program()} audit {tried.rows[1]['identifier']} --verify      its history, hash-chained",
                f"  ls {tried.home}/runs      prompts, logs, evidence and manifest of every run",
                "then in a repository of your own: docs/tutorial.md goes from `harness init` to a merged result",
            )
        )
    )


def _program() -> str:
    """Return how the program can be called from anywhere: after `make quickstart` it is on nobody's PATH."""
    return "harness" if shutil.which("harness") else str(Path(sys.argv[0]).absolute())
