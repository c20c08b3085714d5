"""Parts for tests of programs that use HarnessOS, and for its own."""

from __future__ import annotations

from harnessos.testing.clock import FakeClock

__all__ = ["FakeClock"]
