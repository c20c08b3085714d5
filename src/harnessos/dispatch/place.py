"""Where a project lies on this machine, under which workflow, and which gates and rules count there."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.discovery import branch_tip
from harnessos.dispatch.declared import NOTHING, Declared, of, read
from harnessos.model.gate import Gate, parse_gate
from harnessos.model.outcome import BACKOFF_MOST_MS
from harnessos.model.policy import from_document

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.store.transaction import Row, Transaction
    from harnessos.workflow.values import Workflow
    from harnessos.worktrees.repository import Repository

WORKFLOW = "WORKFLOW.md"


class Place(NamedTuple):
    """A project on this machine; `workflow` is None without a WORKFLOW.md, or where only `kept` was asked for.

    `trusted` says that the user of this process lets commands of its workflow and plans run here.
    """

    project: Row
    root: Path
    workflow: Workflow | None
    trusted: bool
    kept: Declared = NOTHING

    @property
    def declared(self) -> Declared:
        """What the workflow declares about results."""
        return of(self.workflow) if self.workflow is not None else self.kept

    @property
    def is_git(self) -> bool:
        """Whether the project is a repository; a plain folder has no worktrees and no commits."""
        return bool(self.project["kind"] == "git")

    @property
    def repo(self) -> Repository:
        """The repository; Refused for a plain folder. Asking the first time may cost a git process."""
        if not self.is_git:
            raise errors.Refused(f"{self.project['key']} is a plain folder; without git there are no worktrees")
        return _repository(self.root)

    @property
    def target(self) -> str:
        """The branch that work starts from: the workflow's, else the one checked out at `init`."""
        return str(self.declared.target or self.project["target"] or "HEAD")

    @property
    def tip(self) -> str | None:
        """The commit the target branch is at, read without a git process; None for a plain folder or a rare layout."""
        return branch_tip(self.root / ".git", self.target) if self.is_git else None

    @property
    def most_backoff_ms(self) -> int:
        """The longest wait before a retry (SYM-8.4-03)."""
        return self.workflow.agent.max_retry_backoff_ms if self.workflow is not None else BACKOFF_MOST_MS

    @property
    def budget(self) -> str:
        """The workflow's budget document as JSON, for the kernel."""
        return self.declared.budget


class Rules(NamedTuple):
    """What is asked of an issue's result."""

    gates: tuple[Gate, ...]
    require_gates: bool
    on_review: str
    max_rejections: int


def find(ground: Ground, project: Row, *, load: bool = True) -> Place:
    """Return where the project lies on this machine. Refused when it lies nowhere here.

    With `load` its WORKFLOW.md is read, from the operator's checkout and never from a run's commit.
    """
    found = _locate(ground, project)
    if not load or not (found.root / WORKFLOW).is_file():
        return found
    from harnessos.workflow.load import load_workflow

    return found._replace(workflow=load_workflow(found.root / WORKFLOW, ground.environ, ground.home))


def find_quickly(ground: Ground, project: Row) -> Place:
    """Return the place with what its workflow declares about results, and without the workflow itself."""
    found = _locate(ground, project)
    if not (found.root / WORKFLOW).is_file():
        return found
    return found._replace(kept=read(ground, found.root / WORKFLOW))


def _locate(ground: Ground, project: Row) -> Place:
    rows = [r for r in ground.store.read(_locations, project["id"]) if r["machine_id"] == ground.process.machine_id]
    row = next((r for r in rows if Path(r["path"]).is_dir()), None)
    if row is None:
        where = f" (it was at {rows[0]['path']})" if rows else ""
        raise errors.Refused(
            f"project {project['key']} does not lie on this machine{where}",
            hint=f"`harness init PATH --key {project['key']}` in its checkout",
        )
    # A person trusts for himself: on a shared machine nobody's agents run by what another has looked at.
    return Place(project, Path(row["path"]), None, row["trusted_by"] == processes.user_name())


@lru_cache(maxsize=64)
def _repository(root: Path) -> Repository:
    """Open the repository at a path that `init` has found to be a main checkout."""
    from harnessos.worktrees.repository import Repository, open_repository

    common = root / ".git"
    if (common / "HEAD").is_file() and not common.is_symlink():
        return Repository(root, common)
    return open_repository(root)


def _locations(tx: Transaction, project_id: str) -> list[Row]:
    return tx.all("project_locations", project=project_id)


def rules_of(place: Place, campaign: Row, issue: Row) -> Rules:
    """Return the gates and rules for an issue: the workflow's, then the campaign's, then its own; the first of a name wins."""
    policy = from_document(json.loads(campaign["policy_json"]))
    own = from_document(json.loads(issue["policy_json"]))
    problems: list[str] = []
    stored = [parse_gate(gate, f"gates[{at}]", problems) for at, gate in enumerate(json.loads(issue["gates_json"]))]
    if problems:
        raise errors.BadDocument(f"the gates of {issue['identifier']} are damaged: {'; '.join(problems)}")
    declared = place.declared
    found: dict[str, Gate] = {}
    for gate in (*declared.gates, *policy.gates, *own.gates, *(g for g in stored if g)):
        found.setdefault(gate.name, gate)
    if declared.protect and found:
        first = next(iter(found))
        found[first] = found[first]._replace(protect=(*found[first].protect, *declared.protect))
    require = own.require_gates if own.require_gates is not None else policy.require_gates
    if require is None:
        require = place.is_git if declared.require_gates is None else declared.require_gates
    return Rules(tuple(found.values()), require, declared.on_review, declared.max_rejections)
