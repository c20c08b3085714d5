"""Which ledger and which project are meant here, and why. Reads files only: no process, no database.

Order: the flag, HARNESS_STORE, the registration of the repository or folder, the default (P09).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.discovery import find_common_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
GIT_FILE = "harness.json"
FOLDER_FILE = Path(".harness", "project.json")
_LIMIT = 1 << 16


class Registration(NamedTuple):
    """What `harness init` left in a repository's git dir or in a plain folder. `file` is where it was found."""

    file: Path
    project_id: str
    project_key: str
    ledger_id: str
    store: str
    path: Path
    common: Path | None

    @property
    def kind(self) -> str:
        """`git`, or `folder` for a project without git."""
        return "folder" if self.common is None else "git"

    def moved(self) -> str | None:
        """Return what is wrong when the registration was made for another place than this one, else None."""
        if self.common is None:
            here = self.file.parent.parent
            if here == self.path or _same(here, self.path):
                return None
        elif find_common_dir(self.path) == self.common:
            return None
        else:
            here = self.common.parent if self.common.name == ".git" else self.common
        still = (self.path / FOLDER_FILE).exists() if self.common is None else find_common_dir(self.path) is not None
        verb = "copied" if still else "moved"
        return f"{here} was {verb} from {self.path}, for which it is registered as {self.project_key}"


_NAMED = "named by"


class Settings(NamedTuple):
    """The frozen answer. `store_source` is a sentence for people: why this store and no other."""

    home: Path
    store_url: str
    store_source: str
    registration: Registration | None
    project_key: str | None
    cwd: Path

    @property
    def is_named(self) -> bool:
        """Whether the caller named the store: a mission's workspace has no say then."""
        return self.store_source.startswith(_NAMED)

    def for_workspace(self, registered: str | None) -> Settings:
        """Return the settings for a mission's workspace that names this store: the project of the cwd has no say."""
        if self.is_named:
            return self._replace(registration=None, project_key=None)
        url, why = (
            (registered, "registered in the workspace") if registered else (default_store(self.home), "the default")
        )
        return self._replace(store_url=url, store_source=why, registration=None, project_key=None)

    def require_in_place(self) -> None:
        """Raise Refused when the registration that was found belongs to another place."""
        problem = self.registration.moved() if self.registration else None
        if problem and self.registration:
            raise errors.Refused(
                problem,
                hint=f"`harness init {_quoted(self.cwd)} --key {self.registration.project_key}` registers this place, "
                "with another key as a project of its own",
                path=str(self.registration.path),
            )


def load(flag: str | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Find home, store and project for a caller in `cwd`. BadUsage for a relative home, BadDocument for a
    registration that cannot be read.
    """
    home = _home(environ)
    registration = find_registration(cwd)
    url, why = _store(flag, environ, registration, home)
    key = environ.get("HARNESS_PROJECT") or (registration.project_key if registration else None)
    return Settings(home, url, why, registration, key, cwd)


def _home(environ: Mapping[str, str]) -> Path:
    given = environ.get("HARNESS_HOME")
    if not given:
        return Path(os.path.expanduser("~/.agent-harness"))  # noqa: PTH111 it also works without HOME
    home = Path(given).expanduser()
    if not home.is_absolute():
        raise errors.BadUsage(
            f"HARNESS_HOME must be an absolute path, not {given!r}", hint="unset it for ~/.agent-harness"
        )
    return home


def _store(
    flag: str | None, environ: Mapping[str, str], registration: Registration | None, home: Path
) -> tuple[str, str]:
    if flag:
        return flag, f"{_NAMED} --store"
    if environ.get("HARNESS_STORE"):
        return environ["HARNESS_STORE"], f"{_NAMED} HARNESS_STORE"
    if registration is not None:
        return registration.store, f"registered in {registration.file}"
    why = "HARNESS_HOME" if environ.get("HARNESS_HOME") else "the default"
    return default_store(home), f"{why}: this folder is not registered"


def default_store(home: Path) -> str:
    """Return the address of the ledger a home folder holds."""
    return f"sqlite:///{home}/harness.sqlite"


def find_registration(cwd: Path) -> Registration | None:
    """Return the registration of the repository `cwd` lies in, or outside of any of the nearest plain folder.

    Inside a repository only its git dir is asked: a `.harness` folder there was committed by somebody, and would come
    along into every worktree and clone (P09). A file of another user (but root) is none: in a folder that many may
    write to, such as /tmp, it would choose the ledger of all who work below.
    """
    common = find_common_dir(cwd)
    if common is not None:
        return read_registration(common / GIT_FILE, common, ours=True)
    try:
        here = cwd.resolve(strict=True)
    except OSError:
        return None
    found = (read_registration(folder / FOLDER_FILE, None, ours=True) for folder in (here, *here.parents))
    return next((registration for registration in found if registration is not None), None)


def read_registration(file: Path, common: Path | None, *, ours: bool = False) -> Registration | None:
    """Read one registration; None when there is no such file, BadDocument when it is no registration.

    With `ours`, None also for a file that belongs to another user than this process's or root.
    """
    try:
        # Not blocking: a pipe of that name would be waited at for ever.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if ours and os.fstat(stream.fileno()).st_uid not in (os.geteuid(), 0):
                return None
            text = stream.read(_LIMIT)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as problem:
        raise _unreadable(file, problem.strerror or str(problem)) from problem
    try:
        found = json.loads(text)
        values = [found[name] for name in ("project_id", "project_key", "ledger_id", "store", "path")]
        version = found["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise _unreadable(file, "it is no registration") from problem
    if version != VERSION or not all(isinstance(value, str) for value in values):
        raise _unreadable(file, f"it is no registration of version {VERSION}")
    project, key, ledger, store, path = values
    return Registration(file, project, key, ledger, store, Path(path), common)


def document_of(registration: Registration) -> bytes:
    """Return the file's content for a registration."""
    fields = registration._asdict()
    names = ("project_id", "project_key", "ledger_id", "store", "path")
    document = {"version": VERSION, **{name: str(fields[name]) for name in names}}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")


def without_password(url: str) -> str:
    """Return an address as it may be shown and stored: no password behind the user's name or among its parameters."""
    scheme, found, rest = url.partition("://")
    if not found or scheme == "sqlite":
        return url
    body, _, query = rest.partition("?")
    if "@" not in body and "/" not in body:
        body, query = rest, ""  # a password that holds a question mark
    who, at, where = body.rpartition("@")
    shown = f"{scheme}://{who.partition(':')[0]}{at}{where}"
    kept = [pair for pair in query.split("&") if pair and not pair.lower().partition("=")[0].endswith("password")]
    return "?".join([shown, "&".join(kept)]) if kept else shown


def _unreadable(file: Path, why: str) -> errors.BadDocument:
    return errors.BadDocument(
        f"{file}: {why}", hint="look at it; `harness init PATH --key KEY` writes it anew", path=str(file)
    )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _quoted(path: Path) -> str:
    text = str(path)
    return text if text.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum() else f"'{text}'"
