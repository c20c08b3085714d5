"""Verification: the harness itself runs the gates at the exact commit, records what it saw, and lets the kernel judge."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors, gates, processes, worktrees
from harnessos.dispatch import scorecards
from harnessos.dispatch.checkouts import CleanCheckout
from harnessos.dispatch.place import Place, Rules, rules_of
from harnessos.files import FileLock, private_folder
from harnessos.gates.environment import gate_environment
from harnessos.gates.manifest import difference, manifest
from harnessos.kernel import evidence
from harnessos.model.facts import Approval, DiffFacts
from harnessos.model.gate import Gate, GateKind
from harnessos.model.gate import Place as GatePlace
from harnessos.model.process import Identity
from harnessos.model.protection import protected_changes
from harnessos.model.verdict import Decision, GateResult
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from harnessos.dispatch.ground import Ground
    from harnessos.kernel.events import Cause
    from harnessos.model.run import Lease
    from harnessos.store.transaction import Row, Transaction

Stop = Callable[[], bool]
MOST_LEFT = 20
_COMMANDS = (GateKind.COMMAND, GateKind.TESTS)
_numbers = itertools.count()
_working: set[str] = set()
"""The verifications that are under way in this process."""


class Case(NamedTuple):
    """A run whose result is to be judged: its rows, its place, the rules, and the subject (commit or manifest)."""

    place: Place
    rules: Rules
    lease: Lease
    run: Row
    issue: Row
    subject: str


class Judged(NamedTuple):
    """The verdict with the results it rests on."""

    decision: Decision
    results: tuple[GateResult, ...]
    case: Case


def case_of(ground: Ground, place: Place, lease: Lease, commit: str | None) -> Case:
    """Gather what judging a run needs. `commit` None reads the manifest of a plain folder."""
    run, issue, campaign = ground.store.read(_rows, lease)
    subject = commit if commit is not None else manifest(place.root).hash
    return Case(place, rules_of(place, campaign, issue), lease, run, issue, subject)


def _rows(tx: Transaction, lease: Lease) -> tuple[Row, Row, Row]:
    run, issue = tx.one("run_by_id", id=lease.run_id), tx.one("issue_by_id", id=lease.issue_id)
    assert run is not None
    assert issue is not None
    campaign = tx.one("campaign_by_id", id=issue["campaign_id"])
    assert campaign is not None
    return run, issue, campaign


def judge(ground: Ground, case: Case, cause: Cause, stop: Stop) -> Judged | None:
    """Run the gates and record evidence and verdict; the issue does not move yet. LeaseLost when the lease is over.

    None when `stop` cut it short: what was seen until then proves nothing, and nothing is recorded.
    """
    if not case.place.is_git:
        results, protected = _in_folder(ground, case, stop)
    else:
        results, protected = _at_commit(ground, case, stop)
    if stop():
        return None
    decision = ground.store.write(evidence.judge, case.lease, case.rules.gates, results, protected, case.subject, cause)
    return Judged(decision, tuple(results), case)


def refuse(ground: Ground, case: Case, left: Sequence[str], cause: Cause) -> Judged:
    """Reject a turn that left changes uncommitted, where the workflow refuses that; no gate runs."""
    gate = Gate(name="leftovers", kind=GateKind.DIFF)
    detail = f"changes are not committed: {', '.join(left[:MOST_LEFT])}" + (" ..." if len(left) > MOST_LEFT else "")
    result = GateResult(gate.name, gate.kind, True, False, case.subject, detail=sayable(detail))
    decision = ground.store.write(evidence.judge, case.lease, [gate], [result], (), case.subject, cause)
    return Judged(decision, (result,), case)


def _at_commit(ground: Ground, case: Case, stop: Stop) -> tuple[list[GateResult], Sequence[str]]:
    run = case.run
    facts = _facts(case)
    root = case.place.root
    protected = protected_changes(facts.changed, case.rules.gates, lambda path: (root / path).is_file())
    if not case.rules.gates:
        return [], protected
    log, env = _log_folder(ground, case), _environment(ground, case, root)
    results: list[GateResult] = []
    try:
        with CleanCheckout(ground, case.place, run["id"], case.subject, env, log / "setup.log", stop) as checkout:
            for gate in case.rules.gates:
                if stop():
                    break
                in_worktree = gate.where is GatePlace.WORKTREE and run["worktree"] is not None
                folder = Path(run["worktree"]) if in_worktree else checkout.path
                state = _worktree_state(folder, case.subject) if in_worktree else checkout.state()
                results.append(_execute(ground, case, gate, folder, facts, state, log, stop))
                checkout.reset()
    except (errors.GateProblem, errors.GitFailed, errors.WorktreeProblem) as problem:
        done = {result.gate for result in results}
        results += [_not_run(gate, case.subject, str(problem)) for gate in case.rules.gates if gate.name not in done]
    return results, protected


def _facts(case: Case) -> DiffFacts:
    """Measure the run's change, from its base on.

    In a checkout of the caller's own it begins where that one left the target branch, and after what other sessions
    there had accepted: another's commit is no work of this one.
    """
    repo, run, taken = case.place.repo, case.run, ""
    base = run["base_commit"] or worktrees.resolve(repo, case.place.target)
    if run["worktree"] is None:
        base = worktrees.fork_point(repo, base, case.subject)
        others = {commit: name for name, commit in worktrees.accepted(repo).items() if name != case.issue["identifier"]}
        last = worktrees.newest_of(repo, base, case.subject, others)
        base, taken = last or base, others.get(last or "", "")
    changed = tuple(entry.path for entry in worktrees.changed_files(repo, base, case.subject))
    return DiffFacts(base, changed, worktrees.conflict_markers(repo, base, case.subject), taken)


def _worktree_state(folder: Path, subject: str) -> str:
    worktrees.unhide(folder)
    found = worktrees.status(folder)
    if found.head.commit != subject:
        return f"HEAD is {found.head.commit[:12]}"
    if not found.clean:
        return "there are changes that are not committed"
    return "ignored_files_present" if found.ignored_present else "clean"


def _in_folder(ground: Ground, case: Case, stop: Stop) -> tuple[list[GateResult], Sequence[str]]:
    """Run the gates in place, one verification at a time; a folder that changes meanwhile voids what they found."""
    private_folder(ground.home)
    log = _log_folder(ground, case)
    name = f"folder-{case.place.project['key']}.lock"
    with FileLock(ground.home / name, timeout=3600):
        before = manifest(case.place.root)
        state = "clean" if before.hash == case.subject else "the folder changed since the run asked for its verdict"
        gate_runs = (
            _execute(ground, case, gate, case.place.root, None, state, log, stop)
            for gate in case.rules.gates
            if not stop()
        )
        results = list(gate_runs)
        moved = difference(before, manifest(case.place.root))
    if moved:
        paths = (*moved.changed, *moved.added, *moved.removed)
        note = sayable(f"the folder changed while the gates ran: {', '.join(paths[:5])}")
        results = [result._replace(tree_state=note) for result in results]
    return results, ()


def _execute(
    ground: Ground, case: Case, gate: Gate, folder: Path, facts: DiffFacts | None, state: str, log: Path, stop: Stop
) -> GateResult:
    if gate.kind in _COMMANDS and not case.place.trusted:
        return _not_run(
            gate, case.subject, f"this project is not trusted here: harness project trust {case.place.project['key']}"
        )
    return gates.execute(
        gate,
        checkout=folder,
        env=_environment(ground, case, folder),
        log_folder=log,
        subject=case.subject,
        facts=facts,
        run_id=case.run["id"],
        stop=stop,
        approvals=ground.store.read(_approvals, case.issue["id"]),
        card=scorecards.newest(ground, case.run) if gate.kind is GateKind.SCORECARD else None,
        tree_state=state,
    )


def _approvals(tx: Transaction, issue_id: str) -> list[Approval]:
    return [
        Approval(row["name"], row["decided_by"] or "", row["state"] in ("approved", "waived"), row["subject"])
        for row in tx.all("approval_of_issue", issue=issue_id)
        if row["state"] in ("approved", "waived", "rejected")
    ]


def _not_run(gate: Gate, subject: str, why: str) -> GateResult:
    return GateResult(gate.name, gate.kind, gate.required, None, subject, detail=why)


def _environment(ground: Ground, case: Case, folder: Path) -> dict[str, str]:
    declared = dict(case.place.workflow.harness.env) if case.place.workflow else {}
    return gate_environment(
        processes.built_environment(ground.environ, declared),
        run_id=case.run["id"],
        project=case.place.project["key"],
        issue=case.issue["identifier"],
        attempt=case.run["attempt"],
        checkout=folder,
        subject=case.subject,
    )


def _log_folder(ground: Ground, case: Case) -> Path:
    return private_folder(ground.run_folder(case.run["id"]) / "gates" / str(max(1, case.run["turns"])))


@contextmanager
def verifier(ground: Ground) -> Iterator[str]:
    """Be a run's verifier: the name is this process's and this work's own, and is alive as long as the work is."""
    name = json.dumps([*ground.process, next(_numbers)])
    _working.add(name)
    try:
        yield name
    finally:
        _working.discard(name)


def verifier_is_dead(name: str) -> bool:
    """Return whether a recorded verifier's process is known to be gone, or is this one and has stopped working."""
    who = Identity(*json.loads(name)[:4])
    if who == processes.this_process():
        return name not in _working
    return processes.is_alive(who) is False
