"""Keeping a workspace small: old runs leave progress.md, the stream is rotated, the memory is checked (component 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.files import atomic_write, contained
from harnessos.kernel import missions
from harnessos.memory import rotation, stream
from harnessos.mission import keeping, remembering, rendering, workspace
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.memory.checking import Finding
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row, Transaction

EVERY_RUNS = 10
MOST_RUNS = 50
MOST_LINES = 2_000
MOST_STREAM_BYTES = 10 * 1024 * 1024
_FOREVER = 1 << 40


class Limits(NamedTuple):
    """What stays: so many runs in progress.md, so many bytes in the live stream."""

    runs: int = MOST_RUNS
    stream_bytes: int = MOST_STREAM_BYTES


class Tidied(NamedTuple):
    """What was done, or with `dry_run` would be: runs taken out, the files they and the stream went to, what is wrong."""

    archived: int
    archive: str
    rotated: str
    findings: list[Finding]


def clean(site: Site, limits: Limits, *, dry_run: bool = False) -> Tidied:
    """Archive what is old. Nothing below output/ is touched, and nothing is deleted."""
    mission = site.row()
    old = _old(site, mission, limits)
    log = site.place / stream.LOG
    full = log.is_file() and log.stat().st_size > limits.stream_bytes
    archive = rotated = ""
    if old:
        name = f"progress_archive_{_compact(site.now())}"
        archive = _free(site.place, name).relative_to(site.place).as_posix()
    if dry_run:
        return Tidied(len(old), archive, stream.LOG if full else "", remembering.check(site)[0])
    with workspace.lock(site.place):
        if old:
            path = contained(site.place, _free(site.place, f"progress_archive_{_compact(site.now())}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, rendering.archive(old, mission["name"]).encode())
            archive = path.relative_to(site.place).as_posix()
        # First the archive, then the ledger's word that these runs are in it: a crash between writes them twice.
        site.write(_cleaned, site.mission_id, max((run["number"] for run in old), default=mission["archived"]))
    if full:
        moved = rotation.rotate(site.place, limits.stream_bytes, site.now())
        rotated = moved.relative_to(site.place).as_posix() if moved else ""
    keeping.refresh(site)
    return Tidied(len(old), archive, rotated, remembering.check(site)[0])


def when_due(site: Site) -> Tidied | None:
    """Clean up if ten runs went by since the last time; None when it is not due."""
    mission = site.row()
    return clean(site, Limits()) if mission["runs"] - mission["cleaned"] >= EVERY_RUNS else None


def _old(site: Site, mission: Row, limits: Limits) -> list[Row]:
    """Return the runs that leave progress.md, newest first: those over the number, or all but that many over 2,000 lines."""
    runs = [run for run in site.read(_runs, site.mission_id) if run["number"] > mission["archived"] and not run["live"]]
    if len(runs) > limits.runs:
        return runs[limits.runs :]
    shown = sum(rendering.record(run).count("\n") for run in runs)
    return runs[len(runs) // 2 :] if shown > MOST_LINES else []


def _free(place: Path, name: str) -> Path:
    """Return a name in the archive that nothing has."""
    folder, number = place / "logs" / "archive", 1
    while (path := folder / f"{name}_{number}.md").exists():
        number += 1
    return path


def _compact(instant: int) -> str:
    return stamp(instant)[:19].replace("-", "").replace(":", "").replace(" ", "T") + "Z"


def _runs(tx: Transaction, mission_id: str) -> list[Row]:
    return tx.all("mission_run_list", mission=mission_id, kind="run", before=_FOREVER, most=10_000)


def _cleaned(tx: Transaction, mission_id: str, archived: int) -> None:
    mission = missions.find(tx, mission_id)
    tx.do("mission_cleaned", id=mission_id, archived=max(archived, mission["archived"]), cleaned=mission["runs"])
