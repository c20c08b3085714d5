"""`harness init`: a repository or folder becomes a project of a ledger. Everything is looked at before anything is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes, settings
from harnessos.discovery import find_common_dir
from harnessos.files import atomic_write
from harnessos.kernel import projects
from harnessos.model.words import is_sayable
from harnessos.settings import Registration
from harnessos.store.upkeep import Ensured, ensure

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.app.harness import Harness
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction


class Found(NamedTuple):
    """What lies at the path: the top folder, and for a repository its git dir, first commit and current branch."""

    root: Path
    common: Path | None
    root_commit: str | None
    branch: str | None

    @property
    def kind(self) -> str:
        """`git` or `folder`, as the ledger calls it."""
        return "folder" if self.common is None else "git"


class Registered(NamedTuple):
    """What `register` did. `earlier` is the registration that was there before, if any."""

    project: Row
    registration: Registration
    store: Ensured
    created: bool
    earlier: Registration | None


def look(path: Path) -> Found:
    """Say what lies at `path`. NotAFile, GitMissing, NotARepository, NoCommits; Refused for a detached HEAD."""
    try:
        folder = path.expanduser().resolve(strict=True)
    except OSError as problem:
        raise errors.NotAFile(
            f"{path}: {problem.strerror}", hint="name a folder that exists", path=str(path)
        ) from problem
    if not folder.is_dir():
        raise errors.NotAFile(f"{path} is no folder", hint="name the folder of a repository", path=str(path))
    _refuse_unsayable("the folder's name", str(folder))
    if find_common_dir(folder) is None and not (folder / ".git").exists():
        return Found(folder, None, None, None)
    from harnessos.worktrees.repository import head, open_repository, root_commit

    repo = open_repository(folder)
    branch = head(repo).branch
    if branch is None:
        raise errors.Refused(
            f"{repo.root} has no branch checked out (detached HEAD), so nothing says what work starts from",
            hint="`git switch BRANCH` in it, then init again",
            path=str(repo.root),
        )
    _refuse_unsayable("the branch's name", branch)
    return Found(repo.root, repo.common, root_commit(repo), branch)


def _refuse_unsayable(what: str, name: str) -> None:
    if not is_sayable(name):
        raise errors.BadUsage(f"{what} is no UTF-8: {name!a}", hint="the ledger cannot hold it: rename it")


def register(harness: Harness, found: Found, key: str, name: str | None, *, force: bool = False) -> Registered:
    """Register what was found under `key` in the ledger that the harness's settings name.

    An existing project is joined when its first commit is the same. Doing it again changes nothing.
    """
    key = projects.check_key(key)
    file = _registration_file(found)
    earlier = settings.read_registration(file, found.common)
    _require_writable(file)
    ensured = ensure(harness.settings.store_url, force=force)
    store = harness.as_found
    wanted = _Wanted(found, key, name or found.root.name, earlier, harness.machine(), harness.cause)
    project, ledger, created = store.write(_write, wanted)
    registration = Registration(
        file, project["id"], key, ledger, settings.without_password(store.url), found.root, found.common
    )
    if registration != earlier:
        _write_registration(registration)
    return Registered(project, registration, ensured, created, earlier)


def preview(harness: Harness, found: Found, key: str, *, workflow: bool) -> list[str]:
    """Return what `register` would write, in words; what it would refuse before writing is refused here as well."""
    key = projects.check_key(key)
    file = _registration_file(found)
    earlier = settings.read_registration(file, found.common)
    _require_writable(file)
    url = settings.without_password(harness.settings.store_url)
    try:
        known = harness.as_found.read(lambda tx: tx.one("project_by_key", key=key)) is not None
        lines = []
    except errors.StoreMissing:
        known, lines = False, [f"create the ledger {url}"]
    except errors.StoreTooOld:
        return [f"upgrade the ledger {url}, after a backup", f"register {found.root} as {key}"]
    if not known:
        lines.append(f"create the project {key}")
    if earlier is None or earlier.project_key != key or earlier.moved():
        lines.append(f"write {file}")
    if workflow and not (found.root / "WORKFLOW.md").exists():
        lines.append(f"write {found.root / 'WORKFLOW.md'}")
    return lines


class _Wanted(NamedTuple):
    found: Found
    key: str
    name: str
    earlier: Registration | None
    machine: str
    cause: Cause


def _write(tx: Transaction, wanted: _Wanted) -> tuple[Row, str, bool]:
    ledger = tx.one("ledger_read", one=1)
    assert ledger is not None
    found, cause = wanted.found, wanted.cause
    _refuse_second(tx, wanted, ledger["id"])
    project = tx.one("project_by_key", key=wanted.key)
    created = project is None
    if project is None:
        project = projects.create(tx, wanted.key, wanted.name, found.kind, found.root_commit, found.branch, cause)
    else:
        _refuse_stranger(tx, project, wanted)
    earlier = wanted.earlier
    if earlier is not None and earlier.project_id == project["id"] and not earlier.path.exists():
        projects.relocate(tx, project, wanted.machine, str(earlier.path), str(found.root), cause)
    projects.locate(tx, project, wanted.machine, str(found.root), cause)
    if cause.actor.kind == "operator" and not _trusted(tx, project, wanted):
        projects.trust(tx, project, wanted.machine, processes.user_name(), cause)
    return project, str(ledger["id"]), created


def _trusted(tx: Transaction, project: Row, wanted: _Wanted) -> bool:
    places = [row for row in tx.all("project_locations", project=project["id"]) if row["machine_id"] == wanted.machine]
    return all(row["trusted_at"] is not None for row in places)


def _refuse_second(tx: Transaction, wanted: _Wanted, ledger_id: str) -> None:
    """Refuse a second registration of one place: two projects, or two ledgers, would each know half (P09)."""
    earlier = wanted.earlier
    if earlier is None or earlier.moved():
        return
    if earlier.ledger_id != ledger_id:
        raise errors.Refused(
            f"{wanted.found.root} is registered in another ledger, {earlier.store}",
            hint=f"to leave that one for good, delete {earlier.file} and init again",
        )
    if earlier.project_key != wanted.key and tx.one("project_by_id", id=earlier.project_id) is not None:
        raise errors.Refused(
            f"{wanted.found.root} is registered as {earlier.project_key}",
            hint=f"use --key {earlier.project_key}, or delete {earlier.file} first",
        )


def _refuse_stranger(tx: Transaction, project: Row, wanted: _Wanted) -> None:
    """Refuse a key that belongs to other work: another first commit, or for a folder another place."""
    found, key = wanted.found, wanted.key
    if project["kind"] != found.kind:
        raise errors.Refused(
            f"{key} is a project of the kind {project['kind']}, {found.root} is of the kind {found.kind}"
        )
    if found.common is not None:
        if project["root_commit"] != found.root_commit:
            raise errors.Refused(
                f"{key} is another repository: its first commit is {project['root_commit'][:12]}, here it is "
                f"{str(found.root_commit)[:12]}",
                hint="take another key; `harness project list` shows those in use",
            )
        return
    if wanted.earlier is not None and wanted.earlier.project_id == project["id"]:
        return
    rows = tx.all("project_locations", project=project["id"])
    places = [row["path"] for row in rows if row["machine_id"] == wanted.machine]
    if places and str(found.root) not in places:
        raise errors.Refused(
            f"{key} is the folder {places[0]}", hint="take another key, or move that folder's files here"
        )


def _registration_file(found: Found) -> Path:
    return found.root / settings.FOLDER_FILE if found.common is None else found.common / settings.GIT_FILE


def _require_writable(file: Path) -> None:
    """Refuse before anything is written when the registration could not be."""
    folder = file.parent if file.parent.exists() else file.parent.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise errors.Refused(
            f"{folder} cannot be written, and the registration belongs there", hint="check its owner and mode"
        )


def _write_registration(registration: Registration) -> None:
    if registration.common is None:
        registration.file.parent.mkdir(exist_ok=True)
    try:
        atomic_write(registration.file, settings.document_of(registration), 0o644)
    except OSError as problem:
        raise errors.Refused(
            f"{registration.file} cannot be written: {problem.strerror}",
            hint="make room or mend its mode, then init again",
        ) from problem


def write_workflow(found: Found) -> Path | None:
    """Write a first WORKFLOW.md for what was found; None when there is one, which is never touched."""
    from harnessos.workflow.detect import detect
    from harnessos.workflow.starter import starter

    target = found.root / "WORKFLOW.md"
    try:
        with target.open("x", encoding="utf-8") as stream:
            stream.write(starter(detect(found.root), git=found.common is not None))
    except FileExistsError:
        return None
    except OSError as problem:
        raise errors.Refused(
            f"{target} cannot be written: {problem.strerror}", hint="check the folder's mode"
        ) from problem
    return target
