"""Whether the tools a playbook names are there: each probe is a check of its own, in the box that checks run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.isolation import Check
from harnessos.mission import evaluation
from harnessos.mission.boot import Tool as Probed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnessos.mission.documents.playbook import Tool
    from harnessos.mission.site import Site

SECONDS = 10.0


def probe(tools: Sequence[Tool], site: Site) -> list[Probed]:
    """Return each tool with whether it is there; None for one of the agent's host, or without a probe."""
    if not any(tool.probe for tool in tools):
        return [Probed(tool.name, tool.role, None, tool.required) for tool in tools]
    boxes = evaluation.boxes_of(site.ground)
    found = []
    for tool in tools:
        result = boxes.run(Check.sh(tool.probe), site.place, SECONDS) if tool.probe else None
        present = None if result is None else result.passed
        detail = "" if result is None or result.passed else result.detail
        found.append(Probed(tool.name, tool.role, present, tool.required, detail))
    return found
