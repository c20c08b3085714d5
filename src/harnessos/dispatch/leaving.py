"""The end of every run: its work is kept as far as it can be, the ledger is told, the worktree goes, the manifest says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harnessos import errors
from harnessos.dispatch import derived, folder, manifest, settlement, working
from harnessos.kernel import runs
from harnessos.kernel.ending import PLAIN, Closing

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.kernel.events import Cause
    from harnessos.model.outcome import Ended
    from harnessos.store.transaction import Row

Kept = TypeVar("Kept")


def end(ground: Ground, place: Place, run: Row, ended: Ended, cause: Cause, closing: Closing = PLAIN) -> Row:
    """End a live run that was not accepted; return its issue's row. LeaseLost when it is over already.

    Nothing but the ledger can prevent it: where a checkpoint or the salvage cannot be made, the reason says so, and
    the worktree stays for a person.
    """
    problems: list[str] = []
    _try(problems, lambda: derived.record(ground, runs.lease_of(run), run, ended, cause))
    kept = None
    if place.is_git:
        kept = _try(problems, lambda: working.keep(ground, place, run))
    else:
        _try(problems, lambda: folder.keep(ground, place, run["id"]))
    reason = "; ".join([*filter(None, [ended.reason]), *(f"not all of it was kept: {problem}" for problem in problems)])
    return settlement.finish(
        ground,
        runs.lease_of(run),
        ended._replace(reason=reason),
        cause,
        closing._replace(salvage_ref=kept, most_backoff_ms=place.most_backoff_ms),
    )


def _try(problems: list[str], keep: Callable[[], Kept]) -> Kept | None:
    try:
        return keep()
    except errors.LeaseLost:
        raise
    except Exception as problem:  # noqa: BLE001 # it is told in the run's reason, and a run must end
        problems.append(str(problem) or type(problem).__name__)
        return None


def leave(ground: Ground, place: Place, run: Row) -> None:
    """Remove the worktree of a run that is over, and write its last manifest. Safe to repeat.

    The manifest is right about everything else before the removal begins: whoever dies in it leaves no false one.
    """
    if run["worktree"] is not None:
        manifest.write(ground, place, run["id"], manifest.GOING)
    stays = working.clear(ground, place, run)
    manifest.write(ground, place, run["id"], f"kept: {stays}" if stays else manifest.REMOVED)
