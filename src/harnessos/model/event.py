"""Events: appended facts, each subject's own in a hash chain.

The chain is unkeyed: it shows accidents and casual edits, not a determined forger. `harness audit anchor`
prints heads to keep elsewhere.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.model.digest import sha256_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SUBJECTS = ("issue", "campaign", "project", "ledger")

DECIDED = ("status", "blocked_reason", "lease_epoch", "attempts", "verdict", "accepted_commit", "definition")
"""The columns of an issue that its events reproduce (`harness doctor --replay`)."""


class Event(NamedTuple):
    """One fact about a subject. `subject_seq` counts from 1 without gaps; `data_json` is what was hashed."""

    subject_kind: str
    subject_id: str
    subject_seq: int
    at: int
    kind: str
    actor: str
    cause: str
    run_id: str | None
    epoch: int | None
    data_json: str


def canonical(data: Mapping[str, Any]) -> str:
    """Return the one JSON text of these values (sorted keys, no blanks)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def chained(head: str, event: Event) -> str:
    """Return the subject's new head: SHA-256 over the old head and every field of the event."""
    # JSON and not a joined text: no two different events may ever be the same bytes, whatever an actor is called.
    return sha256_hex(_encode((head, *event)).encode("utf-8", "surrogatepass"))


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def fold(events: Iterable[str], under: str = "set") -> dict[str, Any]:
    """Return an issue's decision columns from the `data_json` of its events, oldest first.

    `under` is the key they stand under: `set` for the issue's own, `mission` for those of the mission it is.
    """
    columns: dict[str, Any] = dict.fromkeys(DECIDED) if under == "set" else {}
    for data in events:
        columns.update(json.loads(data).get(under, {}))
    return columns
