"""One turn of a supervised run: the agent is prompted, started, watched to its end, and its end is understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos import processes
from harnessos.dispatch import prompting
from harnessos.dispatch.place import Place, rules_of
from harnessos.dispatch.watching import OUTPUT, WALL, Control, Limits, Watch, Watched, ended_by, written
from harnessos.files import atomic_write
from harnessos.kernel import budgets, runs
from harnessos.model.budget import DOLLAR, UNREPORTED, Spent
from harnessos.model.outcome import BACKOFF_MOST_MS, FINISHED, Ended, Outcome
from harnessos.runners import command

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.kernel.events import Cause
    from harnessos.model import budget
    from harnessos.model.gate import Gate
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

PORTS_EACH = 100
FIRST_PORT = 20_000
_KILL_GRACE_S = 5.0


class Turn(NamedTuple):
    """What a turn came to.

    `ended` None: verify, and then `commit` is the one the agent named, None for where its worktree stands. `spent` is
    what the runner reported of this turn.
    """

    ended: Ended | None
    spent: Spent = UNREPORTED
    commit: str | None = None


class Agent:
    """The agent of one run: what its turns share. `slot` gives the run its ports."""

    def __init__(
        self, ground: Ground, place: Place, lease: Lease, token: str, slot: int | None, control: Control, cause: Cause
    ) -> None:
        assert place.workflow is not None
        self._ground = ground
        self._place = place
        self._workflow = place.workflow
        self._lease = lease
        self._token = token
        self._slot = slot
        self._control = control
        self._cause = cause
        self._folder = ground.run_folder(lease.run_id)
        self._child: processes.Child | None = None

    def refused(self, run: Row, issue: Row) -> Ended | None:
        """Return why no further turn may begin, None when one may."""
        limits = budgets.limits_of(issue, self._place.budget)
        most = min(filter(None, (limits.turns, self._workflow.agent.max_turns)), default=None)
        if most is not None and run["turns"] >= most:
            return Ended(Outcome.AGENT_FAULT, f"not finished after {run['turns']} turns")
        spent = self._used_up(run, limits)
        if spent is not None:
            return Ended(Outcome.AGENT_FAULT, spent)
        if self._control.drain.is_set():
            return Ended(Outcome.RELEASED, "the supervisor was asked to stop")
        return None

    def _used_up(self, run: Row, limits: budget.Limits) -> str | None:
        """Return which cap of the run its turns so far have reached together; what a turn costs is known at its end."""
        if run["cap_at"] is not None and run["cap_at"] <= ledger_now(self._ground):
            return WALL
        usd, tokens = run["spent_usd"] or 0, run["spent_tokens"] or 0
        if limits.run_usd is not None and usd >= limits.run_usd:
            return f"it reached the money cap of a run: {usd / DOLLAR:.2f} of {limits.run_usd / DOLLAR:.2f} USD"
        if limits.run_tokens is not None and tokens >= limits.run_tokens:
            return f"it reached the token cap of a run: {tokens:,} of {limits.run_tokens:,}"
        if limits.output_bytes is not None and written(self._outputs(run["turns"])) > limits.output_bytes:
            return OUTPUT
        return None

    def _outputs(self, turns: int) -> tuple[Path, ...]:
        """Return the logs of the first turns: the cap on output is the run's, not the turn's."""
        files = [command.files_of(self._folder, turn) for turn in range(1, turns + 1)]
        return tuple(path for turn in files for path in (turn.stdout, turn.stderr))

    def take_turn(self, run: Row, issue: Row, folder: Path, rejection: str | None) -> Turn:
        """Run the agent once. LeaseLost when the lease was over by its end; its tree is dead in any case."""
        files = self._prompt(run, issue, run["turns"] + 1, rejection)
        try:
            watch = self._watch(run, folder, files, budgets.limits_of(issue, self._place.budget))
        finally:
            self.kill()
        if watch.how is Watched.LOST:
            runs.lost(self._lease)
        if watch.how is Watched.EXITED:
            assert watch.exit_code is not None
            return self.understand(watch.exit_code, files)
        if watch.how is not Watched.STOPPED and self._ground.store.read(_asked, self._lease):
            # It was told that its close is recorded: what ended the process after that takes nothing back.
            return self.understand(0, files)
        return Turn(ended_by(watch, ledger_now(self._ground)))

    def kill(self) -> None:
        """End everything the run ever started."""
        group = self._child.identity if self._child else None
        processes.kill_run(self._lease.run_id, grace=_KILL_GRACE_S, group=group)

    def _prompt(self, run: Row, issue: Row, turn: int, rejection: str | None) -> command.TurnFiles:
        files = command.files_of(self._folder, turn)
        command.clear(self._folder, files)
        gates = self._ground.store.read(_gates, self._place, issue)
        known = self._ground.store.read(prompting.background_of, issue, run["id"], gates)
        text = prompting.render(self._workflow, self._place, run, issue, known, turn, rejection)
        atomic_write(files.prompt, text.encode(), 0o600)
        return files

    def _watch(self, run: Row, folder: Path, files: command.TurnFiles, limits: budget.Limits) -> Watch:
        runner = self._workflow.harness.runner
        assert runner is not None
        env = self._environment(run, folder, files)
        self._child = command.start(
            runner.argv or runner.shell or "", cwd=folder, env=env, run_id=run["id"], files=files
        )
        self._ground.store.write(runs.launch, self._lease, self._child.identity, self._cause)
        left = None if run["cap_at"] is None else max(1.0, (run["cap_at"] - ledger_now(self._ground)) / 1000)
        watch = Watch(
            self._ground,
            self._lease,
            self._child,
            Limits(command.STALL_S, left, limits.output_bytes),
            self._outputs(run["turns"] + 1),
            self._control,
        )
        watch.how = watch.until_end()
        if watch.how is Watched.EXITED and watch.exit_code is not None:
            command.record_exit(files, watch.exit_code)
        return watch

    def _environment(self, run: Row, folder: Path, files: command.TurnFiles) -> dict[str, str]:
        store = self._ground.store
        return command.environment(
            self._ground.environ,
            self._workflow.harness.env,
            {
                "RUN_ID": run["id"],
                "PROJECT": self._place.project["key"],
                "ISSUE": self._ground.store.read(_identifier, self._lease),
                "ATTEMPT": run["attempt"],
                "TURN": run["turns"] + 1,
                "WORKTREE": str(folder),
                "PROMPT_FILE": str(files.prompt),
                "EVIDENCE_DIR": str(command.evidence_of(self._folder)),
                "SESSION_TOKEN": self._token,
                "PORT_BASE": FIRST_PORT + PORTS_EACH * (self._slot or 0),
                "HOME": str(self._ground.home),
                "STORE": store.url if store.dialect == "sqlite" else None,
            },
        )

    def understand(self, exit_code: int, files: command.TurnFiles) -> Turn:
        """Say what the end of the agent's process means: a close it asked for counts more than its exit code."""
        now = ledger_now(self._ground)
        report = command.report(exit_code, files, now, self._lease.run_id)
        asked, _, rest = self._ground.store.read(_asked, self._lease).partition(":")
        if asked == FINISHED:
            return Turn(None, report.spent, rest or None)
        if not asked:
            return Turn(report.ended, report.spent)
        ended = Ended(Outcome(asked), rest or "the agent said so")
        if ended.outcome is Outcome.RELEASED:
            ended = ended._replace(reset_at=now + BACKOFF_MOST_MS)
        return Turn(ended, report.spent)


def ledger_now(ground: Ground) -> int:
    """Return the ledger's instant: its rows are never compared with this machine's clock."""
    return ground.store.read(_now)


def _now(tx: Transaction) -> int:
    return tx.now


def _gates(tx: Transaction, place: Place, issue: Row) -> tuple[Gate, ...]:
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    assert campaign is not None
    return rules_of(place, campaign, issue).gates


def _identifier(tx: Transaction, lease: Lease) -> str:
    row = tx.one("issue_by_id", id=lease.issue_id)
    assert row is not None
    return str(row["identifier"])


def _asked(tx: Transaction, lease: Lease) -> str:
    row = tx.one("run_watch", run=lease.run_id)
    return str(row["close_request"] or "") if row else ""
