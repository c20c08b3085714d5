"""A supervised run from claim to verdict: worktree, turns, verification, and everything given back at the end.

It runs in a thread of the supervisor's process, which renews the lease. Whatever happens, the process tree (processes.tree)
is dead, the work is kept, the worktree is gone and the manifest is written before the thread ends (G2, G4).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors, worktrees
from harnessos.dispatch import folder, leaving, manifest, predecessors, prompting, settlement, verification, working
from harnessos.dispatch.hooking import Hooks
from harnessos.dispatch.turn import Agent, Turn, ledger_now
from harnessos.dispatch.watching import Control, Standing, stopped
from harnessos.files import private_folder
from harnessos.kernel import runs
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.budget import UNREPORTED
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import SUPERVISOR, Lease
from harnessos.model.verdict import Step, Verdict
from harnessos.runners import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.dispatch.ground import Ground
    from harnessos.dispatch.place import Place
    from harnessos.kernel.claims import Claimed
    from harnessos.store.transaction import Row, Transaction


class Attempt:
    """One supervised run. `drive` does all of it, `resume` what is left of one whose supervisor died."""

    def __init__(
        self, ground: Ground, place: Place, claimed: Claimed, token: str, control: Control, provider: str = ""
    ) -> None:
        self._ground = ground
        self._place = place
        self._claimed = claimed
        self._lease: Lease = claimed.lease
        self._control = control
        self._provider = provider
        self._cause = Cause(SUPERVISOR, "up", claimed.lease.run_id, claimed.lease.epoch)
        self._agent = Agent(ground, place, claimed.lease, token, claimed.slot, control, self._cause)
        self._hooks = Hooks(ground, place, claimed.lease.run_id, claimed.issue["identifier"])
        # Of the turn that is not in the ledger yet; it gets there when the turn's verification begins, or the run ends.
        self._spent = UNREPORTED

    def drive(self) -> None:
        """Bring the run to its end. Problems of the work or the machine end it as an outcome; bugs are raised after that."""
        self._to_the_end(self._from_the_claim)

    def resume(self) -> None:
        """Go on with a run whose agent had asked for its verdict before the supervisor died: verify, do not repeat."""
        self._to_the_end(self._from_the_question)

    def _to_the_end(self, work: Callable[[], None]) -> None:
        try:
            private_folder(self._ground.run_folder(self._lease.run_id))
            work()
        except errors.LeaseLost:
            # The issue went on without this run; what is left is to clean up after it.
            return
        except (errors.StoreUnavailable, errors.Busy):
            # Not the work's fault, and nobody could write it down now: the next full tick finds this run without
            # anybody who drives it, and goes on from what the ledger and the run's folder say (recovery.orphans).
            return
        except errors.HarnessError as problem:
            self._fault(problem)
        except BaseException as bug:
            self._fault(bug)
            raise
        finally:
            with suppress(errors.StoreUnavailable, errors.Busy):
                self.clean_up()

    def _from_the_claim(self) -> None:
        if not self._begin():
            return
        manifest.write(self._ground, self._place, self._lease.run_id, manifest.LIVE)
        run, _ = self._rows()
        self._hooks.run("before_run", self._folder(run))
        self._turns(None)

    def _from_the_question(self) -> None:
        run, _ = self._rows()
        if settlement.was_rejected(self._ground, run):
            self._turns(self._rejection())
            return
        files = command.files_of(self._ground.run_folder(run["id"]), run["turns"])
        turn = self._agent.understand(0, files)
        self._spent = turn.spent
        if turn.ended is not None:
            self._finish(turn.ended)
        elif self._verify(turn.commit) is Step.NEXT_TURN:
            self._turns(self._rejection())

    def _begin(self) -> bool:
        """Make the worktree; False when that could not be, which has ended the run."""
        if not self._place.is_git:
            predecessors.end_here(self._ground, self._claimed.issue)
            folder.remember(self._ground, self._place, self._lease.run_id)
            return True
        try:
            made = working.begin(self._ground, self._place, self._claimed, self._cause)
        except errors.LeaseLost:
            raise
        except errors.HarnessError:
            return False
        self._hooks.run("after_create", made.path)
        return True

    def _turns(self, rejection: str | None) -> None:
        while True:
            run, issue = self._rows()
            ended = self._agent.refused(run, issue)
            turn = Turn(ended) if ended else self._agent.take_turn(run, issue, self._folder(run), rejection)
            self._spent = turn.spent
            if turn.ended is not None:
                self._finish(turn.ended)
                return
            step = self._verify(turn.commit)
            manifest.write(self._ground, self._place, self._lease.run_id, manifest.LIVE)
            if step is not Step.NEXT_TURN:
                return
            rejection = self._rejection()

    def _folder(self, run: Row) -> Path:
        return Path(run["worktree"]) if run["worktree"] else self._place.root

    def _verify(self, named: str | None) -> Step:
        """Commit what is left, judge the commit, and do what follows; return what that was.

        A commit that the agent named is judged as it is, and what it left beside it is not part of it.
        """
        run, issue = self._rows()
        if self._place.is_git and not (self._folder(run) / ".git").exists():
            self._finish(Ended(Outcome.AGENT_FAULT, f"its worktree {run['worktree']} is not there any more"))
            return Step.AGENT_FAULT
        refused = [] if named else self._leftovers(run, issue)
        commit = named or (worktrees.head_of(self._folder(run)).commit if self._place.is_git else None)
        case = verification.case_of(self._ground, self._place, self._lease, commit)
        with verification.verifier(self._ground) as name:
            return self._judge(run, case, refused, name)

    def _judge(self, run: Row, case: verification.Case, refused: list[str], name: str) -> Step:
        """Become the run's verifier, and judge it."""
        if not self._ground.store.write(
            runs.start_verifying,
            self._lease,
            case.subject,
            name,
            run["verifier"],
            self._cause,
            self._spent,
        ):
            raise errors.Busy(f"run {run['id']} is being verified by another process")
        self._spent = UNREPORTED
        standing = Standing(self._ground, self._lease, self._control)
        if refused:
            judged: verification.Judged | None = verification.refuse(self._ground, case, refused, self._cause)
        else:
            judged = verification.judge(self._ground, case, self._cause, standing)
        if judged is None:
            self._finish(self._cut_short(standing))
            return Step.HARNESS_FAULT
        # What is accepted is kept by its ref and branch.
        accepted = judged.decision.verdict is Verdict.VERIFIED
        kept = None if accepted else working.keep(self._ground, self._place, run)
        return settlement.settle(self._ground, judged, self._cause, self._closing(kept)).step

    def _cut_short(self, standing: Standing) -> Ended:
        if standing.lost:
            runs.lost(self._lease)
        if standing.stop_reason:
            return stopped(standing.stop_reason, ledger_now(self._ground))
        return Ended(Outcome.RELEASED, "the supervisor was stopped while it verified")

    def _leftovers(self, run: Row, issue: Row) -> list[str]:
        """Commit what the agent left; return the paths instead where the workflow refuses that."""
        assert self._place.workflow is not None
        if not self._place.is_git:
            return []
        place = self._folder(run)
        if self._place.workflow.harness.leftovers == "refuse":
            worktrees.unhide(place)
            state = worktrees.status(place)
            return [*state.staged, *state.unstaged, *state.untracked]
        worktrees.commit_leftovers(
            place, f"{issue['identifier']}: {issue['task']}\n\nCommitted by the harness, run {run['id']}."
        )
        return []

    def _rejection(self) -> str:
        results = self._ground.store.read(_evidence, self._lease.run_id)
        last = self._ground.store.read(_verdict, self._lease.run_id)
        newest = [row for row in results if row["turn"] == results[-1]["turn"]] if results else []
        return prompting.rejection_text(newest, last["reason"] if last else "")

    def _finish(self, end: Ended) -> None:
        run, _ = self._rows()
        leaving.end(self._ground, self._place, run, end, self._cause, self._closing(None))

    def _closing(self, kept: str | None) -> Closing:
        return Closing(spent=self._spent, provider=self._provider, salvage_ref=kept)

    def _fault(self, problem: BaseException) -> None:
        """End the run as the harness's fault, unless it is over already."""
        self._agent.kill()
        end = Ended(Outcome.HARNESS_FAULT, str(problem) or type(problem).__name__)
        try:
            self._finish(end)
        except errors.LeaseLost:
            return

    def clean_up(self) -> None:
        """Nothing of the run is left running or checked out; its manifest says so."""
        self._agent.kill()
        run, _ = self._rows()
        if run["live"]:
            return
        if run["turns"] or run["worktree"]:
            self._leave(self._folder(run))
        leaving.leave(self._ground, self._place, run)

    def _leave(self, place: Path) -> None:
        if place.is_dir():
            self._hooks.run("after_run", place)
            if self._place.is_git:
                self._hooks.run("before_remove", place)

    def _rows(self) -> tuple[Row, Row]:
        return self._ground.store.read(_run_and_issue, self._lease)


def _run_and_issue(tx: Transaction, lease: Lease) -> tuple[Row, Row]:
    run, issue = tx.one("run_by_id", id=lease.run_id), tx.one("issue_by_id", id=lease.issue_id)
    assert run is not None
    assert issue is not None
    return run, issue


def _evidence(tx: Transaction, run_id: str) -> list[Row]:
    return tx.all("evidence_of_run", run=run_id, most=1000)


def _verdict(tx: Transaction, run_id: str) -> Row | None:
    return tx.one("verdict_last", run=run_id, one=1)
