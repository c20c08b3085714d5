"""The folders of a mission's workers: `agents/worker-N/{inbox,outbox,manifest.json}`. The ledger is the truth, this is
its transport: manifests and task files are rendered from it, so that a damaged one is mended and never believed.

Whoever calls holds the workspace's lock. Nothing here executes a task.
"""

from __future__ import annotations

import os
import re
import stat
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import Refused
from harnessos.files import atomic_write, contained
from harnessos.mission import task_files, workspace
from harnessos.mission.task_files import Manifest, ResultFile, TaskFile
from harnessos.model.instants import stamp
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from harnessos.kernel.tasks import Board, Task

AGENTS = "agents"
ARCHIVE = "logs/agent_archive"
MOST_WORKERS = 100
_READ = 1_000_000
"""Bytes of a result that are looked at; all of it is kept."""
_MOST = 16_000_000
_GRACE_MS = 2_000
"""A result whose last line is not ended is left alone so long: who writes it may not be done."""
_WORKER = re.compile(r"worker-([1-9][0-9]{0,2})")
_CONFIG = "coordinator_config.json"


class Found(NamedTuple):
    """A file in an outbox that is called a result. `shown` is its path below the workspace, as it can be printed."""

    worker: str
    path: Path
    shown: str
    result: ResultFile
    sha256: str = ""
    size: int = 0


def number_of(worker: str) -> int | None:
    """Return the number of a worker's name, None for what is no such name."""
    match = _WORKER.fullmatch(worker)
    return int(match[1]) if match else None


def workers(place: Path) -> list[str]:
    """Return the workers there are, worker-2 before worker-10. A folder that is a link, or has one inside, is none."""
    top = place / AGENTS
    if not _is_folder(top):
        return []
    names = [name for name in os.listdir(top) if number_of(name) and _usable(top / name)]  # noqa: PTH208
    return sorted(names, key=lambda name: number_of(name) or 0)


def _usable(folder: Path) -> bool:
    boxes = (folder / "inbox", folder / "inbox" / "claimed", folder / "outbox")
    return _is_folder(folder) and all(_is_folder(box) or not os.path.lexists(box) for box in boxes)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def lay_out(place: Path, count: int, now: int) -> list[str]:
    """Make the folders of workers 1 to `count` where they are missing; what is there stays. Return what was made."""
    made = []
    top = place / AGENTS
    for number in range(1, count + 1):
        folder = top / f"worker-{number}"
        for path in (top, folder, folder / "inbox", folder / "outbox"):
            if _is_folder(path):
                continue
            if os.path.lexists(path):
                raise Refused(f"{path} is no folder", hint="move it away", path=str(path))
            path.mkdir()
        if not (folder / "manifest.json").exists():
            made.append(folder.name)
    config = {
        "coordinator_version": "1",
        "created_at": _created(top / _CONFIG) or stamp(now),
        "agents": workers(place),
        "protocol": "file-system-ipc",
        "message_format": "markdown-xml",
    }
    _write(top / _CONFIG, task_files.render_json(config))
    return made


def _created(path: Path) -> str:
    data = _bytes(path)
    return task_files.created_at(data) if data is not None else ""


def _bytes(path: Path, most: int = _READ) -> bytes | None:
    """Return the beginning of a regular file that is no link, None for anything else."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(os.dup(handle), "rb") as file:
            return file.read(most)
    finally:
        os.close(handle)


def _write(path: Path, data: bytes) -> None:
    """Write a file of ours unless it is there already. A link or folder of that name is moved aside: it is not ours."""
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        path.rename(_free(path.parent, path.name + ".bak"))
    if _bytes(path, len(data) + 1) != data:
        atomic_write(path, data)


def scan(place: Path, names: Sequence[str], now: int) -> list[Found]:
    """Return the results in the outboxes, the one written first first. `now` is this machine's instant (ms)."""
    paths = [
        (_written(path), worker, path)
        for worker in names
        for path in _entries(place / AGENTS / worker / "outbox")
        if path.name.startswith("result_") and path.name.endswith(".md")
    ]
    return [look_at(place, worker, path, now) for _, worker, path in sorted(paths, key=lambda each: each[0])]


def _entries(folder: Path) -> list[Path]:
    return sorted(folder / name for name in os.listdir(folder)) if folder.is_dir() else []  # noqa: PTH208


def _written(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def look_at(place: Path, worker: str, path: Path, now: int | None) -> Found:
    """Return what a result's file says. With `now` (ms), one that may still be being written has that as its problem."""
    found = Found(worker, path, sayable(str(path.relative_to(place))), ResultFile(""))
    if path.is_symlink():
        return _not(found, "it is a link, which is not followed")
    data = _bytes(path, _MOST + 1)
    if data is None:
        return _not(found, "it cannot be read as a file")
    if len(data) > _MOST:
        return _not(found, f"it has more than {_MOST:,} bytes: keep the output in output/ and name it here")
    result = task_files.read_result(data[:_READ], path.name)
    if result.unsure and now is not None and 0 <= now - _written(path) // 1_000_000 < _GRACE_MS:
        result = result._replace(problem="its last line is not ended: it may still be being written")
    return found._replace(result=result, sha256=sha256(data).hexdigest(), size=len(data))


def _not(found: Found, why: str) -> Found:
    return found._replace(result=ResultFile(task_files.id_in(found.path.name), problem=why))


def keep(place: Path, found: Found) -> bool:
    """Keep a result's bytes under their hash, whatever happens to the outbox; False when it changed meanwhile."""
    folder = workspace.own_folder(place) / "results"
    data = _bytes(found.path, _MOST + 1)
    if data is None or sha256(data).hexdigest() != found.sha256:
        return False
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / f"{found.sha256}.md", data)
    return True


