"""Gates are run here: one module a kind, one result a gate."""

from __future__ import annotations

from harnessos.gates.execution import execute

__all__ = ["execute"]
