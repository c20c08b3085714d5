"""Health: the ledger's invariants by name, each checked against the rows themselves.

These look at everything on purpose (in windows, a transaction each) and belong to `harness doctor`, never to a hot path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from harnessos.inspector.replay import differences
from harnessos.model.milestone import status_of
from harnessos.store.transaction import Row, Store, Transaction

VERSION = 1
MOST = 20
"""Findings of one check that are shown; what is more is said, not listed."""
WINDOW = 5_000
STALE_MS = 600_000
"""A settlement is worked off by the call that made it or by the next claim or tick; ten minutes is neither."""
ERROR, WARNING = "error", "warning"


class Finding(NamedTuple):
    """One breach of an invariant."""

    subject: str
    detail: str


class Check(NamedTuple):
    """An invariant's result: what it says, how bad a breach is, what to type, and the breaches."""

    name: str
    says: str
    severity: str
    remedy: str
    findings: tuple[Finding, ...] = ()
    more: bool = False

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return not self.findings


Look = Callable[[Store, Row], Iterator[Finding]]


class Invariant(NamedTuple):
    """An invariant and how it is looked at, for one project."""

    name: str
    says: str
    severity: str
    remedy: str
    look: Look


def check(store: Store, *, replay: bool = False) -> Iterator[Check]:
    """Check the store itself and then each invariant over every project, one result each."""
    yield _result(
        "store_intact",
        "the database finds no damage in itself",
        ERROR,
        "stop writing, then `harness db restore BACKUP --replace`; `harness db check` says more",
        iter(store.read(_rows, "health_damage", {"most": MOST + 1})),
    )
    projects = store.read(_projects)
    wanted = [invariant for invariant in INVARIANTS if replay or invariant.name != "replay"]
    for one in wanted:
        found = (finding for project in projects for finding in one.look(store, project))
        yield _result(one.name, one.says, one.severity, one.remedy, found)


def _result(name: str, says: str, severity: str, remedy: str, found: Iterator[Finding]) -> Check:
    kept: list[Finding] = []
    for finding in found:
        if len(kept) == MOST:
            return Check(name, says, severity, remedy, tuple(kept), more=True)
        kept.append(finding)
    return Check(name, says, severity, remedy, tuple(kept))


def _projects(tx: Transaction) -> list[Row]:
    return tx.all("project_list")


def _rows(tx: Transaction, name: str, values: dict[str, str | int]) -> list[Finding]:
    return [Finding(str(row["subject"]), str(row["detail"])) for row in tx.all(name, **values)]


def _at_once(name: str) -> Look:
    """Return a look that is one query over a small index."""

    def look(store: Store, project: Row) -> Iterator[Finding]:
        yield from store.read(_rows, name, {"project": project["id"], "most": MOST + 1})

    return look


def _expired(store: Store, project: Row) -> Iterator[Finding]:
    yield from store.read(_expired_now, project)


def _expired_now(tx: Transaction, project: Row) -> list[Finding]:
    return _rows(tx, "health_expired", {"project": project["id"], "now": tx.now, "most": MOST + 1})


def _settlements(store: Store, project: Row) -> Iterator[Finding]:
    yield from store.read(_settlements_now, project)


def _settlements_now(tx: Transaction, project: Row) -> list[Finding]:
    return _rows(tx, "health_settlements", {"project": project["id"], "before": tx.now - STALE_MS, "most": MOST + 1})


def _windows(name: str) -> Look:
    """Return a look that goes through a project's issues by number."""

    def look(store: Store, project: Row) -> Iterator[Finding]:
        for after in range(0, project["next_number"], WINDOW):
            window: dict[str, str | int] = {"after": after, "upto": after + WINDOW, "most": MOST + 1}
            yield from store.read(_rows, name, {"project": project["id"], **window})

    return look


def _counters(store: Store, project: Row) -> Iterator[Finding]:
    yield from _milestones(store, project, _counted)


def _derived(store: Store, project: Row) -> Iterator[Finding]:
    yield from _milestones(store, project, _status)


def _milestones(store: Store, project: Row, of: Callable[[Transaction, Row], list[Finding]]) -> Iterator[Finding]:
    after: int | None = 0
    while after is not None:
        found, after = store.read(_milestone_page, project, after, of)
        yield from found


