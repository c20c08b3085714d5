"""The clean checkout gates run in: exactly the commit, made ready once per cache key, put back between gates.

Its folder is `checkouts/<KEY>/<n>`, n the smallest that nobody uses: what setup makes often holds its own path (a
virtual environment does), so the paths come back, and what is kept of a setup is used at its own path only.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from harnessos import errors, processes, worktrees
from harnessos.errors import Busy, GateProblem
from harnessos.files import FileLock, private_folder
from harnessos.worktrees.git import git, names

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place

Stop = Callable[[], bool]
SETUP_TIMEOUT_S = 1800
SETUP_OUTPUT = 64 * 1024 * 1024


class CleanCheckout:
    """`with CleanCheckout(...) as checkout:` gives the folder; `reset()` makes it the commit again."""

    def __init__(
        self, ground: Ground, place: Place, run_id: str, commit: str, env: dict[str, str], log: Path, stop: Stop
    ) -> None:
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

    def __enter__(self) -> CleanCheckout:
        self._take()
        try:
            self._checkout = worktrees.clean_checkout(self._repo, self._commit, self._folder)
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

    def _prepare(self) -> None:
        if self._rules is None or not (self._rules.setup or self._rules.include):
            return
        if self._rules.setup and not self._place.trusted:
            key = self._place.project["key"]
            raise GateProblem(
                f"this project is not trusted here, so its checkout is not set up: harness project trust {key}"
            )
        worktrees.copy_paths(self._place.root, self._rules.include, self._folder)
        if not self._rules.setup:
            return
        kept = self._cache / self._key()
        private_folder(kept.parent)
        with FileLock(kept.with_name(kept.name + ".lock"), timeout=SETUP_TIMEOUT_S):
            if not kept.is_dir():
                self._set_up(kept)
                return
        _copy_into(kept, self._folder)

    def _key(self) -> str:
        """Name the prepared state by its path, the setup commands and the content of the lock files at this commit."""
        assert self._rules is not None
        digest = hashlib.sha256("\0".join((str(self._folder), *self._rules.setup)).encode())
        for name in self._rules.cache_key:
            file = self._folder / name
            digest.update(name.encode() + b"\0" + (file.read_bytes() if file.is_file() else b"") + b"\0")
        return digest.hexdigest()[:24]

    def _set_up(self, kept: Path) -> None:
        """Run the setup commands here, and keep what they made (everything git ignores or does not track)."""
        assert self._rules is not None
        for command in self._rules.setup:
            done = processes.run(
                ["sh", "-c", command],
                cwd=self._folder,
                env=self._env,
                timeout=SETUP_TIMEOUT_S,
                log=self._log,
                output_limit=SETUP_OUTPUT,
                run_id=self._run_id,
                stop=self._stop,
            )
            if done.exit_code != 0:
                raise GateProblem(f"the checkout's setup failed: `{command}` (see {self._log})", log=str(self._log))
        part = kept.with_name(kept.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        listed = git(self._folder, "ls-files", "-z", "--others", "--directory", "--no-empty-directory").output
        for name in names(listed):
            _copy(self._folder / name.rstrip("/"), part / name.rstrip("/"))
        part.rename(kept)

    def state(self) -> str:
        """Return what a gate result says of the tree: `clean`, or what in it is not the commit's."""
        found = worktrees.status(self._folder)
        if found.head.commit != self._commit:
            return f"HEAD is {found.head.commit[:12]}"
        if found.staged or found.unstaged:
            return "tracked files were changed"
        return "ignored_files_present" if found.ignored_present else "clean"

    def reset(self) -> None:
        """Undo what a gate did to tracked files and to files git does not know, so that the next sees the commit."""
        git(self._folder, "checkout", "--quiet", "--force", "--detach", self._commit, writes=True)
        git(self._folder, "clean", "-fdq", writes=True)

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


def _copy_into(kept: Path, folder: Path) -> None:
    for entry in kept.iterdir():
        _copy(entry, folder / entry.name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


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
