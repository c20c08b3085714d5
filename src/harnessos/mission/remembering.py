"""The memory of a mission: topics with their pointers in the ledger, search over the stream, and the check of all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.kernel import mission_runs, missions
from harnessos.memory import checking, learning, rotation, search, shelf
from harnessos.memory.checking import Repair
from harnessos.mission import keeping, workspace
from harnessos.mission.pointers import pointers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harnessos.memory.checking import Finding
    from harnessos.memory.learning import Learned
    from harnessos.mission.pointers import Pointer
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row, Transaction

_RECENT = 200


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
    title, entries = _told(site, slug)
    return {
        "slug": slug,
        "title": title,
        "entries": entries,
        "verified": int(run is None and site.cause.actor.kind == "operator"),
        "run": run["id"] if run else None,
    }


def check(site: Site, *, fix: bool = False) -> tuple[list[Finding], list[Finding]]:
    """Verify every layer; with `fix` repair what can be. Return what is wrong now, and what was mended."""
    found = checking.check(site.place, pointers(site))
    if not fix:
        return list(found), []
    mended = [finding for finding in found if finding.fixable]
    with workspace.lock(site.place):
        gone = [finding.slug for finding in mended if finding.repair is Repair.FORGET_POINTER and finding.slug]
        orphans = [finding.slug for finding in mended if finding.repair is Repair.ADOPT_TOPIC and finding.slug]
        follow(site, [_pointer(site, slug, None) for slug in orphans], gone)
        for finding in mended:
            _mend(site, finding)
    keeping.refresh(site)
    return list(checking.check(site.place, pointers(site))), mended


def _mend(site: Site, finding: Finding) -> None:
    match finding.repair:
        case Repair.ROTATE:
            rotation.rotate(site.place, rotation.MOST_BYTES, site.now())
        case Repair.COMPRESS:
            rotation.finish(site.place)
        case Repair.END_LINE:
            checking.mend_torn(site.place)
        case Repair.SPLIT:
            path = site.place / finding.file
            learning.write_split(site.place, path, shelf.read_text(path))
        case _:
            return  # the ledger follows, and the documents are rendered anew, for all of them at once


def unregistered(site: Site) -> bool:
    """Return whether some topic is not registered as it is; a file that is no younger than its pointer is not read for it."""
    known = pointers(site)
    return any(
        _differs(site, slug, path, known)
        for slug, path in _files(site).items()
        if slug not in known or path.stat().st_mtime_ns // 1_000_000 > known[slug].updated_at
    )


def _differs(site: Site, slug: str, path: Path, known: Mapping[str, Pointer]) -> bool:
    """Return whether a topic's pointer does not say what its file says; `memory check` tells of a file that cannot be read."""
    try:
        if slug not in known:
            return not shelf.is_part(path) and bool(_told(site, slug))
        return _told(site, slug) != known[slug].told
    except errors.HarnessError:
        return False


def _files(site: Site) -> dict[str, Path]:
    return {slug: path for path in shelf.files(site.place) if (slug := shelf.slug_of_file(path)) is not None}


def _told(site: Site, slug: str) -> tuple[str, int]:
    """Return a topic's title, and how many entries it has with what was split off it."""
    topic = shelf.read(shelf.find(site.place, slug))
    assert topic is not None
    return topic.title, len(topic.entries) + sum(len(part.entries) for part in shelf.parts(site.place, slug))


def register_all(site: Site, *, forget: bool = True) -> None:
    """Bring the pointers to what the topic files say: register every topic that is not as it is, and forget what has no file.

    The caller holds the workspace's lock. What nobody judged is unverified; what was stays as it is.
    """
    known, files = pointers(site), _files(site)
    found = []
    for slug, path in sorted(files.items()):
        if _differs(site, slug, path, known):
            title, entries = _told(site, slug)
            verified = int(slug in known and known[slug].verified)
            found.append({"slug": slug, "title": title, "entries": entries, "verified": verified})
    follow(site, found, sorted(known.keys() - files.keys()) if forget else [])


def follow(site: Site, topics: Sequence[Mapping[str, Any]], gone: Sequence[str]) -> None:
    """Register topics and forget pointers, all in one transaction. Any: texts and numbers."""
    if topics or gone:
        site.write(_follow, site.mission_id, topics, gone)


def _follow(tx: Transaction, mission_id: str, topics: Sequence[Mapping[str, Any]], gone: Sequence[str]) -> None:
    missions.find(tx, mission_id)
    last = {row["slug"]: row["run_id"] for row in tx.all("mission_topic_list", mission=mission_id)}
    for slug in gone:
        tx.do("mission_topic_drop", mission=mission_id, slug=slug)
    for topic in topics:
        values = {"run": last.get(topic["slug"]), **topic}
        tx.do("mission_topic_set", mission=mission_id, now=tx.now, **values)
    tx.do("mission_touch", id=mission_id)
