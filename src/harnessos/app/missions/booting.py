"""`mission boot`: make, adopt or look at a workspace, and say whether its mission may run now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors, settings
from harnessos.app.harness import fingerprint
from harnessos.app.missions.opening import At, create_default, found_by_name
from harnessos.kernel import missions, reaping, runs
from harnessos.mission import adoption, boot, dreaming, keeping, marks, recovering, workspace
from harnessos.mission.documents import reading, starter
from harnessos.mission.workspace import Registration
from harnessos.model import mission as model
from harnessos.model.issue import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.app.harness import Harness
    from harnessos.kernel.events import Cause
    from harnessos.mission.adoption import Found
    from harnessos.mission.boot import Boot
    from harnessos.mission.documents.reading import Loaded
    from harnessos.store.transaction import Row, Transaction

_STRAY_DEPTH = 3
_MOST_LOOKED_AT = 2_000


class Booted(NamedTuple):
    """What boot found. `made` are the files and folders that `--init` wrote."""

    at: At
    mission: Row
    boot: Boot
    loaded: Loaded
    made: tuple[str, ...]
    tools: tuple[boot.Tool, ...]
    topics: int
    stream_bytes: int


def open_or_take(
    harness: Harness,
    given: str,
    say: Callable[[str], None],
    *,
    init: bool = False,
    adopt: bool = False,
    max_failures: int | None = None,
    fresh: bool = False,
) -> tuple[At, list[str]]:
    """Open a workspace's mission; one that is nobody's becomes one. Return it, and what `init` made.

    NotAFile for a folder that is not there, unless `init` makes it. `adopt` takes a workspace of another ledger over;
    `fresh` makes a mission of its own though one is known to have lived here.
    """
    made: list[str] = []
    given = str(found_by_name(harness, given))
    if init:
        path = Path(given).expanduser()
        if path.exists() and not path.is_dir():
            raise errors.NotAFile(
                f"{path} is a file, not a workspace folder", hint="name another folder", path=str(path)
            )
        made = starter.lay_out(path)
    place = marks.resolve(given)
    known = workspace.registration(place) if not adopt else None
    if known is None:
        if not init:
            _require_documents(place)
        with workspace.lock(place):
            known = workspace.registration(place) if not adopt else None
            if known is None:
                known = _take(harness, place, say, max_failures, fresh=fresh)
    at = At(harness, place, known)
    at.require_ledger()
    row = at.row()
    changed: dict[str, Any] = {"workspace": str(place), "machine_id": at.machine}
    if max_failures is not None:
        changed["max_failures"] = max_failures
    if any(row[name] != value for name, value in changed.items()):
        at.harness.write(missions.configure, at.mission_id, at.cause, **changed)
    return at, made


def _require_documents(place: Path) -> None:
    if not any((place / name).exists() for name in (*workspace.DOCUMENTS, *workspace.RENDERED)):
        raise errors.NotReady(
            f"{place} is no mission's workspace: none of its documents is there",
            hint=f"`harness mission boot {place} --init` writes their templates",
        )


def _take(
    harness: Harness, place: Path, say: Callable[[str], None], max_failures: int | None, *, fresh: bool
) -> Registration:
    """Write a mission for the workspace into the ledger, with the state that its documents show; then say so in it."""
    mine = harness.beside(None)
    create_default(mine, say)
    loaded = reading.load(place)
    name = loaded.contract.name if loaded.contract and loaded.contract.name else place.name
    wanted = missions.Wanted(
        name if not name.startswith("[") else place.name,
        mine.machine(),
        str(place),
        model.MAX_FAILURES if max_failures is None else max_failures,
    )
    found = adoption.read(place)
    try:
        row, ledger = mine.store.write(_create, wanted, found, mine.cause, fresh=fresh)
        registration = Registration(
            row["id"], row["identifier"], ledger, settings.without_password(mine.store.url), mine.machine()
        )
    finally:
        mine.close()
    workspace.register(place, registration)
    return registration


def _create(
    tx: Transaction, wanted: missions.Wanted, found: Found | None, cause: Cause, *, fresh: bool
) -> tuple[Row, str]:
    here = [] if fresh else tx.all("mission_at", machine_id=wanted.machine_id, workspace=wanted.workspace)
    # The file in the workspace was lost, not the mission.
    row = here[0] if here else missions.create(tx, wanted, cause)
    if found is not None and not here:
        missions.adopt(tx, row["id"], found.standing(model.read(row)), cause, found.facts)
    ledger = tx.one("ledger_read", one=1)
    assert ledger is not None
    return missions.find(tx, row["id"]), ledger["id"]


def look(at: At, token: str | None, made: list[str]) -> Booted:
    """Say whether the mission may run now; end a run whose lease ran out, take a moved pointer over, mend renderings."""
    stuck = _reap(at)
    keeping.recover_start(at.site)
    dreaming.settle(at.site)
    recovering.recover(at.site)
    loaded = reading.load(at.place)
    _rename(at, loaded)
    published = keeping.refresh(at.site, loaded)
    mission = at.row()
    run = at.harness.read(_live, mission["issue_id"])
    own = run is not None and token is not None and run["token_hash"] == fingerprint(token)
    if own:
        assert run is not None
        at.harness.write(runs.heartbeat, runs.lease_of(run))
    tools = tuple(probes(at, loaded))
    facts = boot.Facts(
        model.read(mission),
        str(at.place),
        at.harness.read(lambda tx: tx.now),
        loaded.problems,
        loaded.warnings,
        tools=tools,
        strays=_strays(at.place),
        running=run["id"] if run else None,
        own=own,
        held=at.harness.read(missions.held, mission["issue_id"]) is not None,
        stuck=stuck,
        dreams=at.harness.read(_dreams, at.mission_id),
        dreamt_at=mission["dreamt_at"],
        born=mission["created_at"],
        notes=published.notes,
        cancelled=mission["issue_status"] == Status.CANCELLED,
    )
    if boot.dream_is_missing(facts):
        at.harness.write(_ask_for_dreams, at.mission_id)
    log = at.place / "logs" / "execution_stream.log"
    topics = len(at.harness.read(lambda tx: tx.all("mission_topic_list", mission=at.mission_id)))
    return Booted(
        at, mission, boot.decide(facts), loaded, tuple(made), tools, topics, log.stat().st_size if log.exists() else 0
    )


def refuse(found: Booted) -> None:
    """Raise what boot would have said: 10, 11, 12 or 13."""
    said = found.boot
    kinds = {
        boot.COMPLETE: errors.MissionComplete,
        boot.BLOCKED: errors.MissionBlocked,
        boot.NOT_READY: errors.NotReady,
        boot.RUNNING: errors.AlreadyRunning,
    }
    if said.code != boot.READY:
        sentence = "\n".join([said.sentence, *said.problems])
        raise kinds[said.code](sentence, hint=said.todo, causes=list(said.problems))


def probes(at: At, loaded: Loaded) -> list[boot.Tool]:
    """Probe the playbook's tools under the isolation that checks run under."""
    if loaded.playbook is None:
        return []
    from harnessos.mission import probing

    return probing.probe(loaded.playbook.tools, at.site)


