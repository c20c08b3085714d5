"""A ledger for a test: a repository, a home and a project, gone when the test ends; and agents that play a script."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.app import registering, supervising
from harnessos.app.harness import Harness, harness
from harnessos.app.ledger import Ledger
from harnessos.app.supervising import Serve
from harnessos.quickstart.project import AGENT, DATA
from harnessos.services.supervisor import Ending, Options
from harnessos.worktrees.git import git, identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harnessos.ports import Clock

KEY = "TEST"


class Workshop(NamedTuple):
    """A project to try things in. `ledger` is the public API over it; `repository` its git checkout."""

    folder: Path
    repository: Path
    ledger: Ledger
    harness: Harness

    def plan(self, *tasks: str | tuple[str, Sequence[int]], gates: Sequence[object] = ()) -> list[str]:
        """Plan issues, each a task or a task with the positions (from 0) it depends on; return their identifiers."""
        issues = []
        for task in tasks:
            text, after = (task, ()) if isinstance(task, str) else task
            issues.append({"task": text, "depends_on_indices": list(after), "gates": list(gates)})
        file = self.folder / "plan.json"
        milestone = f"m{len(list(self.ledger.issues(KEY)))}"
        document = {"milestones": [{"milestone_key": milestone, "description": "planned by a test", "issues": issues}]}
        file.write_text(json.dumps(document), encoding="utf-8")
        return self.ledger.apply_plan(file, project=KEY).created

    def workflow(self, parts: Mapping[str, Sequence[Mapping[str, Any]]], **settings: object) -> None:
        """Write a WORKFLOW.md whose agent plays these parts, found by issue identifier.

        The actions are those of examples/agents/scripted_agent.py; `settings` go under `harness:`. Any: a JSON document.
        """
        script = self.folder / "script.json"
        script.write_text(json.dumps({"parts": parts}), encoding="utf-8")
        program = shutil.copyfile(DATA / f"{AGENT}.txt", self.folder / "agent.py")
        command = [sys.executable, str(program), "--script", str(script)]
        front = {"harness": {"runner": {"kind": "command", "command": command}, **settings}}
        # JSON is YAML, and nothing has to be quoted by hand.
        (self.repository / "WORKFLOW.md").write_text(f"---\n{json.dumps(front)}\n---\n", encoding="utf-8")

    def up(self, **options: Any) -> tuple[Ending, list[Mapping[str, object]]]:
        """Serve until idle; return how it ended and every event. `options` are services.supervisor.Options. Any: as there."""
        told: list[Mapping[str, object]] = []
        ending = supervising.serve(self.harness, Serve((KEY,)), Options(until_idle=True, **options), told.append)
        return ending, told


@contextmanager
def workshop(*, store: str | None = None, clock: Clock | None = None) -> Iterator[Workshop]:
    """Make a repository with one commit, a ledger and the project TEST; everything but a given `store` goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="harness-workshop-") as name:
        folder = Path(name).resolve()
        repository = folder / "repository"
        repository.mkdir()
        git(repository, "init", "--quiet", "--initial-branch=main", writes=True)
        (repository / "README.md").write_text("# A project to try things in\n", encoding="utf-8")
        git(repository, "add", "--all", writes=True)
        git(repository, "commit", "--quiet", "-m", "Begin", writes=True, env=identity(repository))
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HARNESS_HOME": str(folder / "home"),
            "HOME": str(folder),
        }
        registering.register(harness(store, environ, repository, "testing"), registering.look(repository), KEY, None)
        opened = harness(store, environ, repository, "testing", clock=clock)
        try:
            yield Workshop(folder, repository, Ledger(opened), opened)
        finally:
            opened.close()
