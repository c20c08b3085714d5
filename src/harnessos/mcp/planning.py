"""`plan_issues`: a plan as a JSON value instead of a file; everything else is `harness plan apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app import planning

if TYPE_CHECKING:
    from harnessos.mcp.actions import Asked

_PARTS = ("version", "plan_key", "campaign", "milestones")


def plan_issues(asked: Asked) -> dict[str, Any]:
    """Write a plan. BadPlan names every problem with its path into the arguments; nothing was written then. Any: JSON."""
    tree = {name: asked.given[name] for name in _PARTS if name in asked.given}
    done, warnings = planning.apply_tree(asked.harness, tree, asked.given.get("project"), asked.action.name)
    skipped = [{"identifier": identifier, "reason": reason} for identifier, reason in done.skipped]
    told: dict[str, Any] = {f"{name}_count": len(found) for name, found in done._asdict().items()}
    told |= {"created": done.created, "updated": done.updated, "unchanged": done.unchanged, "skipped": skipped}
    return {**told, "warnings": warnings} if warnings else told
