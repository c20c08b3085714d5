"""A run of a mission that the harness drives: prompt, agent, its end, evaluation, upkeep.

It runs in a thread of the process that renews the lease. The agent may say `done`, `fail` or `blocked` itself, which is
acted on once its process has ended; what it does not say the harness says for it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.files import private_folder
from harnessos.kernel import ending, mission_runs, missions, runs
from harnessos.kernel.events import Cause
from harnessos.kernel.mission_runs import Said
from harnessos.mission import dreaming, judging, keeping, prompting, tidying
from harnessos.mission.agent import Job
from harnessos.mission.documents import reading
from harnessos.model import mission as model
from harnessos.model.outcome import FINISHED, Ended, Outcome
from harnessos.model.run import SUPERVISOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.dispatch.watching import Control
    from harnessos.mission.agent import Agent
    from harnessos.mission.documents.reading import Loaded
    from harnessos.mission.site import Site
    from harnessos.runners.command import Report
    from harnessos.store.transaction import Row, Transaction

REASON = "its supervisor died"
_LONGEST = 2_000


class Drive:
    """One driven run. `drive` does all of it, `resume` what is left of one whose supervisor died."""

    def __init__(
        self, site: Site, run: Row, token: str, agent: Agent | None, control: Control, provider: str = ""
    ) -> None:
        self._lease = runs.lease_of(run)
        self._run = run
        self._token = token
        self._agent = agent
        self._control = control
        self._provider = provider
        cause = Cause(SUPERVISOR, "up", run["id"], run["epoch"])
        self._site = site._replace(cause=cause)

    def drive(self) -> None:
        """Bring the run to its end; problems of the work or the machine end it as an outcome, bugs are raised after that."""
        self._to_the_end(self._dream if self._mine()["kind"] == "dream" else self._work)

    def resume(self) -> None:
        """End a run whose supervisor died: by what its agent left, else as lost. Nothing is done again."""
        self._to_the_end(self._take_up)

    def _to_the_end(self, work: Callable[[], None]) -> None:
        try:
            work()
        except errors.LeaseLost:
            return  # the mission went on without this run
        except (errors.StoreUnavailable, errors.Busy):
            return  # nobody could write it down now: the next tick finds the run without anybody who drives it
        except errors.HarnessError as problem:
            self._fault(problem)
        except KeyboardInterrupt:
            # A person stopped it, which is nobody's fault; the agent is dead by now.
            with suppress(errors.LeaseLost):
                self._finish(Ended(Outcome.RELEASED, "stopped by a person"))
            raise
        except BaseException as bug:
            self._fault(bug)
            raise

    def _work(self) -> None:
        site = self._site
        loaded = reading.load(site.place)
        number = self._mine()["number"]
        site.write(_note_documents, self._lease.run_id, loaded.hashes)
        if loaded.problems:
            first = f"the workspace is not ready: {loaded.problems[0].describe()}"
            site.write(missions.ask_to_mend, site.mission_id, first)
            self._finish(Ended(Outcome.RELEASED, first))
            return
        keeping.refresh(site, loaded)
        mission = site.row()
        site.note("INFO", mission["step"], f"run #{number} started by the harness")
        private_folder(site.ground.run_folder(self._lease.run_id))
        assert self._agent is not None
        report = self._agent.work(self._job(prompting.text(site, loaded, mission, number)))
        self._conclude(report)

    def _take_up(self) -> None:
        report = self._agent.left(self._job("")) if self._agent is not None and self._mine()["kind"] == "run" else None
        if report is None and self._asked():
            self._conclude(None)
        elif report is None:
            self._finish(Ended(Outcome.LOST, REASON))
        else:
            self._conclude(report)

    def _job(self, prompt: str) -> Job:
        return Job(self._site, self._lease, self._token, prompt, self._site.row(), self._control, self._site.cause)

    def _conclude(self, report: Report | None) -> None:
        """End the run by what its agent said, or what its end means; then judge it, and do what is due."""
        loaded = reading.load(self._site.place)
        closing = ending.Closing(spent=report.spent, provider=self._provider) if report else ending.PLAIN
        ended = report.ended if report else None
        said = self._said() if self._asked() else None
        if said is None and ended is not None and ended.outcome not in (Outcome.AGENT_FAULT, Outcome.TASK_FAULT):
            changed = self._changed(loaded)
            if changed:
                self._site.write(_mark_changed, self._lease.run_id, changed)
            self._finish(ended, closing)
            return
        by_agent = said is not None
        said = said or self._instead(ended, loaded)
        said = said._replace(changed=self._mine()["changed"] or self._changed(loaded))
        end = mission_runs.ended_by(said)
        self._site.write(mission_runs.say, self._lease, said, end, self._site.cause, closing)
        if not by_agent:  # what the agent said stands in the stream since it said it
            level = {"done": "SUCCESS", "fail": "ERROR", "blocked": "WARN"}[said.word]
            self._site.note(level, said.step or self._site.row()["step"], f"{said.word}: {said.note}")
        keeping.refresh(self._site, loaded, take_step=False)
        judge_and_follow(self._site, loaded)

    def _instead(self, ended: Ended | None, loaded: Loaded) -> Said:
        """Return what the harness says for an agent that said nothing: its exit code decides, the breakpoint is the step."""
        mission = self._site.row()
        step = mission["step"]
        if step == model.FIRST_STEP and loaded.steps:
            step = model.shown_step(loaded.steps[0])
        if ended is None:
            return Said("done", step, "the agent ended without an error")
        return Said("fail", step, ended.reason[:_LONGEST])

    def _dream(self) -> None:
        dreaming.in_run(self._site, self._run)
        self._finish(Ended(Outcome.RELEASED, "the dream is over"))

    def _asked(self) -> bool:
        row = self._site.read(_watch, self._lease.run_id)
        word = str(row["close_request"] or "").partition(":")[0] if row else ""
        return word in (FINISHED, Outcome.AGENT_FAULT, Outcome.RELEASED) and bool(self._mine()["claim"])

    def _said(self) -> Said:
        mine = self._mine()
        return Said(mine["claim"], mine["step"], mine["note"])

    def _changed(self, loaded: Loaded) -> str:
        return keeping.rewritten(self._site, self._lease.run_id, loaded)

    def _mine(self) -> Row:
        return self._site.read(_mine, self._lease.run_id)

    def _finish(self, end: Ended, closing: ending.Closing = ending.PLAIN) -> None:
        self._site.write(ending.finish, self._lease, end, self._site.cause, closing)
        if end.outcome is not Outcome.RELEASED or self._mine()["kind"] == "run":
            self._site.note("WARN", self._site.row()["step"], f"run ended: {end.outcome.value}: {end.reason}")
        keeping.refresh(self._site, take_step=False)

    def _fault(self, problem: BaseException) -> None:
        """End the run as the harness's fault, unless it is over already."""
        end = Ended(Outcome.HARNESS_FAULT, str(problem) or type(problem).__name__)
        try:
            self._finish(end)
        except (errors.LeaseLost, errors.NotAFile, errors.Refused):
            return


def judge_and_follow(site: Site, loaded: Loaded) -> None:
    """Judge the open claim, and do what follows a run: cleanup when due, the end of a mission that declares one."""
    # This very verdict may trip the breaker; what follows a run still follows.
    with suppress(errors.MissionStopped):
        judging.judge_open(site, loaded)
    tidying.when_due(site)
    standing = model.read(site.row())
    passed = standing.claim is not None and standing.claim.result == "passed"
    if passed and not standing.stopped:
        judging.complete_if_reached(site, loaded)
    keeping.refresh(site, loaded)


def _note_documents(tx: Transaction, run_id: str, hashes: dict[str, str]) -> None:
    tx.do("mission_run_documents", run=run_id, documents_json=json.dumps(hashes, sort_keys=True))


def _mark_changed(tx: Transaction, run_id: str, changed: str) -> None:
    tx.do("mission_run_say", run=run_id, claim="", step="", note="", changed=changed)


def _mine(tx: Transaction, run_id: str) -> Row:
    row = tx.one("mission_run_by_id", run=run_id)
    assert row is not None
    return row


def _watch(tx: Transaction, run_id: str) -> Row | None:
    return tx.one("run_watch", run=run_id)
