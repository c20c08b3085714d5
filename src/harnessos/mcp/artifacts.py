"""`harness_artifacts`: what a session's run produced, by hash. A path never leads out of where the work lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app import keeping

if TYPE_CHECKING:
    from harnessos.mcp.actions import Asked


def save(asked: Asked) -> dict[str, Any]:
    """Record a file of the session's work, by its hash. Any: JSON."""
    given = asked.given
    return keeping.save(asked.harness, asked.harness.token(given.get("session")), given["kind"], given["path"])


def listed(asked: Asked) -> dict[str, Any]:
    """List what was saved. Any: JSON."""
    given = asked.given
    wanted = keeping.Wanted(
        given.get("issue"), given.get("kind"), given.get("limit") or asked.page or 10, given.get("cursor", "")
    )
    return keeping.listed(asked.harness, given.get("project"), wanted)
