"""A dream's changes as one: all files old, or all files new, whenever the process dies; and a way back.

    logs/archive/dream_<id>/
        old/<n> new/<n>     every byte that is replaced, and what takes its place
        entries.md          the entries that left their topics, whole
        record.md           what the journal is to say
        manifest.json       the paths with the SHA-256 of old and new: from here on the change is meant
        done                it happened; `reverted` instead: it was taken back after a crash
        undo_<k>/           an undo, the same once more

Nothing in it is ever deleted. The caller holds the workspace's lock.
"""

from __future__ import annotations

import difflib
import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.errors import BadDocument, Busy, Refused
from harnessos.files import atomic_write, contained, safe_name
from harnessos.memory import topics
from harnessos.memory.shelf import KNOWLEDGE
from harnessos.mission.dream import journal
from harnessos.mission.dream.plan import BYTES, Change
from harnessos.mission.dream.playbook_block import PLAYBOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harnessos.mission.dream.plan import Plan

    Hook = Callable[[str], object]

ARCHIVE = "logs/archive"
_PREFIX = "dream_"
_UNDO = "undo_"
_PATH = re.compile(rf"{KNOWLEDGE}/[^/]+\.md|{re.escape(PLAYBOOK)}")
COMPLETED, REVERTED, UNDONE, OPEN = "completed", "reverted", "undone", "open"


class Applied(NamedTuple):
    """A dream that happened: its changeset's folder, and the files it changed, relative to the workspace."""

    dream_id: str
    folder: Path
    files: tuple[str, ...]


class Undone(NamedTuple):
    """What an undo did: files that are as before the dream, topics that got back the entries they had lost, and files
    that were changed since and stay as they are.
    """

    dream_id: str
    restored: tuple[str, ...]
    merged: tuple[str, ...]
    kept: tuple[str, ...]


class Finished(NamedTuple):
    """A changeset that a crash had left half done: `completed` or `reverted`, with the files that others changed since.

    `summary` is the plan's, for the ledger to follow; `undo` says that it was an undo.
    """

    dream_id: str
    outcome: str
    undo: bool
    kept: tuple[str, ...]
    summary: dict[str, Any]  # Any: JSON values


class _File(NamedTuple):
    """A line of a manifest."""

    number: int
    path: str
    old: str
    new: str


