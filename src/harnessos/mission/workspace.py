"""The folder a mission lives in, and the file in it that says whose mission it is.

`.harness/mission.json` names the mission and its ledger, `.harness/run.json` (0600) holds the token of a run that an
agent began by itself, `.harness/lock` is held by whoever changes documents.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.errors import BadDocument, HarnessError, NotAFile, Refused
from harnessos.files import FileLock, atomic_write, remove_any
from harnessos.mission.marks import MISSION, PLACE, RUN, nobodys, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


LOCK_SECONDS = 60.0
NEXT = "next.json"
DOCUMENTS = ("mission.md", "eval_criteria.md", "playbook.md", "cron_config.md")
"""What people and agents own and the harness only reads, in the order in which it is read (rule 10)."""
RENDERED = ("heartbeat.md", "progress.md")
FOLDERS = ("knowledge", "logs", "output")


class Registration(NamedTuple):
    """Whose mission a workspace is: mission and ledger by id, the ledger's address without a password, the machine."""

    mission: str
    identifier: str
    ledger: str
    store: str
    host: str


class RunFile(NamedTuple):
    """The run that an agent began by itself here."""

    run: str
    token: str


def own_folder(workspace: Path) -> Path:
    """Return `.harness` of a workspace, made when it is missing. Refused when it is a link: it could lead anywhere."""
    place = workspace / PLACE
    if place.is_symlink():
        raise Refused(f"{place} is a link", hint="remove it; the harness keeps its own files there", path=str(place))
    try:
        place.mkdir(mode=0o700, exist_ok=True)
    except OSError as problem:
        raise NotAFile(
            f"{place} cannot be made: {problem.strerror}", hint="look at the workspace's rights"
        ) from problem
    return place


def lock(workspace: Path) -> FileLock:
    """Return the lock that whoever changes documents of the workspace holds."""
    return FileLock(own_folder(workspace) / "lock", LOCK_SECONDS)


def registration(workspace: Path) -> Registration | None:
    """Return whose mission the workspace is, None when it is nobody's yet. BadDocument for a file that is damaged."""
    document = read(workspace / PLACE / MISSION)
    if document is None:
        return None
    try:
        return Registration(**{name: str(document[name]) for name in Registration._fields})
    except KeyError as problem:
        raise BadDocument(
            f"{workspace / PLACE / 'mission.json'} says no {problem}",
            hint=f"`harness mission adopt {workspace}` writes it anew, from the documents",
        ) from problem


def require(workspace: Path) -> Registration:
    """Return the registration of a workspace that has one, NotReady (12) says how it gets one."""
    found = registration(workspace)
    if found is None:
        raise nobodys(workspace)
    return found


def is_of(workspace: Path, mission_id: str) -> bool:
    """Return whether a folder is there and says that it is this mission's workspace."""
    try:
        found = registration(workspace) if workspace.is_dir() else None
    except HarnessError:
        return False
    return found is not None and found.mission == mission_id


def require_own(workspace: Path, mission_id: str) -> None:
    """Refuse to write into a workspace that belongs to another mission by now."""
    found = registration(workspace)
    if found is None or found.mission != mission_id:
        raise Refused(
            f"{workspace} belongs to another mission by now"
            if found
            else f"{workspace} is nobody's workspace any more",
            hint=f"`harness mission adopt {workspace}` takes it into this ledger",
            path=str(workspace),
        )


def register(workspace: Path, registration: Registration) -> None:
    """Write whose mission the workspace is."""
    _write(own_folder(workspace) / MISSION, registration._asdict())


def live(workspace: Path) -> RunFile | None:
    """Return the run that an agent began here by itself, None when there is none or its file says nothing."""
    return _run_file(workspace / PLACE / RUN)


def begun(workspace: Path, run: RunFile) -> None:
    """Keep the token of the run that begins, for the commands that follow."""
    _write(own_folder(workspace) / RUN, run._asdict())


def clear_run_file(workspace: Path) -> None:
    """Take away what lies under the name of the run's file and is none: a folder or a pipe would keep every run out."""
    for name in (RUN, NEXT):
        path = workspace / PLACE / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            remove_any(path)


def plan(workspace: Path, token: str) -> None:
    """Keep a token before the ledger is asked to begin a run with it, so that a crash in between loses no run."""
    _write(own_folder(workspace) / NEXT, {"run": "", "token": token})


def planned(workspace: Path) -> RunFile | None:
    """Return the token of a start that did not come to its end, None when there is none."""
    return _run_file(workspace / PLACE / NEXT)


def unplan(workspace: Path) -> None:
    """Forget the planned token: the run began, or did not."""
    remove_any(workspace / PLACE / NEXT)


def over(workspace: Path, run_id: str) -> None:
    """Forget the token of a run that ended; another run's is left."""
    seen = live(workspace)
    if seen is not None and seen.run == run_id:
        remove_any(workspace / PLACE / RUN)


def _run_file(path: Path) -> RunFile | None:
    try:
        document = read(path)
        return None if document is None else RunFile(str(document["run"]), str(document["token"]))
    except (HarnessError, KeyError):
        return None


def _write(path: Path, document: Mapping[str, Any]) -> None:
    atomic_write(path, (json.dumps(document, indent=2) + "\n").encode(), 0o600)
