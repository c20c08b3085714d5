"""`harness run`, the commands that look."""

from __future__ import annotations

import sys
from threading import Event
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.app import logs
from harnessos.commands.output import clean, instant
from harnessos.inspector import run_view, views
from harnessos.inspector.views import counted, span
from harnessos.store import named

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.commands.call import Call
    from harnessos.inspector.run_view import RunView
    from harnessos.store.transaction import Transaction

_CHUNK = 1 << 16
_LOOK_S = 0.5
_PAUSE = Event()
"""Never set: nobody tells a reader of a file that it has grown, so it looks again."""


def list_all(call: Call) -> None:
    """List runs, newest first."""
    args = call.args
    issue = call.harness.read(named.issue, args.issue) if args.issue else None
    if issue is not None:
        project = call.harness.read(views.project_by_id, issue["project_id"])
    else:
        project = call.harness.project(args.project)
    page = call.harness.read(run_view.listed, project, issue, live=args.live, cursor=args.cursor, limit=args.limit)
    rows = [
        (line.id, line.identifier, line.attempt, line.agent, line.turns, line.outcome or line.phase, span(line.age_ms))
        for line in page.items
    ]
    columns = ("RUN", "ISSUE", "ATTEMPT", "AGENT", "TURNS", "STATE", "FOR")
    call.out.table(views.document(page), columns, rows, "no run")
    if page.cursor and not call.out.json:
        call.out.note(f"more: --cursor {page.cursor}")


def show(call: Call) -> None:
    """Show everything about one."""
    seen = call.harness.read(run_view.query, call.args.run, str(call.harness.settings.home / "runs"))
    call.out.show(views.document(seen), "\n".join(_lines(seen)))


def _lines(seen: RunView) -> list[str]:
    run = seen.run
    state = f"{run['outcome']}: {run['reason']}" if run["outcome"] else run["phase"]
    lines = [f"{run['id']}  attempt {run['attempt']} at {run['identifier']}  {state}"]
    lines.append(
        f"  by          {run['agent']} on {run['machine_id']}, {counted(run['turns'], 'turn')}, epoch {run['epoch']}"
    )
    lines.append(f"  from        {instant(run['started_at'])} to {instant(run['ended_at'])}")
    names = ("worktree", "branch", "base_commit", "commit_id", "verdict", "salvage_ref", "stop_request")
    lines += [f"  {name.ljust(12)}{run[name]}" for name in names if run[name] is not None]
    lines += [f"  checkpoint  {row['number']}: {row['title']}; next: {row['next_step']}" for row in seen.checkpoints]
    lines += [f"  verdict     turn {row['turn']}: {row['verdict']} {row['reason']}" for row in seen.verdicts]
    words = {None: "could not run", 0: "failed", 1: "passed"}
    lines += [
        f"  gate        turn {row['turn']} {row['gate']}: {words[row['passed']]} {row['log']}" for row in seen.evidence
    ]
    lines += [f"  artifact    {row['kind']} {row['path']}" for row in seen.artifacts]
    return [*lines, f"  manifest    {seen.manifest}"]


def log(call: Call) -> None:
    """Print what a run's agent wrote, its newest turn's or all files'; --follow goes on until the run has ended."""
    run = call.harness.read(views.run, call.args.run)
    home = call.harness.settings.home
    files = logs.of_run(home, run["id"])
    if not files and not (call.args.follow and run["live"]):
        raise errors.UnknownIdentifier(
            f"{run['id']} left no log on this machine", hint=f"`harness run show {run['id']}` names its machine"
        )
    if call.out.json:
        call.out.show({"run": run["id"], "logs": [str(file) for file in files]}, "")
        return
    seen: dict[Path, int] = {}
    while True:
        live = call.harness.read(_live, run["id"])
        _print_new(logs.of_run(home, run["id"]), seen)
        if not call.args.follow or not live:
            return
        _PAUSE.wait(_LOOK_S)


def _live(tx: Transaction, run_id: str) -> bool:
    return bool(views.run(tx, run_id)["live"])


def _print_new(files: list[Path], seen: dict[Path, int]) -> None:
    """Print what the files have got since they were last looked at, each under its name when it changes."""
    for file in files:
        if file.stat().st_size <= seen.get(file, 0):
            continue
        if len(files) > 1:
            print(clean(f"== {file}", line=True))
        with file.open("rb") as stream:
            stream.seek(seen.get(file, 0))
            while chunk := stream.read(_CHUNK):
                sys.stdout.write(clean(chunk.decode("utf-8", "replace")))
            seen[file] = stream.tell()
    sys.stdout.flush()
