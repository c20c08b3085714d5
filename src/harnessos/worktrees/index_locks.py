"""`index.lock` files that a killed git left behind: who holds them, how old they are, and clearing dead ones (P22)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos.worktrees.listing import serialised

if TYPE_CHECKING:
    from harnessos.ports import Clock
    from harnessos.worktrees.repository import Repository

_PROC = Path("/proc")


class IndexLock(NamedTuple):
    """A lock on an index. `age_ms` since it was made; `uid` its owner; `holders` live processes that may hold it."""

    path: Path
    checkout: Path
    age_ms: int
    uid: int
    holders: tuple[int, ...]
    identity: tuple[int, int, int]

    @property
    def orphaned(self) -> bool:
        """True when no live process could hold it."""
        return not self.holders


def index_locks(repo: Repository, clock: Clock) -> tuple[IndexLock, ...]:
    """Return every index.lock of the repository's checkouts, main checkout first."""
    git_dirs = [(repo.common, repo.root)]
    admin = repo.common / "worktrees"
    if admin.is_dir():
        git_dirs += [(folder, _checkout_of(folder)) for folder in sorted(admin.iterdir())]
    found = (_look(git_dir / "index.lock", checkout, clock) for git_dir, checkout in git_dirs)
    return tuple(lock for lock in found if lock is not None)


def orphan_locks(repo: Repository, clock: Clock) -> tuple[IndexLock, ...]:
    """Return the index locks that no live process could hold."""
    return tuple(lock for lock in index_locks(repo, clock) if lock.orphaned)


def clear_orphan_lock(repo: Repository, lock: IndexLock, clock: Clock) -> bool:
    """Remove the lock if it is still the same file and still nobody could hold it; tell whether it was removed.

    Only dead holders count, never age (I28). Processes of another machine on a shared disk cannot be seen: keep
    repositories local.
    """
    with serialised(repo):
        again = _look(lock.path, lock.checkout, clock)
        return again is not None and again.identity == lock.identity and clear_if_dead(lock.path, lock.checkout)


def clear_if_dead(lock: Path, checkout: Path) -> bool:
    """Remove an index.lock that no live process could hold; tell whether one was removed."""
    before = _identity(lock)
    # looked at before the processes are: a git that takes the lock after that has made another file
    if before is None or _holders(lock, checkout) or _identity(lock) != before:
        return False
    lock.unlink(missing_ok=True)
    return True


def _look(path: Path, checkout: Path, clock: Clock) -> IndexLock | None:
    try:
        stat = path.lstat()
    except FileNotFoundError:
        return None
    identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns)
    age = max(0, clock.now() - stat.st_mtime_ns // 1_000_000)
    return IndexLock(path, checkout, age, stat.st_uid, _holders(path, checkout), identity)


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.lstat()
    except FileNotFoundError:
        return None
    return (stat.st_dev, stat.st_ino, stat.st_mtime_ns)


def _holders(lock: Path, checkout: Path) -> tuple[int, ...]:
    """Return processes with the lock open, and every git that may work there: it closes the file before it renames it."""
    places = [os.fsencode(place) for place in {lock.parent, lock.parent.resolve(), checkout, checkout.resolve()}]
    running = [entry for entry in _PROC.iterdir() if entry.name.isdigit()] if _PROC.is_dir() else []
    others = [entry for entry in running if int(entry.name) != os.getpid()]
    return tuple(sorted(int(entry.name) for entry in others if _has_open(entry, lock) or _is_git_at(entry, places)))


def _has_open(process: Path, lock: Path) -> bool:
    try:
        handles = list((process / "fd").iterdir())
    except OSError:  # it ended, or belongs to another user
        return False
    return any(_target(handle) == lock for handle in handles)


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:  # closed meanwhile
        return None


def _is_git_at(process: Path, places: list[bytes]) -> bool:
    """Tell whether a process is a git whose folder, arguments or environment name one of the places.

    A git whose folder cannot be read belongs to somebody else and may be anywhere, so it counts.
    """
    try:
        name = (process / "comm").read_bytes()
        if not name.startswith(b"git"):
            return False
        if (process / "stat").read_bytes().rpartition(b")")[2].split()[0] in {b"Z", b"X"}:
            return False
    except OSError:
        return False
    try:
        seen = [
            os.fsencode((process / "cwd").readlink()),
            *(process / "cmdline").read_bytes().split(b"\0"),
            *(process / "environ").read_bytes().split(b"\0"),
        ]
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return any(place in text for place in places for text in seen)


def _checkout_of(git_dir: Path) -> Path:
    """Return the folder a linked worktree's git dir belongs to."""
    try:
        return Path(os.fsdecode((git_dir / "gitdir").read_bytes()).rstrip("\n")).parent
    except OSError:
        return git_dir
