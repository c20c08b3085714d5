"""The harness's worktrees of a project, joined with what the ledger knows of their runs; kept work; checkouts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors, worktrees
from harnessos.dispatch import place as places
from harnessos.dispatch import working
from harnessos.files import folder_size
from harnessos.model.outcome import Outcome
from harnessos.store import named
from harnessos.worktrees import Entry, Listed, Removal, plan_gc

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.dispatch.place import Place
    from harnessos.store.transaction import Row, Transaction

GIGABYTE = 1024**3
MOST_GB = 1 << 20
_FIELDS = ("id", "phase", "live", "outcome", "verdict", "salvage_ref", "ended_at")


class Tree(NamedTuple):
    """A worktree git lists, and the run it was made for."""

    listed: Listed
    run: Row
    identifier: str

    def document(self) -> dict[str, Any]:
        """Return it as JSON. Any: a document."""
        run = {name: self.run[name] for name in _FIELDS}
        return {
            "path": str(self.listed.path),
            "branch": self.listed.branch,
            "commit": self.listed.commit,
            "issue": self.identifier,
            "run": {**run, "live": bool(run["live"])},
            "state": self.state,
        }

    @property
    def state(self) -> str:
        """One word for people: live, accepted, salvaged or kept."""
        if self.run["live"]:
            return "live"
        if self.run["outcome"] == Outcome.SUCCESS:
            return "accepted"
        return "salvaged" if self.run["salvage_ref"] else "kept"


def place(harness: Harness, project: str | None) -> Place:
    """Return where the project lies here; its `repo` is Refused for a plain folder."""
    return places.find(harness.ground, harness.project(project), load=False)


def listed(harness: Harness, here: Place) -> list[Tree]:
    """Return the worktrees that were made for runs of this ledger."""
    entries = worktrees.list_worktrees(here.repo)
    found = harness.read(_runs, [entry.path.name for entry in entries])
    return [Tree(entry, *found[entry.path.name]) for entry in entries if entry.path.name in found]


def _runs(tx: Transaction, ids: list[str]) -> dict[str, tuple[Row, str]]:
    found = {}
    for run_id in ids:
        run = tx.one("run_by_id", id=run_id) if run_id.startswith("run-") else None
        issue = tx.one("issue_by_id", id=run["issue_id"]) if run else None
        if run and issue:
            found[run_id] = (run, str(issue["identifier"]))
    return found


def collect(harness: Harness, here: Place, cap_gb: float, *, dry_run: bool) -> list[tuple[Removal, bool]]:
    """Remove worktrees, accepted ones first, until the rest fits; return each with whether it is gone.

    Nothing is removed before its work is kept in git.
    """
    if not 0 <= cap_gb < MOST_GB:
        raise errors.BadUsage(f"--cap-gb {cap_gb:g} is no size", hint="a number of gigabytes; 0 keeps none")
    trees = {tree.run["id"]: tree for tree in listed(harness, here)}
    planned = plan_gc([_entry(tree) for tree in trees.values()], int(cap_gb * GIGABYTE))
    if dry_run:
        return [(removal, False) for removal in planned]
    return [(removal, not working.clear(harness.ground, here, trees[removal.entry.run].run)) for removal in planned]


def _entry(tree: Tree) -> Entry:
    run = tree.run
    return Entry(
        run["id"],
        tree.listed.path,
        folder_size(tree.listed.path),
        accepted=run["outcome"] == Outcome.SUCCESS,
        salvaged=run["salvage_ref"] is not None,
        live=bool(run["live"]),
        ended_at=run["ended_at"],
    )


def check_out(harness: Harness, identifier: str, into: str | None) -> tuple[Path, str]:
    """Make a clean checkout of an issue's accepted commit; return its folder and the commit."""
    issue = harness.read(_issue, identifier)
    if issue["accepted_commit"] is None:
        raise errors.Refused(
            f"{identifier} has no accepted commit, it is {issue['status']}",
            hint="`harness worktree list` shows live work",
        )
    here = place(harness, issue["project_key"])
    folder = Path(into).absolute() if into else harness.settings.home / "checkouts" / identifier
    made = worktrees.clean_checkout(here.repo, issue["accepted_commit"], folder)
    return made.path, made.commit


def _issue(tx: Transaction, identifier: str) -> Row:

    issue = named.issue(tx, identifier)
    project = tx.one("project_by_id", id=issue["project_id"])
    assert project is not None
    return {**issue, "project_key": project["key"]}


def salvaged(here: Place) -> list[dict[str, Any]]:
    """Return the work kept from runs that did not finish. Any: JSON documents."""
    kept = worktrees.list_salvage(here.repo)
    return [{"run": entry.run_id, **entry._asdict()} for entry in kept]


def restore(here: Place, run_id: str, into: str) -> tuple[Path, str]:
    """Make a worktree as a run left it, uncommitted work included; return its folder and the run's last commit."""
    repo = here.repo
    kept = worktrees.find_salvage(repo, run_id)
    if kept is None:
        raise errors.UnknownIdentifier(f"nothing is kept of a run {run_id}", hint="`harness worktree salvage list`")
    made = worktrees.restore_salvage(repo, kept.ref, Path(into).absolute())
    return made.path, made.commit
