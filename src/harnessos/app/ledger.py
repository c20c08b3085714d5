"""The ledger for Python programs: typed, synchronous, thread-safe. `import harnessos` offers it as `open_ledger`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from harnessos.model.issue import PRIORITIES
from harnessos.model.run import Lease
from harnessos.store import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from harnessos.app.harness import Harness
    from harnessos.kernel.planning import Applied
    from harnessos.ports import Clock, Ids
    from harnessos.store.transaction import Row, Transaction

_PAGE = 500


class Project(NamedTuple):
    """A body of work. `kind` is `git` or `folder`, `target` the branch that work starts from."""

    id: str
    key: str
    name: str
    kind: str
    target: str | None


class Issue(NamedTuple):
    """An issue as it stood when it was read. `priority` is critical, high, medium or low."""

    identifier: str
    task: str
    description: str
    status: str
    blocked_reason: str | None
    priority: str
    attempts: int
    verdict: str | None
    commit: str | None


class Closed(NamedTuple):
    """How a session ended. `verdict` is None where nothing was judged; `is_open` after a rejection: mend, close again."""

    verdict: str | None
    reason: str
    is_open: bool
    issue: Issue


class Session:
    """The right to one attempt at an issue. Every call renews the lease, and raises LeaseLost once it moved on.

    `worktree` is the checkout the harness made, None when it was not asked for one. `briefing` is what an agent is told.
    """

    def __init__(self, harness: Harness, document: dict[str, Any], issue: Issue) -> None:
        """Any: the document of app.sessions.begin."""
        self._harness = harness
        self.token: str = document["session"]["token"]
        self.run_id: str = document["session"]["run_id"]
        self.epoch: int = document["session"]["epoch"]
        self.issue = issue
        self.worktree = None if document["worktree"] is None else Path(document["worktree"])
        self.briefing: dict[str, Any] = document["briefing"]

    @property
    def _lease(self) -> Lease:
        run = self._harness.run_of(self.token)
        return Lease(run["id"], run["issue_id"], run["epoch"])

    def heartbeat(self) -> int:
        """Renew the lease; return the instant it now lasts to, in ms since the epoch."""
        from harnessos.kernel import runs

        return int(self._harness.write(runs.heartbeat, self._lease)["expires_at"])

    def checkpoint(self, title: str, summary: str, next_step: str, **lists: Sequence[str]) -> int:
        """Record progress; return the checkpoint's number. `lists` are those of model.checkpoint: plan, files, failed, ..."""
        from harnessos.errors import BadUsage
        from harnessos.kernel import runs
        from harnessos.model.checkpoint import LIST_FIELDS, Progress, body

        unknown = lists.keys() - set(LIST_FIELDS)
        if unknown:
            raise BadUsage(f"a checkpoint has no {sorted(unknown)[0]}", hint=f"it has {', '.join(LIST_FIELDS)}")
        run = self._harness.run_of(self.token)
        made = Progress(title, summary, next_step, body(lists))
        cause = runs.cause_of(run, "session.checkpoint")
        return int(self._harness.write(runs.checkpoint, runs.lease_of(run), made, cause)["number"])

    def close(
        self, outcome: str = "finished", *, commit: str | None = None, reason: str = "", checkout: Path | None = None
    ) -> Closed:
        """End the session: `finished` asks for the verdict and waits for it, `failed` gives up, `released` hands back.

        `checkout` is where the work lies when the harness made no worktree; the current folder by default.
        """
        from harnessos.app import sessions

        done = sessions.close(
            self._harness,
            self.token,
            outcome,
            commit=commit,
            reason=reason,
            task_fault=False,
            cwd=checkout or Path.cwd(),
        )
        issue = self._harness.read(_issue, done["issue"]["identifier"])
        return Closed(done["verdict"], done["reason"], done["session_open"], issue)


class Ledger:
    """An open ledger; use it as a context manager, or close it."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self.url = harness.store.url

    def __enter__(self) -> Self:
        """Return the ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Release its connections."""
        self._harness.close()

    def projects(self) -> list[Project]:
        """Return every project."""
        return self._harness.read(_projects)

    def issue(self, identifier: str) -> Issue:
        """Return an issue, or raise UnknownIdentifier."""
        return self._harness.read(_issue, identifier)

    def issues(self, project: str) -> Iterator[Issue]:
        """Return a project's issues in the order of their numbers, a page at a time."""
        after = 0
        while page := self._harness.read(_issues, project, after):
            yield from (_view(row) for row in page)
            after = page[-1]["number"]

    def apply_plan(self, file: Path, *, project: str | None = None, campaign: str | None = None) -> Applied:
        """Write a plan file into a project, all of it or nothing. BadPlan lists everything that is wrong with it."""
        from harnessos.app import planning

        return planning.apply_file(self._harness, file, project, campaign)[0]

    def begin(
        self,
        project: str | None = None,
        *,
        issue: str | None = None,
        agent: str | None = None,
        ttl_s: int | None = None,
        worktree: bool = False,
    ) -> Session | None:
        """Take an issue, the first in the claim order or the one named; None when nothing is ready."""
        from harnessos.app import sessions

        wish = sessions.Wish(project, issue, agent, ttl_s, worktree)
        document = sessions.begin(self._harness, wish)
        if document["session"] is None:
            return None
        return Session(self._harness, document, self.issue(document["issue"]["identifier"]))


def open_ledger(
    store: str | None = None, *, cwd: Path | None = None, clock: Clock | None = None, ids: Ids | None = None
) -> Ledger:
    """Open a ledger that exists: the one named (`sqlite:///PATH`, `postgresql://...`), else as `harness where` finds it.

    StoreMissing when there is none; nothing here ever creates one.
    """
    from harnessos.app.harness import harness

    return Ledger(harness(store, os.environ, cwd, "python", clock=clock, ids=ids))


def _projects(tx: Transaction) -> list[Project]:
    return [Project(row["id"], row["key"], row["name"], row["kind"], row["target"]) for row in tx.all("project_list")]


def _issue(tx: Transaction, identifier: str) -> Issue:

    return _view(named.issue(tx, identifier))


def _issues(tx: Transaction, project: str, after: int) -> list[Row]:

    return tx.all("inspect_issue_rows", project=named.project(tx, project)["id"], after=after, most=_PAGE)


def _view(row: Row) -> Issue:
    return Issue(
        row["identifier"],
        row["task"],
        row["description"],
        row["status"],
        row["blocked_reason"],
        PRIORITIES[row["priority"]],
        row["attempts"],
        row["verdict"],
        row["accepted_commit"],
    )
