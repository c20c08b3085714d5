"""The prompt of a driven run: the documents first, in their order, then what this run is about (rules 4 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import skills
from harnessos.mission import context
from harnessos.mission.documents.starter import SKILL
from harnessos.mission.timetable import entries as timetable

if TYPE_CHECKING:
    from harnessos.mission.documents.reading import Loaded
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row


def text(site: Site, loaded: Loaded, mission: Row, number: int) -> str:
    """Return the whole prompt. Its beginning is the same bytes from run to run as long as the static documents are."""
    parts = context.gather(site, loaded)
    orders = timetable.main_prompt(loaded.cron, str(site.place), str(skills.folder(SKILL)))
    return (
        "\n\n".join([context.joined(parts), "===== what to do =====", orders.strip(), _run(site, mission, number)])
        + "\n"
    )


def _run(site: Site, mission: Row, number: int) -> str:
    place = site.place
    return (
        f"This is run #{number} of mission {mission['identifier']}. The harness has started it and holds it for you: do not\n"
        f"call start. Breakpoint, from heartbeat.md: {mission['step']}. Go on there.\n"
        f"- Log what happens: harness memory stream {place} --step N --event TEXT\n"
        f"- At the end say how it went, once: harness mission done {place} --step N --summary TEXT\n"
        f"  or harness mission fail {place} --step N --error TEXT, or harness mission blocked {place} --reason TEXT.\n"
        "- The harness runs the evaluation itself after you have ended. Do not change mission.md."
    )
