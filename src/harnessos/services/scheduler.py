"""The scheduler: what is due of the served schedules fires, and one knows when to look again.

`harness up`, `harness schedule evaluate` and `harness-scheduler-inject` evaluate by this one. Any number of them may do so
at once: a schedule moves on by compare-and-set, and each nominal time is one row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes
from harnessos.dispatch import place as places
from harnessos.kernel import firing, schedules, settling
from harnessos.model.schedule import CHECK_SECONDS, Checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from harnessos.dispatch.ground import Ground
    from harnessos.kernel.claims import ClaimRequest
    from harnessos.kernel.events import Cause
    from harnessos.kernel.firing import Evaluated, Firing
    from harnessos.store.transaction import Row, Transaction

MOST = 1_000
ROUNDS = 100
"""Evaluations of one schedule in one look; a longer backlog is gone on with in the next."""
RETRY_S = 30.0
"""When a schedule is looked at again that is due and could not be evaluated here."""
LONGEST_REST_S = 3_600.0
CHECK_OUTPUT = 65_536


class Looked(NamedTuple):
    """What a look did, and the seconds after which the next nominal time is due (None: none is)."""

    firings: tuple[Firing, ...]
    rest_s: float | None


class Scheduler:
    """Evaluates the schedules of some projects, and with `request` those of the missions that lie on this machine.

    `request` returns how a run of a mission would be held, None where this process cannot drive it. `tell` is given
    what hinders a schedule (`services.reporting.Reporter.say`).
    """

    def __init__(
        self,
        ground: Ground,
        projects: Sequence[Row],
        cause: Cause,
        tell: Callable[..., None],
        request: Callable[[Row], ClaimRequest | None] | None = None,
    ) -> None:
        self._ground = ground
        self._projects = {project["id"]: project for project in projects}
        self._cause = cause
        self._tell = tell
        self._request = request
        self._checking: dict[str, Future[None]] = {}

    @property
    def busy(self) -> bool:
        """Whether checks are still running in threads."""
        return any(not future.done() for future in self._checking.values())

    def evaluate(self, start: Callable[[Callable[[], None]], Future[None]] | None = None) -> Looked:
        """Fire what is due. With `start`, schedules with a check are evaluated in threads it begins, and not waited for."""
        self._collect()
        done: list[Firing] = []
        for row in self._ground.store.read(self._due):
            if row["id"] in self._checking:
                continue
            if start is not None and row["check_json"] is not None:
                self._checking[row["id"]] = start(lambda row=row: self._alone(row))  # type: ignore[misc] # a default binds the row
            else:
                done += self._one(row)
        return Looked(tuple(done), self._ground.store.read(self._rest))

    def due(self) -> list[Row]:
        """Return the schedules that are due now and would be evaluated here."""
        return self._ground.store.read(self._due)

    def _collect(self) -> None:
        for schedule_id, future in list(self._checking.items()):
            if future.done():
                del self._checking[schedule_id]
                problem = future.exception()
                if problem is not None:
                    self._tell("up.bug", schedule=schedule_id, problem=repr(problem))

    def _alone(self, row: Row) -> None:
        """Evaluate in a thread: a ledger that is away for a moment is no bug, the next look tries again."""
        try:
            self._one(row)
        except (errors.TryAgain, errors.StoreUnavailable) as problem:
            self._tell("up.cannot_schedule", schedule=schedules.name_of(row), reason=str(problem))

    def _one(self, row: Row) -> list[Firing]:
        """Evaluate a schedule until nothing of it is due; what is wrong with it keeps no other waiting."""
        done: list[Firing] = []
        try:
            request = None
            if row["mission_id"] is not None:
                request = self._request(row) if self._request is not None else None
                if request is None:
                    return done
            for _ in range(ROUNDS):
                evaluated = self._evaluate(row, request)
                done += evaluated.firings
                following = self._ground.store.read(_again, row["id"])
                if not evaluated.more or following is None or following["next_at"] is None:
                    break
                row = following
        except errors.HarnessError as problem:
            if isinstance(problem, errors.TryAgain | errors.StoreUnavailable):
                raise
            self._tell("up.cannot_schedule", schedule=schedules.name_of(row), reason=str(problem))
        if any(one.outcome.fired for one in done):
            settling.drain(self._ground.store, row["project_id"], self._cause)
        return done

    def _evaluate(self, row: Row, request: ClaimRequest | None) -> Evaluated:
        evaluated = self._try(row, None, request)
        return self._try(row, self._check(row), request) if evaluated.unchecked else evaluated

    def _try(self, row: Row, checked: Checked | None, request: ClaimRequest | None) -> Evaluated:
        write, seen = self._ground.store.write, row["next_at"]
        try:
            return write(firing.evaluate, row["id"], seen, self._cause, checked=checked, request=request)
        except errors.BadContent as problem:
            # Rolled back, so that nothing half-made stays; why it could not be made is recorded as a skip.
            return write(firing.evaluate, row["id"], seen, self._cause, checked=checked, refused=str(problem))

    def _check(self, row: Row) -> Checked:
        """Run a schedule's check where its project lies. Refused, NotTrusted: not here, and another machine may."""
        project = self._projects.get(row["project_id"]) or self._ground.store.read(_project, row["project_id"])
        place = places.find(self._ground, project, load=False)
        if not place.trusted:
            raise errors.NotTrusted(
                f"the schedule {schedules.name_of(row)} has a check, and {project['key']} is not trusted here",
                hint=f"look at `harness schedule show {schedules.name_of(row)} --project {project['key']}`, then "
                f"`harness project trust {project['key']}`",
            )
        named = {"HARNESS_PROJECT": project["key"], "HARNESS_SCHEDULE": schedules.name_of(row)}
        try:
            done = processes.run(
                ["/bin/sh", "-c", json.loads(row["check_json"])["shell"]],
                cwd=place.root,
                env=processes.built_environment(self._ground.environ, named),
                timeout=CHECK_SECONDS,
                output_limit=CHECK_OUTPUT,
            )
        except errors.RunnerProblem as problem:
            return Checked(problem=str(problem))
        return _answer(done)

    def _due(self, tx: Transaction) -> list[Row]:
        found = [
            row
            for project_id in self._projects
            for row in tx.all("schedule_due", project=project_id, now=tx.now, most=MOST)
        ]
        if self._request is not None:
            here = self._ground.process.machine_id
            found += tx.all("schedule_due_missions", machine_id=here, now=tx.now, most=MOST)
        return sorted(found, key=lambda row: (row["fires_at"], row["id"]))

    def _rest(self, tx: Transaction) -> float | None:
        rows = [tx.one("schedule_soonest", project=project_id) for project_id in self._projects]
        if self._request is not None:
            rows.append(tx.one("schedule_soonest_missions", machine_id=self._ground.process.machine_id))
        instants = [row["fires_at"] for row in rows if row is not None and row["fires_at"] is not None]
        if not instants:
            return None
        seconds = (min(instants) - tx.now) / 1000
        return min(seconds, LONGEST_REST_S) if seconds > 0 else RETRY_S


def _answer(done: processes.Finished) -> Checked:
    """Return what a check's end says. Exit codes 0 and 1 are answers, as those of `grep` and `diff` are."""
    if done.ended_by is processes.EndedBy.TIMEOUT:
        return Checked(problem=f"it ran longer than {CHECK_SECONDS} s")
    output = done.output.decode("utf-8", "replace")
    if done.exit_code in (0, 1):
        return Checked(output)
    said = done.errors.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
    return Checked(problem=f"exit code {done.exit_code}" + (f": {said}" if said else ""))


def _again(tx: Transaction, schedule_id: str) -> Row | None:
    return tx.one("schedule_by_id", id=schedule_id)


def _project(tx: Transaction, project_id: str) -> Row:
    row = tx.one("project_by_id", id=project_id)
    assert row is not None
    return row
