"""The pointers to a mission's topics, as the ledger has them: what the index of heartbeat.md shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harnessos.mission.site import Site
    from harnessos.store.transaction import Row, Transaction


class Pointer(NamedTuple):
    """A topic as the ledger knows it: what the index of heartbeat.md shows. `updated_at` is in ms."""

    slug: str
    title: str
    updated_at: int
    entries: int
    verified: bool

    @property
    def told(self) -> tuple[str, int]:
        """What the topic's files say of themselves."""
        return self.title, self.entries


def pointers(site: Site) -> dict[str, Pointer]:
    """Return the registered topics by slug, newest first."""
    rows = site.read(_rows, site.mission_id)
    return {
        row["slug"]: Pointer(row["slug"], row["title"], row["updated_at"], row["entries"], bool(row["verified"]))
        for row in rows
    }


def _rows(tx: Transaction, mission_id: str) -> list[Row]:
    return tx.all("mission_topic_list", mission=mission_id)
