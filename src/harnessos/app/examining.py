"""`harness doctor`: the ledger's invariants, and what this machine must have for it to work."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.app import holders, interpreters, readiness
from harnessos.inspector import health
from harnessos.inspector.health import ERROR, WARNING, Check, Finding
from harnessos.settings import default_store, without_password
from harnessos.store.opening import open_store
from harnessos.worktrees.git import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harnessos.app.harness import Harness
    from harnessos.store.transaction import Row, Transaction

_PAGE = 500


class Fact(NamedTuple):
    """Something about this machine that is neither right nor wrong."""

    name: str
    value: str


def checks(harness: Harness, *, replay: bool) -> Iterator[Check]:
    """Examine the ledger, then the machine; each result as soon as it is known."""
    yield _in_place(harness)
    yield _one_ledger(harness)
    harness.read(_projects)
    yield from health.check(harness.reading, replay=replay)
    projects = harness.read(_projects)
    yield _git(projects)
    yield _worktrees(harness, projects)
    yield _stray_folders(harness)
    yield _supervisors(harness)
    yield from readiness.examine(harness, projects)
    yield interpreters.examine(harness, projects)


def facts(harness: Harness) -> list[Fact]:
    """Return what else is good to know here."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    psycopg = "installed" if find_spec("psycopg") else "not installed (`pip install 'harnessos[pg]'`)"
    found = [Fact("python", f"{version}, {sys.executable}"), Fact("postgresql client", psycopg)]
    return [*found, Fact("git", _git_version() or "not found"), Fact("home", str(harness.settings.home))]


def _projects(tx: Transaction) -> list[Row]:
    return tx.all("project_list")


def _in_place(harness: Harness) -> Check:
    registration = harness.settings.registration
    moved = registration.moved() if registration else None
    found = (Finding(str(registration.path), moved),) if registration and moved else ()
    remedy = "`harness init PATH --key KEY` in the place that counts"
    return Check("registration", "this folder is registered for the place it lies at", ERROR, remedy, found)


def _one_ledger(harness: Harness) -> Check:
    """No other ledger that a command could find from here holds a project of this one: each would know half (P09)."""
    used = harness.settings
    others = {default_store(used.home), used.registration.store if used.registration else used.store_url}
    here = {row["id"]: row["key"] for row in harness.read(_projects)}
    found = [
        Finding(str(here[twin]), f"{without_password(url)} holds this project as well")
        for url in sorted(others)
        if without_password(url) != without_password(used.store_url)
        for twin in sorted(_project_ids(url) & set(here))
    ]
    remedy = "keep the ledger that has the newer work (`harness status --store URL`), move the other file away"
    return Check("one_ledger", "no other ledger holds these projects", ERROR, remedy, tuple(found[: health.MOST]))


def _project_ids(url: str) -> set[str]:
    """Return the projects of another ledger, none where it cannot be read: then no command can use it either."""
    try:
        store = open_store(url, write=False)
    except errors.HarnessError:
        return set()
    try:
        return {row["id"] for row in store.read(_projects)}
    except errors.HarnessError:
        return set()
    finally:
        store.close()


def _git_version() -> str | None:
    try:
        done = processes.run(["git", "--version"], cwd=Path("/"), env=environment(), timeout=10)
    except errors.RunnerProblem:
        return None
    return done.output.decode("utf-8", "replace").strip() if done.exit_code == 0 else None


def _git(projects: list[Row]) -> Check:
    wanted = any(row["kind"] == "git" for row in projects)
    found = (Finding("git", "it is not on PATH"),) if wanted and _git_version() is None else ()
    return Check(
        "git", "git is there for the projects that need it", ERROR, "install git (Debian: `apt-get install git`)", found
    )


def _worktrees(harness: Harness, projects: list[Row]) -> Check:
    """Live runs of this machine work in folders that exist."""
    machine = harness.machine()
    found = []
    for project in projects:
        rows = harness.read(_live, project["id"])
        found += [
            Finding(row["id"], f"its worktree {row['worktree']} is gone")
            for row in rows
            if row["worktree"] and row["machine_id"] == machine and not Path(row["worktree"]).is_dir()
        ]
    remedy = "`harness run stop RUN`; what was committed is still in the repository"
    return Check("worktrees", "every live run here has its worktree", ERROR, remedy, tuple(found[: health.MOST]))


def _live(tx: Transaction, project_id: str) -> list[Row]:
    return tx.all("inspect_live", project=project_id, after="", most=_PAGE)


def _supervisors(harness: Harness) -> Check:
    """Nothing waits for a supervisor that has died: the ledger alone would believe in it until the lease runs out."""
    found = [Finding(run_id, "its supervisor is dead") for run_id in sorted(holders.dead(harness))]
    remedy = "`harness up` takes its run over: finished work is verified, the rest is kept and tried again"
    kept, more = tuple(found[: health.MOST]), len(found) > health.MOST
    return Check("supervisors", "every supervised run here has a living supervisor", WARNING, remedy, kept, more)


def _stray_folders(harness: Harness) -> Check:
    """Nothing lies in the worktrees' folder that no run of this ledger made."""
    root = harness.settings.home / "worktrees"
    folders = sorted(path for path in root.glob("*/run-*") if path.is_dir()) if root.is_dir() else []
    known = harness.read(_known, [path.name for path in folders])
    found = [Finding(str(path), "no run of this ledger made it") for path in folders if path.name not in known]
    remedy = "look into it; it may belong to another ledger, else remove it with `git worktree remove`"
    more = len(found) > health.MOST
    return Check("folders", "every worktree belongs to a run", WARNING, remedy, tuple(found[: health.MOST]), more)


def _known(tx: Transaction, names: list[str]) -> set[str]:
    return {name for name in names if tx.one("run_by_id", id=name) is not None}
