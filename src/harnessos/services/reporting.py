"""Telling what happens: every event of the served projects as it is appended, and the supervisor's own remarks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from harnessos.dispatch.manifest import instant

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.store.transaction import Row, Transaction

PAGE = 500
REMEMBERED = 200

Tell = Callable[[Mapping[str, object]], None]


class Reporter:
    """Follows the ledger's events from the moment it is made."""

    def __init__(self, ground: Ground, projects: Sequence[Row], tell: Tell) -> None:
        self._ground = ground
        self._projects = {project["key"] for project in projects}
        self._ids = {project["id"]: project["key"] for project in projects}
        self._tell = tell
        self._names: dict[str, tuple[str, str]] = {}
        self._said: dict[str, tuple[str, Mapping[str, object]]] = {}
        self._seq = int(ground.store.read(_last))

    def catch_up(self) -> None:
        """Tell every event that was appended since the last call."""
        while True:
            rows = self._ground.store.read(_after, self._seq)
            for row in rows:
                self._seq = row["seq"]
                self._event(row)
            if len(rows) < PAGE:
                return

    def _event(self, row: Row) -> None:
        document: dict[str, object] = {"event": row["kind"], "at": instant(row["at"]), "seq": row["seq"]}
        if row["subject_kind"] == "issue":
            identifier, project = self._name(row["subject_id"])
            if project not in self._projects:
                return
            document |= {"issue": identifier, "project": project}
        elif row["subject_kind"] == "project" and row["subject_id"] in self._ids:
            document["project"] = self._ids[row["subject_id"]]
        if row["run_id"]:
            document |= {"run": row["run_id"], "epoch": row["epoch"]}
        document["actor"] = row["actor"]
        self._tell({**document, "data": json.loads(row["data_json"])})

    def _name(self, issue_id: str) -> tuple[str, str]:
        if issue_id not in self._names:
            row = self._ground.store.read(_name, issue_id)
            self._names[issue_id] = (row["identifier"], row["key"]) if row else (issue_id, "")
        return self._names[issue_id]

    def say(self, event: str, **facts: object) -> None:
        """Tell something of the supervisor's own; the same remark is told once, until `forget`."""
        key = json.dumps([event, facts], default=str)
        if key in self._said:
            return
        self._said[key] = (event, facts)
        if len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
        self._tell({"event": event, "at": instant(self._ground.clock.now()), **facts})

    def forget(self, event: str, **facts: object) -> None:
        """Note that what was said is over: remarks of this event with these facts are told again when it comes back."""
        over = [
            key
            for key, (name, said) in self._said.items()
            if name == event and all(said.get(fact) == value for fact, value in facts.items())
        ]
        for key in over:
            del self._said[key]


def _last(tx: Transaction) -> int:
    row = tx.one("event_last")
    return int(row["seq"]) if row else 0


def _after(tx: Transaction, seq: int) -> list[Row]:
    return tx.all("event_after", after=seq, most=PAGE)


def _name(tx: Transaction, issue_id: str) -> Row | None:
    return tx.one("issue_name", id=issue_id)
