"""One caller's harness: which ledger, which project, who acts. The store is opened when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate

from harnessos import errors
from harnessos.model.digest import sha256_hex
from harnessos.model.run import Actor
from harnessos.model.words import is_sayable, sayable
from harnessos.ports import Clock, Ids, SystemClock, SystemIds
from harnessos.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harnessos.dispatch.ground import Ground
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import P, Row, Store, T, Transaction

_WORDS = ("HARNESS_HOME", "HARNESS_STORE", "HARNESS_PROJECT", "HARNESS_RUN_ID")
"""What of the environment is asked for in the ledger or recorded there. (Of a token only the hash is.)"""


class Harness:
    """Settings and everything made from them. `command` names in events what was called, such as `issue retry`.

    `actor` is who acts, where the environment does not say it. With `reads_only` nothing is written, a lease not renewed.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        command: str = "",
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        actor: Actor | None = None,
        reads_only: bool = False,
    ) -> None:
        self.settings = settings
        self.environ = environ
        self.command = command
        self.clock = clock or SystemClock()
        self.ids = ids or SystemIds()
        self.given_clock = clock
        self._given_actor = actor
        self.reads_only = reads_only

    @property
    def actor(self) -> Actor:
        """Return who acts: a person, unless a run's or a session's environment says that it is an agent."""
        return self._given_actor or actor_of(self.environ)

    @property
    def cause(self) -> Cause:
        """Return what this call's events carry."""
        from harnessos.kernel.events import Cause

        return Cause(self.actor, self.command, self.environ.get("HARNESS_RUN_ID") or None)

    @cached_property
    def store(self) -> Store:
        """Open the ledger that is meant here. Refused when a moved or copied registration names it."""
        self._require_in_place()
        return self.as_found

    @cached_property
    def as_found(self) -> Store:
        """Open the ledger that the settings name, wherever its registration was made for (`init` mends that)."""
        from harnessos.store.opening import open_store

        return open_store(self.settings.store_url, clock=self.given_clock, ids=self.ids)

    @cached_property
    def reading(self) -> Store:
        """Open the ledger for reading only: a newer schema that allows it is enough."""
        from harnessos.store.opening import open_store

        self._require_in_place()
        return open_store(self.settings.store_url, clock=self.given_clock, ids=self.ids, write=False)

    def _require_in_place(self) -> None:
        registration = self.settings.registration
        if registration is not None and self.settings.store_url == registration.store:
            self.settings.require_in_place()

    def write(self, command: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a kernel command in a write transaction. Refused where only reading is allowed."""
        if self.reads_only:
            raise errors.Refused("nothing is written here", hint="a person starts the server without --read-only")
        return self.store.write(command, *args, **kwargs)

    def read(self, query: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query on one snapshot."""
        store = self.store if "store" in self.__dict__ else self.reading
        return store.read(query, *args, **kwargs)

    def key(self, given: str | None) -> str:
        """Return the key of the project that is meant, BadUsage when nothing says which."""
        if given:
            return given
        if self.settings.project_key is None:
            raise errors.BadUsage(
                "which project? This folder is not registered for one",
                hint="name it with --project KEY (`harness project list`), or `harness init PATH --key KEY`; missions: `harness mission list`",
            )
        if self.settings.project_key == (self.settings.registration and self.settings.registration.project_key):
            self.settings.require_in_place()
        return self.settings.project_key

    def project(self, given: str | None = None) -> Row:
        """Return the row of the project that is meant, or raise UnknownIdentifier."""
        from harnessos.store import named

        return self.read(named.project, self.key(given))

    @cached_property
    def ground(self) -> Ground:
        """Return what the dispatch room stands on: this store, machine and process, and who acts."""
        from harnessos.dispatch.ground import Ground
        from harnessos.processes import this_process

        machine, home = this_process(), self.settings.home
        return Ground(self.store, self.clock, self.ids, home, machine, self.actor, self.environ)

    def token(self, given: str | None) -> str:
        """Return the session's token: as given, from standard input for `-`, else HARNESS_SESSION_TOKEN."""
        if given == "-":
            import sys

            given = sys.stdin.readline().strip()
        token = given or self.environ.get("HARNESS_SESSION_TOKEN")
        if not token:
            raise errors.BadUsage(
                "which session?", hint="--session TOKEN, --session - (standard input) or HARNESS_SESSION_TOKEN"
            )
        return token

    def run_of(self, token: str) -> Row:
        """Return the run that a session token stands for."""
        from harnessos.kernel import runs

        return self.store.read(runs.by_token, fingerprint(token))

    def machine(self) -> str:
        """Return this machine's id."""
        from harnessos.processes import machine_id

        return machine_id()

    def place(self, project: Row) -> Path | None:
        """Return where the project lies on this machine: the registered place if it is this project's, else the
        only one the ledger knows; None when there is none or more than one.
        """
        registration = self.settings.registration
        if registration is not None and registration.project_id == project["id"]:
            return registration.path
        known = [row for row in self.read(_locations, project["id"]) if row["machine_id"] == self.machine()]
        return Path(known[0]["path"]) if len(known) == 1 else None

    def beside(self, registered: str | None) -> Harness:
        """Return a harness for the same caller over a mission's ledger: the one its workspace names, unless one is given.

        The project of the current folder has no say. Whoever asks for it closes it.
        """
        chosen = self.settings.for_workspace(registered)
        return Harness(
            chosen,
            self.environ,
            self.command,
            clock=self.given_clock,
            ids=self.ids,
            actor=self._given_actor,
            reads_only=self.reads_only,
        )

    def close(self) -> None:
        """Close what was opened."""
        self.__dict__.pop("store", None)
        for name in ("as_found", "reading"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()


def _locations(tx: Transaction, project_id: str) -> list[Row]:
    return tx.all("project_locations", project=project_id)


def actor_of(environ: Mapping[str, str]) -> Actor:
    """Return the actor an environment stands for."""
    run, token = environ.get("HARNESS_RUN_ID"), environ.get("HARNESS_SESSION_TOKEN")
    if run or token:
        # Without a run the token's fingerprint tells sessions apart: an agent may cancel only what it planned itself.
        return Actor("agent", run or fingerprint(token or "")[:12])
    return Actor("operator", user_of(environ))


def user_of(environ: Mapping[str, str]) -> str:
    """Return $USER for the record, a name and no right; empty without one."""
    return sayable(environ.get("USER", ""))


def fingerprint(token: str) -> str:
    """Return what the ledger keeps of a session token: its SHA-256, in hexadecimal digits."""
    return sha256_hex(token.encode("utf-8", "surrogateescape"))


def harness(
    store: str | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    command: str = "",
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> Harness:
    """Find the settings for a caller and return its harness; nothing is opened yet."""
    import os

    environ = os.environ if environ is None else environ
    for name in _WORDS:
        if not is_sayable(environ.get(name, "")):
            raise errors.BadUsage(f"{name} is no text in UTF-8: {environ[name]!a}", hint="write it in UTF-8")
    settings = load(store, environ, cwd or Path.cwd())
    return Harness(settings, environ, command, clock=clock, ids=ids)
