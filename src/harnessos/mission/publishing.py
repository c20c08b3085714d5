"""Writing the rendered documents: under the workspace's lock, from the row as it is then, the intent in the ledger first.

The ledger keeps the hashes of the last two renderings. A document with one of them is ours, also after a crash between
the intent and the write; any other was edited by hand. Of an edited heartbeat.md only the step is taken over, unless a
run is live or has just ended; the edit itself is kept as `.bak`.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from harnessos.files import atomic_write, contained, read_bounded
from harnessos.kernel import missions
from harnessos.mission import rendering, workspace
from harnessos.model import mission as model
from harnessos.model.digest import sha256_hex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harnessos.mission.rendering import State
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row, Transaction

_LIMIT = 64 * 1024 * 1024
MOST_RUNS = 400
"""Runs that progress.md shows at most; cleanup takes the oldest out long before."""


class Documents(NamedTuple):
    """What of the documents that people own is shown in the rendered ones: the playbook's steps, the conditions."""

    steps: Sequence[str] = ()
    conditions: Sequence[tuple[str, str, bool]] = ()
    rank: Sequence[str] = ()
    """Slugs of topics in the order in which the index shows them; those not named follow, newest first."""


class Published(NamedTuple):
    """What happened to hand edits: notes for people, and the step that was taken over."""

    notes: tuple[str, ...] = ()
    step: str | None = None


def publish(site: Site, shown: Documents, *, take_step: bool) -> Published:
    """Bring heartbeat.md and progress.md to what the ledger says. Safe to repeat, and against others doing the same."""
    place, mission_id = site.place, site.mission_id
    with workspace.lock(place):
        workspace.require_own(place, mission_id)
        mission = site.row()
        known = json.loads(mission["rendered_json"])
        beat, whole = _text(place / "heartbeat.md"), _text(place / "progress.md")
        edited = _edited(known, "heartbeat.md", beat)
        step = _step_of(mission, beat) if edited and beat is not None and take_step else None
        if step is not None:
            site.write(missions.import_step, mission_id, step, site.cause)
        state = site.read(gather, mission_id, shown)
        fresh, generated = rendering.heartbeat(state), rendering.progress(state)
        above, old = rendering.split(whole or "")
        notes = []
        if edited and beat and mission["runs"]:
            notes.append(_keep(place / "heartbeat.md", beat))
        if old and mission["runs"] and _edited(known, "progress.md", old):
            notes.append(_keep(place / "progress.md", whole or ""))
        site.write(missions.rendering, mission_id, {"heartbeat.md": _digest(fresh), "progress.md": _digest(generated)})
        _write(place, "heartbeat.md", beat, fresh)
        _write(place, "progress.md", whole, rendering.joined(above, generated))
    return Published(tuple(notes), step)


def gather(tx: Transaction, mission_id: str, shown: Documents) -> State:
    """Return what the rendered documents show, of one snapshot."""
    mission = missions.find(tx, mission_id)
    topics = {row["slug"]: row for row in tx.all("mission_topic_list", mission=mission_id)}
    ranked = [topics.pop(slug) for slug in shown.rank if slug in topics]
    before = 1 << 40
    runs = tx.all("mission_run_list", mission=mission_id, kind="run", before=before, most=MOST_RUNS)
    results = {
        name.casefold(): _word(passed) for name, passed in json.loads(mission["judged_json"]).get("results", {}).items()
    }
    firing = tx.one("mission_next_firing", mission=mission_id, target="mission", one=1)
    return rendering.State(
        mission,
        [*ranked, *topics.values()],
        firing["fires_at"] if firing and not model.read(mission).stopped else None,
        [run for run in runs if run["number"] > mission["archived"]],
        shown.steps,
        [(name, text, must, results.get(name.casefold(), "open")) for name, text, must in shown.conditions],
        missions.held(tx, mission["issue_id"]) is not None,
    )


def _word(passed: bool | None) -> str:
    return "open" if passed is None else "passed" if passed else "failed"


def _step_of(mission: Row, text: str) -> str | None:
    """Return the step that a hand edit of heartbeat.md asks for, None when it asks for no other."""
    from harnessos.model.mission import shown_step

    found = rendering.field(text, "Current Step")
    if not found or len(found) > 200:
        return None
    step = shown_step(found)
    return step if step != mission["step"] else None


def _edited(known: dict[str, list[str]], name: str, text: str | None) -> bool:
    return text is not None and bool(text.strip()) and _digest(text) not in known.get(name, [])


def _digest(text: str) -> str:
    return sha256_hex(text.encode("utf-8", "surrogateescape"))


def _text(path: Path) -> str | None:
    """Return a document's text, None when it is not there; what is no file is moved aside.

    Bytes that are no UTF-8 come back as they were.
    """
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        # A folder, a pipe or a link under the name would keep the ledger's word out for ever.
        path.rename(_free(path))
        return None
    return read_bounded(path, _LIMIT).decode("utf-8", "surrogateescape")


def _keep(path: Path, text: str) -> str:
    """Keep an edited document beside itself under a name that is free; return the note about it."""
    target = _free(path)
    atomic_write(target, text.encode("utf-8", "surrogateescape"))
    return (
        f"{path.name} was edited by hand: the edit is kept in {target.name}, and it was rendered from the ledger again"
    )


def _free(path: Path) -> Path:
    """Return a name for keeping what lies at `path`, one that is not taken."""
    number = 1
    while os.path.lexists(target := path.with_name(f"{path.name}{'' if number == 1 else f'.{number}'}.bak")):
        number += 1
    return target


def _write(place: Path, name: str, before: str | None, text: str) -> None:
    if before != text:
        atomic_write(contained(place, place / name), text.encode("utf-8", "surrogateescape"))
