"""The clean checkout gates run in: exactly the commit, made ready once per cache key, put back between gates.

Its folder is `checkouts/<KEY>/<n>`, n the smallest that nobody uses: what setup makes often holds its own path (a
virtual environment does), so the paths come back, and what is kept of a setup is used at its own path only.
Only what a setup made at a run's base commit is kept: what a commit under judgement makes may serve that one alone.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from harnessos import errors, processes, worktrees
from harnessos.errors import Busy, GateProblem
from harnessos.files import FileLock, private_folder
from harnessos.worktrees.git import git, names

if TYPE_CHECKING:
    from collections.abc import Set
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.store.transaction import Transaction

Stop = Callable[[], bool]
SETUP_TIMEOUT_S = 1800
SETUP_OUTPUT = 64 * 1024 * 1024
_SPECIAL = re.compile(r"[\\*?\[]")  # in a pattern of gitignore


class CleanCheckout:
    """`with CleanCheckout(...) as checkout:` gives the folder; `reset()` makes it the commit again."""

    def __init__(
        self, ground: Ground, place: Place, run_id: str, commit: str, env: dict[str, str], log: Path, stop: Stop
    ) -> None:
        self._store = ground.store
        self._repo = place.repo
        self._place = place
        self._rules = place.workflow.harness.checkout if place.workflow else None
        self._places = _places(ground, place)
        self._folder = self._places
        self._taken: FileLock | None = None
        self._cache = ground.home / "cache" / place.project["key"]
        self._commit = commit
        self._env = env
        self._log = log
        self._run_id = run_id
        self._stop = stop
        self._checkout: worktrees.Checkout | None = None
        self._included: tuple[str, ...] = ()
        self._made: tuple[str, ...] = ()

    def __enter__(self) -> CleanCheckout:
        self._take()
        try:
            self._open()
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _take(self) -> None:
        """Take the first free place; what a killed verifier left lies in its way until `remove_stale` has looked."""
        private_folder(self._places)
        for number in itertools.count(1):
            folder = self._places / str(number)
            lock = FileLock(_lock_of(folder), timeout=0)
            try:
                lock.__enter__()
            except Busy:
                continue
            if folder.exists():
                lock.__exit__(None, None, None)
                continue
            _lock_of(folder).write_text(self._run_id, encoding="utf-8")
            self._folder, self._taken = folder, lock
            return

    @property
    def path(self) -> Path:
        """The checkout's folder."""
        return self._folder

    def _open(self) -> None:
        """Check out the judged commit, with what the workflow includes of the operator's checkout."""
        self._checkout = worktrees.clean_checkout(self._repo, self._commit, self._folder)
        if self._rules is not None:
            self._included = worktrees.copy_paths(self._place.root, self._rules.include, self._folder)

    def _prepare(self) -> None:
        if self._rules is None or not (self._rules.setup or self._rules.include):
            return
        if self._rules.setup:
            if not self._place.trusted:
                key = self._place.project["key"]
                raise GateProblem(
                    f"this project is not trusted here, so its checkout is not set up: harness project trust {key}"
                )
            if not self._ready_from_base():
                self._set_up(self._commit)
            self._stand_at(self._commit)
        listed = git(self._folder, "ls-files", "-z", "--others", "--exclude-standard", "--directory").output
        self._made = tuple(name.rstrip("/") for name in names(listed))

    def _ready_from_base(self) -> bool:
        """Bring what a setup at the run's base commit made, setting up there first where nothing is kept.

        False, and the checkout is as new, when that says nothing of the judged commit: the base is not known, the lock
        files differ, or the setup fails there.
        """
        base, key = self._store.read(_base_of, self._run_id), self._key(self._commit)
        if base is None or not worktrees.has_commit(self._repo, base) or self._key(base) != key:
            return False
        kept = self._cache / key
        private_folder(kept.parent)
        with FileLock(kept.with_name(kept.name + ".lock"), timeout=SETUP_TIMEOUT_S):
            if not kept.is_dir():
                return self._fill(kept, base)
        tracked = frozenset(names(git(self._folder, "ls-files", "-z").output))
        for entry in kept.iterdir():
            _put(entry, self._folder, entry.name, tracked)
        return True

    def _key(self, commit: str) -> str:
        """Name a prepared state by its path, the setup commands and the content of the lock files at a commit."""
        assert self._rules is not None
        digest = hashlib.sha256("\0".join((str(self._folder), *self._rules.setup)).encode())
        asked = "".join(f"{commit}:{name}\n" for name in self._rules.cache_key)
        found = git(self._folder, "cat-file", "--batch-check", "--follow-symlinks", stdin=asked.encode()).output
        digest.update(b"\0" + found.replace(commit.encode(), b""))  # what is missing is named with its commit
        for name in self._rules.cache_key:
            file = self._folder / name
            if name in self._included and file.is_file():
                digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()[:24]

    def _fill(self, kept: Path, base: str) -> bool:
        """Set up at the base commit and keep what that made: everything git ignores or does not track."""
        self._stand_at(base)
        try:
            self._set_up(base)
        except GateProblem:
            if self._stop():
                raise
            assert self._checkout is not None
            worktrees.remove_checkout(self._repo, self._checkout)
            self._open()
            return False
        part = kept.with_name(kept.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        listed = git(self._folder, "ls-files", "-z", "--others", "--directory").output
        for name in (name.rstrip("/") for name in names(listed)):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            _put(self._folder / name, part, name)
        part.rename(kept)
        return True

    def _set_up(self, commit: str) -> None:
        """Run the setup commands in the checkout, which stands at `commit`. GateProblem when one fails."""
        assert self._rules is not None
        for command in self._rules.setup:
            done = processes.run(
                ["sh", "-c", command],
                cwd=self._folder,
                env={**self._env, "HARNESS_SUBJECT": commit},
                timeout=SETUP_TIMEOUT_S,
                log=self._log,
                output_limit=SETUP_OUTPUT,
                run_id=self._run_id,
                stop=self._stop,
            )
            if done.exit_code != 0:
                raise GateProblem(f"the checkout's setup failed: `{command}` (see {self._log})", log=str(self._log))

    def _stand_at(self, commit: str) -> None:
        """Make HEAD, the index and every tracked file those of a commit, whatever the index says of a file's state.

        An index without what a gate wrote there is compared with the files byte by byte, and only those that differ are
        written: `make` and its like go by the times of the others.
        """
        git(self._folder, "checkout", "--quiet", "--force", "--detach", commit, writes=True)
        git(self._folder, "read-tree", commit, writes=True)
        git(self._folder, "update-index", "-q", "--really-refresh", writes=True, accepts=(0, 1))
        git(self._folder, "checkout", "--quiet", "--force", "--detach", commit, writes=True)

    def state(self) -> str:
        """Return what a gate result says of the tree: `clean`, or what in it is not the commit's."""
        worktrees.unhide(self._folder)
        found = worktrees.status(self._folder)
        if found.head.commit != self._commit:
            return f"HEAD is {found.head.commit[:12]}"
        if found.staged or found.unstaged:
            return "tracked files were changed"
        return "ignored_files_present" if found.ignored_present else "clean"

    def reset(self) -> None:
        """Undo what a gate did to tracked files, and to files git neither knows nor ignores and setup did not make."""
        self._stand_at(self._commit)
        made = [word for name in self._made for word in ("-e", "/" + _SPECIAL.sub(r"\\\g<0>", name))]
        git(self._folder, "clean", "-fdq", *made, writes=True)

    def __exit__(self, *_: object) -> None:
        try:
            if self._checkout is not None:
                # What the gates saw stands, whatever they left that cannot be deleted; the sweep tries again and tells.
                with suppress(errors.ToolProblem, errors.TryAgain, OSError):
                    worktrees.remove_checkout(self._repo, self._checkout)
        finally:
            if self._taken is not None:
                self._taken.__exit__(None, None, None)


def _places(ground: Ground, place: Place) -> Path:
    return ground.home / "checkouts" / str(place.project["key"])


def _lock_of(folder: Path) -> Path:
    """Return the lock on a place, which also names the run that took it last."""
    return folder.with_name(f"{folder.name}.lock")


def _base_of(tx: Transaction, run_id: str) -> str | None:
    """Return the commit that a run's work started from."""
    run = tx.one("run_by_id", id=run_id)
    return run["base_commit"] if run is not None else None


def _put(source: Path, into: Path, name: str, tracked: Set[str] = frozenset()) -> None:
    """Copy a file, link or folder to `into`/`name`; never through a link that is there, nor over what is `tracked`.

    Pipes and sockets stay behind. The parent of the target is a folder.
    """
    target = into / name
    there = target.lstat().st_mode if os.path.lexists(target) else None
    if name in tracked:
        return
    if source.is_symlink() or source.is_file():
        if there is None or not stat.S_ISDIR(there):
            target.unlink(missing_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    elif source.is_dir() and (there is None or stat.S_ISDIR(there)):
        target.mkdir(exist_ok=True)
        for entry in source.iterdir():
            _put(entry, into, f"{name}/{entry.name}", tracked)
        if there is None:
            shutil.copystat(source, target)


def remove_stale(ground: Ground, place: Place, alive: Callable[[str], bool]) -> None:
    """Remove clean checkouts that a killed verifier left behind; `alive` says whether a run is still live."""
    folder = _places(ground, place)
    if not place.is_git or not folder.is_dir():
        return
    with worktrees.serialised(place.repo):
        # git fails when it lists while another worktree is taken away.
        found = worktrees.list_worktrees(place.repo)
    here = folder.resolve()
    left = {listed.path for listed in found if listed.path.parent == here}
    # Where a removal was cut short, git may know nothing of it any more.
    left.update(gone.with_name(gone.name.removesuffix(worktrees.GOING)) for gone in here.glob(f"*{worktrees.GOING}"))
    problems = [_remove_stale(place, path, alive) for path in sorted(left) if path.name.isdigit()]
    for problem in filter(None, problems):
        raise problem


def _remove_stale(place: Place, left: Path, alive: Callable[[str], bool]) -> errors.ToolProblem | None:
    lock = _lock_of(left)
    try:
        with FileLock(lock, timeout=0):
            if not alive(lock.read_text(encoding="utf-8")):
                worktrees.dismantle(place.repo, left)
    except Busy:
        return None  # a verifier is at work in it
    except errors.ToolProblem as problem:
        return problem  # the others are removed all the same
    return None
