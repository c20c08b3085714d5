"""A mission's workspace and its ledger: `--store`, HARNESS_STORE, the workspace's own, the default; never the cwd's project."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harnessos import errors, settings
from harnessos.app.harness import fingerprint
from harnessos.mission import marks, workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from harnessos.app.harness import Harness
    from harnessos.kernel.events import Cause
    from harnessos.mission.site import Site
    from harnessos.mission.workspace import Registration
    from harnessos.store.transaction import Row, Transaction


_IDENTIFIER = re.compile(r"[A-Z][A-Z0-9]{0,15}-[0-9]{1,9}")


class At:
    """A workspace with its mission; a context manager that closes the ledger. `place` is the folder, without links."""

    def __init__(self, harness: Harness, given: str | Path, registered: Registration | None = None) -> None:
        self.place = marks.resolve(found_by_name(harness, given))
        found = registered or workspace.require(self.place)
        self.registration = found
        self.harness = harness.beside(found.store)
        self.mission_id = found.mission

    def __enter__(self) -> Self:
        """Return this, once it is sure that the ledger is the workspace's."""
        self.require_ledger()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the ledger."""
        self.harness.close()

    def require_ledger(self) -> None:
        """Refuse another ledger than the one the workspace belongs to, and a copy of a workspace that is still there."""
        lives_at = self.harness.read(_lives_at, self.registration.ledger, self.mission_id)
        if lives_at == str(self.place):
            return
        if lives_at is not None:
            if workspace.is_of(Path(lives_at), self.mission_id):
                raise errors.Refused(
                    f"{self.place} is a copy: {self.registration.identifier} lives at {lives_at}",
                    hint=f"`harness mission adopt {self.place}` makes the copy a mission of its own",
                )
            return
        raise errors.Refused(
            f"{self.place} belongs to mission {self.registration.identifier} of another ledger",
            hint=f"`harness mission adopt {self.place}` takes it into this one, with the state its documents show",
            store=settings.without_password(self.harness.settings.store_url),
        )

    @property
    def cause(self) -> Cause:
        """Return what this call's events carry."""
        return self.harness.cause

    @cached_property
    def site(self) -> Site:
        """Return where the mission's work is done."""
        from harnessos.mission.site import Site

        return Site(self.harness.ground, self.place, self.mission_id, self.cause)

    def row(self) -> Row:
        """Return the mission as it stands."""
        from harnessos.kernel import missions

        return self.harness.read(missions.find, self.mission_id)

    def token(self, given: str | None) -> str | None:
        """Return the token of the run that calls: as given, the environment's, else the one kept in the workspace."""
        if given == "-":
            return self.harness.token(given)
        live = workspace.live(self.place)
        return given or self.harness.environ.get("HARNESS_SESSION_TOKEN") or (live.token if live else None)

    @cached_property
    def machine(self) -> str:
        """Return this machine's id."""
        return self.harness.machine()


def found_by_name(harness: Harness, given: str | Path) -> str | Path:
    """Return where a mission lives that is named by its identifier (`MSN-1`); anything else is a path already."""
    name = str(given)
    if not _IDENTIFIER.fullmatch(name.upper()) or Path(name).exists():
        return given
    ledger = harness.beside(None)
    try:
        row = ledger.read(_named, name)
    except errors.StoreMissing:
        return given
    finally:
        ledger.close()
    return row["workspace"] if row is not None else given


def located(harness: Harness, given: str) -> str:
    """Return the workspace of a mission that is named by its identifier; a path as it is. UnknownIdentifier."""
    if not _IDENTIFIER.fullmatch(given):
        return given
    row = harness.read(_named, given)
    if row is None:
        raise errors.UnknownIdentifier(f"there is no mission {given}", hint="`harness mission list` lists them")
    return str(row["workspace"])


def _named(tx: Transaction, identifier: str) -> Row | None:
    issue = tx.one("issue_by_identifier", identifier=identifier.upper())
    return None if issue is None else tx.one("mission_by_issue", issue=issue["id"])


def create_default(harness: Harness, say: Callable[[str], None]) -> None:
    """Make the default ledger where there is none yet; another one that is missing stays an error."""
    from harnessos.store.opening import create_store

    url = harness.settings.store_url
    if harness.settings.is_named or url != settings.default_store(harness.settings.home):
        return
    if create_store(url, ids=harness.ids):
        say(f"created the ledger {url}")


def lease_run(at: At, given: str | None, *, worker: bool = False) -> Row | None:
    """Return the live run whose token this call has, None without one. LeaseLost (75) once its lease moved on."""
    token = at.token(given)
    if token is None:
        return None
    from harnessos.kernel import runs

    run = at.harness.read(runs.by_token, fingerprint(token))
    if not at.harness.read(_belongs, run, at.mission_id, worker=worker):
        raise errors.Refused(
            f"that token is of another run, not of {at.registration.identifier}",
            hint="each run ends by its own words: a session by `harness session close`, a dispatched task by its result",
            run=run["id"],
        )
    if not run["live"]:
        runs.lost(runs.lease_of(run))
    return run


def _belongs(tx: Transaction, run: Row, mission_id: str, *, worker: bool) -> bool:
    """Return whether a run is of this mission, or with `worker` of a task dispatched below it."""
    mission, issue = tx.one("mission_by_id", id=mission_id), tx.one("issue_by_id", id=run["issue_id"])
    if mission is None or issue is None:
        return False
    return bool(issue["id"] == mission["issue_id"] or (worker and issue["parent_id"] == mission["issue_id"]))


def _lives_at(tx: Transaction, ledger: str, mission: str) -> str | None:
    """Return where a mission's workspace is known to be, None when this is not its ledger."""
    here, row = tx.one("ledger_read", one=1), tx.one("mission_by_id", id=mission)
    return row["workspace"] if here is not None and here["id"] == ledger and row is not None else None
