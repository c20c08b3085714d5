"""The list of issues, a page at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.inspector import reasons
from harnessos.inspector.views import PAGE, number_cursor, page_size
from harnessos.model.issue import PRIORITIES, Status

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

SCAN = 5_000
"""Rows looked at for one page when a label filters; a page may then be short and still have a cursor."""
_AT_ONCE = 500


class Line(NamedTuple):
    """One issue of the list."""

    identifier: str
    task: str
    status: str
    blocked_reason: str | None
    priority: str
    attempts: int
    verdict: str | None
    milestone: str | None


class Page(NamedTuple):
    """Some issues, and where the next page begins; None after the last."""

    items: tuple[Line, ...]
    cursor: str | None


class Filter(NamedTuple):
    """Which issues are wanted: a status, a milestone's key, a label; None for all."""

    status: str | None = None
    milestone: str | None = None
    label: str | None = None


ALL = Filter()


class Place(NamedTuple):
    """Where a page is read: in a project's numbers, or in the index of the milestones that have the wanted key."""

    project_id: str
    status: str | None
    milestones: list[str]


def query(tx: Transaction, project: Row, wanted: Filter = ALL, cursor: str = "", limit: int = PAGE) -> Page:
    """Return a page of a project's issues by number; those of a milestone by status."""
    if wanted.status is not None and wanted.status not in tuple(Status):
        raise errors.BadContent(f"there is no status {wanted.status}; there are {', '.join(Status)}")
    limit = page_size(limit)
    place = Place(project["id"], wanted.status, _milestones(tx, project, wanted.milestone))
    found: list[Row] = []
    last: str | None = cursor
    scanned = 0
    while last is not None and len(found) < limit and scanned < SCAN:
        rows, last = _rows(tx, place, last, _AT_ONCE if wanted.label else limit)
        scanned += len(rows)
        for row in rows:
            if wanted.label is None or wanted.label in json.loads(row["labels_json"]):
                found.append(row)
                if len(found) == limit:
                    last = _cursor(row, place)
                    break
    holds = reasons.holds_of(tx, project["id"])
    return Page(tuple(line(tx, row, holds) for row in found), last)


def line(tx: Transaction, row: Row, holds: list[Row]) -> Line:
    """Return the line of one issue's row with campaign and milestone."""
    reason = reasons.blocked_reason(row, reasons.waits_of(tx, row), holds)
    return Line(
        row["identifier"],
        row["task"],
        row["status"],
        reason,
        PRIORITIES[row["priority"]],
        row["attempts"],
        row["verdict"],
        row["milestone"],
    )


def _milestones(tx: Transaction, project: Row, key: str | None) -> list[str]:
    if key is None:
        return []
    found = [row["id"] for row in tx.all("inspect_milestone_key", project=project["id"], key=key, most=100)]
    if not found:
        raise errors.UnknownIdentifier(f"{project['key']} has no milestone {key}", hint="`harness status` lists them")
    return found


def _rows(tx: Transaction, place: Place, cursor: str, most: int) -> tuple[list[Row], str | None]:
    """Return the next rows and the cursor after them, None when they are the last."""
    if not place.milestones:
        project, number = place.project_id, number_cursor(cursor)
        if place.status is None:
            rows = tx.all("inspect_issues", project=project, after=number, most=most)
        else:
            rows = tx.all("inspect_issues_status", project=project, status=place.status, after=number, most=most)
        return rows, _cursor(rows[-1], place) if len(rows) == most else None
    at, status, after = _read(cursor, place)
    name = "inspect_issues_milestone" if place.status is None else "inspect_issues_milestone_status"
    rows = tx.all(name, milestone=place.milestones[at], status=place.status or status, after=after, most=most)
    if len(rows) == most:
        return rows, _cursor(rows[-1], place)
    return rows, f"{at + 1}//" if at + 1 < len(place.milestones) else None


def _read(cursor: str, place: Place) -> tuple[int, str, str]:
    first, _, rest = cursor.partition("/")
    status, _, after = rest.partition("/")
    at = number_cursor(first)
    if at >= len(place.milestones):
        raise errors.BadContent(f"{cursor!r} is no cursor of this list", hint="take the one the last page gave")
    return at, status, after


def _cursor(row: Row, place: Place) -> str:
    if not place.milestones:
        return str(row["number"])
    return f"{place.milestones.index(row['milestone_id'])}/{row['status']}/{row['id']}"
