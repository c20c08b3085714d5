"""What follows the end of every run: its worktree goes, its work kept, and its manifest says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.dispatch import manifest, working

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.store.transaction import Row


def leave(ground: Ground, place: Place, run: Row) -> None:
    """Remove the worktree of a run that is over, and write its last manifest. Safe to repeat.

    The manifest is right about everything else before the removal begins: whoever dies in it leaves no false one.
    """
    if run["worktree"] is not None:
        manifest.write(ground, place, run["id"], manifest.GOING)
    gone = working.clear(ground, place, run)
    manifest.write(ground, place, run["id"], manifest.REMOVED if gone else manifest.KEPT)
