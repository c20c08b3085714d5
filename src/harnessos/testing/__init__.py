"""Parts for tests of programs that use HarnessOS, and for its own."""

from __future__ import annotations

from harnessos.testing.clock import FakeClock

__all__ = ["FakeClock", "Workshop", "workshop"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harnessos.testing.ledgers import Workshop, workshop


def __getattr__(name: str) -> object:
    """Load the workshop when it is first asked for: the fake clock alone must stay cheap."""
    if name in ("Workshop", "workshop"):
        from harnessos.testing import ledgers

        return getattr(ledgers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
