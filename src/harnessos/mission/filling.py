"""Workflow A: an agent fills in the templates of a new workspace, and is sent back with what is wrong until they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import processes, skills
from harnessos.errors import BadContent
from harnessos.files import atomic_write, private_folder
from harnessos.mission import lint, reading
from harnessos.mission.agent import reachable
from harnessos.mission.starter import SKILL
from harnessos.mission.workspace import DOCUMENTS
from harnessos.runners import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.mission.agent import Runner
    from harnessos.mission.problems import Problem

TRIES = 3
SECONDS = 30 * 60.0
_GRACE_S = 2.0
_LOOK_S = 1.0
_TAIL = 2_000


class Filled(NamedTuple):
    """How often the agent was asked, and what the linter still has to say."""

    tries: int
    warnings: tuple[Problem, ...]


def fill(ground: Ground, place: Path, idea: str, runner: Runner, tell: Callable[[str], None]) -> Filled:
    """Have the agent write the four documents; BadDocument (65) with what is still wrong after the third try.

    The agent's own failure to start or to end is RunnerProblem or BadContent. Whatever it started is ended.
    """
    problems: tuple[Problem, ...] = ()
    for number in range(1, TRIES + 1):
        tell(f"the agent writes the documents, try {number} of {TRIES}")
        said = _ask(ground, place, prompt(place, idea, problems), runner, number)
        loaded = reading.load(place)
        problems = loaded.problems
        if not problems:
            return Filled(number, loaded.warnings)
        tell(f"{len(problems)} things are wrong in them" + (f"; the agent said: {said}" if said else ""))
    causes = [problem.describe() for problem in problems]
    raise BadContent(
        "\n".join(["the documents are not complete after three tries:", *causes[:20]]),
        hint=f"mend them in {place}, then `harness mission boot {place}`",
        causes=causes,
    )


def prompt(place: Path, idea: str, problems: tuple[Problem, ...]) -> str:
    """Return what the agent is asked; the idea is a person's text, fenced as such."""
    skill = skills.folder(SKILL)
    parts = [
        f"Prepare a mission for HarnessOS in the workspace {place}. The rules are in {skill}/SKILL.md, Workflow A, step A3;",
        f"read it first. Write these files completely, in place of the templates that lie there: {', '.join(DOCUMENTS)}.",
        "Leave no [slot] unfilled. Every mandatory condition in mission.md needs a check in eval_criteria.md that a machine",
        f"can run; at most {lint.MOST_TOOLS} tools; each step has completion criteria and failure handling.",
        "Write nothing else, do not begin the work itself, and end when the files are written.",
        "",
        "The task, in the words of the person who wants it:",
        "<<<IDEA",
        idea.replace("IDEA>>>", "IDEA >>>"),
        "IDEA>>>",
    ]
    if problems:
        parts += [
            "",
            "Your last try was sent back. Mend exactly this:",
            *(f"- {one.describe()}" for one in problems[:50]),
        ]
    return "\n".join(parts) + "\n"


def _ask(ground: Ground, place: Path, text: str, runner: Runner, number: int) -> str:
    """Run the agent once, for at most half an hour; return the end of what it said when it failed."""
    name = ground.ids.new("draft", ground.clock.now())
    folder = private_folder(ground.home / "drafts" / name)
    files = command.files_of(folder, number)
    command.clear(folder, files)
    atomic_write(files.prompt, text.encode("utf-8", "replace"), 0o600)
    declared = {key: ground.environ[key] for key in runner.env if key in ground.environ}
    env = command.environment(
        reachable(ground.environ), declared, {"WORKSPACE": str(place), "PROMPT_FILE": str(files.prompt)}
    )
    child = None
    try:
        child = command.start(runner.command, cwd=place, env=env, run_id=name, files=files)
        begun = ground.clock.monotonic()
        while (code := child.wait(_LOOK_S)) is None:
            if ground.clock.monotonic() - begun >= SECONDS:
                raise BadContent("the agent did not end within half an hour", hint=f"its log: {files.stdout}")
    finally:
        processes.kill_run(name, grace=_GRACE_S, group=None if child is None else child.identity)
    return "" if code == 0 else files.stderr.read_text("utf-8", "replace")[-_TAIL:].strip() or f"exit code {code}"
