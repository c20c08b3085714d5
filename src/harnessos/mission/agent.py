"""The agent of a driven run: a process that reads the prompt and exits, watched until its whole tree is gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

from harnessos import processes
from harnessos.dispatch.watching import Control, Limits, Watch, Watched, ended_by
from harnessos.files import atomic_write
from harnessos.kernel import runs
from harnessos.runners import command
from harnessos.runners.command import Report

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.kernel.events import Cause
    from harnessos.mission.site import Site
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

OUTPUT_BYTES = 256 * 1024 * 1024
_KILL_GRACE_S = 5.0


class Runner(NamedTuple):
    """How a mission's agent is started: the words of its command, and what of the environment it is given."""

    kind: str
    command: tuple[str, ...]
    env: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: str) -> Runner | None:
        """Return the runner a mission's row names (JSON), None when its agent comes by itself."""
        found = json.loads(document)
        return cls(found["kind"], tuple(found["command"]), tuple(found.get("env", ()))) if found else None

    def provider(self, machine_id: str) -> str:
        """Return the account that a quota wall concerns: the program on this machine."""
        return f"{self.command[0].rpartition('/')[2]}@{machine_id}"


class Job(NamedTuple):
    """One turn of a driven run: what the agent is told, and under which lease."""

    site: Site
    lease: Lease
    token: str
    prompt: str
    mission: Row
    control: Control
    cause: Cause


class Agent(Protocol):
    """Whoever does the work of a run. Nothing it started is left when it returns. LeaseLost when the lease was over."""

    def work(self, job: Job) -> Report:
        """Work, and say what the end means; `ended` None: it says that it is finished."""
        ...

    def left(self, job: Job) -> Report | None:
        """Say what a turn came to whose supervisor died; None when nobody knows."""
        ...


class CommandAgent:
    """The `command` runner in the workspace (runners.command)."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def work(self, job: Job) -> Report:
        """See Agent."""
        ground, run_id = job.site.ground, job.lease.run_id
        folder = ground.run_folder(run_id)
        files = command.files_of(folder, 1)
        command.clear(folder, files)
        atomic_write(files.prompt, job.prompt.encode("utf-8", "replace"), 0o600)
        child: processes.Child | None = None
        try:
            child = command.start(
                self._runner.command,
                cwd=job.site.place,
                env=self._environment(job, files, folder),
                run_id=run_id,
                files=files,
            )
            job.site.write(runs.launch, job.lease, child.identity, job.cause)
            watch = self._watch(job, child, files)
        finally:
            processes.kill_run(run_id, grace=_KILL_GRACE_S, group=None if child is None else child.identity)
        if watch.how is Watched.LOST:
            runs.lost(job.lease)
        if watch.how is Watched.EXITED:
            assert watch.exit_code is not None
            command.record_exit(files, watch.exit_code)
            return command.report(watch.exit_code, files, job.site.now(), run_id)
        return Report(ended_by(watch, job.site.now()))

    def left(self, job: Job) -> Report | None:
        """See Agent."""
        files = command.files_of(job.site.ground.run_folder(job.lease.run_id), 1)
        code = command.recorded_exit(files)
        return None if code is None else command.report(code, files, job.site.now(), job.lease.run_id)

    def _watch(self, job: Job, child: processes.Child, files: command.TurnFiles) -> Watch:
        run = job.site.read(_run, job.lease.run_id)
        left = None if run["cap_at"] is None else max(1.0, (run["cap_at"] - job.site.now()) / 1000)
        limits = Limits(command.STALL_S, left, OUTPUT_BYTES)
        watch = Watch(job.site.ground, job.lease, child, limits, (files.stdout, files.stderr), job.control)
        watch.how = watch.until_end()
        return watch

    def _environment(self, job: Job, files: command.TurnFiles, folder: Path) -> dict[str, str]:
        ground = job.site.ground
        store = ground.store
        declared = {name: ground.environ[name] for name in self._runner.env if name in ground.environ}
        return command.environment(
            ground.environ,
            declared,
            {
                "RUN_ID": job.lease.run_id,
                "MISSION": job.mission["identifier"],
                "WORKSPACE": str(job.site.place),
                "PROMPT_FILE": str(files.prompt),
                "EVIDENCE_DIR": str(command.evidence_of(folder)),
                "SESSION_TOKEN": job.token,
                "HOME": str(ground.home),
                "STORE": store.url if store.dialect == "sqlite" else None,
            },
        )


def _run(tx: Transaction, run_id: str) -> Row:
    row = tx.one("run_by_id", id=run_id)
    assert row is not None
    return row