def task_path(task: Task) -> str:
    """Return where a task's file lies, relative to the workspace."""
    return f"{AGENTS}/{task.worker}/inbox/task_{task.id}.md"


def result_path(task: Task) -> str:
    """Return where a task's result goes, relative to the workspace."""
    return f"{AGENTS}/{task.worker}/outbox/result_{task.id}.md"


def bring_up_to_date(place: Path, names: Sequence[str], board: Board, is_ours: Callable[[str], bool], now: int) -> None:
    """Make inboxes and manifests say what the ledger says. Tasks that are over, or another's now, leave the inbox."""
    has = {task.worker: task for task in board.live}
    for worker in names:
        folder, task = place / AGENTS / worker, has.get(worker)
        for path in _tasks(folder):
            mine = task is not None and path.name == f"task_{task.id}.md"
            if not mine and is_ours(task_files.id_in(path.name)):
                archive(place, worker, path)
        for box in ("inbox", "outbox"):
            (folder / box).mkdir(exist_ok=True)
        if task is not None and not task.watched:
            _deliver(place, task)
        created = _created(folder / "manifest.json") or _created(place / AGENTS / _CONFIG) or stamp(now)
        given = board.given_at.get(worker)
        manifest = Manifest(
            worker,
            created,
            "busy" if task else "idle",
            task.id if task else None,
            board.done_by.get(worker, 0),
            stamp(given) if given is not None else None,
        )
        _write(folder / "manifest.json", task_files.render_json(manifest._asdict()))


def _tasks(folder: Path) -> list[Path]:
    """Return the task files of a worker, those that a runner has taken too."""
    boxes = (folder / "inbox", folder / "inbox" / "claimed")
    return [path for box in boxes for path in _entries(box) if path.name.startswith("task_")]


def _deliver(place: Path, task: Task) -> None:
    assert task.given_at is not None
    file = TaskFile(task.id, task.given_at, task.step, task.priority, task.text, result_path(task))
    claimed = place / AGENTS / str(task.worker) / "inbox" / "claimed" / f"task_{task.id}.md"
    if claimed.exists():
        claimed.unlink()  # its runner is gone, and the worker has it again
    _write(place / task_path(task), task_files.render_task(file, task.expires_at, task.attempt).encode())


def claim(place: Path, task: Task) -> Path:
    """Move a task's file to `inbox/claimed`, where its runner finds it; return where it lies then."""
    source = place / task_path(task)
    claimed = source.parent / "claimed" / source.name
    claimed.parent.mkdir(exist_ok=True)
    if source.exists():
        source.replace(claimed)
    return claimed


def archive(place: Path, worker: str, path: Path) -> str:
    """Move something of a worker's to the archive, under a name that nothing has; return where, as it can be printed."""
    folder = contained(place, place / ARCHIVE)
    folder.mkdir(parents=True, exist_ok=True)
    target = _free(folder, f"{worker}_{path.name}")
    path.rename(target)
    return sayable(str(target.relative_to(place)))


def _free(folder: Path, name: str) -> Path:
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    while len(os.fsencode(f"{stem}{dot}{suffix}")) > 240 and stem:
        stem = stem[:-1]
    target, number = folder / f"{stem}{dot}{suffix}", 1
    while os.path.lexists(target):
        number += 1
        target = folder / f"{stem}_{number}{dot}{suffix}"
    return target


def clear(place: Path, names: Sequence[str], board: Board, kept: Collection[Path]) -> list[str]:
    """Archive everything in inboxes and outboxes but `kept` and the files of tasks that run; return where it went."""
    running = {(task.worker, f"task_{task.id}.md") for task in board.live}
    return [
        archive(place, worker, path)
        for worker in names
        for path in _everything(place / AGENTS / worker)
        if path not in kept and (worker, path.name) not in running
    ]


def _everything(folder: Path) -> Iterator[Path]:
    inbox = folder / "inbox"
    yield from (path for path in _entries(inbox) if path != inbox / "claimed")
    yield from _entries(inbox / "claimed")
    yield from _entries(folder / "outbox")


def waiting_in(place: Path, worker: str) -> tuple[int, int]:
    """Return how many files lie in a worker's inbox and outbox."""
    folder = place / AGENTS / worker
    inbox = [path for path in _entries(folder / "inbox") if path.name != "claimed"]
    return len(inbox), len(_entries(folder / "outbox"))
