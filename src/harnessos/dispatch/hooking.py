"""The workflow's hooks (SYM-5.3.4): shell scripts in the run's worktree, or in a plain folder in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harnessos import errors, processes, worktrees
from harnessos.worktrees.hooks import LOG_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place

Name = Literal["after_create", "before_run", "after_run", "before_remove"]
FATAL = ("after_create", "before_run")


class Hooks:
    """The hooks of one run. Without trust none runs; those that are not FATAL never stop anything (SYM-9.4-03)."""

    def __init__(self, ground: Ground, place: Place, run_id: str, identifier: str) -> None:
        self._ground = ground
        self._place = place
        self._run_id = run_id
        self._identifier = identifier

    def run(self, name: Name, folder: Path) -> None:
        """Run one in `folder`; its output is kept in the run's folder. WorktreeProblem when a fatal one fails."""
        workflow = self._place.workflow
        script = getattr(workflow.hooks, name) if workflow is not None else None
        if script is None or not self._place.trusted:
            return
        log = self._ground.run_folder(self._run_id) / f"{name}.log"
        try:
            done = self._start(script, folder, log)
        except errors.ToolProblem:
            if name in FATAL:
                raise
            return
        if name in FATAL and done.exit_code != 0:
            raise errors.WorktreeProblem(f"the hook {name} {_how(done)} (see {log})", log=str(log))

    def _start(self, script: str, folder: Path, log: Path) -> processes.Finished:
        workflow = self._place.workflow
        assert workflow is not None
        env = processes.built_environment(self._ground.environ, dict(workflow.harness.env))
        env |= {
            processes.RUN_MARKER: self._run_id,
            "HARNESS_WORKTREE": str(folder),
            "HARNESS_ISSUE": self._identifier,
            "HARNESS_PROJECT": self._place.project["key"],
        }
        timeout = workflow.hooks.timeout_ms / 1000
        if self._place.is_git:
            return worktrees.run_hook(script, worktree=folder, env=env, timeout_s=timeout, log=log)
        return processes.run(
            ["sh", "-lc", script], cwd=folder, env=env, timeout=timeout, log=log, output_limit=LOG_LIMIT
        )


def _how(done: processes.Finished) -> str:
    if done.ended_by is processes.EndedBy.EXIT:
        return f"ended with exit code {done.exit_code}"
    return "ran into its time limit" if done.ended_by is processes.EndedBy.TIMEOUT else "printed too much"
