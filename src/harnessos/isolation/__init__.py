"""Runs one check in a box, at the best level of isolation this machine offers.

`full`: bubblewrap. `namespaces`: the same view of the machine made by our own keeper. `limits`: a copy of the workspace,
resource limits, an empty environment, and what the kernel offers beside (another user for root, Landlock).
docs/explanation/isolation.md says what each promises.
"""

from __future__ import annotations

TYPE_CHECKING = False  # a keeper asks for a part only, and starts in milliseconds
if TYPE_CHECKING:
    from harnessos.isolation.levels import (
        DEFAULT_LIMITS,
        NOT_ISOLATED,
        NOT_RUN,
        Check,
        CheckKind,
        Level,
        Limits,
        Result,
        best_of,
    )
    from harnessos.isolation.probing import available, best, run

__all__ = [
    "DEFAULT_LIMITS",
    "NOT_ISOLATED",
    "NOT_RUN",
    "Check",
    "CheckKind",
    "Level",
    "Limits",
    "Result",
    "available",
    "best",
    "best_of",
    "run",
]

_PROBING = ("available", "best", "run")


def __getattr__(name: str) -> object:
    """Load the part that a name lives in when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{'probing' if name in _PROBING else 'levels'}"), name)
