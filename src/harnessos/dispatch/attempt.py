"""A supervised run from claim to verdict: worktree, turns, verification, and everything given back at the end.

It runs in a thread of the supervisor's process, which renews the lease. Whatever happens, the process tree is dead,
the work is kept, the worktree is gone and the manifest is written before the thread ends (G2, G4).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, processes, worktrees
from harnessos.dispatch import manifest, prompting, settlement, verification, working
from harnessos.dispatch.place import Place, rules_of
from harnessos.dispatch.sessions import make_worktree
from harnessos.dispatch.watching import Control, Limits, Watch, Watched
from harnessos.files import atomic_write, private_folder
from harnessos.kernel import budgets, runs
from harnessos.kernel.ending import Closing
from harnessos.kernel.events import Cause
from harnessos.model.checkpoint import body
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.run import SUPERVISOR, Holder, Lease
from harnessos.model.verdict import Step
from harnessos.runners import command

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.kernel.claims import Claimed
    from harnessos.model import budget
    from harnessos.model.gate import Gate
    from harnessos.store.transaction import Row, Transaction
    from harnessos.workflow.values import Workflow

PORTS_EACH = 100
FIRST_PORT = 20_000
_KILL_GRACE_S = 5.0


class Turn(NamedTuple):
    """What a turn came to. `ended` None: verify; `usd` and `tokens` are what the runner reported of this turn."""

    ended: Ended | None
    usd: int | None
    tokens: int | None


class Attempt:
    """One supervised run. `drive` does all of it."""

    def __init__(
        self, ground: Ground, place: Place, claimed: Claimed, token: str, control: Control, provider: str = ""
    ) -> None:
        assert place.workflow is not None
        self._ground = ground
        self._place = place
        self._workflow: Workflow = place.workflow
        self._claimed = claimed
        self._lease: Lease = claimed.lease
        self._token = token
        self._control = control
        self._provider = provider
        self._cause = Cause(SUPERVISOR, "up", claimed.lease.run_id, claimed.lease.epoch)
        self._folder = private_folder(ground.run_folder(claimed.lease.run_id))
        self._usd: int | None = None
        self._tokens: int | None = None
        self._child: processes.Child | None = None

    def drive(self) -> None:
        """Bring the run to its end. Problems of the work or the machine end it as an outcome; bugs are raised after that."""
        try:
            self._begin()
            self._turns(None)
        except errors.LeaseLost:
            pass
        except errors.HarnessError as problem:
            self._fault(problem)
        except BaseException as bug:
            self._fault(bug)
            raise
        finally:
            self.clean_up()

    def resume(self) -> None:
        """Go on with a run whose agent had asked for its verdict before the supervisor died: verify, do not repeat."""
        try:
            settled = self._verify()
            if settled.step is Step.NEXT_TURN:
                self._turns(self._rejection())
        except errors.LeaseLost:
            pass
        except errors.HarnessError as problem:
            self._fault(problem)
        finally:
            self.clean_up()

    def _begin(self) -> None:
        if self._place.repo is not None:
            try:
                made = make_worktree(self._ground, self._place, self._claimed, self._cause)
            except errors.HarnessError as problem:
                # `make_worktree` has ended the run already; there is nothing more to do here.
                raise errors.LeaseLost(str(problem)) from problem
            self._hook(self._workflow.hooks.after_create, made.path, "after_create", fatal=True)
        manifest.write(self._ground, self._place, self._lease.run_id, "kept while the run is live")

    def _turns(self, rejection: str | None) -> None:
        while True:
            turn = self._turn(rejection)
            self._count(turn)
            if turn.ended is not None:
                self._finish(turn.ended)
                return
            settled = self._verify()
            manifest.write(self._ground, self._place, self._lease.run_id, "kept while the run is live")
            if settled.step is not Step.NEXT_TURN:
                return
            rejection = self._rejection()

    def _turn(self, rejection: str | None) -> Turn:
        run, issue = self._rows()
        limits = budgets.limits_of(issue, self._place.budget)
        most = min(filter(None, (limits.turns, self._workflow.agent.max_turns)), default=None)
        if most is not None and run["turns"] >= most:
            return Turn(Ended(Outcome.AGENT_FAULT, f"not finished after {run['turns']} turns"), None, None)
        if self._control.drain.is_set():
            return Turn(Ended(Outcome.RELEASED, "the supervisor was asked to stop"), None, None)
        folder = Path(run["worktree"]) if run["worktree"] else self._place.root
        self._hook(self._workflow.hooks.before_run, folder, "before_run", fatal=True)
        files = self._prompt(run, issue, run["turns"] + 1, rejection)
        try:
            watched = self._run_agent(run, folder, files, limits)
        finally:
            processes.kill_run(run["id"], grace=_KILL_GRACE_S, group=self._child.identity if self._child else None)
            self._hook(self._workflow.hooks.after_run, folder, "after_run", fatal=False)
        return self._turn_end(watched, files)

    def _prompt(self, run: Row, issue: Row, turn: int, rejection: str | None) -> command.TurnFiles:
        files = command.files_of(self._folder, turn)
        rules = self._ground.store.read(_rules, self._place, issue)
        known = self._ground.store.read(prompting.background_of, issue, run["id"], rules)
        text = prompting.render(self._workflow, self._place, run, issue, known, turn, rejection)
        atomic_write(files.prompt, text.encode(), 0o600)
        return files

    def _run_agent(self, run: Row, folder: Path, files: command.TurnFiles, limits: budget.Limits) -> Watch:
        runner = self._workflow.harness.runner
        assert runner is not None
        store = self._ground.store
        env = command.environment(
            self._ground.environ,
            self._workflow.harness.env,
            {
                "RUN_ID": run["id"],
                "PROJECT": self._place.project["key"],
                "ISSUE": self._claimed.issue["identifier"],
                "ATTEMPT": run["attempt"],
                "TURN": run["turns"] + 1,
                "WORKTREE": str(folder),
                "PROMPT_FILE": str(files.prompt),
                "EVIDENCE_DIR": str(self._folder),
                "SESSION_TOKEN": self._token,
                "PORT_BASE": FIRST_PORT + PORTS_EACH * (self._claimed.slot or 0),
                "HOME": str(self._ground.home),
                "STORE": store.url if store.dialect == "sqlite" else None,
            },
        )
        self._child = command.start(
            runner.argv or runner.shell or "", cwd=folder, env=env, run_id=run["id"], files=files
        )
        self._ground.store.write(runs.launch, self._lease, Holder(*self._child.identity), self._cause)
        left = None if run["cap_at"] is None else max(1.0, (run["cap_at"] - self._ground.clock.now()) / 1000)
        watch = Watch(
            self._ground,
            self._lease,
            self._child,
            Limits(command.STALL_S, left, limits.output_bytes),
            (files.stdout, files.stderr),
            self._control,
        )
        watch.how = watch.until_end()
        if watch.how is Watched.EXITED and watch.exit_code is not None:
            command.record_exit(files, watch.exit_code)
        return watch

    def _turn_end(self, watch: Watch, files: command.TurnFiles) -> Turn:
        """Say what the end of the agent's process means, an asked-for close first."""
        run, _ = self._rows()
        if watch.how is Watched.LOST:
            runs.lost(self._lease)
        if watch.how is not Watched.EXITED:
            return Turn(_ended_by(watch), None, None)
        assert watch.exit_code is not None
        report = command.report(watch.exit_code, files, self._ground.clock.now())
        asked = str(run["close_request"] or "")
        if asked and asked != "finished":
            outcome, _, reason = asked.partition(":")
            return Turn(Ended(Outcome(outcome), reason or "the agent said so"), report.usd, report.tokens)
        ended = None if asked == "finished" else report.ended
        return Turn(ended, report.usd, report.tokens)

    def _count(self, turn: Turn) -> None:
        if turn.usd is not None:
            self._usd = (self._usd or 0) + turn.usd
        if turn.tokens is not None:
            self._tokens = (self._tokens or 0) + turn.tokens

    def _verify(self) -> settlement.Settled:
        """Commit what is left, judge the commit, and do what follows."""
        run, issue = self._rows()
        commit = self._commit(run, issue)
        case = verification.case_of(self._ground, self._place, self._lease, commit)
        name = verification.verifier_name(self._ground)
        self._ground.store.write(runs.start_verifying, self._lease, case.subject, name, run["verifier"], self._cause)
        judged = verification.judge(self._ground, case, self._cause, self._control.cut.is_set)
        if self._control.cut.is_set():
            self._finish(Ended(Outcome.RELEASED, "the supervisor was stopped while it verified"))
            return settlement.Settled(Step.HARNESS_FAULT, None)
        kept = working.keep(self._ground, self._place, run)
        return settlement.settle(self._ground, judged, self._cause, self._closing()._replace(salvage_ref=kept))

    def _commit(self, run: Row, issue: Row) -> str | None:
        if self._place.repo is None:
            return None
        folder = Path(run["worktree"])
        if self._workflow.harness.leftovers == "refuse" and not worktrees.status(folder).clean:
            raise errors.WorktreeProblem("the agent left changes uncommitted, and the workflow refuses leftovers")
        worktrees.commit_leftovers(
            folder, f"{issue['identifier']}: {issue['task']}\n\nCommitted by the harness, run {run['id']}."
        )
        return worktrees.head_of(folder).commit

    def _rejection(self) -> str:
        results = self._ground.store.read(_evidence, self._lease.run_id)
        last = self._ground.store.read(_verdict, self._lease.run_id)
        newest = [row for row in results if row["turn"] == results[-1]["turn"]] if results else []
        return prompting.rejection_text(newest, last["reason"] if last else "")

    def _finish(self, end: Ended) -> None:
        run, _ = self._rows()
        self._derive_checkpoint(run, end)
        kept = working.keep(self._ground, self._place, run)
        settlement.finish(self._ground, self._lease, end, self._cause, self._closing()._replace(salvage_ref=kept))

    def _closing(self) -> Closing:
        return Closing(budget=self._place.budget, usd=self._usd, tokens=self._tokens, provider=self._provider)

    def _derive_checkpoint(self, run: Row, end: Ended) -> None:
        """Record where the work stands when the agent did not: from git and how its process ended (P13)."""
        if run["checkpoints"] or not run["worktree"] or not Path(run["worktree"]).is_dir():
            return
        self._ground.store.write(runs.checkpoint, self._lease, derived(run, end), self._cause)

    def _fault(self, problem: BaseException) -> None:
        """End the run as the harness's fault, unless it is over already."""
        if self._child is not None:
            processes.kill_run(self._lease.run_id, grace=_KILL_GRACE_S, group=self._child.identity)
        try:
            self._finish(Ended(Outcome.HARNESS_FAULT, str(problem) or type(problem).__name__))
        except errors.LeaseLost:
            return

    def clean_up(self) -> None:
        """Nothing of the run is left running or checked out; its manifest says so."""
        group = self._child.identity if self._child else None
        processes.kill_run(self._lease.run_id, grace=_KILL_GRACE_S, group=group)
        run, _ = self._rows()
        if run["live"]:
            return
        folder = Path(run["worktree"]) if run["worktree"] else None
        if folder is not None and folder.is_dir():
            self._hook(self._workflow.hooks.before_remove, folder, "before_remove", fatal=False)
        gone = working.clear(self._ground, self._place, run)
        manifest.write(self._ground, self._place, run["id"], "removed" if gone else "kept: a process still works in it")

    def _hook(self, script: str | None, folder: Path, name: str, *, fatal: bool) -> None:
        if script is None or not self._place.trusted:
            return
        env = processes.built_environment(self._ground.environ, dict(self._workflow.harness.env))
        env |= {"HARNESS_RUN_ID": self._lease.run_id, "HARNESS_WORKTREE": str(folder)}
        env |= {"HARNESS_ISSUE": self._claimed.issue["identifier"], "HARNESS_PROJECT": self._place.project["key"]}
        timeout = self._workflow.hooks.timeout_ms / 1000
        done = worktrees.run_hook(script, worktree=folder, env=env, timeout_s=timeout, log=self._folder / f"{name}.log")
        if fatal and done.exit_code != 0:
            raise errors.WorktreeProblem(f"the hook {name} failed (see {self._folder / (name + '.log')})")

    def _rows(self) -> tuple[Row, Row]:
        return self._ground.store.read(_run_and_issue, self._lease)


