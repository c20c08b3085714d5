"""`harness where`: which ledger and project are meant, why, and whether they can be used. Never fails for a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.settings import without_password
from harnessos.store import schema
from harnessos.store.opening import open_store, sqlite_path
from harnessos.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from harnessos.app.harness import Harness


class Where(NamedTuple):
    """The answer. `store` has no password; `path` is the SQLite file; `problem` says why the ledger cannot be used."""

    store: str
    path: str | None
    how: str
    home: str
    project_id: str | None
    project_key: str | None
    project_path: str | None
    registration: str | None
    ledger_id: str | None
    schema: int | None
    problem: dict[str, object] | None
    moved: str | None

    def document(self) -> dict[str, object]:
        """Return the stable JSON shape."""
        return self._asdict()

    def text(self) -> str:
        """Return the lines for people."""
        project = f"{self.project_key} at {self.project_path}" if self.project_key else "none is registered here"
        lines = [f"ledger   {self.store}", f"why      {self.how}", f"project  {project}"]
        if self.ledger_id:
            lines.append(f"id       {self.ledger_id}, schema {self.schema}")
        troubles = (self.moved, self.problem and f"{self.problem['message']} ({self.problem['code']})")
        lines += [f"problem  {trouble}" for trouble in troubles if trouble]
        if self.problem and self.problem["hint"]:
            lines.append(f"         {self.problem['hint']}")
        return "\n".join(lines)


def look(harness: Harness) -> Where:
    """Answer from the files, then ask the ledger who it is."""
    settings = harness.settings
    registration = settings.registration
    ledger, problem, number = None, None, schema.SCHEMA
    try:
        store = open_store(settings.store_url, write=False)
        row = store.read(lambda tx: tx.one("ledger_read", one=1))
        ledger = str(row["id"]) if row else None
        number = store.user_version() if isinstance(store, SqliteStore) else number
        store.close()
    except errors.StoreUnavailable as found:
        problem = found.as_dict()
    file = sqlite_path(settings.store_url)
    return Where(
        without_password(settings.store_url),
        None if file is None else str(file),
        settings.store_source,
        str(settings.home),
        registration.project_id if registration else None,
        settings.project_key,
        str(registration.path) if registration else None,
        str(registration.file) if registration else None,
        ledger,
        number if ledger else None,
        problem,
        registration.moved() if registration else None,
    )
