"""Workflow A: an agent fills in the templates of a new workspace, and is sent back with what is wrong until they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import skills
from harnessos.errors import BadContent
from harnessos.mission import asking
from harnessos.mission.documents import lint, reading
from harnessos.mission.documents.starter import SKILL
from harnessos.mission.workspace import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.mission.agent import Runner
    from harnessos.mission.documents.problems import Problem

TRIES = 3


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
        said = asking.ask(ground, place, prompt(place, idea, problems), runner).said
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
