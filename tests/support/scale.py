"""How much the proofs do: what CI can afford, or the full scale of `make soak` (HARNESS_SOAK=1).

The tests are the same at both scales. A test whose work is counted here carries the marker `scales`.
"""

from __future__ import annotations

import os
import random
from typing import NamedTuple


class Scale(NamedTuple):
    """Counts of one scale (quality.md, "Must survive"). `seconds` are how long writers write."""

    processes: int = 32
    issues: int = 100
    rounds: int = 3
    openers: int = 20
    opens: int = 100
    kills: int = 100
    pairs: int = 50
    triggers: int = 30
    writers: int = 16
    seconds: int = 5
    sqlite_steps: int = 10_000
    postgres_steps: int = 1_000
    server_kills: int = 10
    cuts: int = 30
    full_disks: int = 40
    firings: int = 48
    judged: int = 15


CI = Scale()
SOAK = Scale(
    rounds=20,
    opens=500,
    kills=2_000,
    pairs=800,
    triggers=300,
    seconds=60,
    sqlite_steps=200_000,
    postgres_steps=20_000,
    server_kills=100,
    cuts=1_000,
    full_disks=100_000,
    firings=288,
    judged=200,
)

SCALE = SOAK if os.environ.get("HARNESS_SOAK") == "1" else CI
"""The scale of this test run."""


Chance = random.Random


def seeded(seed: int) -> Chance:
    """Return chance that is the same each time."""
    return random.Random(seed)
