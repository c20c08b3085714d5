"""What a script of a skill costs on top of the command it stands for, over starting the interpreter that runs it."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bench import commands
from bench.measure import Sample, interleave, sample, walls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.measure import Spent

SKILL = "harness-24h"
LIMIT = 1.5
WORDS = ("mission", "boot", "--help")
SCRIPT = ("harness_boot.py", "--help")
"""The same command, by the script: its own work is small, so that what comes on top can be seen."""


class Cost(NamedTuple):
    """Whose interpreter runs the script, the seconds of each way, and what comes on top in starts of that interpreter."""

    who: str
    seconds: dict[str, list[float]]
    over: Sample


def measure(place: Path, rounds: int) -> list[Cost]:
    """Install the skill and measure its scripts by the interpreter that has HarnessOS, and by one that has not."""
    env = commands.environment(place / "home")
    place.mkdir(parents=True)
    commands.call((commands.HARNESS, "skill", "install", SKILL, "--to", place), place, env)
    script = place / SKILL / "scripts" / SCRIPT[0]
    found = {"its own": sys.executable, "another": os.path.realpath(sys.executable)}
    return [_cost(f"{who} interpreter", python, script, place, env, rounds) for who, python in found.items()]


def _cost(who: str, python: str, script: Path, place: Path, env: dict[str, str], rounds: int) -> Cost:
    def spent(*words: str | Path) -> Spent:
        return commands.call(words, place, env).spent

    sides = {
        "pass": partial(spent, python, "-c", "pass"),
        "command": partial(spent, commands.HARNESS, *WORDS),
        "script": partial(spent, python, script, *SCRIPT[1:]),
    }
    sides["script"]()  # what it imports is compiled once
    seconds = {name: walls(list_) for name, list_ in interleave(rounds, sides).items()}
    return Cost(who, seconds, sample(_over(seconds["script"], seconds["command"], seconds["pass"])))


def _over(script: Sequence[float], command: Sequence[float], bare: Sequence[float]) -> list[float]:
    return [(one - other) / start for one, other, start in zip(script, command, bare, strict=True)]
