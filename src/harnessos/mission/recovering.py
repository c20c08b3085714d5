"""What a killed command left of a workspace's memory is put right at the next boot (B-07); it looks first, and is quick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.memory import checking, rotation, stream
from harnessos.mission import remembering, workspace

if TYPE_CHECKING:
    from harnessos.mission.site import Site


def recover(site: Site) -> None:
    """End what was cut off: a topic that is not registered as it is, a rotation, a line without its end."""
    if remembering.unregistered(site):
        with workspace.lock(site.place):
            # No command leaves a pointer without its file: where one is gone, a person looks (`memory check`).
            remembering.register_all(site, forget=False)
    if any(rotation.is_left(path) for path in rotation.rotated(site.place)):
        rotation.finish(site.place)
    if (site.place / stream.LOG).is_file():
        checking.mend_torn(site.place)
