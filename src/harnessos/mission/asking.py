"""Asking an agent once, outside of any run: for the documents of a new mission, for better summaries of a dream."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import processes
from harnessos.errors import BadContent
from harnessos.files import atomic_write, private_folder
from harnessos.runners import command

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.mission.agent import Runner

SECONDS = 30 * 60.0
_GRACE_S = 2.0
_LOOK_S = 1.0
_TAIL = 2_000


class Asked(NamedTuple):
    """How it ended: what it said when it failed (empty otherwise), and the folder it may leave files in."""

    said: str
    evidence: Path


def ask(ground: Ground, place: Path, text: str, runner: Runner) -> Asked:
    """Run the agent in the workspace, for at most half an hour; whatever it started is ended.

    RunnerProblem when it cannot be started, BadContent when it does not end.
    """
    name = ground.ids.new("draft", ground.clock.now())
    folder = private_folder(ground.home / "drafts" / name)
    files = command.files_of(folder, 1)
    command.clear(folder, files)
    atomic_write(files.prompt, text.encode("utf-8", "replace"), 0o600)
    declared = {key: ground.environ[key] for key in runner.env if key in ground.environ}
    given = {
        "WORKSPACE": str(place),
        "PROMPT_FILE": str(files.prompt),
        "EVIDENCE_DIR": str(command.evidence_of(folder)),
    }
    env = command.environment(ground.environ, declared, given)
    child = None
    try:
        child = command.start(runner.command, cwd=place, env=env, run_id=name, files=files)
        begun = ground.clock.monotonic()
        while (code := child.wait(_LOOK_S)) is None:
            if ground.clock.monotonic() - begun >= SECONDS:
                raise BadContent("the agent did not end within half an hour", hint=f"its log: {files.stdout}")
    finally:
        processes.kill_run(name, grace=_GRACE_S, group=None if child is None else child.identity)
    said = "" if code == 0 else files.stderr.read_text("utf-8", "replace")[-_TAIL:].strip() or f"exit code {code}"
    return Asked(said, command.evidence_of(folder))
