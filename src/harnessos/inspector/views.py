"""What all views share: pages, documents, words for spans of time, and finding a subject by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.store import named

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

PAGE = 50
MOST_PAGE = 1000


class Host(NamedTuple):
    """The machine that asks, and what an agent on it serves.

    `classes` None serves every workload class; no capability serves only work that requires none.
    `user` is who asks, by uid: trust is a user's own; None takes anybody's. `runner` says that the project's WORKFLOW.md
    names one here, so that `harness up` can work. `dead` are live runs whose supervisor is known to be dead.
    """

    machine_id: str = ""
    boot_id: str = ""
    classes: tuple[str, ...] | None = None
    capabilities: tuple[str, ...] = ()
    user: str | None = None
    runner: bool = False
    dead: frozenset[str] = frozenset()


ANY_HOST = Host()
"""Nothing is known of who asks: every workload class, no capability, no machine."""


def serves(host: Host, lane: Row) -> bool:
    """Return whether this host may take work from a lane (a row with workload_class and capabilities)."""
    return not lacking(host, lane)


def lacking(host: Host, lane: Row) -> list[str]:
    """Return what a lane needs and this host does not serve, in words."""
    missing = []
    if host.classes is not None and lane["workload_class"] and lane["workload_class"] not in host.classes:
        missing.append(f"workload class {lane['workload_class']}")
    needed = [name for name in lane["capabilities"].split(",") if name and name not in host.capabilities]
    return missing + [f"capability {name}" for name in needed]


def document(view: object) -> Any:
    """Return a view as plain dicts and lists, for JSON. Any: the shape is the view's."""
    if isinstance(view, tuple) and hasattr(view, "_asdict"):
        return {name: document(value) for name, value in view._asdict().items()}
    if isinstance(view, Mapping):
        return {name: document(value) for name, value in view.items()}
    if isinstance(view, Sequence) and not isinstance(view, str):
        return [document(item) for item in view]
    return view


def page_size(limit: int) -> int:
    """Return a page size that is at least 1 and at most MOST_PAGE."""
    return max(1, min(limit, MOST_PAGE))


def number_cursor(cursor: str) -> int:
    """Return the number a cursor stands for, 0 for the first page."""
    if not cursor:
        return 0
    try:
        return int(cursor)
    except ValueError as problem:
        raise errors.BadContent(
            f"{cursor!r} is no cursor of this list", hint="take the one the last page gave"
        ) from problem


def span(ms: int) -> str:
    """Return a length of time in one unit, rounded down: `45 s`, `12 min`, `3 h`, `2 d`."""
    seconds = max(0, ms) // 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length or (seconds >= length and unit == "min"):
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number of things in words: `1 issue`, `2 issues`; `many` where an s is not enough."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def project_by_id(tx: Transaction, project_id: str) -> Row:
    """Return a project that a row points to."""
    row = tx.one("project_by_id", id=project_id)
    assert row is not None
    return row


def run(tx: Transaction, run_id: str) -> Row:
    """Return the run with that id and its issue's identifier, or raise UnknownIdentifier."""
    row = named.run(tx, run_id)
    owner = tx.one("issue_by_id", id=row["issue_id"])
    assert owner is not None
    return {**row, "identifier": owner["identifier"], "task": owner["task"]}