def _milestone_page(
    tx: Transaction, project: Row, after: int, of: Callable[[Transaction, Row], list[Finding]]
) -> tuple[list[Finding], int | None]:
    rows = tx.all("inspect_milestones", project=project["id"], after=after, most=200)
    found = [finding for row in rows for finding in of(tx, row)]
    return found, rows[-1]["position"] if len(rows) == 200 else None


def _counted(tx: Transaction, milestone: Row) -> list[Finding]:
    stored = {name[2:]: value for name, value in milestone.items() if name.startswith("n_")}
    counted = {row["status"]: row["n"] for row in tx.all("health_recount", milestone=milestone["id"])}
    wrong = [
        f"{status} {value}, counted {counted.get(status, 0)}"
        for status, value in stored.items()
        if value != counted.get(status, 0)
    ]
    waits = tx.one("health_milestone_waits", milestone=milestone["id"]) or {}
    wrong += [f"{name} {milestone[name]}, counted {n}" for name, n in waits.items() if n != milestone[name]]
    return [Finding(milestone["key"], "; ".join(wrong))] if wrong else []


def _status(tx: Transaction, milestone: Row) -> list[Finding]:
    del tx
    counts = {name[2:]: value for name, value in milestone.items() if name.startswith("n_")}
    derived = status_of(counts, milestone["unmet"])
    if derived == milestone["status"]:
        return []
    return [Finding(milestone["key"], f"stored {milestone['status']}, derived {derived}")]


def _promotable(store: Store, project: Row) -> Iterator[Finding]:
    yield from store.read(_promotable_now, project)


def _promotable_now(tx: Transaction, project: Row) -> list[Finding]:
    if tx.all("inspect_settlements", project=project["id"], most=1):
        return []
    rows = tx.all("inspect_promotable", project=project["id"], most=MOST + 1)
    return [Finding(row["identifier"], "it waits for nothing and is still pending") for row in rows]


def _replay(store: Store, project: Row) -> Iterator[Finding]:
    after: int | None = 0
    while after is not None:
        found, after = store.read(_replay_page, project, after)
        yield from found


def _replay_page(tx: Transaction, project: Row, after: int) -> tuple[list[Finding], int | None]:
    rows = tx.all("health_decided", project=project["id"], after=after, most=200)
    found = [Finding(row["identifier"], wrong) for row in rows if (wrong := differences(tx, row))]
    return found, rows[-1]["number"] if len(rows) == 200 else None


_REPORT_IT = "this is a bug: keep a backup (`harness db backup FILE`) and report it"
INVARIANTS = (
    Invariant(
        "issues_held",
        "every issue in progress has a live run",
        ERROR,
        "`harness issue cancel ID`, then `harness issue reopen ID`; " + _REPORT_IT,
        _at_once("health_unheld"),
    ),
    Invariant(
        "runs_hold",
        "every live run holds an issue in progress at its own epoch",
        ERROR,
        _REPORT_IT,
        _at_once("health_stray_runs"),
    ),
    Invariant("leases", "no lease ran out long ago", WARNING, "`harness session begin` or `harness up` reaps it", _expired),
    Invariant(
        "slots", "no ended run holds a slot or a path", ERROR, _REPORT_IT, _at_once("health_slots")
    ),
    Invariant(
        "intents",
        "no ended run left an act half done",
        WARNING,
        "`harness up` on the machine of that run finishes or undoes it",
        _at_once("health_intents"),
    ),
    Invariant("parked", "no issue waits for the files of an ended run", ERROR, _REPORT_IT, _at_once("health_parked")),
    Invariant("settled", "no fan-out lies unfinished", WARNING, "`harness plan promote --project KEY`", _settlements),
    Invariant(
        "promoted", "nothing that waits for nothing is pending", ERROR, "`harness plan promote --project KEY`", _promotable
    ),
    Invariant("counters", "milestones count their issues right", ERROR, _REPORT_IT, _counters),
    Invariant("milestones", "every milestone has the status its issues give it", ERROR, _REPORT_IT, _derived),
    Invariant("waits", "issues count what they wait for right", ERROR, _REPORT_IT, _windows("health_waits")),
    Invariant(
        "edges", "every dependency knows how its issue stands", ERROR, "`harness plan promote --project KEY`",
        _windows("health_edges"),
    ),
    Invariant("budgets", "what is reserved is what live runs reserved", ERROR, _REPORT_IT, _at_once("health_reserved")),
    Invariant("replay", "every issue's events lead to its columns", ERROR, "`harness audit ID --verify` says more", _replay),
)  # fmt: skip
