"""HarnessOS: the execution layer under AI agents."""

from __future__ import annotations

from harnessos.version import VERSION

__all__ = ["__version__"]

__version__ = VERSION
