"""The agent that drives a mission: `command:PROGRAM ARGUMENTS`, or a recipe for claude, codex or gemini."""

from __future__ import annotations

import json
import shlex
import shutil
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.workflow.starter import AGENT_COMMANDS, AGENT_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "command:"


def parse(kind: str) -> str:
    """Return the runner's document (JSON: kind, command, env), as `missions.runner_json` holds it. BadUsage for another word."""
    for name, recipe in AGENT_COMMANDS.items():
        if kind == name:
            return _document(kind, _in_a_folder(recipe), [AGENT_KEYS[name]])
    if kind.startswith(PREFIX):
        try:
            words = shlex.split(kind.removeprefix(PREFIX))
        except ValueError as problem:
            raise errors.BadUsage(f"--agent {kind!r} cannot be read: {problem}", hint="close its quotes") from problem
        if words:
            return _document("command", words, [])
    raise errors.BadUsage(
        f"{kind!r} is no agent", hint=f"command:PROGRAM ARGUMENTS, or one of {', '.join(AGENT_COMMANDS)}"
    )


def _in_a_folder(words: Sequence[str]) -> list[str]:
    """Return a recipe for a workspace, which is no git repository: codex refuses to start there unless it is told to."""
    if words[0] != "codex":
        return list(words)
    return [*words[:-1], "--skip-git-repo-check", words[-1]]


def _document(kind: str, command: list[str], env: list[str]) -> str:
    return json.dumps({"kind": kind, "command": command, "env": env})


def require(kind: str) -> None:
    """Refuse an agent whose program is not there, before anything is made for it. BadUsage says which."""
    program = json.loads(parse(kind))["command"][0]
    if shutil.which(program) is None:
        raise errors.BadUsage(
            f"the agent's program {program!r} is not there, or not executable",
            hint="name it as it is on PATH, or by its whole path",
        )