def _ended_by(watch: Watch) -> Ended:
    match watch.how:
        case Watched.STALLED:
            return Ended(Outcome.AGENT_FAULT, f"stalled: no progress for {command.STALL_S // 60} minutes")
        case Watched.WALL:
            return Ended(Outcome.AGENT_FAULT, "it reached the wall-time cap of a run")
        case Watched.OUTPUT:
            return Ended(Outcome.AGENT_FAULT, "it wrote more output than a run may")
        case Watched.STOPPED:
            return Ended(Outcome.RELEASED, f"stopped: {watch.stop_reason}")
        case _:
            return Ended(Outcome.RELEASED, "the supervisor was asked to stop")


def derived(run: Row, end: Ended) -> runs.Progress:
    """Return a checkpoint for a run whose agent wrote none: what git shows, and how the run ended."""
    state = worktrees.status(Path(run["worktree"]))
    touched = [*state.staged, *state.unstaged, *state.untracked][:30]
    files = [f"{path}: uncommitted when the run ended" for path in touched]
    summary = (
        f"{len(touched)} uncommitted paths; HEAD is {state.head.commit[:12]} (base {str(run['base_commit'])[:12]})"
    )
    return runs.Progress(
        f"Derived: the run ended as {end.outcome.value}",
        summary,
        "Look at the worktree's state, it was restored, and go on.",
        body({"files": files, "failed": [end.reason] if end.reason else []}),
        derived=True,
    )


def _run_and_issue(tx: Transaction, lease: Lease) -> tuple[Row, Row]:
    run, issue = tx.one("run_by_id", id=lease.run_id), tx.one("issue_by_id", id=lease.issue_id)
    assert run is not None
    assert issue is not None
    return run, issue


def _rules(tx: Transaction, place: Place, issue: Row) -> tuple[Gate, ...]:
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    assert campaign is not None
    return rules_of(place, campaign, issue).gates


def _evidence(tx: Transaction, run_id: str) -> list[Row]:
    return tx.all("evidence_of_run", run=run_id, most=1000)


def _verdict(tx: Transaction, run_id: str) -> Row | None:
    return tx.one("verdict_last", run=run_id, one=1)
