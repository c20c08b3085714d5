"""Keeping a workspace's documents at what the ledger says, with the topics that matter for the current step first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harnessos.kernel.missions import JUDGED_BY
from harnessos.memory.checking import relevant
from harnessos.mission import publishing, workspace
from harnessos.mission.documents import reading
from harnessos.mission.pointers import pointers
from harnessos.model.digest import sha256_hex
from harnessos.model.mission import plain_step

if TYPE_CHECKING:
    from harnessos.mission.documents.reading import Loaded
    from harnessos.mission.publishing import Published
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row, Transaction


def refresh(site: Site, loaded: Loaded | None = None, *, take_step: bool = True) -> Published:
    """Render heartbeat.md and progress.md anew; what became of hand edits is told in the stream too.

    With `take_step` the step of an edited heartbeat.md is taken over, whichever command finds it first. Not at the end
    of a run: there its word and its verdict decide where the next one begins.
    """
    loaded = loaded or reading.load(site.place)
    rank = ranked(site, loaded, site.row()["step"])
    published = publishing.publish(site, loaded.shown._replace(rank=rank), take_step=take_step)
    for note in published.notes:
        site.note("WARN", site.row()["step"], note)
    return published


def rewritten(site: Site, run_id: str, loaded: Loaded) -> str:
    """Return the documents a mission is judged by that are not what they were when the run began (rule 5)."""
    mine = site.read(_mission_run, run_id)
    before = json.loads(mine["documents_json"]) if mine is not None else {}
    return ", ".join(name for name in JUDGED_BY if name in before and before[name] != loaded.hashes.get(name))


def ranked(site: Site, loaded: Loaded, step: str) -> list[str]:
    """Return the slugs of the topics that concern a step, best first."""
    known = pointers(site)
    if not known:
        return []
    steps = loaded.playbook.steps if loaded.playbook else ()
    texts = [f"{each.title} {each.what}" for each in steps if each.number == plain_step(step)]
    return [row.slug for row in relevant(known.values(), " ".join([step, *texts]), len(known))]


def recover_start(site: Site) -> None:
    """Keep the token of a run whose start was cut off between the ledger and the workspace's own file; forget that of a
    run whose end was.
    """
    planned, kept = workspace.planned(site.place), workspace.live(site.place)
    if kept is not None and not _is_live(site.read(_by_id, kept.run)):
        with workspace.lock(site.place):
            workspace.over(site.place, kept.run)
    if planned is None:
        return
    with workspace.lock(site.place):
        run = site.read(_by_token, sha256_hex(planned.token.encode("utf-8", "surrogateescape")))
        if run is not None and run["live"]:
            workspace.begun(site.place, workspace.RunFile(run["id"], planned.token))
        workspace.unplan(site.place)


def _is_live(run: Row | None) -> bool:
    return run is not None and bool(run["live"])


def _mission_run(tx: Transaction, run_id: str) -> Row | None:
    return tx.one("mission_run_by_id", run=run_id)


def _by_id(tx: Transaction, run_id: str) -> Row | None:
    return tx.one("run_by_id", id=run_id)


def _by_token(tx: Transaction, token_hash: str) -> Row | None:
    return tx.one("run_by_token", token_hash=token_hash)
