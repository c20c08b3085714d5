"""Which levels this machine really offers: each is tried with a check that passes, once a process."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.isolation.boxes import NOBODY, Interpreter, Place, own_interpreter, run_at
from harnessos.isolation.levels import DEFAULT_LIMITS, NOT_ISOLATED, Check, Level, Limits, Result, best_of
from harnessos.ports import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harnessos.ports import Clock

_TRIED = Check.python("import sys\nassert sys.version_info >= (3, 11)\nassert list(workspace.iterdir()) == []")
_TRIED_LIMITS = Limits(wall=20.0)
_OTHER_PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")


def available(uid: int = NOBODY) -> tuple[Level, ...]:
    """Return the levels that work here, best first. `uid` is who root's checks run as at level `limits`."""
    return tuple(level for level in Level if _place(level, uid) is not None)


def best(minimum: Level = Level.LIMITS, uid: int = NOBODY) -> Level | None:
    """Return the best level that works here, None when it does not reach the minimum. Tries no more than it must."""
    return best_of((level for level in Level if level.reaches(minimum) and _place(level, uid) is not None), minimum)


def run(
    check: Check,
    workspace: Path,
    *,
    level: Level | None,
    limits: Limits = DEFAULT_LIMITS,
    clock: Clock,
    scratch_root: Path,
    uid: int = NOBODY,
    hidden: Sequence[Path] = (),
) -> Result:
    """Run one check at a level; `None` (what `best` answers below the minimum) runs nothing and fails `not_isolated`.

    `clock` measures, and says what is fresh. `scratch_root` holds the box while it lasts. `hidden` folders do not exist
    for the check, beside the ledger's home and the workspace's `.harness`. Nothing is raised for what a check does.
    """
    if level is None:
        return Result(False, f"{NOT_ISOLATED}: this machine offers no level the operator allows", 0.0, None)
    place = _place(level, uid)
    if place is None:
        return Result(False, f"{NOT_ISOLATED}: level {level.value} does not work here", 0.0, None)
    place = place._replace(hidden=(str(_home()), *(str(one.absolute()) for one in hidden)))
    return run_at(place, check, workspace, limits=limits, clock=clock, scratch_root=scratch_root)


def _home() -> Path:
    given = os.environ.get("HARNESS_HOME")
    return Path(given or "~/.agent-harness").expanduser().absolute()


@cache
def _place(level: Level, uid: int) -> Place | None:
    """Return where a check of that level runs on this machine, None when it cannot."""
    if level is Level.FULL and shutil.which("bwrap") is None:
        return None
    if level is not Level.LIMITS and sys.platform != "linux":
        return None
    other = uid if level is Level.LIMITS and os.geteuid() == 0 else None
    for interpreter in _candidates(other):
        place = Place(level, interpreter, other, ())
        if _works(place):
            return place
    return None


def _candidates(uid: int | None) -> Iterator[Interpreter]:
    """Yield interpreters to try: our own, and for another user, who may not reach it, those of the system."""
    yield own_interpreter()
    if uid is not None:
        for path in filter(Path.exists, map(Path, _OTHER_PYTHONS)):
            yield Interpreter(str(path.resolve()), (str(path.parent.parent),))


def _works(place: Place) -> bool:
    with tempfile.TemporaryDirectory(prefix="harness-probe-") as folder:
        empty = Path(folder, "empty")
        empty.mkdir()
        result = run_at(place, _TRIED, empty, limits=_TRIED_LIMITS, clock=SystemClock(), scratch_root=Path(folder))
    return result.passed