def _reap(at: At) -> bool:
    """End the mission's run if its lease ran out: without a process to watch, stuck means expired."""
    from harnessos.processes import this_process

    here, mission = this_process(), at.row()
    run = at.harness.read(_live, mission["issue_id"])
    if run is None or run["expires_at"] > at.harness.read(lambda tx: tx.now):
        return False
    ended = at.harness.write(reaping.reap, here, at.cause, 32)
    gone = any(issue["id"] == mission["issue_id"] for issue in ended)
    if gone:
        workspace.over(at.place, run["id"])
    return gone


def _rename(at: At, loaded: Loaded) -> None:
    """Take the mission's name over from mission.md, which is its owner's."""
    if loaded.contract is None or not loaded.contract.name or loaded.contract.name.startswith("["):
        return
    if at.row()["name"] != loaded.contract.name:
        at.harness.write(missions.configure, at.mission_id, at.cause, name=loaded.contract.name)


def _strays(place: Path) -> list[str]:
    """Return where a heartbeat.md or progress.md lies that nobody reads: rule 1."""
    found = []
    looked = 0
    for folder, names, files in os.walk(place):
        depth = len(Path(folder).relative_to(place).parts)
        names[:] = [
            name for name in sorted(names) if name not in (".harness", ".git", "agents") and depth < _STRAY_DEPTH
        ]
        looked += len(files)
        if depth:
            found += [os.path.relpath(f"{folder}/{name}", place) for name in files if name in workspace.RENDERED]
        if looked > _MOST_LOOKED_AT:
            break
    return found


def _live(tx: Transaction, issue_id: str) -> Row | None:
    return tx.one("run_live_of", issue=issue_id)


def _dreams(tx: Transaction, mission_id: str) -> bool:
    return tx.one("mission_next_firing", mission=mission_id, target="dream", one=1) is not None


def _ask_for_dreams(tx: Transaction, mission_id: str) -> None:
    from harnessos.kernel import attention

    mission = missions.find(tx, mission_id)
    attention.ask(
        tx,
        mission["project_id"],
        mission["issue_id"],
        kind="dream",
        dedup=f"dream/{mission_id}",
        question=f"{mission['identifier']} ({mission['name']}): no dream is scheduled, and none ran for two days",
        command=f"harness mission schedule {mission['workspace']} --install",
    )
