"""Installing a skill where agents read it: whole or not at all, and never over what somebody edited there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import skills
from harnessos.errors import Busy, Refused, SkillDrifted
from harnessos.files import remove_any, sha256_file
from harnessos.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harnessos.app.harness import Harness

LOCK = ".skill-lock.json"
"""In an installed skill: its version, and a hash for each file as it was written."""

RECORD = "scripts/.harness-python"
"""In an installed skill with scripts: the interpreter that has HarnessOS, and the folder of the package, a line each."""


class Change(NamedTuple):
    """A file of the skill, and what becomes or has become of it: added, changed or removed."""

    path: str
    what: str


class Installed(NamedTuple):
    """What an installation did, or would do.

    `state` is installed (nothing was there), updated, replaced (it had been edited), or unchanged; `backup` is where
    an edited one is kept.
    """

    skill: str
    version: str
    path: Path
    state: str
    changes: tuple[Change, ...]
    backup: Path | None


class Known(NamedTuple):
    """A skill of this package."""

    name: str
    description: str
    path: Path


def available() -> list[Known]:
    """Return the skills that can be installed."""
    from harnessos.documents.yamltext import load_yaml

    found = []
    for name in skills.names():
        head = (skills.folder(name) / skills.DOCUMENT).read_text(encoding="utf-8").split("\n---\n", 1)[0]
        fields = load_yaml(head.removeprefix("---\n")).tree
        assert isinstance(fields, dict), "a test holds every skill against the rules"
        found.append(Known(name, str(fields["description"]), skills.folder(name)))
    return found


def install(harness: Harness, name: str, into: Path, *, dry_run: bool = False, force: bool = False) -> Installed:
    """Write the skill to `into/NAME`, its links followed.

    SkillDrifted when it was edited there, unless `force`, which keeps a copy under the harness's home. Refused where
    nothing can be written, Busy while another installation is under way there. A dry run writes nothing.
    """
    wanted = _wanted(name)
    target = into / name
    try:
        target = _target(into, name)
        if dry_run:
            return _planned(name, target, wanted, force=force)
        into.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            _recover(target)
            done = _planned(name, target, wanted, force=force)
            if done.state == "replaced":
                done = done._replace(backup=_keep(harness, name, target))
            if done.state != "unchanged":
                _swap(target, {**wanted, LOCK: _lock(name, wanted)})
    except OSError as problem:
        raise Refused(
            f"{problem.filename or target} cannot be written: {problem.strerror or problem}",
            hint="name a folder where you may write: --to DIR",
            path=str(target),
        ) from problem
    return done


def edits(there: Mapping[str, str] | None, locked: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Return the files that somebody edited, added or took away since they were written; values are hashes.

    What is as it is wanted anyway is no edit; without a lock everything else is.
    """
    here = there or {}
    named = sorted({*here, *(locked if there is not None else ())})
    return [path for path in named if here.get(path) not in (locked.get(path), wanted.get(path))]


def _planned(name: str, target: Path, wanted: Mapping[str, bytes], *, force: bool) -> Installed:
    hashes = {path: sha256(content).hexdigest() for path, content in wanted.items()}
    there, locked = _there(target), _locked(target)
    edited = edits(there, locked, hashes)
    if edited and not force:
        raise SkillDrifted(
            f"{target} was edited and is kept: {', '.join(edited[:5])}{', ...' if len(edited) > 5 else ''}",
            path=str(target),
            edited=edited,
        )
    old = there or {}
    marks = {**dict.fromkeys(old, "removed"), **{path: "changed" if path in old else "added" for path in hashes}}
    changes = tuple(Change(path, marks[path]) for path in sorted(marks) if old.get(path) != hashes.get(path))
    same = there is not None and not changes and _read(target / LOCK) == _lock(name, wanted)
    state = "installed" if there is None else "unchanged" if same else "replaced" if edited else "updated"
    return Installed(name, VERSION, target, state, changes, None)


def _wanted(name: str) -> dict[str, bytes]:
    found = skills.files(name)
    if any(path.startswith("scripts/") for path in found):
        found[RECORD] = os.fsencode(f"{sys.executable}\n{skills.ROOT.parents[1]}\n")
    return found


def _target(into: Path, name: str) -> Path:
    """Return the real folder the skill goes to; Refused where none can be."""
    place = into / name
    target = Path(os.path.realpath(place))
    for path in (into, place):
        if path.is_symlink() and not path.exists():
            raise Refused(f"{path} is a link to nothing", hint="mend the link, or take it away", path=str(path))
        if path.exists() and not path.is_dir():
            raise Refused(f"{path} is no folder", hint="move it away, or name another folder", path=str(path))
    if target.is_relative_to(os.path.realpath(skills.ROOT)):
        raise Refused(f"{target} is the package's own copy", hint="name a folder of an agent's skills: --to DIR")
    return target


def _there(target: Path) -> dict[str, str] | None:
    """Return a hash for each file that lies there, None when the folder does not exist."""
    if not target.exists():
        return None
    found = {path.relative_to(target).as_posix(): path for path in skills.paths(target)}
    found.pop(LOCK, None)
    return {name: "a link" if path.is_symlink() else _hash(path) for name, path in found.items()}


def _hash(path: Path) -> str:
    return sha256_file(path)[0] if path.is_file() else "no file"


def _lock(name: str, wanted: Mapping[str, bytes]) -> bytes:
    hashes = {path: sha256(wanted[path]).hexdigest() for path in sorted(wanted)}
    document = {"schema_version": 1, "skill": name, "version": VERSION, "files": hashes}
    return json.dumps(document, indent=2).encode() + b"\n"


def _locked(target: Path) -> dict[str, str]:
    """Return the hashes of the files as they were written; none where no lock can be read: all may be edits then."""
    try:
        document = json.loads(_read(target / LOCK))
    except ValueError:
        return {}
    hashes = document.get("files") if isinstance(document, dict) else None
    return {path: str(value) for path, value in hashes.items()} if isinstance(hashes, dict) else {}


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Keep other installations out of the folder: a lock on the folder itself, which leaves nothing behind."""
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as problem:
        raise Busy(f"another installation into {parent} is under way", hint="try again", path=str(parent)) from problem
    finally:
        os.close(handle)


def _recover(target: Path) -> None:
    """Finish what a crash interrupted between the two renames of a swap: the former skill is put back."""
    old = _beside(target, "old")
    if old.exists() and not target.exists():
        old.rename(target)


def _swap(target: Path, content: Mapping[str, bytes]) -> None:
    """Put a folder with this content in the target's place; what fails before that leaves the target as it was."""
    fresh, old = _beside(target, "new"), _beside(target, "old")
    remove_any(fresh)
    remove_any(old)
    try:
        for name, data in content.items():
            place = fresh / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if target.exists():
            target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            _recover(target)
            raise
    finally:
        remove_any(fresh)
        if target.exists():
            remove_any(old)


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}")


def _keep(harness: Harness, name: str, target: Path) -> Path:
    """Copy an edited skill under the harness's home, where no agent takes it for a skill."""
    at = datetime.fromtimestamp(harness.clock.now() / 1000, UTC).strftime("%Y%m%dT%H%M%S%fZ")
    kept = harness.settings.home / "backups" / "skills" / f"{name}-{at}"
    shutil.copytree(target, kept, symlinks=True)
    return kept
