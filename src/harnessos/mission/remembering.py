"""The memory of a mission: topics with their pointers in the ledger, search over the stream, and the check of all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.kernel import mission_runs, missions
from harnessos.memory import checking, learning, rotation, search, shelf
from harnessos.memory.checking import Repair
from harnessos.mission import keeping, workspace

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.memory.checking import Finding
    from harnessos.memory.learning import Learned
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row, Transaction

_RECENT = 200


class Pointer(NamedTuple):
    """A topic as the ledger knows it: what the index of heartbeat.md shows. `updated_at` is in ms."""

    slug: str
    title: str
    updated_at: int
    entries: int
    verified: bool


def learn(site: Site, run: Row | None, topic: str, insight: str) -> Learned:
    """Keep an insight: in its topic, and as a pointer that is unverified until an evaluation of its run passes."""
    actor = site.cause.actor.kind
    now = site.now()
    with workspace.lock(site.place):
        found = learning.learn(
            site.place,
            topic,
            insight,
            entry_id=site.ground.ids.new("e", now).replace("-", "_"),
            now=now,
            run=run["id"] if run else None,
            by="operator" if run is None and actor == "operator" else "agent",
            stream_tail=search.tail(site.place, _RECENT),
        )
        pointer = _pointer(site, found.slug, run)
        site.write(mission_runs.note_topic, site.mission_id, pointer, site.cause)
    keeping.refresh(site)
    return found


def _pointer(site: Site, slug: str, run: Row | None) -> dict[str, Any]:
    """Return a topic's row as the file has it now. Any: texts and numbers."""
    topic = shelf.read(shelf.find(site.place, slug))
    assert topic is not None
    parts = shelf.parts(site.place, slug)
    return {
        "slug": slug,
        "title": topic.title,
        "entries": len(topic.entries) + sum(len(part.entries) for part in parts),
        "verified": int(run is None and site.cause.actor.kind == "operator"),
        "run": run["id"] if run else None,
    }


def pointers(site: Site) -> dict[str, Pointer]:
    """Return the registered topics by slug, newest first."""
    rows = site.read(_rows, site.mission_id)
    return {
        row["slug"]: Pointer(row["slug"], row["title"], row["updated_at"], row["entries"], bool(row["verified"]))
        for row in rows
    }


def _rows(tx: Transaction, mission_id: str) -> list[Row]:
    return tx.all("mission_topic_list", mission=mission_id)


def check(site: Site, *, fix: bool = False) -> tuple[list[Finding], list[Finding]]:
    """Verify every layer; with `fix` repair what can be. Return what is wrong now, and what was mended."""
    found = checking.check(site.place, pointers(site))
    if not fix:
        return list(found), []
    mended = []
    with workspace.lock(site.place):
        for finding in found:
            if finding.fixable:
                _mend(site, finding)
                mended.append(finding)
    keeping.refresh(site)
    return list(checking.check(site.place, pointers(site))), mended


def _mend(site: Site, finding: Finding) -> None:
    match finding.repair:
        case Repair.FORGET_POINTER:
            assert finding.slug is not None
            site.write(forget, site.mission_id, finding.slug)
        case Repair.ADOPT_TOPIC:
            assert finding.slug is not None
            site.write(mission_runs.note_topic, site.mission_id, _pointer(site, finding.slug, None), site.cause)
        case Repair.ROTATE:
            rotation.rotate(site.place, rotation.MOST_BYTES, site.now())
        case Repair.COMPRESS:
            rotation.finish(site.place)
        case Repair.END_LINE:
            checking.mend_torn(site.place)
        case Repair.SPLIT:
            path = site.place / finding.file
            learning.write_split(site.place, path, shelf.read_text(path))
        case Repair.RENDER_HEARTBEAT | Repair.NONE:
            return  # rendered anew after all of them, in any case


def register_all(site: Site) -> None:
    """Bring the pointers to what the topic files say: register every topic, forget what has no file."""
    known = pointers(site)
    files = {slug for path in shelf.files(site.place) if (slug := shelf.slug_of_file(path)) is not None}
    for slug in known.keys() - files:
        site.write(forget, site.mission_id, slug)
    for slug in sorted(files):
        topic = shelf.read(shelf.find(site.place, slug))
        if topic is not None:
            pointer = {"slug": slug, "title": topic.title, "entries": len(topic.entries)}
            verified = int(known[slug].verified) if slug in known else 0
            site.write(repoint, site.mission_id, {**pointer, "verified": verified}, site.cause)


def repoint(tx: Transaction, mission_id: str, pointer: dict[str, Any], cause: Cause) -> None:
    """Register a topic as it now is, keeping which run wrote it last. Any: texts and numbers."""
    last = {row["slug"]: row["run_id"] for row in tx.all("mission_topic_list", mission=mission_id)}
    mission_runs.note_topic(tx, mission_id, {**pointer, "run": last.get(pointer["slug"])}, cause)


def forget(tx: Transaction, mission_id: str, slug: str) -> None:
    """Take the pointer to a topic away."""
    missions.find(tx, mission_id)
    tx.do("mission_topic_drop", mission=mission_id, slug=slug)
    tx.do("mission_touch", id=mission_id)