def diff(plan: Plan) -> str:
    """Return what the plan would change, as a unified diff of the workspace."""
    parts = []
    for change in plan.changes:
        before, after = (data.decode("utf-8", "replace").splitlines(keepends=True) for data in change[1:])
        lines = difflib.unified_diff(before, after, f"a/{change.path}", f"b/{change.path}")
        parts += [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
    return "".join(parts)


def apply(workspace: Path, plan: Plan, dream_id: str, now: int, hook: Hook | None = None) -> Applied:
    """Make the plan's changes, all or none, and write the journal. First ends what a crash had left.

    Busy, and nothing was written, when a file is no longer as the plan found it. `hook` hears of each step before it
    is taken.
    """
    finish_or_undo(workspace)
    folder = _archive(workspace) / _folder_name(dream_id)
    if (folder / "manifest.json").exists():
        raise Refused(f"there is a dream {dream_id} already", hint="dream under another id", dream_id=dream_id)
    _write_changeset(
        workspace,
        folder,
        plan.changes,
        {"dream": dream_id, "at": now, "summary": plan.summary()},
        {"entries.md": _entries(plan), "record.md": journal.cycle(plan, dream_id, now)},
        hook or _quiet,
    )
    return Applied(dream_id, folder, tuple(change.path for change in plan.changes))


def undo(workspace: Path, dream_id: str | None, now: int, hook: Hook | None = None) -> Undone:
    """Take a dream back, the latest when `dream_id` is None; all at once, and nothing is deleted.

    A file that changed since keeps its state; a topic gets back the entries that the dream took out of it. Refused
    when there is no such dream, or it is undone already.
    """
    finish_or_undo(workspace)
    folder = _to_undo(workspace, dream_id)
    manifest = _manifest(folder)
    changes, restored, merged, kept = [], [], [], []
    for file in _files(manifest):
        path = contained(workspace, workspace / file.path)
        here = path.read_bytes() if path.is_file() else None
        old, new = _read(folder, "old", file), _read(folder, "new", file)
        if here == old:
            restored.append(file.path)
        elif here == new:
            restored.append(file.path)
            changes.append(Change(file.path, new, old))
        elif here is not None and (back := _with_lost_entries(file.path, here, old, new)) is not None:
            merged.append(file.path)
            changes += [Change(file.path, here, back)] if back != here else []
        else:
            kept.append(file.path)
    name = str(manifest["dream"])
    said = f"undone: {len(restored)} files as before, {len(merged)} with their lost entries back, {len(kept)} kept"
    _write_changeset(
        workspace,
        _next_undo(folder),
        changes,
        {"dream": name, "at": now, "summary": {"restored": restored, "merged": merged, "kept": kept}},
        {"record.md": journal.note(f"undo of {name}", now, said)},
        hook or _quiet,
    )
    return Undone(name, tuple(restored), tuple(merged), tuple(kept))


def finish_or_undo(workspace: Path, hook: Hook | None = None) -> list[Finished]:
    """End what a crash left half done: complete it when all its files are as it left or found them, else take it back.

    Quick, and without any effect, when there is nothing to do. Call it before documents are used.
    """
    folders = [
        folder
        for dream in _dreams(workspace)
        for folder in (dream, *sorted(dream.glob(f"{_UNDO}*"), key=_undo_number))
        if (folder / "manifest.json").is_file() and not _ended(folder)
    ]
    return [_finish(workspace, folder, hook or _quiet) for folder in folders]


def state_of(workspace: Path, dream_id: str) -> str:
    """Return `completed`, `reverted`, `undone`, `open` (call `finish_or_undo`), or empty when nothing was begun."""
    folder = _archive(workspace) / _folder_name(dream_id)
    if not (folder / "manifest.json").is_file():
        return ""
    if _is_undone(folder):
        return UNDONE
    return COMPLETED if (folder / "done").exists() else REVERTED if (folder / "reverted").exists() else OPEN


def _write_changeset(
    workspace: Path, folder: Path, changes: Sequence[Change], facts: dict[str, Any], texts: dict[str, str], hook: Hook
) -> None:
    """Write the archive, then the manifest, then the files, the journal and the mark. Any: JSON values."""
    for change in changes:
        path = contained(workspace, workspace / change.path)
        if not path.is_file() or path.read_bytes() != change.old:
            raise Busy(
                f"{change.path} was changed while the dream was at work, nothing was written", hint="dream again"
            )
    for name in ("old", "new"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    files = []
    for number, change in enumerate(changes):
        hook(f"archive {change.path}")
        atomic_write(folder / "old" / str(number), change.old)
        atomic_write(folder / "new" / str(number), change.new)
        files.append({"path": change.path, "old": _hash(change.old), "new": _hash(change.new)})
    for name, text in texts.items():
        if text:
            hook(f"archive {name}")
            atomic_write(folder / name, text.encode("utf-8", "replace"))
    hook("manifest")
    atomic_write(folder / "manifest.json", json.dumps({**facts, "files": files}, indent=1).encode())
    _go(workspace, folder, _files(_manifest(folder)), hook)


def _go(workspace: Path, folder: Path, files: Sequence[_File], hook: Hook) -> None:
    """Write all files new, then the journal, then the mark; each may have been done before."""
    for file in files:
        path = contained(workspace, workspace / file.path)
        if _hash_of(path) != file.new:
            hook(f"write {file.path}")
            atomic_write(path, _read(folder, "new", file))
    hook("journal")
    journal.append(workspace, (folder / "record.md").read_text(encoding="utf-8"))
    hook("done")
    atomic_write(folder / "done", b"")
    hook("end")


def _finish(workspace: Path, folder: Path, hook: Hook) -> Finished:
    """End one. A file that others changed since stays; the rest becomes old again unless all of it is new already."""
    manifest = _manifest(folder)
    files = _files(manifest)
    here = {file: _hash_of(contained(workspace, workspace / file.path)) for file in files}
    foreign = [file.path for file in files if here[file] not in (file.old, file.new)]
    if foreign and any(here[file] == file.old for file in files):
        outcome = REVERTED
        for file in files:
            if here[file] == file.new:
                hook(f"revert {file.path}")
                atomic_write(contained(workspace, workspace / file.path), _read(folder, "old", file))
        hook("reverted")
        atomic_write(folder / "reverted", json.dumps(foreign).encode())
    else:
        outcome = COMPLETED
        _go(workspace, folder, [file for file in files if file.path not in foreign], hook)
    is_undo = folder.name.startswith(_UNDO)
    return Finished(str(manifest["dream"]), outcome, is_undo, tuple(foreign), dict(manifest["summary"]))


def _with_lost_entries(path: str, here: bytes, old: bytes, new: bytes) -> bytes | None:
    """Return a topic that changed since, with what the dream took out of it put back; None for any other file."""
    folder, _, name = path.rpartition("/")
    if folder != KNOWLEDGE:
        return None
    slug = name.removesuffix(".md")
    before, after, now = (topics.parse_topic(slug, data.decode(*BYTES)) for data in (old, new, here))
    stayed = {entry.id for entry in (*after.entries, *now.entries)}
    for entry in before.entries:
        if entry.id not in stayed:
            now = topics.parse_topic(slug, topics.with_entry(now, now.title, entry))
    return now.source.encode(*BYTES)


def _entries(plan: Plan) -> str:
    """Return the entries that leave their topics, as a topic file would hold them."""
    text = ""
    slug = None
    for one in sorted(plan.removed, key=lambda one: one.slug):
        if one.slug != slug:
            slug = one.slug
            text += f"# {slug}\n\n"
        text += f"{topics.render_entry(one.entry).strip()}\n\n"
    return text


def _to_undo(workspace: Path, dream_id: str | None) -> Path:
    done = [folder for folder in _dreams(workspace) if (folder / "done").exists()]
    if dream_id is None:
        found = max(
            (folder for folder in done if not _is_undone(folder)),
            key=lambda folder: (_manifest(folder)["at"], folder.name),
            default=None,
        )
        if found is None:
            raise Refused("there is no dream to undo", hint="`logs/dream_journal.md` tells of all dreams")
        return found
    found = next((folder for folder in done if folder.name == _folder_name(dream_id)), None)
    if found is None:
        raise Refused(f"there is no dream {dream_id}", hint="`logs/dream_journal.md` names all dreams")
    if _is_undone(found):
        raise Refused(f"dream {dream_id} is undone already", hint="dream again: it finds the same once more")
    return found


def _next_undo(folder: Path) -> Path:
    return folder / f"{_UNDO}{max(map(_undo_number, folder.glob(f'{_UNDO}*')), default=0) + 1}"


def _undo_number(folder: Path) -> int:
    number = folder.name.removeprefix(_UNDO)
    return int(number) if number.isdecimal() else 0


def _is_undone(folder: Path) -> bool:
    return any((one / "done").exists() for one in folder.glob(f"{_UNDO}*"))


def _ended(folder: Path) -> bool:
    return (folder / "done").exists() or (folder / "reverted").exists()


def _folder_name(dream_id: str) -> str:
    return _PREFIX + safe_name(dream_id)


def _archive(workspace: Path) -> Path:
    return contained(workspace, workspace / ARCHIVE)


def _dreams(workspace: Path) -> list[Path]:
    return sorted(_archive(workspace).glob(f"{_PREFIX}*"))


def _manifest(folder: Path) -> dict[str, Any]:
    """Return what the manifest says. BadDocument for one that no dream wrote: an agent can write here too.

    Any: JSON values.
    """
    try:
        found: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
        fitting = all(_PATH.fullmatch(file.path) for file in _files(found))
        if fitting and isinstance(found["dream"], str) and isinstance(found["at"], int):
            return {"summary": {}, **found}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise BadDocument(
        f"{folder / 'manifest.json'} is no manifest of a dream",
        hint="bring it back from a backup, or move its folder out of logs/archive",
        path=str(folder),
    )


def _files(manifest: dict[str, Any]) -> list[_File]:
    """Return the files a manifest names, in the order in which they are written. Any: as _manifest."""
    return [
        _File(number, str(one["path"]), str(one["old"]), str(one["new"]))
        for number, one in enumerate(manifest["files"])
    ]


def _read(folder: Path, side: str, file: _File) -> bytes:
    """Return archived bytes; Refused when they are not those that were archived."""
    data = (folder / side / str(file.number)).read_bytes()
    if _hash(data) != getattr(file, side):
        raise Refused(
            f"{folder / side / str(file.number)} is not what the dream archived of {file.path}",
            hint="bring the archive back from a backup; nothing was changed",
            path=file.path,
        )
    return data


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()


def _hash_of(path: Path) -> str:
    return _hash(path.read_bytes()) if path.is_file() else ""


def _quiet(place: str) -> None:
    """Hear nothing."""
