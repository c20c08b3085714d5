"""Work in a plain folder, where nothing but a copy keeps it: what a run changed is copied to the run's own folder."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from harnessos.files import atomic_write, private_folder
from harnessos.gates.manifest import Entry, Manifest, difference, manifest

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place

BEFORE = "folder-before.json"
KEPT = "salvage"


def remember(ground: Ground, place: Place, run_id: str) -> None:
    """Write down what the folder holds when the run begins."""
    before = manifest(place.root)
    document = {"hash": before.hash, "files": before.files}
    atomic_write(ground.run_folder(run_id) / BEFORE, json.dumps(document).encode(), 0o600)


def keep(ground: Ground, place: Place, run_id: str) -> None:
    """Copy what the run added or changed to its folder, with a list of what it removed. Safe to repeat."""
    noted = ground.run_folder(run_id) / BEFORE
    if not noted.exists():
        return
    document = json.loads(noted.read_bytes())
    before = Manifest(document["hash"], {path: Entry(*entry) for path, entry in document["files"].items()})
    now = manifest(place.root)
    moved = difference(before, now)
    if not moved:
        return
    kept = private_folder(ground.run_folder(run_id) / KEPT)
    for path in (*moved.added, *moved.changed):
        if now.files[path].kind != "other":
            _copy(place.root / path, kept / "files" / path)
    atomic_write(kept / "changes.json", json.dumps(moved._asdict(), indent=1).encode(), 0o600)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        shutil.copy2(source, target, follow_symlinks=False)
    except FileNotFoundError:
        return  # gone since it was listed
