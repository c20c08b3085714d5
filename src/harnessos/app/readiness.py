"""Whether this machine can do what a project's WORKFLOW.md wants: its programs are here, and there is room for worktrees.

Programs are only looked up, never run: that needs nobody's trust.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors, processes
from harnessos.dispatch import place as places
from harnessos.dispatch import working
from harnessos.dispatch.ground import Ground
from harnessos.inspector import health
from harnessos.inspector.health import ERROR, WARNING, Check, Finding
from harnessos.model.gate import Place as Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harnessos.app.harness import Harness
    from harnessos.dispatch.place import Place
    from harnessos.store.transaction import Row
    from harnessos.workflow.values import Workflow

_OWN = frozenset({
    "!", ".", ":", "[", "[[", "alias", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "if", "read",
    "return", "set", "shift", "source", "test", "time", "times", "trap", "type", "ulimit", "umask", "unset", "until",
    "while", "{", "(",
})  # fmt: skip
"""Words a shell knows itself."""


def examine(harness: Harness, projects: list[Row]) -> Iterator[Check]:
    """Look at every project that lies on this machine: room, the agent's program, the programs of gates."""
    ground = _ground(harness)
    here = [place for row in projects if (place := _here(ground, row)) is not None]
    full = [Finding(str(place.root), text) for place in here if (text := working.full_disk(ground, place))]
    remedy = "free some space; `harness worktree gc --dry-run` shows what can go"
    yield _check("disk", "there is room for new worktrees", ERROR, remedy, full)
    agents = [Finding(place.project["key"], text) for place in here for text in agent_missing(place)]
    remedy = "install it, put its folder on PATH, or name it by its whole path under harness.runner in WORKFLOW.md"
    yield _check("agents", "the agent's program of every WORKFLOW.md is here", ERROR, remedy, agents)
    gates = [Finding(place.project["key"], text) for place in here for text in gates_missing(place)]
    remedy = "install it, or name it by its whole path in the gate"
    yield _check("gates", "the program of every gate in a WORKFLOW.md is here", WARNING, remedy, gates)


def _check(name: str, says: str, severity: str, remedy: str, found: list[Finding]) -> Check:
    return Check(name, says, severity, remedy, tuple(found[: health.MOST]), len(found) > health.MOST)


def _ground(harness: Harness) -> Ground:
    """Return a ground for looking only: the ledger may be one that this program may read and not write."""
    process = processes.this_process()
    return Ground(
        harness.reading, harness.clock, harness.ids, harness.settings.home, process, harness.actor, harness.environ
    )


def _here(ground: Ground, project: Row) -> Place | None:
    """Return where a project lies on this machine, None when it does not; without a workflow that cannot be loaded."""
    try:
        found = places.find(ground, project, load=False)
    except errors.Refused:
        return None
    try:
        return places.find(ground, project)
    except errors.HarnessError:
        return found  # `up` says what is wrong with it


def missing(place: Place) -> list[str]:
    """Return, in sentences, which programs that the workflow names are not here."""
    return [*agent_missing(place), *gates_missing(place)]


def agent_missing(place: Place) -> list[str]:
    """Return what is wrong with the agent's program, in at most one sentence."""
    runner = place.workflow.harness.runner if place.workflow is not None else None
    if place.workflow is None or runner is None:
        return []
    word = runner.argv[0] if runner.argv else _first(runner.shell or "")
    return [f"the agent's program {word} is not here, or cannot be executed"] if _lacks(place, word) else []


def gates_missing(place: Place) -> list[str]:
    """Return a sentence for each gate whose program is not on this machine."""
    if place.workflow is None:
        return []
    return [
        f"the program {gate.argv[0]} of the gate {gate.name} is not here, or cannot be executed"
        for gate in place.workflow.harness.gates
        if gate.argv and not _made_later(gate.argv[0], place.workflow, gate.where) and _lacks(place, gate.argv[0])
    ]


def _made_later(word: str, workflow: Workflow, where: Where) -> bool:
    """Return whether a path lies inside a checkout, where its setup, the agent or the commit may put it."""
    return (
        "/" in word
        and not Path(word).is_absolute()
        and (where is not Where.CHECKOUT or bool(workflow.harness.checkout.setup))
    )


def _first(line: str) -> str:
    """Return the program that a shell line begins with; empty when only the shell can tell."""
    try:
        word = next(iter(shlex.split(line)), "")
    except ValueError:
        return ""
    return "" if word in _OWN or not all(letter.isalnum() or letter in "_./+-" for letter in word) else word


def _lacks(place: Place, word: str) -> bool:
    if not word or place.workflow is None:
        return False
    if "/" in word:
        found = place.root / word
        return not (found.is_file() and os.access(found, os.X_OK))
    env = processes.built_environment(os.environ, place.workflow.harness.env)
    return shutil.which(word, path=env.get("PATH")) is None
