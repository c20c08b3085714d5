"""HarnessOS: the execution layer under AI agents. What is offered here is loaded when it is first used."""

from __future__ import annotations

from harnessos.version import VERSION as __version__  # noqa: N811 the one name Python itself expects

__all__ = [
    "Applied",
    "Closed",
    "HarnessError",
    "Issue",
    "Ledger",
    "Project",
    "Session",
    "__version__",
    "errors",
    "open_ledger",
    "testing",
]

TYPE_CHECKING = False  # every hot command imports this module, and `typing` would cost it more than all the rest
if TYPE_CHECKING:
    from harnessos import errors, testing
    from harnessos.app.ledger import Closed, Issue, Ledger, Project, Session, open_ledger
    from harnessos.errors import HarnessError
    from harnessos.kernel.planning import Applied

_HOMES = {
    "Applied": "harnessos.kernel.planning",
    "Closed": "harnessos.app.ledger",
    "HarnessError": "harnessos.errors",
    "Issue": "harnessos.app.ledger",
    "Ledger": "harnessos.app.ledger",
    "Project": "harnessos.app.ledger",
    "Session": "harnessos.app.ledger",
    "open_ledger": "harnessos.app.ledger",
}


def __getattr__(name: str) -> object:
    """Load what is asked for (PEP 562)."""
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in ("errors", "testing"):
        return import_module(f"harnessos.{name}")
    raise AttributeError(f"module 'harnessos' has no attribute {name!r}")
