"""What came of a stretch of time: what is done, what waits for a person, what failed, what it cost, what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.inspector import inbox
from harnessos.inspector.views import page_size

if TYPE_CHECKING:
    from harnessos.store.transaction import Row, Transaction

MOST = 200
_ACCEPTED = ("verified", "unverified")


class Finished(NamedTuple):
    """A run that finished its issue."""

    identifier: str
    task: str
    verdict: str
    commit: str | None
    branch: str | None
    attempt: int
    turns: int
    ended_at: int


class Waiting(NamedTuple):
    """An issue that waits for a person, with the question and the command that answers it."""

    identifier: str
    reason: str
    question: str
    command: str


class Failed(NamedTuple):
    """An issue that failed within the time."""

    identifier: str
    task: str
    attempts: int
    reason: str


class Salvaged(NamedTuple):
    """Work kept from a run that did not finish."""

    run_id: str
    identifier: str
    outcome: str
    ref: str


class Spend(NamedTuple):
    """What the runs used: ms, millionths of a dollar, tokens; `unmetered` is how many did not say what they cost."""

    runs: int
    wall_ms: int
    usd: int
    tokens: int
    unmetered: int


class Report(NamedTuple):
    """The report of a project since an instant. `cursor` continues the runs, where done, failed and salvaged come from."""

    project: str
    since: int
    until: int
    done: tuple[Finished, ...]
    blocked: tuple[Waiting, ...]
    failed: tuple[Failed, ...]
    spend: Spend
    salvaged: tuple[Salvaged, ...]
    cursor: str | None


def query(tx: Transaction, project: Row, since: int, cursor: str = "", limit: int = MOST) -> Report:
    """Return what came of the runs that ended after `since`, and what waits for a person now."""
    limit = page_size(limit)
    at, _, after = cursor.partition("/")
    rows = tx.all(
        "inspect_ended", project=project["id"], since=int(at) if at.isdigit() else since, after=after, most=limit
    )
    spent = tx.one("inspect_spent", project=project["id"], since=since)
    assert spent is not None
    return Report(
        project["key"],
        since,
        tx.now,
        tuple(_finished(row) for row in rows if row["issue_status"] == "done" and row["verdict"] in _ACCEPTED),
        _waiting(tx, project),
        _failed(rows),
        Spend(**spent),
        tuple(
            Salvaged(row["id"], row["identifier"], row["outcome"], row["salvage_ref"])
            for row in rows
            if row["salvage_ref"]
        ),
        f"{rows[-1]['ended_at']}/{rows[-1]['id']}" if len(rows) == limit else None,
    )


def _finished(row: Row) -> Finished:
    return Finished(
        row["identifier"],
        row["task"],
        row["verdict"],
        row["commit_id"],
        row["branch"],
        row["attempt"],
        row["turns"],
        row["ended_at"],
    )


def _failed(rows: list[Row]) -> tuple[Failed, ...]:
    """Return each issue that has failed once, with the reason of its last run."""
    last = {row["identifier"]: row for row in rows if row["issue_status"] == "failed"}
    return tuple(Failed(name, row["task"], row["attempt"], row["reason"]) for name, row in last.items())


def _waiting(tx: Transaction, project: Row) -> tuple[Waiting, ...]:
    """Return blocked issues with their question, and what is asked about the project itself."""
    asked = tx.all("attention_open", project=project["id"], after="", most=MOST)
    by_issue = {row["identifier"]: row for row in asked if row["identifier"]}
    found = [
        Waiting(project["key"], row["kind"], row["question"], row["command"]) for row in asked if not row["identifier"]
    ]
    for row in tx.all("inspect_issues_status", project=project["id"], status="blocked", after=0, most=MOST):
        name = row["identifier"]
        entry = by_issue.get(name)
        question = inbox.question(tx, entry) if entry else f"{name}: {row['blocked_reason']}"
        found.append(
            Waiting(name, row["blocked_reason"], question, entry["command"] if entry else f"harness why {name}")
        )
    return tuple(found)
